//! What trouble with a fax server means for the attempt.

use crate::{
    channel::Outcome,
    reason::{Reason, Scope},
};

use super::{
    job::Failure,
    reply::{Reply, Trouble},
    server::Stage,
    status::{self, Fate},
};

/// The outcome of an attempt for which there is no job.
pub(super) fn failed(host: &str, failure: Failure) -> Outcome {
    match failure {
        Failure::At(stage, trouble) => of(host, stage, trouble),
        Failure::Rejected(code, words) => match status::sort(code, &words, host) {
            (Fate::Later(_), reason) => Outcome::Deferred { reason, after: None },
            (Fate::Never(_), reason) => Outcome::Refused(reason),
        },
        Failure::TooLate => {
            let text =
                "the claim ran out before the job was set free, so it was not: this process was held up too long";
            Outcome::Deferred { reason: Reason::new(Scope::Attempt, "claim-ran-out", text), after: None }
        }
    }
}

/// The outcome of `trouble` with `host` at `stage`.
pub(super) fn of(host: &str, stage: Stage, trouble: Trouble) -> Outcome {
    let reason = reason(host, stage, &trouble);
    match trouble {
        Trouble::Lost(_) if stage == Stage::Submit => Outcome::Uncertain(reason),
        // What it does not set free may be what it has forgotten.
        Trouble::Said(reply)
            if reply.code >= 500 && !passes(&reply) && !matches!(stage, Stage::Question | Stage::Submit) =>
        {
            Outcome::Refused(reason)
        }
        _ => Outcome::Deferred { reason, after: None },
    }
}

/// What it says, and how far it reaches.
pub(super) fn reason(host: &str, stage: Stage, trouble: &Trouble) -> Reason {
    match trouble {
        Trouble::Said(reply) => {
            let text = format!("{host} answered {stage}: {reply}");
            Reason::new(scope(stage, reply), format!("hfaxd-{}", reply.code), text)
        }
        Trouble::Lost(text) if stage == Stage::Submit => {
            let text = format!("the connection to {host} was lost while the job was set free ({text}): it may be sent");
            Reason::new(Scope::Attempt, "hfaxd-lost-at-submit", text)
        }
        Trouble::Lost(text) => {
            let code = if stage == Stage::Connect { "hfaxd-connect" } else { "hfaxd-lost" };
            Reason::new(Scope::Attempt, code, format!("no conversation with {host} {stage}: {text}"))
        }
    }
}

/// When the file that jobs and documents are numbered by is not there, several of the server's processes make it at once,
/// and all but one answer that they cannot, as if it were for good.
fn passes(reply: &Reply) -> bool {
    reply.text.contains("sequence number file")
}

fn scope(stage: Stage, reply: &Reply) -> Scope {
    if passes(reply) {
        return Scope::Attempt;
    }
    let permanent = reply.code >= 500;
    match stage {
        Stage::Files if permanent => Scope::Document,
        Stage::Number if permanent => Scope::Contact,
        Stage::Connect if permanent => Scope::Account,
        Stage::Question | Stage::Files | Stage::Number | Stage::Connect => Scope::Attempt,
        Stage::Submit if permanent => Scope::Attempt,
        Stage::Login | Stage::Job | Stage::Submit => Scope::Account,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(stage: Stage, trouble: Trouble) -> String {
        match of("fax", stage, trouble) {
            Outcome::Deferred { reason, .. } => format!("deferred {:?} {}", reason.scope, reason.code),
            Outcome::Refused(reason) => format!("refused {:?} {}", reason.scope, reason.code),
            Outcome::Uncertain(reason) => format!("uncertain {:?} {}", reason.scope, reason.code),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_reaches_as_far_as_what_was_said_before_it() {
        for (stage, code, expected) in [
            (Stage::Connect, 420, "deferred Attempt hfaxd-420"),
            (Stage::Login, 530, "refused Account hfaxd-530"),
            (Stage::Question, 550, "deferred Attempt hfaxd-550"),
            (Stage::Files, 550, "refused Document hfaxd-550"),
            (Stage::Files, 452, "deferred Attempt hfaxd-452"),
            (Stage::Number, 503, "refused Contact hfaxd-503"),
            (Stage::Job, 503, "refused Account hfaxd-503"),
            (Stage::Submit, 460, "deferred Account hfaxd-460"),
            (Stage::Submit, 504, "deferred Attempt hfaxd-504"),
        ] {
            let reply = Reply { code, text: "no".to_owned() };
            assert_eq!(shown(stage, Trouble::Said(reply)), expected, "{stage}");
        }
    }

    #[test]
    fn processes_of_the_server_that_number_jobs_at_once_get_over_it() {
        for (stage, code) in [(Stage::Job, 503), (Stage::Files, 553)] {
            let text = "Unable to open sequence number file sendq/seqf; File exists..".to_owned();
            let said = shown(stage, Trouble::Said(Reply { code, text }));
            assert_eq!(said, format!("deferred Attempt hfaxd-{code}"));
        }
    }

    #[test]
    fn only_a_loss_while_the_job_is_set_free_is_in_doubt() {
        for stage in [Stage::Connect, Stage::Login, Stage::Question, Stage::Files, Stage::Number, Stage::Job] {
            assert!(shown(stage, Trouble::Lost("reset".to_owned())).starts_with("deferred Attempt"), "{stage}");
        }
        let lost = shown(Stage::Submit, Trouble::Lost("reset".to_owned()));
        assert_eq!(lost, "uncertain Attempt hfaxd-lost-at-submit");
    }
}
