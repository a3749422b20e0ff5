-- Monitors are told at once of what did not happen, and once a day of everything that did. What they are told goes out
-- as runs of a batch of Postbook's own, so that it has attempts, retries and proof like anything else that is sent.

-- Where a monitor's day is, and which way they are told. Names with a dot in front are Postbook's own: nobody can write one.
alter table "user"
    add column zone            text,
    add column monitor_channel text    not null default 'email',
    add column own             boolean not null generated always as (left(name, 1) = '.') stored;
alter table batch
    add column own boolean not null generated always as (left(name, 1) = '.') stored;

insert into "user" (name, title, role, attributes, contacts, monitor, enabled, created_at, changed_at)
values ('.postbook', 'Postbook', 'user', '{}', '{}', false, false, now(), now());

insert into batch (name, enabled, created_at, changed_at) values ('.monitors', true, now(), now());

-- What is told as a sheet of paper, where the channel takes paper.
with paper as (
    insert into document_revision (document, definition, created_at, created_by)
    select null, jsonb_build_object('name', name, 'title', title, 'kind', 'template', 'template', 'templates/' || name || '.typ'),
           now(), '.postbook'
      from (values ('notice', 'Notice'), ('digest', 'Daily digest')) as sheet (name, title)
    returning id
), revision as (
    insert into batch_revision (batch, workflow, run_as, definition, created_at, created_by)
    select '.monitors', 'monitors', '.postbook',
           jsonb_build_object(
               'name', '.monitors', 'title', 'Notices and digests', 'workflow', 'monitors', 'run_as', '.postbook',
               'zone', 'UTC', 'bundle', true,
               'documents', (select jsonb_agg(jsonb_build_object('held', id, 'params', '{}'::jsonb) order by id) from paper),
               'policy', '{"send": "all"}'::jsonb,
               'message', '{"subject": "", "text": ""}'::jsonb),
           now(), '.postbook'
    returning id
)
update batch set current = revision.id from revision where batch.name = '.monitors';

-- How many recipients a run is for, so that an unusual number is noticed.
alter table run add column recipients integer;

-- What monitors have to be told without delay, once each. `mailed_at`: those who are told by mail were told in the run
-- itself. `run` is the one that told the others; it outlives neither.
create table alarm (
    id        bigint generated always as identity,
    kind      text        not null,
    key       text        not null,
    batch     text,
    text      text        not null,
    detail    text,
    at        timestamptz not null,
    raised_at timestamptz not null,
    mailed_at timestamptz,
    told_at   timestamptz,
    run       bigint,
    constraint alarm_pkey primary key (id),
    constraint alarm_is_raised_once unique (kind, key),
    constraint alarm_kind_is_known check (kind in
        ('failed', 'not-started', 'scheduler-down', 'schedule-paused', 'account-paused', 'no-recipients',
         'recipients-unusual'))
);
create index alarm_untold on alarm (kind, id) where told_at is null;
create index alarm_told on alarm (kind, told_at);
create index alarm_mailed on alarm (mailed_at) where mailed_at is not null;

-- What digests tell, numbered in the order in which it became known: a digest is a stretch of these numbers. A time
-- would not do, as what happened before four may be committed after four.
create table daybook (
    number       bigint generated always as identity,
    run          bigint,
    closing      integer,
    batch        text,
    occurrence   text,
    downtime     bigint,
    collected_at timestamptz not null,
    constraint daybook_pkey primary key (number),
    constraint daybook_tells_of_one_thing check (num_nonnulls(run, occurrence, downtime) = 1),
    constraint daybook_tells_of_an_end_once unique (run, closing),
    constraint daybook_tells_of_an_occurrence_once unique (batch, occurrence),
    constraint daybook_tells_of_a_downtime_once unique (downtime)
);
create index daybook_by_age on daybook (collected_at);

-- One digest for each monitor and day: the numbers after `after_number` up to `upto_number`.
create table digest (
    monitor      text        not null,
    day          date        not null,
    from_at      timestamptz not null,
    until_at     timestamptz not null,
    after_number bigint      not null,
    upto_number  bigint      not null,
    run          bigint,
    constraint digest_pkey primary key (monitor, day),
    constraint digest_monitor_fkey foreign key (monitor) references "user" (name),
    constraint digest_ends_after_it_began check (from_at <= until_at and after_number <= upto_number)
);

-- What came due and was lost: nothing could start it, or nothing was there to start it and no later run stands for it.
alter table occurrence
    add column lost boolean not null generated always as (
        state = 'missed'
        or (state = 'skipped' and coalesce(reason ->> 'code' = 'missed' and reason ->> 'policy' <> 'run_once', false))
    ) stored;

-- What did not happen is looked for every second.
create index occurrence_lost on occurrence (decided_at) where lost;
create index schedule_paused on schedule (paused_at) where paused_at is not null;
