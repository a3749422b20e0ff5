//! Lines that break in the middle: nothing is lost, nothing comes twice that was not in doubt, and nothing takes for ever.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use postbook::channel::{
    Asked, Outcome, Parcel, Report, Settle, Standing,
    account::{Account, AccountConfig},
};

use crate::{
    line::{After, Fault, How, Line},
    way::{Way, digests, open},
};

/// Into a greeting, a login, an envelope, contents, and the last answer.
const PLACES: [u64; 12] = [0, 1, 30, 100, 200, 350, 600, 1000, 1800, 4000, 30_000, 100_000];

/// How long one answer may take where lines are cut. Nothing takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connections that break before one of them has to hold.
const MOST: i32 = 10;

/// How it ended.
struct Ended {
    /// Attempts after which nobody knew.
    doubts: usize,
    /// Whether a person has to look.
    held: bool,
    reports: Vec<Report>,
}

/// Sends as the engine does: what is put off is tried again, what is in doubt is settled as the account says.
async fn send(account: &Account, parcel: &Parcel) -> Ended {
    let mut ended = Ended { doubts: 0, held: false, reports: Vec::new() };
    for attempt in 1..=MOST {
        let report = account.transmit(&Parcel { attempt, ..parcel.clone() }).await;
        ended.reports.push(report.clone());
        match report.outcome {
            Outcome::Accepted(_) | Outcome::Delivered(_) => return ended,
            Outcome::Deferred { .. } => {}
            Outcome::Refused(reason) => panic!("{reason:?} after {:?}", ended.reports),
            Outcome::Uncertain(_) => {
                ended.doubts += 1;
                match account.settle() {
                    Settle::Repeat => {}
                    Settle::Hold => ended.held = true,
                    Settle::Ask => match account.ask(&asked(parcel, attempt)).await {
                        Ok(answer) if answer.standing == Standing::Unknown => {}
                        Ok(_) => return ended,
                        Err(_) => ended.held = true,
                    },
                }
                if ended.held {
                    return ended;
                }
            }
        }
    }
    panic!("it does not get through: {:?}", ended.reports)
}

fn asked(parcel: &Parcel, attempt: i32) -> Asked {
    let Parcel { key, contact, created_at, .. } = parcel.clone();
    Asked { key, reference: None, attempt, contact, began_at: created_at }
}

/// Sends over a line with this fault, by every way that has one, and looks at the far side.
async fn breaks(fault: Fault, patience: Duration) {
    for way in Way::all() {
        let Some(config) = &way.config else { continue };
        let line = Line::to(config, fault).await;
        let limits = AccountConfig { timeout: patience, final_timeout: patience, ..line.account(config) };
        let parcel = way.parcel();

        let begun = Instant::now();
        let ended = send(&open(&limits), &parcel).await;
        assert!(begun.elapsed() < patience * 5, "{}: {:?} {:?}", way.name, begun.elapsed(), ended.reports);

        // Nothing gets through a line that carries nothing.
        let broke = ended.reports.len() > 1 || ended.held;
        assert!(broke || !matches!(fault.after, After::Sent(0) | After::Answered(0)), "{}", way.name);

        let arrived = way.far.arrived(&parcel, usize::from(!ended.held)).await;
        let least = usize::from(!ended.held);
        let name = way.name;
        assert!((least..=1 + ended.doubts).contains(&arrived.len()), "{name}: {arrived:?}, {:?}", ended.reports);
        if way.takes_files() {
            assert!(arrived.iter().all(|it| it.files == digests(&parcel)), "{name}: {arrived:?}");
        }
        let said = format!("{:?}", ended.reports);
        assert!(way.secrets.iter().all(|secret| !said.contains(secret)), "{name}: {said}");
    }
}

/// At several places at once.
async fn all(faults: impl Iterator<Item = Fault>, patience: Duration) {
    stream::iter(faults).map(|fault| breaks(fault, patience)).buffer_unordered(6).collect::<Vec<_>>().await;
}

#[tokio::test]
async fn a_line_that_is_cut_while_sending_loses_nothing_and_doubles_only_what_was_in_doubt() {
    all(PLACES.map(|place| Fault { how: How::Cut, after: After::Sent(place) }).into_iter(), PATIENCE).await;
}

#[tokio::test]
async fn a_line_that_is_cut_while_the_server_answers_loses_nothing_and_doubles_only_what_was_in_doubt() {
    all(PLACES.map(|place| Fault { how: How::Cut, after: After::Answered(place) }).into_iter(), PATIENCE).await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_in_time() {
    let places = [0, 100, 600].into_iter().flat_map(|place| [After::Sent(place), After::Answered(place)]);
    all(places.map(|after| Fault { how: How::Silent, after }), Duration::from_secs(2)).await;
}
