//! Marks made from a parcel's key: safe inside file names and message ids, the same at every attempt.

use sha2::{Digest, Sha256};

/// The longest key that is used as it is. File names and message ids have room for little more.
const LONGEST: usize = 64;

/// The key itself where it is short and plain, else its digest.
pub(super) fn of_key(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=LONGEST).contains(&key.len()) && key.bytes().all(plain) {
        return key.to_owned();
    }
    digest(&[key.as_bytes()])
}

/// SHA-256 over all `parts`, in hexadecimal. Each part counts with its length, so that none runs into the next.
pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_key_is_kept_and_any_other_becomes_a_digest() {
        assert_eq!(of_key("run-7_12"), "run-7_12");
        for hostile in ["", "../up", "a@b", "a\r\nb", "é", &"k".repeat(65)] {
            let token = of_key(hostile);
            assert_eq!(token.len(), 64, "{hostile:?}");
            assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
        assert_ne!(of_key("a/b"), of_key("a/c"));
    }
}
