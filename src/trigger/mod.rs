//! Triggers: why a batch fires. Each ends in a start of a run, in the transaction that settles why.

pub mod schedule;
