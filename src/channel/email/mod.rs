//! E-mail over SMTP.
//!
//! Where bounces are read, a message that a server took is accepted, and delivered when it did not come back in time.
//!
//! One transmission is one recipient, so that each gets the server's own words. What matters most is *when* a
//! connection fails: before the final dot the server has nothing and trying again is safe; after it nobody knows, and
//! the outcome is uncertain. Connections are kept open between messages.
//!
//! ```text
//! connect ─▶ EHLO ─▶ STARTTLS ─▶ EHLO ─▶ AUTH ─▶ MAIL ─▶ RCPT ─▶ DATA ─▶ message ─▶ the dot ─▶ 250
//!                                                ▲   deferred or refused          │ uncertain
//!                                                └──────── next message ──────────┴───────────┘
//! ```

pub mod bounce;
mod classify;
mod connection;
pub(super) mod message;
mod pool;
mod reply;
mod returns;
mod server;

use futures::future::{BoxFuture, FutureExt};
use lettre::{
    Address,
    message::Mailbox as Sender,
    transport::smtp::{
        commands::{Data, Mail, Rcpt},
        extension::MailParameter,
    },
};
use url::Url;

use crate::{
    contact::{Contact, mailbox::Mailbox},
    reason::{Reason, Scope},
};

use super::{
    Inbox, Outcome, Parcel, Permit, Proof, Receipts, Report,
    config::{AccountConfig, AccountFault},
    driver::{Driver, not_mine},
    token,
    transcript::Transcript,
    turn::{Turn, Turns},
};

use self::{
    classify::Stage,
    connection::Connection,
    pool::Pool,
    reply::{Reply, Trouble},
    returns::{ReturnPath, Returns},
    server::Server,
};

/// A mail server with the sender it sends for.
#[derive(Debug)]
pub(super) struct Email {
    from: Sender,
    server: Server,
    pool: Pool,
    turns: Turns,
    returns: Option<Returns>,
    return_path: ReturnPath,
}

/// A message ready for the wire.
struct Letter<'a> {
    key: String,
    /// Where it comes back to.
    from: Address,
    to: Mailbox,
    bytes: Vec<u8>,
    permit: Permit<'a>,
}

impl Email {
    pub(super) fn open(url: &Url, config: &AccountConfig) -> Result<Self, AccountFault> {
        let turns = Turns::of(config)?;
        let from = sender(config)?;
        Ok(Self {
            return_path: ReturnPath::open(config, &from)?,
            from,
            server: Server::open(url, config)?,
            pool: Pool::default(),
            turns,
            returns: Returns::open(config)?,
        })
    }

    /// Makes one attempt to mail `parcel` to `to`.
    pub(super) async fn write_to(&self, parcel: &Parcel, to: &Mailbox, permit: Permit<'_>) -> Report {
        let mut transcript = Transcript::default();
        let (outcome, for_anybody) = match message::build(&self.from, to, parcel) {
            Ok(bytes) => {
                let key = token::of_key(&parcel.key);
                let letter = Letter { from: self.return_path.of(&key), key, to: to.clone(), bytes, permit };
                self.send(&letter, &mut transcript).await
            }
            Err(reason) => (Outcome::Refused(reason), false),
        };
        Report { transcript: transcript.into_text(), for_anybody, ..Report::new(outcome) }
    }

    /// Waits until one of its connections is free.
    pub(super) async fn next(&self) -> Turn<'_> {
        self.turns.next().await
    }

    /// Connects, signs in and takes leave.
    pub(super) async fn try_out(&self) -> Result<String, Reason> {
        let mut transcript = Transcript::default();
        match self.server.connect(&mut transcript).await {
            Ok(mut connection) => {
                let seen = format!("{} answers{}", connection.host(), connection.describe());
                connection.leave().await;
                Ok(seen)
            }
            Err(Outcome::Deferred { reason, .. } | Outcome::Refused(reason) | Outcome::Uncertain(reason)) => {
                Err(reason)
            }
            Err(Outcome::Accepted(proof) | Outcome::Delivered(proof)) => Ok(proof.text),
        }
    }

    /// What came of it, and whether it ended before the recipient was named.
    async fn send(&self, letter: &Letter<'_>, transcript: &mut Transcript) -> (Outcome, bool) {
        let mut connection = match self.begin(letter, transcript).await {
            Ok(connection) => connection,
            Err(outcome) => return (outcome, true),
        };
        let outcome = self.deliver(&mut connection, letter, transcript).await.unwrap_or_else(|outcome| outcome);
        if connection.is_ready_again(&outcome, transcript).await {
            self.pool.keep(connection);
        }
        (outcome, false)
    }

    /// A connection on which the server has taken the sender.
    ///
    /// A kept connection may have been closed by the server meanwhile. That shows here, before anything was sent, so
    /// that going on with another one repeats nothing.
    async fn begin(&self, letter: &Letter<'_>, transcript: &mut Transcript) -> Result<Connection, Outcome> {
        while let Some(mut connection) = self.pool.take() {
            transcript.note(&format!("on an open connection to {}", connection.host()));
            let mail = self.mail(&connection, letter)?;
            match connection.command(mail, transcript).await {
                Ok(_) => return Ok(connection),
                Err(trouble) if trouble.closes() => transcript.note("it was closed meanwhile"),
                Err(trouble) => return Err(self.outcome(&connection, Stage::Sender, trouble)),
            }
        }
        let mut connection = self.server.connect(transcript).await?;
        let mail = self.mail(&connection, letter)?;
        match connection.command(mail, transcript).await {
            Ok(_) => Ok(connection),
            Err(trouble) => Err(self.outcome(&connection, Stage::Sender, trouble)),
        }
    }

    /// The command that opens the transaction, if the server can take the letter at all.
    fn mail(&self, connection: &Connection, letter: &Letter<'_>) -> Result<Mail, Outcome> {
        let mut parameters = Vec::new();
        if let Some(limit) = connection.size_limit() {
            if limit > 0 && letter.bytes.len() > limit {
                return Err(Outcome::Refused(too_big(letter.bytes.len(), limit, connection.host())));
            }
            parameters.push(MailParameter::Size(letter.bytes.len()));
        }
        if letter.to.needs_utf8() {
            if !connection.takes_utf8() {
                return Err(Outcome::Refused(no_utf8(connection.host())));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if self.is_reported(connection) {
            parameters.extend(returns::of_mail(&letter.key));
        }
        Ok(Mail::new(Some(letter.from.clone()), parameters))
    }

    async fn deliver(
        &self,
        connection: &mut Connection,
        letter: &Letter<'_>,
        transcript: &mut Transcript,
    ) -> Result<Outcome, Outcome> {
        let reported = self.is_reported(connection).then(|| returns::of_recipient(&letter.to));
        let recipient = Rcpt::new(letter.to.address().clone(), reported.unwrap_or_default());
        if let Err(trouble) = connection.command(recipient, transcript).await {
            return Err(self.outcome(connection, Stage::Recipient, trouble));
        }
        match connection.command(Data, transcript).await {
            Ok(reply) if reply.code == 354 && (letter.permit)() => {}
            Ok(reply) if reply.code == 354 => {
                connection.abandon();
                return Err(Outcome::Deferred { reason: too_late(), after: None });
            }
            Ok(reply) => return Err(self.outcome(connection, Stage::Data, Trouble::Said(reply))),
            Err(trouble) => return Err(self.outcome(connection, Stage::Data, trouble)),
        }
        match connection.message(&letter.bytes, transcript).await {
            Ok(reply) if self.returns.is_some() => Ok(Outcome::Accepted(proof(connection, &reply))),
            Ok(reply) => Ok(Outcome::Delivered(proof(connection, &reply))),
            Err((stage, trouble)) => Err(self.outcome(connection, stage, trouble)),
        }
    }

    /// Whether the server is told when to report what became of a message.
    fn is_reported(&self, connection: &Connection) -> bool {
        self.returns.is_some() && connection.reports()
    }

    fn outcome(&self, connection: &Connection, stage: Stage, trouble: Trouble) -> Outcome {
        classify::outcome(connection.host(), stage, trouble, self.server.greylist)
    }
}

impl Driver for Email {
    fn transmit<'a>(&'a self, parcel: &'a Parcel, contact: &'a Contact, permit: Permit<'a>) -> BoxFuture<'a, Report> {
        match contact {
            Contact::Mailbox(to) => self.write_to(parcel, to, permit).boxed(),
            other => not_mine(other, "a mailbox"),
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        self.try_out().boxed()
    }

    fn is_too_large(&self, reason: &Reason) -> bool {
        classify::is_too_large(&reason.code)
    }

    fn receipts(&self) -> Option<Receipts> {
        self.returns.as_ref().map(Returns::receipts)
    }

    fn bounces(&self) -> Option<&Inbox> {
        self.returns.as_ref().and_then(Returns::inbox)
    }

    fn turn(&self) -> BoxFuture<'_, Turn<'_>> {
        self.next().boxed()
    }
}

/// The sender that an account writes its mails for.
pub(super) fn sender(config: &AccountConfig) -> Result<Sender, AccountFault> {
    let text = config.from.as_deref().ok_or(AccountFault::NoSender)?;
    let sender: Sender = text.parse().map_err(|_| AccountFault::Sender)?;
    let mailbox = Mailbox::parse(sender.email.as_ref()).map_err(AccountFault::SenderMailbox)?;
    if sender.name.as_deref().is_some_and(|name| name.contains(char::is_control)) {
        return Err(AccountFault::Sender);
    }
    Ok(Sender::new(sender.name, mailbox.address().clone()))
}

fn proof(connection: &Connection, reply: &Reply) -> Proof {
    Proof { by: connection.host().to_owned(), text: reply.to_string() }
}

/// The server waits for a message that it does not get.
fn too_late() -> Reason {
    let text = "the claim ran out before the message was sent, so it was not: this process was held up for too long";
    Reason::new(Scope::Attempt, "claim-ran-out", text)
}

fn too_big(size: usize, limit: usize, host: &str) -> Reason {
    let text =
        format!("the message is {size} bytes long and {host} takes {limit} at most; send fewer or smaller files");
    Reason::new(Scope::Document, classify::SIZE, text)
}

fn no_utf8(host: &str) -> Reason {
    let text = format!("the mailbox has letters beyond ASCII before the @, which {host} does not take (no SMTPUTF8)");
    Reason::new(Scope::Contact, "smtp-utf8", text)
}
