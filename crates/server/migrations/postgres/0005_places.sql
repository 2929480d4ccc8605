-- Where people have signed in from, and with what. A place outlives the browser sessions that began
-- there: who has signed in from it is not kept out by guessing elsewhere, and a sign-in from another
-- is told to the person until somebody says that it was them.
CREATE TABLE place (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    network text NOT NULL,
    device text NOT NULL,
    agent text NOT NULL,
    since bigint NOT NULL,
    seen_at bigint NOT NULL,
    browser uuid NOT NULL,
    is_new boolean NOT NULL,
    UNIQUE (user_id, network, device)
);
CREATE INDEX place_end ON place (seen_at);

-- What is known already. A device that is known by its whole user agent until it is used next.
INSERT INTO place (id, user_id, network, device, agent, since, seen_at, browser, is_new)
SELECT id, user_id, coalesce(network, ''), coalesce(agent, ''), coalesce(agent, ''), created_at, auth_time, id, false
FROM browser_session
ON CONFLICT DO NOTHING;
