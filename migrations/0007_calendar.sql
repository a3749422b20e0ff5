-- Which days are business days is different from place to place and changes from year to year: calendars stand here by
-- name, as they were written, so that schedules can share one and a new holiday is added in one place.
create table calendar (
    name       text        not null,
    -- Rules, an iCalendar file, or both.
    definition jsonb       not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    constraint calendar_pkey primary key (name),
    constraint calendar_definition_is_an_object check (jsonb_typeof(definition) = 'object'),
    constraint calendar_changes_after_it_was_made check (changed_at >= created_at)
);
