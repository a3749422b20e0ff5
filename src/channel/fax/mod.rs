//! Fax: each driver hands pages to somebody who has a line, and hears later whether they were received.

pub(super) mod hylafax;
pub(super) mod mail;

/// What `dial` makes of a number: `{number}` stands for `+13125550002`, `{digits}` for `13125550002`.
fn dialled(dial: &str, number: &str) -> String {
    dial.replace("{number}", number).replace("{digits}", number.trim_start_matches('+'))
}
