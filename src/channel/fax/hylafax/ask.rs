//! What the server says when it is asked what became of an attempt.
//!
//! A job that is no longer there is not one that failed: servers clean their queues.

use crate::channel::{Answer, Asked, Proof, Standing, token};

use super::{
    control::Control,
    log::Log,
    queue::{Job, State, pick},
    reply::Trouble,
    status::{self, Fate},
};

/// The server that is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Far<'a> {
    pub host: &'a str,
    /// How often it calls for one attempt.
    pub dials: u16,
}

impl Far<'_> {
    /// The server, with who calls again after a failure.
    fn caller(self) -> String {
        match self.dials {
            1 => format!("{}, which calls once for each attempt,", self.host),
            dials => format!("{}, which calls up to {dials} times for each attempt,", self.host),
        }
    }
}

/// Asks about an attempt on an open connection.
pub(super) async fn ask(control: &mut Control, asked: &Asked, far: Far<'_>) -> Result<Answer, Trouble> {
    let token = token::of_key(&asked.key);
    let Some((number, job)) = find(control, asked, &token).await? else {
        return Ok(Answer { standing: Standing::Unknown, transcript: String::new(), reference: None });
    };
    let log = log(control, number, &job).await?;
    let transcript = log.as_ref().map(Log::kept).unwrap_or_default();
    let standing = standing(&job, log.as_ref(), far);
    Ok(Answer { standing, transcript, reference: Some(number.to_string()) })
}

/// The job by its number, else by its tag.
async fn find(control: &mut Control, asked: &Asked, token: &str) -> Result<Option<(u32, Job)>, Trouble> {
    let known = asked.reference.as_deref().and_then(|it| it.parse().ok());
    if let Some(number) = known
        && let Some(job) = control.job(number, token).await?
    {
        return Ok(Some((number, job)));
    }
    let Some(number) = pick(&control.jobs_of(token).await?, asked.attempt) else { return Ok(None) };
    Ok(control.job(number, token).await?.map(|job| (number, job)))
}

async fn log(control: &mut Control, number: u32, job: &Job) -> Result<Option<Log>, Trouble> {
    match (job.state, &job.session) {
        (State::Done | State::Failed, Some(session)) => Log::of_session(control, session).await,
        (State::Active, _) => Log::of_job(control, number).await,
        _ => Ok(None),
    }
}

fn standing(job: &Job, log: Option<&Log>, far: Far<'_>) -> Standing {
    let (code, text) = &job.status;
    let because = |words: &str| if text.is_empty() { words.to_owned() } else { format!("{words}: {text}") };
    Standing::Underway(match job.state {
        State::Done => return Standing::Delivered(proof(job, log, far.host)),
        State::Failed => {
            return match status::sort(*code, text, &far.caller()) {
                (Fate::Later(_), reason) => Standing::Deferred { reason, after: None },
                (Fate::Never(_), reason) => Standing::Failed(reason),
            };
        }
        // Also what a job is called until the scheduler has looked at it.
        State::Suspended => "not taken up by the fax server".to_owned(),
        State::Pending => because("waits for its time"),
        State::Sleeping => because("waits for the fax server's next call"),
        State::Blocked => because("blocked by another call to this number"),
        State::Ready => "waits for a free line".to_owned(),
        State::Active => log.map_or_else(|| "being sent".to_owned(), |log| log.progress(job.pages.1)),
    })
}

fn proof(job: &Job, log: Option<&Log>, host: &str) -> Proof {
    let mut text = format!("{} of {} pages received", job.pages.0, job.pages.1);
    if let Some(station) = log.and_then(Log::station) {
        text += &format!(" by {station}");
    }
    if let Some(seconds) = log.and_then(Log::seconds) {
        text += &format!(" in {seconds} s");
    }
    if let Some(session) = &job.session {
        text += &format!(", session {session}");
    }
    Proof { by: host.to_owned(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Far<'static> = Far { host: "fax", dials: 1 };

    fn job(state: State, code: u16, text: &str) -> Job {
        Job { state, status: (code, text.to_owned()), pages: (0, 3), session: None }
    }

    #[test]
    fn a_job_that_waits_has_not_failed() {
        for (state, code, text, expected) in [
            (State::Suspended, 0, "", "not taken up by the fax server"),
            (
                State::Pending,
                338,
                "Delayed by time-of-day restrictions",
                "waits for its time: Delayed by time-of-day restrictions",
            ),
            (State::Sleeping, 1, "Busy signal detected", "waits for the fax server's next call: Busy signal detected"),
            (State::Blocked, 337, "", "blocked by another call to this number"),
            (State::Ready, 0, "", "waits for a free line"),
            (State::Active, 0, "", "being sent"),
        ] {
            assert_eq!(standing(&job(state, code, text), None, FAR), Standing::Underway(expected.to_owned()));
        }
    }

    #[test]
    fn the_reason_says_who_calls_again() {
        let busy = job(State::Failed, 333, "Busy signal detected; too many attempts to dial");
        for (dials, who) in [(1, "once for each attempt"), (5, "up to 5 times for each attempt")] {
            let Standing::Deferred { reason, .. } = standing(&busy, None, Far { dials, ..FAR }) else { panic!("busy") };
            assert_eq!(reason.text, format!("fax, which calls {who}, could not send it: Busy signal detected (1)"));
        }
    }

    #[test]
    fn the_proof_says_how_much_was_received() {
        let done = Job { pages: (3, 3), session: Some("000000002".to_owned()), ..job(State::Done, 0, "") };
        let proof = Proof { by: "fax".to_owned(), text: "3 of 3 pages received, session 000000002".to_owned() };
        assert_eq!(standing(&done, None, FAR), Standing::Delivered(proof));
    }
}
