//! What people read, kept beside the tests. `POSTBOOK_SEEN=write` writes it anew, to be looked at before it is committed.

use std::{fs, path::Path};

/// Compares `text` with what is kept under `name`.
pub fn as_before(name: &str, text: &str) {
    let text = &text.replace('\r', "");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/monitors/seen").join(name);
    if std::env::var_os("POSTBOOK_SEEN").is_some() {
        fs::write(&path, text).expect("written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(*text, kept, "{} differs; look at it, then write it anew with POSTBOOK_SEEN=write", path.display());
}

/// Leaves `bytes` in the target folder's `tmp` for a person to look at, when that is wanted.
pub fn leave(name: &str, bytes: &[u8]) {
    if std::env::var_os("POSTBOOK_SEEN").is_some() {
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), bytes).expect("written");
    }
}
