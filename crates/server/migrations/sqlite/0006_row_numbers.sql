-- Sessions and users are found by a row number. Their rows are long, so that in a table without row
-- numbers the way to one leads over pages that hold a dozen or two of them; a page of numbers holds
-- hundreds.

-- Sessions name their user's number; everything else knows users by their id.
CREATE TABLE numbered_user (
    number        INTEGER PRIMARY KEY,
    id            BLOB NOT NULL UNIQUE,
    enabled       INTEGER NOT NULL,
    stamp         INTEGER NOT NULL,
    tenant        TEXT,
    username      TEXT NOT NULL,
    canonical     TEXT NOT NULL UNIQUE,
    email         TEXT,
    roles         TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    password_hash TEXT,
    profile       TEXT
) STRICT;

INSERT INTO numbered_user SELECT NULL, * FROM user ORDER BY id;

DROP TABLE user;
ALTER TABLE numbered_user RENAME TO user;

CREATE INDEX user_by_tenant ON user (tenant, canonical) WHERE tenant IS NOT NULL;

-- As before, what a refresh tests and writes comes first, and no column that it writes is in an index.
-- `number` follows from the id, unless another session had that number already: then it is the one
-- that SQLite gives to a row without one. `user_number` is null when the user was gone by then.
CREATE TABLE numbered_session (
    number              INTEGER PRIMARY KEY,
    user_number         INTEGER,
    id                  BLOB NOT NULL UNIQUE,
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
    amr                 TEXT NOT NULL,
    browser             BLOB,
    status_index        INTEGER
) STRICT;

INSERT OR IGNORE INTO numbered_session
SELECT session_number(id), (SELECT number FROM user WHERE user.id = user_id), * FROM session ORDER BY id;
INSERT INTO numbered_session
SELECT NULL, (SELECT number FROM user WHERE user.id = user_id), * FROM session
 WHERE id NOT IN (SELECT id FROM numbered_session) ORDER BY id;

DROP TABLE session;
ALTER TABLE numbered_session RENAME TO session;

CREATE INDEX session_by_user ON session (user_id);
-- A client's sessions can be very many, and are listed in the order of their ids.
CREATE INDEX session_by_client ON session (client_id, id);
CREATE INDEX session_by_expiry ON session (expires_at);
CREATE INDEX session_by_browser ON session (browser) WHERE browser IS NOT NULL;
CREATE UNIQUE INDEX session_by_status ON session (status_index) WHERE status_index IS NOT NULL;
