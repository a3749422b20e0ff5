//! Which server is meant: its key, pinned in the settings.

use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};

/// A server's key, or its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(Vec<Pin>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pin {
    Key(Box<PublicKey>),
    Fingerprint(String),
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`host_key` is not a server's key; write what `ssh-keyscan` prints after the host's name, such as \
     `ssh-ed25519 AAAA...`, or its fingerprint, `SHA256:...`; several are separated by commas"
)]
pub struct HostKeyFault;

impl HostKey {
    /// Reads one or several, separated by commas.
    pub(in crate::source::place) fn read(text: &str) -> Result<Self, HostKeyFault> {
        let pin = |text: &str| {
            let text = text.trim();
            if let Some(digest) = text.strip_prefix("SHA256:") {
                return (digest.len() == 43).then(|| Pin::Fingerprint(text.to_owned()));
            }
            PublicKey::from_openssh(text).ok().map(|key| Pin::Key(Box::new(key)))
        };
        text.split(',').map(pin).collect::<Option<_>>().map(Self).ok_or(HostKeyFault)
    }

    /// Whether it is the server that is meant.
    pub(super) fn is(&self, shown: &PublicKeyOrCertificate) -> bool {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return false };
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        self.0.iter().any(|pin| match pin {
            Pin::Key(pinned) => pinned.key_data() == key.key_data(),
            Pin::Fingerprint(pinned) => *pinned == fingerprint,
        })
    }

    /// Whether the server may show a key of this kind: it has others as well, and shows the one it is asked for first.
    pub(super) fn may_be(&self, algorithm: &Algorithm) -> bool {
        self.0.iter().any(|pin| match pin {
            Pin::Key(key) if key.algorithm().is_rsa() => algorithm.clone().is_rsa(),
            Pin::Key(key) => &key.algorithm() == algorithm,
            Pin::Fingerprint(_) => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn keys_and_fingerprints_are_read() {
        let digest = "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ";
        for text in [KEY, digest, &format!("{KEY}, {digest}")] {
            assert!(HostKey::read(text).is_ok(), "{text}");
        }
        for text in ["", "ssh-ed25519", "SHA256:short", "MD5:00:11"] {
            assert_eq!(HostKey::read(text), Err(HostKeyFault), "{text}");
        }
    }

    #[test]
    fn a_server_is_asked_for_the_key_that_is_known() {
        let key = HostKey::read(KEY).unwrap();
        assert!(key.may_be(&Algorithm::Ed25519));
        assert!(!key.may_be(&Algorithm::Rsa { hash: Some(HashAlg::Sha256) }));
    }
}
