//! The server's queues: which jobs are ours, and how one stands.
//!
//! A job's number is used again after 32,000 jobs, so that it says nothing without our tag. The tag is the parcel's key
//! and the number of the attempt.

use super::{control::Control, reply::Trouble};

/// The longest list that is read, in bytes: some fifty thousand jobs.
const LONGEST_LIST: usize = 4 * 1024 * 1024;

/// A line of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub job: u32,
    failed: bool,
    /// Of which attempt it is.
    attempt: i32,
}

/// A job as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub state: State,
    /// Why it is not done: the code and the words.
    pub status: (u16, String),
    /// How many pages were sent, of how many.
    pub pages: (u32, u32),
    /// The last session's name, once it is over.
    pub session: Option<String>,
}

/// What a job is doing (hfaxd's Jobs.c++, stateVals).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Suspended,
    Pending,
    Sleeping,
    Blocked,
    Ready,
    Active,
    Done,
    Failed,
}

/// The mark of an attempt.
pub(super) fn tag(token: &str, attempt: i32) -> String {
    format!("{token}.{attempt}")
}

/// The job to go by when `attempt` is asked about: its own; else one of another attempt at the same parcel that did not
/// fail.
pub(super) fn pick(entries: &[Entry], attempt: i32) -> Option<u32> {
    let own = entries.iter().rfind(|it| it.attempt == attempt);
    own.or_else(|| entries.iter().rfind(|it| !it.failed)).map(|it| it.job)
}

impl Control {
    /// All jobs with the mark of a parcel.
    pub(super) async fn jobs_of(&mut self, token: &str) -> Result<Vec<Entry>, Trouble> {
        self.command(r#"JOBFMT "%j|%a|%J""#).await?;
        let mut entries: Vec<Entry> = Vec::new();
        // In this order a job that is done meanwhile is seen in one of them.
        for queue in ["sendq", "doneq"] {
            let list = self.fetch(&format!("LIST {queue}"), LONGEST_LIST).await?;
            let list = list.ok_or_else(|| Trouble::Lost(format!("the server's {queue} is too long to be read")))?;
            let list = String::from_utf8_lossy(&list).into_owned();
            entries.extend(list.lines().filter_map(|line| entry(line, token)));
        }
        Ok(entries)
    }

    /// How a job stands; nothing when there is no such job, or it is not marked with `token`.
    pub(super) async fn job(&mut self, job: u32, token: &str) -> Result<Option<Job>, Trouble> {
        match self.look(job, token).await {
            // Gone, also while it was looked at.
            Err(Trouble::Said(reply)) if reply.code == 500 => Ok(None),
            looked => looked,
        }
    }

    async fn look(&mut self, job: u32, token: &str) -> Result<Option<Job>, Trouble> {
        self.command(&format!("JOB {job}")).await?;
        let tag = self.parameter("JOBINFO").await?;
        if !tag.strip_prefix(token).is_some_and(|rest| rest.starts_with('.')) {
            return Ok(None);
        }
        // The state first: once it says that the job is done, nothing else changes any more.
        let Some(state) = state(&self.parameter("STATE").await?) else { return Ok(None) };
        let code = self.parameter("STATUSCODE").await?.parse().unwrap_or_default();
        let text = self.parameter("STATUS").await?;
        let sent = self.parameter("NPAGES").await?.parse().unwrap_or_default();
        let all = self.parameter("TOTPAGES").await?.parse().unwrap_or_default();
        let session = self.parameter("COMMID").await?;
        let session = Some(session).filter(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(Some(Job { state, status: (code, text), pages: (sent, all), session }))
    }

    async fn parameter(&mut self, name: &str) -> Result<String, Trouble> {
        Ok(self.command(&format!("JPARM {name}")).await?.text)
    }
}

/// `12|D|run-7.1`
fn entry(line: &str, token: &str) -> Option<Entry> {
    let (job, rest) = line.trim().split_once('|')?;
    let (state, tag) = rest.split_once('|')?;
    let attempt = tag.strip_prefix(token)?.strip_prefix('.')?.parse().ok()?;
    Some(Entry { job: job.parse().ok()?, failed: state == "F", attempt })
}

fn state(word: &str) -> Option<State> {
    Some(match word {
        "SUSPENDED" => State::Suspended,
        "PENDING" => State::Pending,
        "SLEEPING" => State::Sleeping,
        "BLOCKED" => State::Blocked,
        "READY" => State::Ready,
        "ACTIVE" => State::Active,
        "DONE" => State::Done,
        "FAILED" => State::Failed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_ours_by_its_tag_alone() {
        for (line, expected) in [
            ("12|D|run-7.1\r", Some((12, false, 1))),
            ("12|F|run-7.12", Some((12, true, 12))),
            ("12|D|run-77.1", None),
            ("12|D|run-7", None),
            ("12|D|", None),
            ("x|D|run-7.1", None),
        ] {
            assert_eq!(entry(line, "run-7").map(|it| (it.job, it.failed, it.attempt)), expected, "{line}");
        }
    }

    #[test]
    fn the_attempts_own_job_comes_first_then_one_that_did_not_fail() {
        let entry = |job, failed, attempt| Entry { job, failed, attempt };
        assert_eq!(pick(&[entry(1, true, 1), entry(2, false, 2)], 1), Some(1));
        assert_eq!(pick(&[entry(1, true, 1), entry(2, false, 2)], 3), Some(2));
        assert_eq!(pick(&[entry(1, true, 1)], 2), None);
        assert_eq!(pick(&[], 1), None);
    }
}
