-- APIs that are known by more than the name that their tokens' audience has: today those that have
-- a public key for their tokens to be encrypted to. The key is a JWK, as JSON text.
CREATE TABLE resource (
    audience       TEXT PRIMARY KEY,
    encryption_key TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
