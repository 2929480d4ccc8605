-- Status lists: a number for each session that is to be in one.

-- Null of sessions that are in none. In the table that a refresh does not write. The index is also
-- what a list is read by.
ALTER TABLE session ADD COLUMN status_index bigint;
CREATE UNIQUE INDEX session_status ON session (status_index) WHERE status_index IS NOT NULL;

-- The list that new sessions are put into.
ALTER TABLE meta ADD COLUMN status_list bigint DEFAULT 0;
