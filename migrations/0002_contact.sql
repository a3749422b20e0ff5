-- What was last sent to a contact is asked for by people, so it is found without reading the whole book. Only what is
-- no longer on its way is in the index: a transmission enters it once, and sending gets no slower by it.
create index transmission_by_contact on transmission (contact, channel, id)
    where purpose = 'document' and state not in ('queued', 'sending');
