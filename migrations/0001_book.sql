-- The book: who asks for what to be sent, what was sent, and what came of it. Rows here are the truth; the queue's
-- own tables only hold hints about them.

-- Bytes by their digest. `bytes` is null when they are kept in an object store outside the database.
create table blob (
    digest     text        not null,
    size       bigint      not null,
    bytes      bytea,
    created_at timestamptz not null,
    constraint blob_pkey primary key (digest),
    constraint blob_digest_is_sha256 check (digest ~ '^[0-9a-f]{64}$'),
    constraint blob_size_is_true check (bytes is null or octet_length(bytes) = size)
);
-- Documents are compressed already; stored plainly they can be read piece by piece.
alter table blob alter column bytes set storage external;

-- A workflow as it was at one time: its definition and the digests of its files.
create table workflow_version (
    digest        text        not null,
    name          text        not null,
    definition    text        not null,
    files         jsonb       not null,
    registered_at timestamptz not null,
    constraint workflow_version_pkey primary key (digest)
);

create table workflow (
    name       text        not null,
    current    text        not null,
    changed_at timestamptz not null,
    constraint workflow_pkey primary key (name),
    constraint workflow_current_fkey foreign key (current) references workflow_version (digest)
);

create table "user" (
    name       text        not null,
    title      text        not null,
    role       text        not null,
    attributes jsonb       not null,
    contacts   jsonb       not null,
    monitor    boolean     not null,
    enabled    boolean     not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    constraint user_pkey primary key (name),
    constraint user_role_is_known check (role in ('admin', 'operator', 'user'))
);

create table token (
    id           bigint generated always as identity,
    "user"       text        not null,
    title        text        not null,
    scope        text        not null,
    hash         text        not null,
    created_at   timestamptz not null,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint token_pkey primary key (id),
    constraint token_hash_key unique (hash),
    constraint token_user_fkey foreign key ("user") references "user" (name),
    constraint token_scope_is_known check (scope in ('admin', 'operator', 'user'))
);

-- The catalogue of documents. A change is a new revision, so that runs keep what they began with. A revision
-- without a document is held by one batch alone.
create table document (
    name       text        not null,
    current    bigint,
    created_at timestamptz not null,
    deleted_at timestamptz,
    constraint document_pkey primary key (name)
);

create table document_revision (
    id         bigint generated always as identity,
    document   text,
    definition jsonb       not null,
    created_at timestamptz not null,
    created_by text        not null,
    constraint document_revision_pkey primary key (id),
    constraint document_revision_document_fkey foreign key (document) references document (name)
);

alter table document
    add constraint document_current_fkey foreign key (current) references document_revision (id);

create table batch (
    name       text        not null,
    current    bigint,
    enabled    boolean     not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    deleted_at timestamptz,
    constraint batch_pkey primary key (name)
);

create table batch_revision (
    id         bigint generated always as identity,
    batch      text        not null,
    workflow   text        not null,
    run_as     text        not null,
    definition jsonb       not null,
    created_at timestamptz not null,
    created_by text        not null,
    constraint batch_revision_pkey primary key (id),
    constraint batch_revision_batch_fkey foreign key (batch) references batch (name),
    constraint batch_revision_run_as_fkey foreign key (run_as) references "user" (name)
);

alter table batch
    add constraint batch_current_fkey foreign key (current) references batch_revision (id);

-- Recipients stand beside the definition, so that a hundred thousand of them are read in pieces.
create table recipient (
    id       bigint generated always as identity,
    revision bigint  not null,
    position integer not null,
    name     text    not null,
    contacts jsonb   not null,
    params   jsonb   not null,
    constraint recipient_pkey primary key (id),
    constraint recipient_revision_fkey foreign key (revision) references batch_revision (id),
    constraint recipient_position_key unique (revision, position)
);

-- Addresses nothing is sent to any more.
create table suppression (
    channel    text        not null,
    contact    text        not null,
    reason     text        not null,
    created_at timestamptz not null,
    created_by text        not null,
    constraint suppression_pkey primary key (channel, contact)
);

-- One firing of a batch. `closings` counts how often it has come to an end (a retry opens it again).
create table run (
    id               bigint generated always as identity,
    batch            text        not null,
    revision         bigint      not null,
    workflow_version text        not null,
    cause_kind       text        not null,
    cause_key        text        not null,
    cause_by         text,
    business_date    date        not null,
    run_as           text        not null,
    attributes       jsonb       not null,
    params           jsonb       not null,
    state            text        not null,
    reason           jsonb,
    queued           integer     not null default 0,
    sending          integer     not null default 0,
    accepted         integer     not null default 0,
    delivered        integer     not null default 0,
    failed           integer     not null default 0,
    skipped          integer     not null default 0,
    uncertain        integer     not null default 0,
    cancelled        integer     not null default 0,
    log_length       integer     not null default 0,
    closings         integer     not null default 0,
    created_at       timestamptz not null,
    paused_at        timestamptz,
    cancelled_at     timestamptz,
    ended_at         timestamptz,
    constraint run_pkey primary key (id),
    constraint run_batch_fkey foreign key (batch) references batch (name),
    constraint run_revision_fkey foreign key (revision) references batch_revision (id),
    constraint run_workflow_version_fkey foreign key (workflow_version) references workflow_version (digest),
    constraint run_starts_once_per_cause unique (batch, cause_key),
    constraint run_cause_is_known check (cause_kind in ('schedule', 'demand', 'event', 'file')),
    constraint run_state_is_known check (state in
        ('held', 'expanding', 'running', 'succeeded', 'partial', 'failed', 'cancelled')),
    constraint run_ends_with_a_final_state check
        ((ended_at is not null) = (state in ('succeeded', 'partial', 'failed', 'cancelled')))
);
create index run_by_batch on run (batch, id desc);
create index run_open on run (id) where ended_at is null;

-- One thing to render: a document of the batch with one set of parameters.
create table item (
    id        bigint generated always as identity,
    run       bigint  not null,
    key       text    not null,
    position  integer not null,
    name      text    not null,
    revision  bigint  not null,
    params    jsonb   not null,
    recipient bigint,
    artifact  bigint,
    reason    jsonb,
    constraint item_pkey primary key (id),
    constraint item_run_fkey foreign key (run) references run (id),
    constraint item_revision_fkey foreign key (revision) references document_revision (id),
    constraint item_recipient_fkey foreign key (recipient) references recipient (id),
    constraint item_key_is_unique_in_its_run unique (run, key),
    constraint item_is_rendered_or_failed check (artifact is null or reason is null)
);

create table artifact (
    id         bigint generated always as identity,
    run        bigint      not null,
    file       text        not null,
    media_type text        not null,
    digest     text        not null,
    size       bigint      not null,
    pages      integer,
    created_at timestamptz not null,
    constraint artifact_pkey primary key (id),
    constraint artifact_run_fkey foreign key (run) references run (id),
    constraint artifact_digest_fkey foreign key (digest) references blob (digest)
);

alter table item
    add constraint item_artifact_fkey foreign key (artifact) references artifact (id);

-- Artifacts to one contact over one channel. `waiting` counts the items that are not rendered yet.
create table transmission (
    id             bigint generated always as identity,
    run            bigint      not null,
    purpose        text        not null,
    key            text        not null,
    recipient      bigint,
    recipient_name text        not null,
    channel        text        not null,
    account        text,
    contact        text        not null,
    state          text        not null,
    waiting        integer     not null,
    reason         jsonb,
    proof          jsonb,
    message        jsonb,
    attempts       integer     not null default 0,
    next_at        timestamptz,
    sent_at        timestamptz,
    possibly_twice boolean     not null default false,
    resend_of      bigint,
    created_at     timestamptz not null,
    changed_at     timestamptz not null,
    constraint transmission_pkey primary key (id),
    constraint transmission_run_fkey foreign key (run) references run (id),
    constraint transmission_recipient_fkey foreign key (recipient) references recipient (id),
    constraint transmission_resend_of_fkey foreign key (resend_of) references transmission (id),
    constraint transmission_key_is_unique_in_its_run unique (run, key),
    constraint transmission_purpose_is_known check (purpose in ('document', 'notice')),
    constraint transmission_state_is_known check (state in
        ('queued', 'sending', 'accepted', 'delivered', 'failed', 'skipped', 'uncertain', 'cancelled')),
    constraint transmission_waits_for_no_less_than_nothing check (waiting >= 0),
    constraint transmission_tells_why check (state not in ('failed', 'skipped', 'uncertain') or reason is not null)
);
create index transmission_by_state on transmission (run, state);
create index transmission_unsettled on transmission (id) where state = 'uncertain';

create table transmission_item (
    transmission bigint  not null,
    position     integer not null,
    item         bigint  not null,
    constraint transmission_item_pkey primary key (transmission, position),
    constraint transmission_item_transmission_fkey foreign key (transmission) references transmission (id),
    constraint transmission_item_item_fkey foreign key (item) references item (id)
);
create index transmission_item_by_item on transmission_item (item);

-- Written before the network is touched (`outcome` is null), completed with what came of it.
create table attempt (
    transmission bigint      not null,
    number       integer     not null,
    lease        bigint      not null,
    worker       text        not null,
    started_at   timestamptz not null,
    ended_at     timestamptz,
    outcome      text,
    reason       jsonb,
    proof        jsonb,
    transcript   text        not null default '',
    constraint attempt_pkey primary key (transmission, number),
    constraint attempt_transmission_fkey foreign key (transmission) references transmission (id),
    constraint attempt_outcome_is_known check (outcome in
        ('accepted', 'delivered', 'deferred', 'refused', 'uncertain')),
    constraint attempt_ends_with_an_outcome check ((ended_at is null) = (outcome is null))
);

-- One node of a run's graph, for the run (no item, no transmission), for one item or for one transmission.
create table step (
    id           bigint generated always as identity,
    run          bigint      not null,
    name         text        not null,
    kind         text        not null,
    item         bigint,
    transmission bigint,
    state        text        not null,
    due_at       timestamptz not null,
    hinted_at    timestamptz not null,
    lease        bigint      not null default 0,
    lease_until  timestamptz,
    worker       text,
    tries        integer     not null default 0,
    deaths       integer     not null default 0,
    again        boolean     not null default false,
    reason       jsonb,
    created_at   timestamptz not null,
    changed_at   timestamptz not null,
    constraint step_pkey primary key (id),
    constraint step_run_fkey foreign key (run) references run (id),
    constraint step_item_fkey foreign key (item) references item (id),
    constraint step_transmission_fkey foreign key (transmission) references transmission (id),
    constraint step_state_is_known check (state in ('waiting', 'ready', 'running', 'done', 'failed', 'skipped')),
    constraint step_is_leased_while_it_runs check ((lease_until is not null) = (state = 'running'))
);
create unique index step_once_per_node on step (run, name, coalesce(item, 0), coalesce(transmission, 0));
create index step_due on step (due_at) where state = 'ready';
create index step_without_hint on step (due_at) where state = 'ready' and hinted_at < due_at;
create index step_leased on step (lease_until) where state = 'running';

-- What happened in a run, numbered without gaps; `run.log_length` is the last number.
create table log (
    run    bigint      not null,
    number integer     not null,
    at     timestamptz not null,
    event  text        not null,
    text   text        not null,
    data   jsonb       not null,
    constraint log_pkey primary key (run, number),
    constraint log_run_fkey foreign key (run) references run (id)
);

-- Who changed or looked at what.
create table audit (
    id     bigint generated always as identity,
    at     timestamptz not null,
    by     text        not null,
    action text        not null,
    object text        not null,
    detail jsonb       not null,
    constraint audit_pkey primary key (id)
);
