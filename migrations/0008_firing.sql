-- Batches fire by their schedules, on any number of nodes and without a leader: whoever holds the batch's row decides
-- what its schedules owe, writes that down, starts the runs and moves the schedules on, all in one transaction. Nothing
-- that came due is without a row.

-- What was changed about a batch and has not reached its schedules yet, in the order in which it was done.
create table batch_change (
    id       bigint generated always as identity,
    batch    text        not null,
    revision bigint      not null,
    enabled  boolean     not null,
    deleted  boolean     not null,
    at       timestamptz not null,
    by       text        not null,
    constraint batch_change_pkey primary key (id),
    constraint batch_change_batch_fkey foreign key (batch) references batch (name),
    constraint batch_change_of_a_deleted_batch_disables_it check (not (deleted and enabled))
);
create index batch_change_by_batch on batch_change (batch, id);

-- Batches that are there already begin to fire from now on.
insert into batch_change (batch, revision, enabled, deleted, at, by)
select name, current, enabled, false, now(), 'migration'
  from batch
 where current is not null and deleted_at is null
 order by name;

-- Each schedule of the current revision of a batch. What was due up to `after_at` is decided. `next_at` is when the
-- next one is due, jitter included. One that cannot be read has a fault instead. Local times of a schedule in another
-- zone than the first one's are told apart by `key_zone`.
create table schedule (
    id          bigint generated always as identity,
    batch       text        not null,
    revision    bigint      not null,
    position    integer     not null,
    definition  jsonb       not null,
    key_zone    text,
    after_at    timestamptz not null,
    next_key    text,
    next_at     timestamptz,
    fault       text,
    enabled_at  timestamptz,
    disabled_at timestamptz,
    disabled_by text,
    paused_at   timestamptz,
    paused_by   text,
    paused_note text,
    failures    integer     not null default 0,
    constraint schedule_pkey primary key (id),
    constraint schedule_batch_fkey foreign key (batch) references batch (name),
    constraint schedule_position_key unique (batch, position) deferrable initially deferred,
    constraint schedule_knows_what_is_next check ((next_key is null) = (next_at is null)),
    constraint schedule_with_a_fault_does_not_fire check (fault is null or next_at is null),
    constraint schedule_is_enabled_or_not check ((enabled_at is null) = (disabled_at is not null)),
    constraint schedule_is_disabled_by_somebody check ((disabled_at is null) = (disabled_by is null)),
    constraint schedule_is_paused_by_somebody check
        ((paused_at is null) = (paused_by is null) and (paused_at is null) = (paused_note is null)),
    constraint schedule_counts_its_failures check (failures >= 0)
);
create index schedule_due on schedule (next_at) where next_at is not null;

-- What came due, once for each key in its batch. A row outlives its schedule and its run, which is why it refers to
-- neither. `counted_at` is when it was seen how its run ended.
create table occurrence (
    batch         text        not null,
    key           text        not null,
    schedule      bigint      not null,
    local         timestamp   not null,
    due_at        timestamptz not null,
    business_date date        not null,
    state         text        not null,
    reason        jsonb,
    notes         jsonb       not null default '[]',
    run           bigint,
    decided_at    timestamptz not null,
    counted_at    timestamptz,
    constraint occurrence_pkey primary key (batch, key),
    constraint occurrence_batch_fkey foreign key (batch) references batch (name),
    constraint occurrence_state_is_known check (state in ('waiting', 'ran', 'skipped', 'missed')),
    constraint occurrence_that_ran_has_a_run check ((state = 'ran') = (run is not null)),
    constraint occurrence_that_did_not_run_says_why check (state = 'ran' or reason is not null)
);
create index occurrence_by_due on occurrence (due_at, batch, key);
create index occurrence_of_batch_by_due on occurrence (batch, due_at, key);
create index occurrence_waiting on occurrence (batch, due_at) where state = 'waiting';
create index occurrence_uncounted on occurrence (run) where state = 'ran' and counted_at is null;
create index occurrence_decided on occurrence (decided_at);

-- What is under way in a batch is asked at each firing.
create index run_under_way on run (batch, id) where ended_at is null;
-- Also what was already run for a day.
create index run_by_business_date on run (batch, business_date);

-- The last sign of life of any scheduler, and the times without one.
create table scheduler (
    only_one boolean     not null default true,
    seen_at  timestamptz not null,
    constraint scheduler_pkey primary key (only_one),
    constraint scheduler_is_one check (only_one)
);

create table downtime (
    id      bigint generated always as identity,
    from_at timestamptz not null,
    to_at   timestamptz not null,
    constraint downtime_pkey primary key (id),
    constraint downtime_ends_after_it_began check (from_at < to_at)
);
create index downtime_by_end on downtime (to_at);
