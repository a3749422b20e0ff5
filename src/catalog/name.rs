//! Keys and titles, which batches and documents have alike.

use super::{Faults, check};

/// A checked key, or an empty one that was told.
pub(super) fn named(name: Option<String>, faults: &mut Faults) -> String {
    let name = faults.need("name", name, "write a key such as `morning-checklists`").unwrap_or_default();
    faults.told("name", check::slug(&name));
    name
}

/// A checked title; the name when there is none.
pub(super) fn titled(title: Option<String>, name: &str, faults: &mut Faults) -> String {
    let Some(title) = title else { return name.to_owned() };
    faults.told("title", check::line(&title));
    title
}
