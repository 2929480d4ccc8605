-- Where people have signed in from, and with what. A place outlives the browser sessions that began
-- there: who has signed in from it is not kept out by guessing elsewhere, and a sign-in from another
-- is told to the person until somebody says that it was them.
CREATE TABLE place (
    id      BLOB PRIMARY KEY,
    user_id BLOB NOT NULL,
    network TEXT NOT NULL,
    device  TEXT NOT NULL,
    agent   TEXT NOT NULL,
    since   INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    browser BLOB NOT NULL,
    is_new  INTEGER NOT NULL,
    UNIQUE (user_id, network, device)
) STRICT, WITHOUT ROWID;

CREATE INDEX place_by_end ON place (seen_at);

-- What is known already. A device that is known by its whole user agent until it is used next.
INSERT INTO place (id, user_id, network, device, agent, since, seen_at, browser, is_new)
SELECT id, user_id, coalesce(network, ''), coalesce(agent, ''), coalesce(agent, ''), created_at, auth_time, id, 0
  FROM browser_session WHERE 1
ON CONFLICT DO NOTHING;
