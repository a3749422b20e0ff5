-- Whose clock the end of a link is told by: that of its batch.
alter table pickup add column zone text not null default 'UTC';
