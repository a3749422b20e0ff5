//! Paths below a place, which are written with `/` on every server.

/// The folder of `path`, if it is not the place itself.
pub(super) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

/// The folders that `path` is in, the outermost first.
pub(super) fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// `name` in `folder`, which is empty for the place itself.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_a_path_are_told_from_the_outside_in() {
        assert_eq!(folders("a/b/c.pdf").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(folders("c.pdf").count(), 0);
        assert_eq!((parent("a/b/c.pdf"), parent("c.pdf")), (Some("a/b"), None));
        assert_eq!((join("a/b", "c.pdf"), join("", "c.pdf")), ("a/b/c.pdf".to_owned(), "c.pdf".to_owned()));
    }
}
