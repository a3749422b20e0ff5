-- What was accepted gets later word from the far side. Each word is kept as it came, whether or not it is known yet what
-- it is about, and what waits for one says until when.

-- What the far side calls what it took: a job's number, a message's.
alter table attempt add column reference text;
create index attempt_by_reference on attempt (reference) where reference is not null;

-- Transmissions that wait for word: accepted ones, and uncertain ones whose far side is asked (`doubt`). `attempt` is the
-- one that the word is to be about. A row whose transmission is neither any more means nothing.
create table awaited (
    transmission bigint      not null,
    run          bigint      not null,
    attempt      integer     not null,
    account      text        not null,
    reference    text,
    doubt        boolean     not null,
    holds        boolean     not null,
    silence      text        not null,
    ask_at       timestamptz,
    asked        integer     not null default 0,
    unanswered   integer     not null default 0,
    progress     text,
    since_at     timestamptz not null,
    deadline_at  timestamptz not null,
    constraint awaited_pkey primary key (transmission),
    constraint awaited_transmission_fkey foreign key (transmission) references transmission (id),
    constraint awaited_silence_is_known check (silence in ('delivered', 'failed', 'uncertain'))
);
create index awaited_askable on awaited (ask_at) where ask_at is not null;
create index awaited_late on awaited (deadline_at);
create index awaited_of_run on awaited (run) where holds;

-- Words as they came, each once. `due_at` is when the book is looked through for what it is about; null once that is done.
-- `effect` says what it changed.
create table receipt (
    id           bigint generated always as identity,
    source       text        not null,
    account      text,
    key          text,
    reference    text,
    digest       text        not null,
    standing     text        not null,
    word         jsonb       not null,
    suppress     text,
    at           timestamptz,
    received_at  timestamptz not null,
    body         bytea,
    transmission bigint,
    attempt      integer,
    effect       text,
    tries        integer     not null default 0,
    due_at       timestamptz,
    constraint receipt_pkey primary key (id),
    constraint receipt_comes_once unique (digest),
    constraint receipt_transmission_fkey foreign key (transmission) references transmission (id),
    constraint receipt_source_is_known check (source in ('callback', 'poll', 'bounce', 'person')),
    constraint receipt_standing_is_known check (standing in ('underway', 'delivered', 'deferred', 'failed', 'unknown')),
    constraint receipt_is_about_something check (num_nonnulls(key, reference) > 0),
    constraint receipt_body_is_bounded check (octet_length(body) <= 65536)
);
create index receipt_of_transmission on receipt (transmission, id) where transmission is not null;
create index receipt_due on receipt (due_at) where due_at is not null;
create index receipt_homeless on receipt (received_at) where transmission is null;

-- Mailboxes that bounces come back to, and how far each has been read. `validity` is what the server calls the numbering
-- of its messages; when that changes, they are read from the first again.
create table bounce_mailbox (
    account  text        not null,
    validity bigint,
    last_uid bigint      not null default 0,
    look_at  timestamptz not null,
    fault    text,
    constraint bounce_mailbox_pkey primary key (account)
);
