-- Recipients may come from a query when a run begins: those rows belong to the run, not to a revision of its batch. What
-- an audience has been sent under a key is found again, a failed transmission is followed by one to the next contact,
-- and a suppression says of what kind it is.

alter table recipient
    alter column revision drop not null,
    add column run bigint,
    add constraint recipient_run_fkey foreign key (run) references run (id),
    add constraint recipient_belongs_to_a_batch_or_to_a_run check ((revision is null) <> (run is null));
create unique index recipient_position_in_run on recipient (run, position) where run is not null;

-- Before a recipient of a run goes, Postgres would look through all transmissions and items for its number, as it did
-- for steps; they are purged before it instead.
alter table transmission drop constraint transmission_recipient_fkey;
alter table item drop constraint item_recipient_fkey;

-- How many recipients the audience of a run had, once all of them are written.
alter table run
    add column audience integer,
    add constraint run_audience_is_not_negative check (audience >= 0);

alter table transmission
    add column once                text,
    add column turned_from         bigint,
    add column despite_suppression boolean not null default false,
    add constraint transmission_turned_from_fkey foreign key (turned_from) references transmission (id);
create index transmission_by_once on transmission (once) where once is not null;
create unique index transmission_turns_once on transmission (turned_from) where turned_from is not null;

alter table suppression
    add column kind text not null default 'by-hand',
    add constraint suppression_kind_is_known check
        (kind in ('by-hand', 'bounce', 'complaint', 'unsubscribed', 'stop', 'wrong-number', 'answered'));
