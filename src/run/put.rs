//! A step that puts every artifact of the run on an account: into a folder, on an SFTP, FTP or web server, into a bucket.
//!
//! It goes the way transmissions go, with the permit of its claim: a worker that was held up names nothing any more. What
//! an earlier try put is recognised, so that a try goes on where the one before ended.

use std::time::Instant;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Engine,
    errand::{self, Begun, Done, name_of},
    plan::{Recipient, RecipientColumns},
};
use crate::{
    channel::{File, Message, Outcome, Parcel, account::Account},
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

/// Puts the artifacts of a run, unless another worker does.
pub(super) async fn put(engine: &Engine, step: StepId) -> Result<()> {
    let begun_at = Instant::now();
    let Some(begun) = errand::begin(engine, step).await? else {
        return Ok(());
    };
    let Errand::Put { account, to } = begun.errand()? else {
        anyhow::bail!("a step that puts does not say where to");
    };
    let done = match find(engine, account) {
        Ok(account) => put_all(engine, &begun, (account, to), begun_at).await?,
        Err(failure) => Err(failure),
    };
    begun.end(engine, done).await
}

fn find<'a>(engine: &'a Engine, name: &str) -> Result<&'a Account, Failure> {
    let account = engine.channels.accounts().find(|account| account.name() == name);
    account.filter(|account| CHANNELS.contains(&account.channel())).ok_or_else(|| {
        let text = format!("`{name}` is no account for files here; they are of the kinds {}", CHANNELS.join(", "));
        Failure { reason: Reason::new(Scope::Account, "no-account", text), again: true, after: None }
    })
}

async fn put_all(
    engine: &Engine,
    begun: &Begun,
    (account, to): (&Account, &str),
    begun_at: Instant,
) -> Result<Result<Done, Failure>> {
    let cargo = cargo(engine, begun.claim.run).await?;
    let mut lines = Vec::with_capacity(cargo.len());
    for one in &cargo {
        let parcel = match path(engine, begun, one, to) {
            Ok((folder, name)) => pack(engine, begun, one, (folder, name)).await?,
            Err(failure) => return Ok(Err(failure)),
        };
        let permit = || engine.leases.still_hold(&begun.claim, begun_at, engine.settings.lease);
        let turn = account.turn().await;
        match account.transmit_if(&parcel, &permit, turn).await.outcome {
            Outcome::Accepted(proof) | Outcome::Delivered(proof) => lines.push(proof.text),
            Outcome::Deferred { reason, after } => return Ok(Err(Failure { reason, again: true, after })),
            Outcome::Uncertain(reason) => return Ok(Err(Failure { reason, again: true, after: None })),
            Outcome::Refused(reason) => return Ok(Err(Failure { reason, again: false, after: None })),
        }
    }
    let text = format!("{} put {} files on {}", begun.claim.name, lines.len(), account.name());
    let data = json!({ "step": begun.claim.name, "account": account.name(), "files": lines });
    Ok(Ok(Done { event: "put", text, data, fetched: None }))
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
        created_at: cargo.created_at,
        recipient: cargo.recipient.as_ref().map(|recipient| recipient.name.clone()).unwrap_or_default(),
        contact: folder,
        message: Message::default(),
        files: vec![File { name, media_type: cargo.media_type.clone(), bytes }],
    })
}

async fn cargo(engine: &Engine, run: RunId) -> Result<Vec<Cargo>> {
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
         order by artifact.id
        "#,
        run as RunId,
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
