-- Accounts whose failures are told later: an account that was paused by later word of the far side works again when later
-- word says so, not when the far side accepts something.
alter table account
    add column by_word boolean not null default false,
    add constraint account_that_works_waits_for_no_word check (paused_at is not null or not by_word);
