-- The token core. Times are milliseconds since 1970; UUIDs and hashes are blobs; lists and
-- settings are JSON text.

-- One row. `position` is the newest revocation's number, `cut` the number below which everything
-- is ended, `version` moves on when clients, keys or the log change.
CREATE TABLE meta (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    cut      INTEGER NOT NULL,
    version  INTEGER NOT NULL
) STRICT;

INSERT INTO meta (id, position, cut, version) VALUES (1, 0, 0, 1);

-- Only tenants of which everything was ended once.
CREATE TABLE tenant (
    id  TEXT PRIMARY KEY,
    cut INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE client (
    id         TEXT PRIMARY KEY,
    enabled    INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    cut        INTEGER NOT NULL,
    tenant     TEXT,
    created_at INTEGER NOT NULL,
    settings   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a gate reads comes first, so that it is found without reading the rest of the row.
CREATE TABLE user (
    id            BLOB PRIMARY KEY,
    enabled       INTEGER NOT NULL,
    stamp         INTEGER NOT NULL,
    tenant        TEXT,
    username      TEXT NOT NULL,
    canonical     TEXT NOT NULL UNIQUE,
    email         TEXT,
    roles         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    password_hash TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX user_by_tenant ON user (tenant, canonical) WHERE tenant IS NOT NULL;

-- What a refresh tests and writes comes first. No column that it writes is in an index. One table
-- and not two: the rows of a refresh lie anywhere in the file, and each page that it needs costs
-- more than the longer row.
CREATE TABLE session (
    id                  BLOB PRIMARY KEY,
    generation          INTEGER NOT NULL,
    nonce_hash          BLOB NOT NULL,
    client_id           TEXT NOT NULL,
    ended_at            INTEGER,
    expires_at          INTEGER NOT NULL,
    idle_expires_at     INTEGER NOT NULL,
    idle_lifetime       INTEGER NOT NULL,
    user_id             BLOB NOT NULL,
    user_stamp          INTEGER NOT NULL,
    born                INTEGER NOT NULL,
    key_number          INTEGER NOT NULL,
    retry_hash          BLOB,
    rotated_at          INTEGER NOT NULL,
    recent              BLOB NOT NULL,
    replays             INTEGER NOT NULL,
    lockstep_generation INTEGER NOT NULL,
    lockstep_streak     INTEGER NOT NULL,
    ended_reason        TEXT,
    scope               TEXT NOT NULL,
    audience            TEXT NOT NULL,
    device              TEXT,
    network             TEXT,
    agent               TEXT,
    remember            INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    auth_time           INTEGER NOT NULL,
    acr                 TEXT,
    amr                 TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_user ON session (user_id);
CREATE INDEX session_by_client ON session (client_id);
CREATE INDEX session_by_expiry ON session (expires_at);

CREATE TABLE revocation (
    number     INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    stamp      INTEGER,
    reason     TEXT NOT NULL
) STRICT;

CREATE INDEX revocation_by_subject ON revocation (kind, subject);
CREATE INDEX revocation_by_expiry ON revocation (expires_at);

-- Numbers are never used twice, so that a reader's place in the list stays right.
CREATE TABLE event (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    session_id BLOB,
    user_id    BLOB,
    client_id  TEXT,
    detail     TEXT NOT NULL
) STRICT;

CREATE INDEX event_by_session ON event (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX event_by_user ON event (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX event_by_client ON event (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX event_by_time ON event (at);

CREATE TABLE key (
    id         TEXT PRIMARY KEY,
    purpose    TEXT NOT NULL,
    number     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    active_at  INTEGER NOT NULL,
    expires_at INTEGER,
    sealed     BLOB NOT NULL,
    UNIQUE (purpose, number)
) STRICT, WITHOUT ROWID;
