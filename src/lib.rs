//! Postbook sends documents and keeps the book of what was sent, when, to whom, and with what proof.
//!
//! This page is for readers of the code: the words, one run read straight through, the rules that make it durable, and
//! who may import whom. The README is for users, `ops/RUNBOOK.md` for the night shift.
//!
//! # Words
//!
//! One idea has one word, the same in SQL, Rust, JSON and logs; tables are called by these words, instants end in `_at`.
//!
//! | word | meaning |
//! |---|---|
//! | workflow | a graph of steps, `workflows/NAME/workflow.toml` with its templates; a changed folder is a new version |
//! | batch | what an administrator sets up: documents, recipients, a run-as user, a policy; a change is a new revision |
//! | schedule, occurrence | a rule with its zone and policies, and one time at which it is due, named by its local time |
//! | trigger | why a batch fires: its schedule, somebody's demand, an event, a file |
//! | run | one firing of a batch, from its cause to its last notice |
//! | cause | what fired a run, with a key that is unique in its batch |
//! | business date | the date a run is about, which may not be the date it runs on |
//! | document | where bytes come from: stored, a template, a report server, the file that fired the run |
//! | event | something that happened elsewhere, by its type and key; batches that subscribe run once for it |
//! | file, place | what came into a folder, an SFTP folder or an S3 prefix that a batch watches; one run each |
//! | item | one document of one run, with its parameters; rendered once for all who get the same |
//! | artifact | the bytes an item became: file name, media type, digest, pages |
//! | rendition | what a transmission's artifacts became for the way out: the pages of a fax |
//! | recipient, contact | who gets it, and a checked address of theirs on one channel |
//! | audience | recipients that a query on a business database gives when a run begins; the run keeps them |
//! | channel, account | a way out, and a configured way to use it |
//! | transmission | artifacts to one contact: the unit of state, retry and proof; a notice is one as well |
//! | step | one node of the graph inside a run: once a run, an item or a transmission |
//! | attempt, outcome | one try at a transmission, and what came of it: accepted, delivered, deferred, refused, uncertain |
//! | receipt | later word from the far side: how something stands that it accepted, or of which nobody knows |
//! | link, download | what stands for files that stay here, and each time that somebody fetched one by it |
//! | calendar | which days of a place are business days, by name; schedules roll by it |
//! | monitor | a user who is told: of what fails at once, of everything in the morning |
//! | alarm, notice | what monitors have to be told, noted once; and one message that tells it, or several of a kind |
//! | digest | what happened since the last one, once a day; everything it may tell is numbered in the daybook |
//! | letter | a run of the batch `.monitors`, by which a notice or a digest goes out |
//! | hint, job | that a step may be claimed; a job of the queue tells of one step or a stretch of them, by kind and numbers only |
//!
//! # One run, read straight through
//!
//! ```text
//!  cause ─▶ start ─▶ expand ─▶ render ×item ─▶ transmit ×transmission ─▶ record ─▶ notify ×monitor
//!                                   ▲ again, later    ▲ again, later       ▲ counted as often as something settles
//! ```
//!
//! Open the files in this order; none leads back.
//!
//! 1. `run/start.rs`: the run's row is unique on its batch and cause, so twenty requests at once are one run. It notes the
//!    batch's revision, the workflow's version and the user's attributes, and adds the first step with its hint.
//! 2. [`queue`] writes the job, [`worker`] reads it, `run/perform.rs` finds its steps and their file, `run/claim.rs` claims
//!    them. What concurrent steps ask of the database goes there together (`run/together.rs`): each waits for its own.
//! 3. `run/expand.rs` gathers the rows of an audience (`gather`), then writes items and transmissions, 500 recipients at a
//!    time; `run/survey.rs` and `run/plan.rs` work them out without writing a row, so that `run/preview.rs` can ask the same
//!    question. Steps are added with the last chunk, none before.
//! 4. `run/render.rs` takes its item up (`run/item.rs`), lets [`document`] make the bytes, stores them under their digest,
//!    and has them named and the transmissions set free that wait for no other item (`run/artifact.rs`).
//! 5. `run/transmit.rs` loads the words and files (`run/parcel.rs`), or the pages that they become where a fax is sent
//!    (`run/rendition/mod.rs`), claims and opens the attempt (`run/attempt.rs`) where
//!    the account may be used ([`run::allowance`]), sends by [`channel`], and writes what `run/verdict.rs` makes of the
//!    outcome; `run/late.rs` takes in those that come late. It is the pattern the other steps follow. Where files are too
//!    large, or the account is one for it, a link goes out instead (`run/link.rs`), and the door tells of downloads
//!    ([`run::pickup`]).
//! 6. `run/record.rs` counts the run's transmissions, after `run/turn.rs` turned from those that came to nothing to the next
//!    contact, where the policy is `fallback`. When none is open, the run ends: succeeded, partial, failed or
//!    cancelled.
//! 7. `run/notify.rs` writes a transmission to each monitor, in the words of [`monitor`]. What belongs to no run, and who
//!    is not told by mail, gets a letter (`run/letter.rs`): alarms and digests, written by [`sweep`].
//! 8. What fires by itself begins before that: `trigger/schedule/mod.rs` takes changes of batches over (`change`), works out what is
//!    owed (`owed`), decides (`decide`) and writes it with the runs it starts (`settle`), all while it holds the batch.
//! 9. `run/rescue.rs`, called by [`sweep`]: steps that are due, that nobody heard of, or whose worker is gone.
//!
//! 10. What was accepted waits for later word (`run/awaited.rs`). It is received and kept (`run/receipt/mod.rs`), what it is
//!     about is found (`find`), and it is decided (`decide`) and applied (`apply`); asked for (`ask`), read from mailboxes
//!     (`mailbox`), or waited for in vain (`expire`).
//!
//! Whether anything may be sent at all is asked at the claim: `run/sending.rs`, and `db/installation.rs` for books put back
//! from a backup. What becomes too old goes by `run/purge.rs`.
//!
//! `run/state.rs` says which moves are legal. What people do to runs stands in [`run::act`], what they see of them in
//! [`run::book`], the archive in [`run::files`].
//!
//! # Rules
//!
//! Code and tests name them.
//!
//! - **D1 Rows are the truth, hints are hints.** A hint that is lost, doubled or stranded costs time and nothing else: jobs
//!   are tried once, always end well, and are deleted; the sweeper gives due steps a new one.
//! - **D2 A step's result and what follows from it are one transaction.**
//! - **D3 Claims are fenced.** Claiming raises the step's lease number; every later write names it, and finds no row when
//!   somebody else has taken over. Such a step ends quietly, and sends nothing that it has not sent yet.
//! - **D4 Two kinds of trying again.** A deferred outcome is a value: it is written down with the time of the next try.
//!   A fault (the disk is full) changes nothing: the step is put back and done again, or found again when its lease has
//!   run out.
//! - **D5 Intent before act.** The attempt is committed before anything is sent. One without an outcome becomes uncertain:
//!   repeated, held or asked about as its account says, never taken for a failure. A held one is settled by a person, by
//!   the far side, or by its own worker when that comes back late.
//! - **D6 A send is not cut.** Steps run in tasks that outlive the queue's worker, and stopping waits for them. The
//!   outcome of a send during which the database went away is kept and written when it is back, for up to ten minutes.
//! - **D7 No network inside a transaction**, and no client that tries again by itself.
//! - **D8 Inputs are frozen.** A run keeps its batch, workflow, user, parameters, recipients and bytes. To send the same
//!   bytes again and to render again are two different acts.
//! - **D9 Poison is contained.** Templates render in processes of their own, with limits on time and memory; a step that
//!   has taken down three workers is given up.
//! - **D10 Nothing goes missing.** Whoever gets nothing is skipped with a reason. Each occurrence of a schedule that came due
//!   has a row: it ran, waits, was skipped by a policy that is named, or was missed.
//! - **D11 Stopping is no failure.** A node that stops finishes what it has begun and begins nothing new; no attempt is
//!   used up by it.
//! - **D12 Polling is what is relied on.** Workers look for jobs twice a second, sweepers every second, with jitter. News of
//!   jobs make it quicker, one piece for each statement and queue.
//!
//! Leases are compared between nodes, so the time is the database's: see [`clock`].
//!
//! What may be promised: at least once for each step; effectively once where a repeat is recognised (folders); for mail at
//! least once, with one Message-ID for all attempts, or at most once where the account says so.
//!
//! # Rooms
//!
//! Imports go downwards only, and `tests/architecture.rs` holds them to it.
//!
//! | room | modules |
//! |---|---|
//! | doors | [`cli`], [`http`], [`account`], [`setup`], [`app`], [`mod@bench`] |
//! | engine | [`run`], [`trigger`], [`catalog`], [`queue`], [`worker`], [`sweep`], [`monitor`], [`audit`] |
//! | adapters | [`document`], [`source`], [`channel`] |
//! | vocabulary | [`workflow`], [`contact`], [`schedule`] |
//! | ground | [`config`], [`db`], [`clock`], [`id`], [`secret`], [`reason`] |
//!
//! Each table is written by one module. Only [`clock`] reads the clock, only [`queue`] and [`worker`] know the queue's
//! crate, doors and adapters hold no SQL.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when nobody reads any more; cli::print does not"
)]

pub mod account;
pub mod app;
pub mod audit;
pub mod bench;
pub mod catalog;
pub mod channel;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contact;
pub mod db;
pub mod document;
pub mod http;
pub mod id;
pub mod monitor;
pub mod queue;
pub mod reason;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod setup;
pub mod source;
pub mod sweep;
pub mod trigger;
pub mod worker;
pub mod workflow;
