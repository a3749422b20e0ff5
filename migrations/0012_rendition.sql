-- What went over the telephone line: the pages that a transmission's files became, kept so that every attempt sends the
-- same bytes and the evidence holds them.
create table rendition (
    transmission bigint      not null,
    -- What the pages were made of, so that others who get the same are sent the same bytes.
    key          text        not null,
    digest       text        not null,
    size         bigint      not null,
    -- What goes over the line for each page.
    octets       integer[]   not null,
    created_at   timestamptz not null,
    purged_at    timestamptz,
    blob         text generated always as (case when purged_at is null then digest end) stored,
    constraint rendition_pkey primary key (transmission),
    constraint rendition_transmission_fkey foreign key (transmission) references transmission (id),
    constraint rendition_blob_fkey foreign key (blob) references blob (digest),
    constraint rendition_has_pages check (cardinality(octets) > 0)
);
create index rendition_by_key on rendition (key) where purged_at is null;
create index rendition_by_blob on rendition (blob) where blob is not null;
