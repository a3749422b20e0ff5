-- Steps that carry files: what one of them fetched is an artifact of the run, and fetched again it is the same one.
alter table artifact
    add column step text;
create unique index artifact_fetched_once on artifact (run, step) where step is not null;
