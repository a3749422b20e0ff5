-- What the far side says of an account holds for all nodes, and so do the limits of what is sent by it: both stand
-- here, for accounts that were paused or have limits. All others have no row and cost nothing.
create table account (
    name       text        not null,
    -- How often it failed right after it was tried again; each time its pause is twice as long.
    failures   integer     not null default 0,
    reason     jsonb,
    paused_at  timestamptz,
    -- Empty while it is paused: until somebody resumes it.
    until_at   timestamptz,
    paused_by  text,
    -- The transmission that goes first when the pause is over, while it is being sent.
    probe      bigint,
    resumed_at timestamptz,
    -- When the last one of those that wait for their minute has its turn.
    line_at    timestamptz,
    constraint account_pkey primary key (name),
    constraint account_counts_its_failures check (failures >= 0),
    constraint account_is_paused_for_a_reason check ((paused_at is null) = (reason is null)),
    constraint account_that_works_has_no_pause check
        (paused_at is not null or (until_at is null and paused_by is null and probe is null)),
    constraint account_is_paused_by_somebody_or_until_a_time check
        (paused_at is null or (until_at is null) = (paused_by is not null))
);
create index account_paused on account (name) where paused_at is not null;

-- How many transmissions an account with a limit began, second by second, for as long as the last minute needs.
create table account_second (
    account  text        not null,
    second   timestamptz not null,
    admitted integer     not null,
    constraint account_second_pkey primary key (account, second),
    constraint account_second_account_fkey foreign key (account) references account (name),
    constraint account_second_counts_what_was_admitted check (admitted > 0)
);

-- Who has one of the turns that an account has at once. A turn ends with its transmission: what is no longer being
-- sent has none. It outlives its transmission, which is why it does not refer to it.
create table account_turn (
    transmission bigint not null,
    account      text   not null,
    constraint account_turn_pkey primary key (transmission),
    constraint account_turn_account_fkey foreign key (account) references account (name)
);
create index account_turn_by_account on account_turn (account);
