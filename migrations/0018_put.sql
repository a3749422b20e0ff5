-- A step that puts files is held back by the limits and the pauses of its account as transmissions are, and whoever is
-- sent no mail any more is sent no link either, because links go out by mail.

-- Steps that put files on accounts that have limits or were paused: each has a turn while it runs and was admitted, or
-- waits. It outlives its step, which is why it does not refer to it.
create table account_errand (
    step     bigint  not null,
    account  text    not null,
    admitted boolean not null,
    constraint account_errand_pkey primary key (step),
    constraint account_errand_account_fkey foreign key (account) references account (name)
);
create index account_errand_by_account on account_errand (account);

-- The step that goes first when the pause is over, where it is no transmission.
alter table account
    add column probe_step bigint;

-- How far a step came that puts several files, while it waits to go on.
alter table step
    add column progress jsonb;

-- The kind of suppression because of which nothing is sent to a contact by a channel any more; nothing when there is none.
create function suppressed_as(by_channel text, to_contact text) returns text
    language sql stable
    return (select suppression.kind
              from suppression
             where suppression.channel in (by_channel, case by_channel when 'pickup' then 'email' end)
               and lower(suppression.contact) = lower(to_contact)
             order by suppression.channel = by_channel desc
             limit 1);
