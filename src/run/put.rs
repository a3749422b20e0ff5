//! A step that puts every artifact of the run on an account: into a folder, on an SFTP, FTP or web server, into a bucket.
//!
//! It goes the way transmissions go, with the permit of its claim: a worker that was held up names nothing any more. The
//! limits, hours and pauses of the account hold for it, file by file: what is not let through waits, and goes on behind
//! the last file that was put. What a try put that was never written down is recognised.

use std::time::Instant;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    Engine,
    allowance::{self, Permission, Put},
    errand::{self, Begun, Done, Halt, name_of},
    plan::{Recipient, RecipientColumns},
};
use crate::{
    channel::{File, Message, Outcome, Parcel, Proof, account::Account},
    document::Failure,
    id::{ArtifactId, RecipientId, RunId, StepId},
    reason::{Reason, Scope},
    workflow::Errand,
};

/// The channels whose contacts are folders.
const CHANNELS: [&str; 5] = ["folder", "sftp", "ftp", "s3", "webdav"];

/// An artifact that is to be put.
struct Cargo {
    id: ArtifactId,
    file: String,
    media_type: String,
    digest: String,
    created_at: DateTime<Utc>,
    /// The item it was rendered for; none when a step fetched it.
    item: Option<String>,
    /// Whom it was rendered for, when that is one alone.
    recipient: Option<Recipient>,
}

/// How far a step came.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// The last artifact that was put.
    after: Option<ArtifactId>,
    /// What the far side said of each so far.
    files: Vec<String>,
}

/// One try at putting the artifacts of a run on an account.
struct Try<'a> {
    engine: &'a Engine,
    begun: &'a Begun,
    begun_at: Instant,
    account: &'a Account,
    progress: Progress,
    /// It has, or had, a turn at the account.
    admitted: bool,
}

/// Puts the artifacts of a run, unless another worker does.
pub(super) async fn put(engine: &Engine, step: StepId) -> Result<()> {
    let begun_at = Instant::now();
    let Some(begun) = errand::begin(engine, step).await? else {
        return Ok(());
    };
    let Errand::Put { account, to } = begun.errand()? else {
        anyhow::bail!("a step that puts does not say where to");
    };
    let account = match find(engine, account) {
        Ok(account) => account,
        Err(failure) => return begun.end(engine, Err(failure)).await,
    };
    let progress = progress(engine, step).await?;
    let mut one = Try { engine, begun: &begun, begun_at, account, progress, admitted: false };
    let came = one.all(to).await?;
    one.end(came).await
}

fn find<'a>(engine: &'a Engine, name: &str) -> Result<&'a Account, Failure> {
    let account = engine.channels.accounts().find(|account| account.name() == name);
    account.filter(|account| CHANNELS.contains(&account.channel())).ok_or_else(|| {
        let text = format!("`{name}` is no account for files here; they are of the kinds {}", CHANNELS.join(", "));
        Failure { reason: Reason::new(Scope::Account, "no-account", text), again: true, after: None }
    })
}

impl Try<'_> {
    /// Puts what is left, one after the other.
    async fn all(&mut self, to: &str) -> Result<Result<Done, Halt>> {
        for cargo in cargo(self.engine, self.begun.claim.run, self.progress.after).await? {
            let place = match path(self.engine, self.begun, &cargo, to) {
                Ok(place) => place,
                Err(failure) => return Ok(Err(failure.into())),
            };
            let probe = match self.may().await? {
                Ok(probe) => probe,
                Err(halt) => return Ok(Err(halt)),
            };
            let parcel = pack(self.engine, self.begun, &cargo, place).await?;
            match self.one(&parcel, probe).await? {
                Ok(proof) => self.progress.files.push(proof.text),
                Err(halt) => return Ok(Err(halt)),
            }
            self.progress.after = Some(cargo.id);
        }
        let (step, account, files) = (&self.begun.claim.name, self.account.name(), &self.progress.files);
        let text = format!("{step} put {} files on {account}", files.len());
        let data = json!({ "step": step, "account": account, "files": files });
        Ok(Ok(Done { event: "put", text, data, fetched: None }))
    }

    /// Whether the next file may be put now, and whether that tries an account that was paused.
    async fn may(&mut self) -> Result<Result<bool, Halt>> {
        let (claim, batch) = (&self.begun.claim, &self.begun.frozen.batch);
        let doors = allowance::doors((batch, self.account), None, "");
        match allowance::may(&doors, claim.step.0, self.engine.clock.now()) {
            Permission::Now => {}
            Permission::Later(wait) => return Ok(Err(Halt::Waits(wait))),
            Permission::Never(reason) => return Ok(Err(Failure { reason, again: false, after: None }.into())),
        }
        let admitted = allowance::admit_step(self.engine, self.account, claim.step).await?;
        self.admitted |= admitted.is_ok();
        Ok(admitted.map_err(Halt::Waits))
    }

    /// Puts one file.
    async fn one(&self, parcel: &Parcel, probe: bool) -> Result<Result<Proof, Halt>> {
        let (engine, claim, account) = (self.engine, &self.begun.claim, self.account);
        let permit = || engine.leases.still_hold(claim, self.begun_at, engine.settings.lease);
        let (turn, began_at) = (account.turn().await, engine.clock.now());
        let report = account.transmit_if(parcel, &permit, turn).await;
        let (step, run, name) = (claim.step, claim.run, account.name());
        let put = Put { step, run, account: name, began_at, probe, report: &report };
        if let Some(wait) = allowance::learn_from_step(engine, &put).await? {
            return Ok(Err(Halt::Waits(wait)));
        }
        let failed = |reason, again, after| Ok(Err(Failure { reason, again, after }.into()));
        match report.outcome {
            Outcome::Accepted(proof) | Outcome::Delivered(proof) => Ok(Ok(proof)),
            Outcome::Deferred { reason, after } => failed(reason, true, after),
            Outcome::Uncertain(reason) => failed(reason, true, None),
            Outcome::Refused(reason) => failed(reason, false, None),
        }
    }

    /// Writes down what came of it, and hands on its turn.
    async fn end(self, came: Result<Done, Halt>) -> Result<()> {
        let (engine, account, now) = (self.engine, self.account, self.engine.clock.now());
        let mut db = engine.db.begin().await.context("beginning to end a step that puts")?;
        allowance::lock_turn(&mut db, account).await?;
        let progress = came.is_err().then_some(&self.progress);
        if !self.begun.close(&mut db, came, now).await? {
            return Ok(());
        }
        note(&mut db, self.begun.claim.step, progress).await?;
        if self.admitted {
            allowance::hand_on(&mut db, (account.name(), account.limits()), 1, now).await?;
        }
        db.commit().await.context("ending a step that puts")
    }
}

async fn progress(engine: &Engine, step: StepId) -> Result<Progress> {
    let progress = sqlx::query_scalar!("select progress from step where id = $1", step as StepId)
        .fetch_one(&engine.db)
        .await
        .with_context(|| format!("reading how far step {step} came"))?;
    progress.map_or_else(|| Ok(Progress::default()), serde_json::from_value).context("reading how far a step came")
}

/// Notes how far a step came that goes on later; one that is done, or is given up, begins anew if it is done again.
async fn note(db: &mut PgConnection, step: StepId, progress: Option<&Progress>) -> Result<()> {
    sqlx::query!(
        "update step set progress = case when state = 'ready' then $2::jsonb end where id = $1",
        step as StepId,
        progress.map(serde_json::to_value).transpose()?,
    )
    .execute(db)
    .await
    .with_context(|| format!("noting how far step {step} came"))?;
    Ok(())
}

/// The folder and the name it gets.
fn path(engine: &Engine, begun: &Begun, cargo: &Cargo, to: &str) -> Result<(String, String), Failure> {
    let mut context = begun.frozen.context();
    context["file"] = json!({ "name": cargo.file });
    context["document"] = json!({ "name": cargo.item });
    if let Some(recipient) = &cargo.recipient {
        context["recipient"] = recipient.context();
    }
    let path = begun.fill(engine, to, &context)?;
    if path.ends_with('/') || path.is_empty() {
        return Ok((path, cargo.file.clone()));
    }
    let name = name_of(&path).to_owned();
    let folder = path.strip_suffix(&name).unwrap_or_default().to_owned();
    Ok((folder, name))
}

async fn pack(engine: &Engine, begun: &Begun, cargo: &Cargo, (folder, name): (String, String)) -> Result<Parcel> {
    let bytes = engine.toolbox.store.get(&cargo.digest).await?;
    Ok(Parcel {
        key: format!("{}-{}-{}", begun.claim.run, begun.claim.step, cargo.id),
        attempt: begun.claim.tries + 1,
        series: 1,
        created_at: cargo.created_at,
        recipient: cargo.recipient.as_ref().map(|recipient| recipient.name.clone()).unwrap_or_default(),
        contact: folder,
        message: Message::default(),
        files: vec![File { name, media_type: cargo.media_type.clone(), bytes }],
    })
}

/// What a run has to put, behind what was put before.
async fn cargo(engine: &Engine, run: RunId, after: Option<ArtifactId>) -> Result<Vec<Cargo>> {
    let rows = sqlx::query!(
        r#"
        select artifact.id as "id: ArtifactId", artifact.file, artifact.media_type, artifact.digest,
               artifact.created_at, item.name as "item?",
               recipient.id as "recipient?: RecipientId", recipient.position as "position?", recipient.name as "name?",
               recipient.contacts as "contacts?", recipient.params as "params?"
          from artifact
          left join item on item.artifact = artifact.id
          left join recipient on recipient.id = item.recipient
         where artifact.run = $1 and artifact.purged_at is null
           and (item.id is not null or artifact.step is not null)
           and ($2::bigint is null or artifact.id > $2)
         order by artifact.id
        "#,
        run as RunId,
        after as Option<ArtifactId>,
    )
    .fetch_all(&engine.db)
    .await
    .with_context(|| format!("reading what run {run} has to put"))?;
    rows.into_iter()
        .map(|row| {
            let columns = RecipientColumns {
                id: row.recipient,
                position: row.position,
                name: row.name,
                contacts: row.contacts,
                params: row.params,
            };
            let recipient = columns.read()?;
            let (id, file, media_type, digest) = (row.id, row.file, row.media_type, row.digest);
            Ok(Cargo { id, file, media_type, digest, created_at: row.created_at, item: row.item, recipient })
        })
        .collect()
}
