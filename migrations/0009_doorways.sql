-- What fires batches besides schedules and people: events that programs tell of, and files that come into places. Both
-- are written down before anything is made of them, so that a node may go away at any point.

-- An event is who it is by its type and key. It is fired once; what each subscriber made of it stands beside it.
create table event (
    id          bigint generated always as identity,
    type        text        not null,
    key         text        not null,
    data        jsonb       not null,
    received_at timestamptz not null,
    received_by text        not null,
    fired_at    timestamptz,
    cause_key   text        not null generated always as ('event ' || type || ' ' || key) stored,
    constraint event_pkey primary key (id),
    constraint event_key unique (type, key),
    constraint event_cause_key unique (cause_key),
    constraint event_type_is_plain check (type ~ '^[A-Za-z0-9._-]{1,100}$'),
    constraint event_key_is_short check (char_length(key) between 1 and 200)
);
create index event_unfired on event (id) where fired_at is null;
create index event_by_age on event (received_at);

-- A subscriber of an event: the run it started, or why it started none. The number of a run outlives the run.
create table event_batch (
    event  bigint not null,
    batch  text   not null,
    run    bigint,
    reason text,
    constraint event_batch_pkey primary key (event, batch),
    constraint event_batch_event_fkey foreign key (event) references event (id) on delete cascade,
    constraint event_batch_says_what_came_of_it check ((run is null) <> (reason is null))
);

-- A place that is watched: when it is looked at next, and what was wrong when it was last looked at.
create table place (
    address   text        not null,
    look_at   timestamptz not null,
    looked_at timestamptz,
    faults    integer     not null default 0,
    fault     jsonb,
    odd       text[]      not null default '{}',
    constraint place_pkey primary key (address)
);

-- Files that lie in a place, and since when they are as they are.
create table sighting (
    place    text        not null,
    name     text        not null,
    size     bigint      not null,
    stamp    text        not null,
    since_at timestamptz not null,
    constraint sighting_pkey primary key (place, name),
    constraint sighting_place_fkey foreign key (place) references place (address)
);

-- A file that was claimed. `claimed`: it lies in the place or in the working folder. `taken`: its bytes are in the
-- store. `started`: it has a run. `closing`: it goes where `verdict` says. The rest is final.
create table file (
    id          bigint generated always as identity,
    batch       text        not null,
    place       text        not null,
    name        text        not null,
    size        bigint      not null,
    stamp       text        not null,
    trigger     jsonb       not null,
    state       text        not null default 'claimed',
    digest      text,
    blob        text,
    cause_key   text,
    run         bigint,
    verdict     text,
    reason      jsonb,
    put_as      text,
    tries       integer     not null default 0,
    trouble     jsonb,
    due_at      timestamptz not null,
    lease       integer     not null default 0,
    lease_until timestamptz,
    claimed_at  timestamptz not null,
    taken_at    timestamptz,
    changed_at  timestamptz not null,
    ended_at    timestamptz,
    constraint file_pkey primary key (id),
    constraint file_batch_fkey foreign key (batch) references batch (name),
    constraint file_blob_fkey foreign key (blob) references blob (digest),
    constraint file_cause_key unique (cause_key),
    constraint file_put_as_key unique (place, put_as),
    constraint file_state_is_known check (state in
        ('claimed', 'taken', 'started', 'closing', 'archived', 'rejected', 'vanished')),
    constraint file_ends_with_a_final_state check
        ((ended_at is not null) = (state in ('archived', 'rejected', 'vanished'))),
    constraint file_verdict_is_known check (verdict in ('archive', 'error')),
    constraint file_is_refused_for_a_reason check (verdict is distinct from 'error' or reason is not null)
);
-- Two do not claim one file.
create unique index file_in_place on file (place, name) where state = 'claimed';
create index file_due on file (due_at) where ended_at is null;
create index file_started on file (run) where state = 'started';
create index file_by_bytes on file (place, name, digest);
create index file_by_blob on file (blob) where blob is not null;
create index file_by_age on file (ended_at) where ended_at is not null;

-- Who subscribes, and who watches.
create index batch_revision_with_events on batch_revision (id) where definition ? 'event';
create index batch_revision_with_files on batch_revision (id) where definition ? 'file';
