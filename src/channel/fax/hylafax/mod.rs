//! Fax by HylaFAX: a client of hfaxd's own protocol, which is spoken like FTP (hfaxd(8)).
//!
//! An attempt gives the server a job, and is accepted when the server has taken it; what becomes of the job is asked
//! later. In doubt is only the moment in which a job is set free: then, too, the server is asked, by the tag that every
//! job of ours has. The account says who calls again after a failure: we (the server calls once), or the server.
//!
//! ```text
//! connect ─▶ USER PASS ─▶ FORM STOT ─▶ JNEW ─▶ JPARM ... ─▶ JSUBM ─▶ 200      asked: JOB, LIST sendq, LIST doneq
//!                          └── deferred or refused ──┘     uncertain
//! ```

mod ask;
mod control;
mod data;
mod job;
mod log;
mod outcome;
mod queue;
mod reply;
mod server;
mod settings;
mod status;

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use url::Url;

use crate::{
    channel::{
        Answer, Asked, Form, Outcome, Parcel, Permit, Proof, Receipts, Report, Settle, Silence,
        config::{AccountConfig, AccountFault},
        driver::{Driver, not_mine},
        token,
        turn::{Turn, Turns},
    },
    contact::{Contact, number::Number},
    reason::Reason,
};

use self::{
    ask::Far,
    control::Control,
    job::{Failure, Order, Upload},
    server::{Server, Stage},
    settings::Settings,
};
use super::dialled;

/// How often the server is asked about a job. Oftener shows pages sooner and is a burden to the server.
const POLL: Duration = Duration::from_secs(5);
/// How much longer than a job's own end its word may take: the last call goes on beyond it.
const GRACE: Duration = Duration::from_secs(60 * 60);

/// A fax server, with how faxes are sent by it.
#[derive(Debug)]
pub(in crate::channel) struct HylaFax {
    server: Server,
    settings: Settings,
    turns: Turns,
}

impl HylaFax {
    pub(in crate::channel) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let turns = Turns::of(config)?;
        Ok(Self { server: Server::open(url, config)?, settings: Settings::read(config)?, turns })
    }

    async fn fax(&self, parcel: &Parcel, number: &Number, permit: Permit<'_>) -> Report {
        let uploads = match Upload::all(&parcel.files) {
            Ok(uploads) => uploads,
            Err(reason) => return Report::new(Outcome::Refused(reason)),
        };
        let order = Order {
            settings: &self.settings,
            uploads,
            number: (number.as_str(), dialled(&self.settings.dial, number.as_str())),
            tag: queue::tag(&token::of_key(&parcel.key), parcel.attempt),
            permit,
        };
        let mut control = match self.server.connect().await {
            Ok(control) => control,
            Err((stage, trouble, transcript)) => {
                let outcome = outcome::of(&self.server.host, stage, trouble);
                return Report { transcript: transcript.into_text(), for_anybody: true, ..Report::new(outcome) };
            }
        };
        let job = self.job(&mut control, &order, parcel).await;
        let transcript = control.leave().await.into_text();
        match job {
            Ok(job) => {
                let text = format!("job {job} is the fax server's to send, marked {}", order.tag);
                let outcome = Outcome::Accepted(Proof { by: self.server.host.clone(), text });
                Report { transcript, reference: Some(job.to_string()), ..Report::new(outcome) }
            }
            Err(failure) => {
                // What the settings are to blame for would end so for anybody.
                let for_anybody = matches!(failure, Failure::At(Stage::Job, _) | Failure::Rejected(..));
                Report { transcript, for_anybody, ..Report::new(outcome::failed(&self.server.host, failure)) }
            }
        }
    }

    /// The job that sends the parcel: a new one, unless an earlier attempt left one that does.
    async fn job(&self, control: &mut Control, order: &Order<'_>, parcel: &Parcel) -> Result<u32, Failure> {
        if parcel.attempt > 1 {
            let jobs = control.jobs_of(&token::of_key(&parcel.key)).await;
            let jobs = jobs.map_err(|trouble| Failure::At(Stage::Question, trouble))?;
            if let Some(job) = queue::pick(&jobs, parcel.attempt) {
                return Ok(job);
            }
        }
        order.submit(control).await
    }

    async fn look(&self) -> Result<String, Reason> {
        let mut control = self.connect().await?;
        let status = control.fetch("LIST status", 64 * 1024).await;
        control.leave().await;
        let status = status.map_err(|trouble| outcome::reason(&self.server.host, Stage::Question, &trouble))?;
        let status = String::from_utf8_lossy(&status.unwrap_or_default()).into_owned();
        let lines: Vec<_> = status.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        Ok(format!("{} answers: {}", self.server.host, lines.join("; ")))
    }

    async fn connect(&self) -> Result<Control, Reason> {
        let connected = self.server.connect().await;
        connected.map_err(|(stage, trouble, _)| outcome::reason(&self.server.host, stage, &trouble))
    }

    async fn answer(&self, asked: &Asked) -> Result<Answer, Reason> {
        let mut control = self.connect().await?;
        let far = Far { host: &self.server.host, dials: self.settings.dials };
        let answer = ask::ask(&mut control, asked, far).await;
        let answer = answer.map_err(|trouble| outcome::reason(&self.server.host, Stage::Question, &trouble));
        control.leave().await;
        answer
    }
}

impl Driver for HylaFax {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Number(number) => self.fax(parcel, number, permit).boxed(),
            other => not_mine(other, "a fax number"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.look().boxed()
    }

    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        self.turns.next().boxed()
    }

    fn settle(&self) -> Settle {
        Settle::Ask
    }

    fn form(&self) -> Form {
        Form::FaxPages(self.settings.resolution)
    }

    fn receipts(&self) -> Option<Receipts> {
        let within = self.settings.expire + GRACE;
        Some(Receipts { within, poll: Some(POLL), holds: true, silence: Silence::Uncertain })
    }

    fn ask<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Result<Answer, Reason>> {
        self.answer(asked).boxed()
    }
}
