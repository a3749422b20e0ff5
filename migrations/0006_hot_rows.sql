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

-- Suppressions are looked for without regard to case, once for every transmission.
create index suppression_folded on suppression (channel, lower(contact));
