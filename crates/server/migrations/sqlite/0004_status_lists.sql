-- Status lists: a number for each session that is to be in one.

-- Null of sessions that are in none. Written once, when the session starts: a refresh changes
-- neither it nor its index. The index is also what a list is read by.
ALTER TABLE session ADD COLUMN status_index INTEGER;

CREATE UNIQUE INDEX session_by_status ON session (status_index) WHERE status_index IS NOT NULL;

-- The list that new sessions are put into.
ALTER TABLE meta ADD COLUMN status_list INTEGER DEFAULT 0;
