-- APIs that are known by more than the name that their tokens' audience has: today those that have
-- a public key for their tokens to be encrypted to. The key is a JWK, as JSON in text.
CREATE TABLE resource (
    audience text COLLATE "C" PRIMARY KEY,
    encryption_key text NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);
