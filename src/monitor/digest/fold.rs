//! How much of what was sent is listed, so that a digest stays a few pages long whatever the day was like.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

/// Recipients listed in one digest, about. Forty of them fill a page.
const LINES: i64 = 240;

/// Documents listed in one digest.
const DOCUMENTS: usize = 120;

/// One document that was sent, by one run or by several of one batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Each run, with the place of the document in the batch.
    pub places: Vec<(i64, i32)>,
    pub batch: String,
    pub title: String,
    pub cause: String,
    pub document: String,
    pub count: i64,
    pub first: Option<DateTime<Utc>>,
    pub last: Option<DateTime<Utc>>,
}

/// What is listed.
#[derive(Debug, PartialEq)]
pub struct Folded {
    pub groups: Vec<Group>,
    /// How many recipients of each.
    pub each: i64,
    /// How many documents are not listed.
    pub more: i64,
}

/// Lists everything where that is short. Where it is not, the runs of a batch become one, the first recipients of each
/// document are listed, and what sent most comes first.
pub fn fold(mut groups: Vec<Group>) -> Folded {
    let lines: i64 = groups.iter().map(|group| group.count).sum();
    if groups.len() > DOCUMENTS {
        groups = by_batch(groups);
    }
    let more = groups.len().saturating_sub(DOCUMENTS);
    if more > 0 {
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups.truncate(DOCUMENTS);
    }
    let count = i64::try_from(groups.len()).unwrap_or(i64::MAX).max(1);
    let each = if lines <= LINES { LINES } else { (LINES / count).clamp(2, 20) };
    Folded { groups, each, more: i64::try_from(more).unwrap_or(i64::MAX) }
}

fn by_batch(groups: Vec<Group>) -> Vec<Group> {
    let mut folded: Vec<Group> = Vec::new();
    let mut known: HashMap<(String, String), usize> = HashMap::new();
    for group in groups {
        let key = (group.batch.clone(), group.document.clone());
        let Some(whole) = known.get(&key).and_then(|at| folded.get_mut(*at)) else {
            known.insert(key, folded.len());
            folded.push(group);
            continue;
        };
        whole.places.extend(group.places);
        whole.count += group.count;
        whole.first = whole.first.into_iter().chain(group.first).min();
        whole.last = whole.last.max(group.last);
        if whole.cause != group.cause {
            whole.cause = "several causes".to_owned();
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(run: i64, batch: &str, count: i64) -> Group {
        let at = DateTime::from_timestamp(run, 0);
        Group {
            places: vec![(run, 0)],
            batch: batch.to_owned(),
            title: batch.to_owned(),
            cause: "schedule".to_owned(),
            document: "Hours".to_owned(),
            count,
            first: at,
            last: at,
        }
    }

    #[test]
    fn a_short_day_is_listed_as_it_was() {
        let groups = vec![group(1, "a", 3), group(2, "a", 237)];
        assert_eq!(fold(groups.clone()), Folded { groups, each: LINES, more: 0 });
    }

    #[test]
    fn a_run_for_thousands_lists_the_first_ones() {
        let folded = fold(vec![group(1, "a", 10_000), group(2, "b", 1)]);
        assert_eq!((folded.groups.len(), folded.each), (2, 20));
    }

    #[test]
    fn many_runs_of_a_batch_are_one_and_the_smallest_batches_are_counted() {
        let hourly = (0..200).map(|run| group(run, "hourly", 1));
        let others = (0..150).map(|run| group(run, &format!("other-{run}"), 2));
        let folded = fold(hourly.chain(others).collect());
        assert_eq!((folded.groups.len(), folded.more), (DOCUMENTS, 31));
        let hourly = &folded.groups[0];
        assert_eq!((hourly.batch.as_str(), hourly.places.len(), hourly.count), ("hourly", 200, 200));
        assert_eq!((hourly.first, hourly.last), (DateTime::from_timestamp(0, 0), DateTime::from_timestamp(199, 0)));
    }
}
