-- Files that are fetched by a link instead of being sent: what was offered to whom, and who fetched what. The link itself
-- is nowhere: `token` is the digest that it is looked up by. One without `offered_at` has not gone out yet: files were
-- found too large, and the next attempt brings it.
create table pickup (
    transmission bigint      not null,
    account      text        not null,
    token        text        not null,
    title        text        not null,
    offered_at   timestamptz,
    expires_at   timestamptz not null,
    revoked_at   timestamptz,
    revoked_by   text,
    constraint pickup_pkey primary key (transmission),
    constraint pickup_transmission_fkey foreign key (transmission) references transmission (id),
    constraint pickup_token_is_one_of_its_own unique (token),
    constraint pickup_token_is_a_digest check (token ~ '^[0-9a-f]{64}$'),
    constraint pickup_is_revoked_by_somebody check ((revoked_at is null) = (revoked_by is null))
);

-- Somebody asked for a file by pressing the button. `pass` is the digest of what lets them take it, as often as the line
-- breaks; `finished_at` is when its last byte was first handed out.
create table pickup_download (
    id           bigint generated always as identity,
    transmission bigint      not null,
    pass         text        not null,
    position     integer     not null,
    file         text        not null,
    digest       text        not null,
    address      text        not null,
    agent        text        not null,
    asked_at     timestamptz not null,
    finished_at  timestamptz,
    constraint pickup_download_pkey primary key (id),
    constraint pickup_download_pickup_fkey foreign key (transmission) references pickup (transmission),
    constraint pickup_download_pass_is_one_of_its_own unique (pass),
    constraint pickup_download_pass_is_a_digest check (pass ~ '^[0-9a-f]{64}$'),
    constraint pickup_download_visitor_is_bounded check (octet_length(address) <= 100 and octet_length(agent) <= 400)
);
create index pickup_download_of_transmission on pickup_download (transmission, id);

-- What is fetched is word of what became of a transmission, as a bounce is.
alter table receipt drop constraint receipt_source_is_known;
alter table receipt add constraint receipt_source_is_known
    check (source in ('callback', 'poll', 'bounce', 'person', 'pickup'));
