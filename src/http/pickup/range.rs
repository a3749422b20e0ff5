//! The part of a file that is asked for: one range of bytes (RFC 9110, section 14).

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// A range that lies outside the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outside;

/// The range that `headers` ask for of a file with `size` bytes and the entity tag `tag`; nothing when it is all of it.
/// What cannot be read, several ranges, and ranges of another file are taken for all, as RFC 9110 allows.
pub(super) fn wanted(headers: &HeaderMap, size: u64, tag: &str) -> Result<Option<Range<u64>>, Outside> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|wanted| wanted != tag) {
        return Ok(None);
    }
    let Some((first, last)) = text(header::RANGE).and_then(parsed) else { return Ok(None) };
    let range = match (first, last) {
        (Some(first), Some(last)) if last < first => return Ok(None),
        (Some(first), last) => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
        (None, Some(length)) => size.saturating_sub(length)..size,
        (None, None) => return Ok(None),
    };
    if range.is_empty() { Err(Outside) } else { Ok(Some(range)) }
}

/// The two numbers of a single range.
fn parsed(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().map(Some),
        _ => None,
    };
    Some((number(first)?, number(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str) -> Result<Option<Range<u64>>, Outside> {
        let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
        wanted(&headers, 1000, "\"tag\"")
    }

    #[test]
    fn one_range_is_given_and_what_cannot_be_read_is_the_whole() {
        for (range, expected) in [
            ("bytes=0-99", Ok(Some(0..100))),
            ("bytes=900-", Ok(Some(900..1000))),
            ("bytes=900-5000", Ok(Some(900..1000))),
            ("bytes=-1", Ok(Some(999..1000))),
            ("bytes=-5000", Ok(Some(0..1000))),
            ("bytes=1000-", Err(Outside)),
            ("bytes=-0", Err(Outside)),
            ("bytes=5-2", Ok(None)),
            ("bytes=0-1,5-6", Ok(None)),
            ("bytes=-", Ok(None)),
            ("bytes=+1-2", Ok(None)),
            ("bytes=0-18446744073709551615", Ok(Some(0..1000))),
            ("bytes=99999999999999999999-", Ok(None)),
            ("lines=0-1", Ok(None)),
        ] {
            assert_eq!(of(range), expected, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_file_is_the_whole() {
        for (tag, expected) in [("\"tag\"", Some(5..1000)), ("\"other\"", None)] {
            let range = (header::RANGE, "bytes=5-".parse().unwrap());
            let headers = HeaderMap::from_iter([range, (header::IF_RANGE, tag.parse().unwrap())]);
            assert_eq!(wanted(&headers, 1000, "\"tag\""), Ok(expected), "{tag}");
        }
    }
}
