//! What Telnyx says by itself: signed, in any order, and more than once.
//!
//! The signature is Ed25519 over the time, a bar and the body as it came (developers.telnyx.com, "Receiving webhooks").
//! A word is about its fax by Telnyx's own number, not by our key: an earlier attempt has the same key, and a late word
//! about it must not pass for one about the latest.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;

use crate::channel::{About, Callback, Heard, Reply, Standing, Unheard, Word, config::AccountFault};

use super::fax::Fax;

/// How old, or how far ahead, a webhook may be, in seconds; Telnyx names five minutes.
const TOLERANCE: i64 = 300;
/// The length of an Ed25519 public key (RFC 8032, section 5.1.5).
const KEY: usize = 32;

/// The public key that Telnyx shows for the account.
pub(super) struct Verifier(Vec<u8>);

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    pub(super) fn of(text: &str) -> Result<Self, AccountFault> {
        let key = BASE64_STANDARD.decode(text.trim()).ok().filter(|key| key.len() == KEY);
        key.map(Self).ok_or(AccountFault::Incomplete("`verify` is no public key; copy it from Telnyx's portal, Base64"))
    }

    /// Whether Telnyx said this, lately.
    pub(super) fn check(&self, callback: &Callback<'_>) -> Result<(), Unheard> {
        let forged = |text: &str| Unheard::Forged(text.to_owned());
        let header = |name| callback.headers.get(name).and_then(|value| value.to_str().ok());
        let time = header("telnyx-timestamp").ok_or_else(|| forged("it has no time"))?;
        let signature = header("telnyx-signature-ed25519").ok_or_else(|| forged("it is not signed"))?;
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| forged("its signature is no Base64"))?;
        let signed = [time.as_bytes(), b"|", callback.body].concat();
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(&signed, &signature).map_err(|_| forged("its signature is not Telnyx's"))?;
        let at: i64 = time.parse().map_err(|_| Unheard::Unreadable("its time is no number".to_owned()))?;
        let age = callback.now.timestamp().saturating_sub(at);
        match age.saturating_abs() {
            ..=TOLERANCE => Ok(()),
            _ => Err(Unheard::Stale(format!("it was signed {age} seconds ago"))),
        }
    }
}

#[derive(Deserialize)]
struct Event {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    id: String,
    event_type: String,
    #[serde(default)]
    occurred_at: Option<DateTime<Utc>>,
    payload: Fax,
}

/// What an event of `host` tells. Those about faxes that came in, and new kinds, tell us nothing.
pub(super) fn read(body: &[u8], host: &str) -> Result<Heard, Unheard> {
    let event: Event = serde_json::from_slice(body).map_err(|error| Unheard::Unreadable(error.to_string()))?;
    let Data { id, event_type, occurred_at, payload } = event.data;
    let standing = match event_type.as_str() {
        "fax.queued" | "fax.media.processed" | "fax.sending.started" => underway(payload.standing(host), &event_type),
        "fax.delivered" => Some(Fax { status: "delivered".to_owned(), ..payload.clone() }.standing(host)),
        "fax.failed" => Some(Fax { status: "failed".to_owned(), ..payload.clone() }.standing(host)),
        _ => None,
    };
    let about = About::Reference(payload.id);
    let words = standing.map(|standing| Word { about, standing, at: occurred_at, id: Some(id) });
    let reply = Reply { media_type: "text/plain", body: String::new() };
    Ok(Heard { words: words.into_iter().collect(), reply })
}

/// An event on the way is not taken for an end, whatever stands beside it.
fn underway(standing: Standing, event: &str) -> Option<Standing> {
    Some(match standing {
        Standing::Underway(text) => Standing::Underway(text),
        _ => Standing::Underway(event.to_owned()),
    })
}
