//! A job: files, then what is to be done with them, then the word that sets it free.
//!
//! Until that word the server throws everything away when the connection ends, so that nothing before it is in doubt.
//!
//! The order of the parameters matters twice. LASTTIME counts from SENDTIME (hfaxd's Jobs.c++, setJobParameter). And the
//! server now and then takes the empty job that it wrote to its disk for news, and forgets what it was told since (one in
//! three hundred, seen with 6.0.7): DIALSTRING comes first, because a job that has lost it is never set free.

use bytes::Bytes;

use crate::{
    channel::{File, Permit, Resolution},
    reason::{Reason, Scope},
};

use super::{
    control::Control,
    queue::State,
    reply::{Reply, Trouble},
    server::Stage,
    settings::Settings,
};

/// What hfaxd says of a job that its scheduler would not have (hfaxd's FIFO.c++): that one is not sent.
const REJECTED: &str = "scheduler NAK'd request";

/// What the server is to do.
pub(super) struct Order<'a> {
    pub settings: &'a Settings,
    pub uploads: Vec<Upload>,
    /// As it is kept in the book, and as it is dialled.
    pub number: (&'a str, String),
    pub tag: String,
    pub permit: Permit<'a>,
}

/// A file in a form that the server can make pages of.
pub(super) struct Upload {
    form: &'static str,
    bytes: Bytes,
}

/// Why there is no job.
pub(super) enum Failure {
    At(Stage, Trouble),
    /// The scheduler would not have it: its code and words for that.
    Rejected(u16, String),
    /// The claim ran out before it was set free.
    TooLate,
}

impl Upload {
    /// # Errors
    /// A reason of document scope when the server could make no pages of it.
    pub(super) fn all(files: &[File]) -> Result<Vec<Self>, Reason> {
        if files.is_empty() {
            return Err(Reason::new(Scope::Document, "fax-no-pages", "there is nothing to fax: it has no file"));
        }
        files.iter().map(Self::of).collect()
    }

    fn of(file: &File) -> Result<Self, Reason> {
        let form = match &file.bytes[..] {
            [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "TIFF",
            [b'%', b'P', b'D', b'F', ..] => "PDF",
            [b'%', b'!', ..] => "PS",
            _ => {
                let text = format!("`{}` cannot be faxed; a fax takes TIFF, PDF or PostScript", file.name);
                return Err(Reason::new(Scope::Document, "fax-form", text));
            }
        };
        Ok(Self { form, bytes: file.bytes.clone() })
    }
}

impl Order<'_> {
    /// Hands everything over, and gives the job's number.
    pub(super) async fn submit(&self, control: &mut Control) -> Result<u32, Failure> {
        let mut documents = Vec::new();
        for upload in &self.uploads {
            let document = upload.send(control).await.map_err(|trouble| Failure::At(Stage::Files, trouble))?;
            documents.push(document);
        }
        let job = new(control).await.map_err(|trouble| Failure::At(Stage::Job, trouble))?;
        for (name, value) in self.parameters() {
            let stage = if matches!(name, "DIALSTRING" | "EXTERNAL") { Stage::Number } else { Stage::Job };
            let set = control.command(&format!("JPARM {name} {value}")).await;
            set.map_err(|trouble| Failure::At(stage, trouble))?;
        }
        for document in documents {
            let added = control.command(&format!("JPARM DOCUMENT {document}")).await;
            added.map_err(|trouble| Failure::At(Stage::Files, trouble))?;
        }
        if !(self.permit)() {
            return Err(Failure::TooLate);
        }
        self.set_free(control, job).await
    }

    /// What the job is to be, in the server's order.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let settings = self.settings;
        let minutes = settings.expire.as_secs() / 60;
        let expire = format!("{:02}{:02}{:02}", minutes / (24 * 60), minutes / 60 % 24, minutes % 60);
        let mut parameters = vec![
            // First of all: see above.
            ("DIALSTRING", quoted(&self.number.1)),
            ("EXTERNAL", quoted(self.number.0)),
            ("FROMUSER", quoted(&settings.from)),
            ("SENDTIME", "NOW".to_owned()),
            ("LASTTIME", expire),
            // Calls, and calls that were answered: two limits, both ours to set, so that one side tries again.
            ("MAXDIALS", settings.dials.to_string()),
            ("MAXTRIES", settings.dials.to_string()),
        ];
        if let Some(modem) = &settings.modem {
            parameters.push(("MODEM", quoted(modem)));
        }
        parameters.extend([
            ("NOTIFYADDR", quoted("postbook")),
            ("NOTIFY", "NONE".to_owned()),
            ("JOBINFO", quoted(&self.tag)),
            ("TSI", quoted(&settings.station)),
            ("VRES", if settings.resolution == Resolution::Fine { "196" } else { "98" }.to_owned()),
            ("PAGEWIDTH", settings.page.0.to_string()),
            ("PAGELENGTH", settings.page.1.to_string()),
            ("USETAGLINE", "YES".to_owned()),
            ("TAGLINE", quoted(&settings.header)),
            // Pages arrive as long as they were sent.
            ("PAGECHOP", "NONE".to_owned()),
        ]);
        parameters
    }

    /// Sets the job free. A server whose scheduler does not answer may leave it lying; it is taken back then.
    async fn set_free(&self, control: &mut Control, job: u32) -> Result<u32, Failure> {
        let reply = match control.command(&format!("JSUBM {job}")).await {
            Ok(_) => return Ok(job),
            Err(Trouble::Said(reply)) => reply,
            Err(trouble) => return Err(Failure::At(Stage::Submit, trouble)),
        };
        // One that was rejected is over, whether it can be taken back or not.
        let rejected = self.rejected(control, job).await;
        let back = control.command(&format!("JDELE {job}")).await;
        Err(match (rejected, back) {
            (Some((code, words)), _) => Failure::Rejected(code, words),
            (None, Ok(_)) => Failure::At(Stage::Submit, Trouble::Said(reply)),
            (None, Err(_)) if reply.text.contains(REJECTED) => Failure::At(Stage::Submit, Trouble::Said(reply)),
            (None, Err(_)) => {
                let text = format!("the server said {reply}, and would not give the job back");
                Failure::At(Stage::Submit, Trouble::Lost(text))
            }
        })
    }

    /// Why the scheduler would not have the job, if that is so.
    async fn rejected(&self, control: &mut Control, job: u32) -> Option<(u16, String)> {
        let (token, _) = self.tag.rsplit_once('.')?;
        let seen = control.job(job, token).await.ok().flatten()?;
        (seen.state == State::Failed).then_some(seen.status)
    }
}

impl Upload {
    /// Where the server keeps it.
    async fn send(&self, control: &mut Control) -> Result<String, Trouble> {
        control.command(&format!("FORM {}", self.form)).await?;
        let reply = control.store("STOT", &self.bytes).await?;
        place(&reply).ok_or_else(|| Trouble::Lost("the server did not say where it keeps the file".to_owned()))
    }
}

async fn new(control: &mut Control) -> Result<u32, Trouble> {
    control.command("JOB DEFAULT").await?;
    let reply = control.command("JNEW").await?;
    reply.number_after("jobid:").ok_or_else(|| Trouble::Lost("the server did not say the job's number".to_owned()))
}

/// `Transfer complete (FILE: /tmp/doc1.tif).`
fn place(reply: &Reply) -> Option<String> {
    let place = reply.text.split_once("FILE:")?.1.trim_start();
    let end = place.find([')', ' ']).unwrap_or(place.len());
    Some(place[..end].to_owned()).filter(|it| !it.is_empty())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_file_is_read_from_the_answer() {
        let place = |text: &str| place(&Reply { code: 226, text: text.to_owned() });
        assert_eq!(place("Transfer complete (FILE: /tmp/doc1.tif).").as_deref(), Some("/tmp/doc1.tif"));
        assert_eq!(place("FILE: /tmp/doc1.tif (Opening new data connection).").as_deref(), Some("/tmp/doc1.tif"));
        assert_eq!(place("Transfer complete."), None);
    }

    #[test]
    fn what_stands_in_quotes_stays_there() {
        assert_eq!(quoted(r#"Example "Ltd" \ Co"#), r#""Example \"Ltd\" \\ Co""#);
    }
}
