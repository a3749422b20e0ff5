-- A book that was put back from a backup may not know what it sent since, so sending can be paused for the whole
-- installation; and what has become old can be thrown away, in small pieces and without looking through whole tables.

-- The installation's one row: who it is, a counter that only rises, and where its database was when it last rose. Each
-- node notes the counter outside the database; a counter that is behind such a note has been put back.
create table installation (
    only_one   boolean     not null default true,
    id         text        not null,
    counter    bigint      not null default 0,
    system     text,
    timeline   integer,
    folder     bigint,
    counted_at timestamptz,
    pauses     integer     not null default 0,
    paused_at  timestamptz,
    paused_by  text,
    paused_why text,
    constraint installation_pkey primary key (only_one),
    constraint installation_is_one check (only_one),
    constraint installation_tells_why_it_is_paused check
        ((paused_at is null) = (paused_why is null) and (paused_at is null) = (paused_by is null))
);

-- `released_in` is the number of the pause that this run was let out of. What is purged says so, and when.
alter table run
    add column released_in     integer,
    add column files_purged_at timestamptz,
    add column logs_purged_at  timestamptz,
    add column purge_begun_at  timestamptz;
create index run_with_files on run (ended_at) where ended_at is not null and files_purged_at is null;
create index run_with_logs on run (ended_at) where ended_at is not null and logs_purged_at is null;
create index run_ended on run (ended_at) where ended_at is not null;
create index run_being_purged on run (id) where purge_begun_at is not null;

-- An artifact keeps its digest for good and names its bytes until they are purged.
alter table artifact
    drop constraint artifact_digest_fkey,
    add column purged_at timestamptz,
    add column blob text generated always as (case when purged_at is null then digest end) stored,
    add constraint artifact_blob_fkey foreign key (blob) references blob (digest);
create index artifact_by_blob on artifact (blob) where blob is not null;
create index artifact_by_run on artifact (run);

-- Who else names bytes.
create index document_revision_by_digest on document_revision ((definition ->> 'digest'))
    where definition ->> 'digest' is not null;

-- The object of a blob has a name of its own, never used again, so that bytes that come back while their old object is
-- being deleted are not deleted with it. Without a name it is called after its digest.
alter table blob
    add column object text;

-- Before a row goes, Postgres looks for rows that name it. Steps and items are many and change often; more indexes on
-- them would be paid at every change, so these checks go instead: steps and items are only given the numbers of rows
-- that are written with them or were there, and are purged before them.
alter table step
    drop constraint step_item_fkey,
    drop constraint step_transmission_fkey;
alter table item
    drop constraint item_artifact_fkey;
create index transmission_by_original on transmission (resend_of) where resend_of is not null;
