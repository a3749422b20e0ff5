-- What one contact, or one domain, is sent at a time counts for all accounts, batches and nodes, and so does how often
-- a person answered where a fax should. Both stand here for the contacts that are concerned; all others cost nothing.

-- Who has a turn at a contact, or waits for one. A turn ends when its transmission is no longer being sent and waits for
-- no word that holds it; the row stays for as long as the last minute needs it.
create table contact_turn (
    key          text        not null,
    transmission bigint      not null,
    step         bigint      not null,
    began_at     timestamptz,
    waits        boolean     not null,
    constraint contact_turn_pkey primary key (key, transmission)
);
create index contact_turn_by_transmission on contact_turn (transmission);
create index contact_turn_by_step on contact_turn (step);

-- Attempts that a person answered.
create table answered (
    transmission bigint      not null,
    attempt      integer     not null,
    channel      text        not null,
    contact      text        not null,
    at           timestamptz not null,
    constraint answered_pkey primary key (transmission, attempt)
);
create index answered_by_contact on answered (channel, contact, at);

alter table alarm drop constraint alarm_kind_is_known;
alter table alarm add constraint alarm_kind_is_known check (kind in
    ('failed', 'not-started', 'scheduler-down', 'schedule-paused', 'account-paused', 'no-recipients',
     'recipients-unusual', 'number-answered'));
