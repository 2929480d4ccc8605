-- Signing in: browser sessions, tickets, consents, second factors, and the logout notices that
-- clients are owed. Text and numbers are as in the first migration.

-- A person's sign-in with us, held by one browser's cookie.
CREATE TABLE browser_session (
    id uuid PRIMARY KEY,
    secret_hash bytea NOT NULL UNIQUE,
    user_id uuid NOT NULL,
    user_stamp bigint NOT NULL,
    born bigint NOT NULL,
    remember boolean NOT NULL,
    created_at bigint NOT NULL,
    auth_time bigint NOT NULL,
    acr text NOT NULL,
    amr text NOT NULL,
    seen_at bigint NOT NULL,
    idle_lifetime bigint NOT NULL,
    idle_expires_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    network text,
    agent text,
    ended_at bigint,
    ended_reason text
);
CREATE INDEX browser_session_user ON browser_session (user_id, id);
CREATE INDEX browser_session_expiry ON browser_session (expires_at);

-- The browser session that a session ends with. In the table that a refresh does not write.
ALTER TABLE session ADD COLUMN browser uuid;
CREATE INDEX session_browser ON session (browser) WHERE browser IS NOT NULL;

-- Null of users that were added before there were profiles.
ALTER TABLE users ADD COLUMN profile text;

CREATE TABLE ticket (
    hash bytea PRIMARY KEY,
    kind text NOT NULL,
    expires_at bigint NOT NULL,
    kept_until bigint NOT NULL,
    revision bigint NOT NULL,
    body text NOT NULL,
    session_id uuid
);
CREATE INDEX ticket_end ON ticket (kept_until);

CREATE TABLE consent (
    user_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    scope text NOT NULL,
    granted_at bigint NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

CREATE TABLE factor (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    label text NOT NULL,
    created_at bigint NOT NULL,
    used_at bigint,
    counter bigint NOT NULL,
    body text NOT NULL
);
CREATE INDEX factor_user ON factor (user_id);

-- A row until the client has been told, or there is no more point in it.
CREATE TABLE logout_notice (
    session_id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    ended_at bigint NOT NULL,
    due_at bigint NOT NULL
);
CREATE INDEX logout_notice_due ON logout_notice (due_at);
