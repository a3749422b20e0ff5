-- What changes on its way to being sent should cost one write, not one in every index. A row version stays off the
-- indexes when nothing they look at has changed and its page has room: so no index looks at a state any more, but at
-- what a state comes to once, and pages keep room for the versions a row goes through.

alter table transmission
    add column settled boolean not null generated always as (state not in ('queued', 'sending')) stored,
    add column troubled boolean not null generated always as (state in ('failed', 'uncertain')) stored;

drop index transmission_by_state;
drop index transmission_unsettled;
drop index transmission_by_contact;
create index transmission_of_run on transmission (run, id);
create index transmission_in_trouble on transmission (run, id) where troubled;
create index transmission_by_contact on transmission (contact, channel, id) where purpose = 'document' and settled;

alter table item set (fillfactor = 60);
alter table transmission set (fillfactor = 40);
alter table attempt set (fillfactor = 50);

-- Steps are claimed by their numbers. The indexes for whoever looks for due and lapsed ones speak of columns that
-- claims do not, because a plan that claims a hundred steps by looking through all that are ready is a hundred times as
-- slow, and was chosen whenever the statistics were old.
alter table step
    add column ready boolean not null generated always as (state = 'ready') stored,
    add column running boolean not null generated always as (state = 'running') stored;
drop index step_due;
drop index step_without_hint;
drop index step_leased;
create index step_due on step (due_at) where ready;
create index step_without_hint on step (due_at) where ready and hinted_at < due_at;
create index step_leased on step (lease_until) where running;

-- Suppressions are looked for without regard to case, once for every transmission.
create index suppression_folded on suppression (channel, lower(contact));
