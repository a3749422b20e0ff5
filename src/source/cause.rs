//! Errors of libraries, with what caused them.

use std::error::Error;

/// `error` and its causes on one line, nothing said twice.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = next.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_follow_each_other_and_none_is_told_again() {
        let error = anyhow!("no route").context("no connection: no route").context("asking the server");
        assert_eq!(told(error.as_ref()), "asking the server: no connection: no route");
    }
}
