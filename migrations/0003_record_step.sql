-- Whenever something of a run is settled, the step that counts the run is looked for; without an index of its own that
-- is a look at all the run's steps, and costs more for each item the more items there are.
create index step_that_records on step (run) where kind = 'record';
