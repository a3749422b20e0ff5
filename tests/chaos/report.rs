//! What came of the storm, as a table, and what is wrong with it.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    time::Duration,
};

use crate::{
    book::Comparison,
    fault::Fault,
    plan::{Plan, Settle},
    recovery::Recovery,
};

/// What was uncertain, and was settled by the servers' record.
#[derive(Debug, Default)]
pub struct Settled {
    pub delivered: usize,
    pub again: usize,
    /// Each of them, and how.
    pub lines: Vec<String>,
}

/// What came of a storm.
#[derive(Debug)]
pub struct Report {
    pub plan: Plan,
    pub lasted: Duration,
    pub recoveries: Vec<Recovery>,
    /// Runs that the load started, and runs in the book.
    pub started: usize,
    pub runs: i64,
    /// From the last fault until nothing was left to be done, and what was left when that took too long.
    pub quiet: Duration,
    pub stuck: Vec<String>,
    /// The book and the record when all was quiet, and again after what was uncertain was settled.
    pub before: Comparison,
    pub settled: Settled,
    pub after: Comparison,
    /// Nodes that ended unasked, or badly.
    pub deaths: Vec<String>,
}

impl Report {
    /// All that is wrong.
    pub fn complaints(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (what, lines) in [
            ("lost", &self.after.lost),
            ("sent twice, and the book does not say so", &self.after.denied),
            ("sent twice although the account holds", &self.after.twice_although_held),
            ("failed in the book, but sent", &self.after.untrue),
            ("sent, but not in the book", &self.after.unknown),
            ("not done", &self.stuck),
            ("ended", &self.deaths),
        ] {
            all.extend(lines.iter().map(|line| format!("{what}: {line}")));
        }
        let slow = self.recoveries.iter().filter(|it| it.worst().is_none_or(|worst| worst > self.plan.patience()));
        all.extend(slow.map(|it| format!("slow: {it}")));
        if self.after.uncertain > 0 {
            all.push(format!("{} are uncertain after they were settled", self.after.uncertain));
        }
        if usize::try_from(self.runs) != Ok(self.started) {
            all.push(format!("{} runs were started, {} are in the book", self.started, self.runs));
        }
        if self.after.delivered < self.plan.minimum {
            all.push(format!("only {} were delivered, not {}", self.after.delivered, self.plan.minimum));
        }
        for way in [
            "email by postfix",
            "email by sink",
            "fax by gateway",
            "fax by telnyx",
            "pickup by links",
            "sftp by partner",
        ] {
            if !self.after.ways.contains_key(way) {
                all.push(format!("nothing was sent as {way}"));
            }
        }
        if self.plan.strict && !self.recoveries.iter().any(|it| it.fault == Fault::DiskFull) {
            all.push(
                "the disk could not be filled: only root can mount one (`unshare --user --map-root-user --mount`)"
                    .to_owned(),
            );
        }
        all
    }

    fn counts(&self) -> [(&'static str, usize); 12] {
        let (before, after) = (&self.before, &self.after);
        [
            ("transmissions in the book", after.transmissions),
            ("sent, and the far side has it", after.delivered),
            ("refused by the far side, as it should", after.refused),
            ("lost", after.lost.len()),
            ("sent twice, not admitted", after.denied.len()),
            ("sent twice, admitted", after.admitted),
            ("marked possibly twice, came once", after.for_nothing),
            ("sent twice although held", after.twice_although_held.len()),
            ("failed in the book, but sent", after.untrue.len()),
            ("uncertain when all was quiet", before.uncertain),
            ("  settled: the far side had it", self.settled.delivered),
            ("  settled: sent again", self.settled.again),
        ]
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Plan { seed, workers, lease, settle, .. } = &self.plan;
        let uncertain = match settle {
            Settle::Repeat => "repeated",
            Settle::Hold => "held",
            Settle::Mixed => "repeated by Postfix's account, held by the sink's",
        };
        writeln!(
            f,
            "\nA storm of {:.1} minutes, seed {seed}: {workers} workers with a lease of {} s; mail that is uncertain is {uncertain}.",
            self.lasted.as_secs_f64() / 60.0,
            lease.as_secs()
        )?;
        writeln!(f, "\n{:<34}{:>6}{:>16}{:>18}{:>18}", "fault", "times", "longest", "sending after", "on time after")?;
        let mut kinds = BTreeMap::<Fault, Vec<&Recovery>>::new();
        for recovery in &self.recoveries {
            kinds.entry(recovery.fault).or_default().push(recovery);
        }
        for (fault, recoveries) in kinds {
            let worst = |of: fn(&Recovery) -> Option<Duration>| {
                recoveries.iter().map(|it| of(it)).max_by_key(|it| it.unwrap_or(Duration::MAX)).flatten()
            };
            let longest = worst(|it| Some(it.lasted));
            let (sending, on_time) = (worst(|it| it.sending), worst(|it| it.on_time));
            writeln!(
                f,
                "{:<34}{:>6}{:>16}{:>18}{:>18}",
                fault.name(),
                recoveries.len(),
                shown(longest),
                shown(sending),
                shown(on_time)
            )?;
        }
        writeln!(f)?;
        for (what, count) in self.counts() {
            writeln!(f, "{what:<46}{count:>10}")?;
        }
        for (way, count) in &self.after.ways {
            writeln!(f, "  {:<44}{count:>10}", format!("sent: {way}"))?;
        }
        writeln!(
            f,
            "\n{} runs; all was quiet {} after the last of them was started.",
            self.runs,
            shown(Some(self.quiet))
        )?;
        for line in &self.settled.lines {
            writeln!(f, "  uncertain: {line}")?;
        }
        let complaints = self.complaints();
        match complaints.len() {
            0 => writeln!(
                f,
                "All well: nothing lost, nothing sent twice unsaid, work went on within {} s.",
                self.plan.patience().as_secs()
            ),
            count => writeln!(f, "{count} complaints:\n{}", complaints.join("\n")),
        }
    }
}

fn shown(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "never".to_owned(), |it| format!("{:.1} s", it.as_secs_f64()))
}

impl Recovery {
    /// The longer of both, if both came about.
    fn worst(&self) -> Option<Duration> {
        Some(self.sending?.max(self.on_time?))
    }
}

impl Display for Recovery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (lasted, sending, on_time) = (shown(Some(self.lasted)), shown(self.sending), shown(self.on_time));
        write!(f, "{} for {lasted}: sending again after {sending}, on time after {on_time}", self.fault.name())
    }
}
