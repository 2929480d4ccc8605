-- Signing in: browser sessions, tickets, consents, second factors, and the logout notices that
-- clients are owed.

-- A person's sign-in with us, held by one browser's cookie.
CREATE TABLE browser_session (
    id              BLOB PRIMARY KEY,
    secret_hash     BLOB NOT NULL UNIQUE,
    user_id         BLOB NOT NULL,
    user_stamp      INTEGER NOT NULL,
    born            INTEGER NOT NULL,
    remember        INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    auth_time       INTEGER NOT NULL,
    acr             TEXT NOT NULL,
    amr             TEXT NOT NULL,
    seen_at         INTEGER NOT NULL,
    idle_lifetime   INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    network         TEXT,
    agent           TEXT,
    ended_at        INTEGER,
    ended_reason    TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX browser_session_by_user ON browser_session (user_id);
CREATE INDEX browser_session_by_expiry ON browser_session (expires_at);

-- The browser session that a session ends with. Written once, when the session starts: a refresh
-- changes neither it nor its index.
ALTER TABLE session ADD COLUMN browser BLOB;

CREATE INDEX session_by_browser ON session (browser) WHERE browser IS NOT NULL;

-- Null of users that were added before there were profiles.
ALTER TABLE user ADD COLUMN profile TEXT;

-- With a rowid, as its bodies are long: a search by hash then reads short rows.
CREATE TABLE ticket (
    hash       BLOB PRIMARY KEY NOT NULL,
    kind       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    kept_until INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    body       TEXT NOT NULL,
    session_id BLOB
) STRICT;

CREATE INDEX ticket_by_end ON ticket (kept_until);

CREATE TABLE consent (
    user_id    BLOB NOT NULL,
    client_id  TEXT NOT NULL,
    scope      TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE factor (
    id         BLOB PRIMARY KEY NOT NULL,
    user_id    BLOB NOT NULL,
    kind       TEXT NOT NULL,
    label      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER,
    counter    INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT;

CREATE INDEX factor_by_user ON factor (user_id);

-- A row until the client has been told, or there is no more point in it.
CREATE TABLE logout_notice (
    session_id BLOB PRIMARY KEY,
    user_id    BLOB NOT NULL,
    client_id  TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    due_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX logout_notice_by_due ON logout_notice (due_at);
