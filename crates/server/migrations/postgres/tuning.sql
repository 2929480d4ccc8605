-- Not a migration: advice to PostgreSQL's own upkeep, given again whenever the schema has moved
-- on. An engine that does not know it goes without. Refreshes turn over session_head all the
-- time: vacuum it when one row in fifty has changed rather than one in five, so that it and its
-- visibility map stay small, and without naps, because its dead rows are nearly all cleared by
-- the updates themselves. The one row of meta is renewed with every revocation.
ALTER TABLE session_head SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE meta SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, fillfactor = 10);
