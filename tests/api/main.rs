//! The doors as programs see them: what is set up, who may, and what is said when something is wrong.

mod accounts;
mod attack;
mod batches;
mod callbacks;
mod description;
mod documents;
mod door;
mod events;
mod firing;
mod pages;
mod people;
mod recipients;
mod runs;
mod schedules;
mod sending;
