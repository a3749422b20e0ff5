//! Addresses for callbacks that only we can have made: for services that do not sign what they say.
//!
//! The address carries the key of the transmission, the attempt, and an HMAC-SHA-256 of both (RFC 2104) under the account's
//! secret. So it tells nobody the secret, fits one attempt only, and needs no row. It does not vouch for the rest of the
//! request: whoever has seen the address can say what he likes about that one attempt. It goes to the service alone,
//! and into no log of ours.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use ring::hmac;

use super::Unheard;
use crate::secret::Secret;

/// What stands before a key when it is marked, so that a mark is good for nothing else.
const PURPOSE: &[u8] = b"postbook callback\0";

/// What an address is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub key: String,
    pub attempt: i32,
}

/// `callback` as it is told to a service for this attempt at the parcel with this key.
pub(super) fn address(callback: &str, secret: &Secret, (key, attempt): (&str, i32)) -> String {
    let attempt = attempt.to_string();
    let mark = hmac::sign(&signer(secret), &signed(key, &attempt));
    // None of them needs a percent sign, which some services take for one of their own.
    let [key, mark] = [key.as_bytes(), mark.as_ref()].map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
    format!("{callback}?key={key}&attempt={attempt}&mark={mark}")
}

/// What the address `url` was made for, when it bears our mark. Compared in constant time.
pub(super) fn read(url: &str, secret: &Secret) -> Result<Marked, Unheard> {
    let unmarked = || Unheard::Forged("its address does not bear the mark of this account".to_owned());
    let fields = arguments(url);
    let [key, mark] = ["key", "mark"].map(|name| BASE64_URL_SAFE_NO_PAD.decode(field(&fields, name)));
    let (Ok(key), Ok(mark), attempt) = (key, mark, field(&fields, "attempt")) else { return Err(unmarked()) };
    let key = String::from_utf8(key).map_err(|_| unmarked())?;
    hmac::verify(&signer(secret), &signed(&key, attempt), &mark).map_err(|_| unmarked())?;
    Ok(Marked { key, attempt: attempt.parse().map_err(|_| unmarked())? })
}

/// The fields of the query in `url`. The first one of a name counts.
pub(super) fn arguments(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form(query.split('#').next().unwrap_or_default().as_bytes())
}

/// The fields of a form (WHATWG URL, section 5.1).
pub(super) fn form(body: &[u8]) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, it)| (decode(name), decode(it))).collect()
}

/// The first of `fields` that is called `name`, or nothing.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
}

fn signer(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

/// The key goes last: the attempt has no NUL, so that none of them runs into the next.
fn signed(key: &str, attempt: &str) -> Vec<u8> {
    [PURPOSE, attempt.as_bytes(), b"\0", key.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CALLBACK: &str = "https://postbook.test/callbacks/fax";

    #[test]
    fn an_address_brings_back_what_it_was_made_for() {
        let secret = Secret::from("s3cret");
        for hostile in ["k1", "", "../ key\r\nof anything", "%d&mark=", "日本"] {
            let address = address(CALLBACK, &secret, (hostile, 2));
            let marked = Marked { key: hostile.to_owned(), attempt: 2 };
            assert_eq!(read(&format!("{address}&status=1"), &secret), Ok(marked));
            assert!(read(&address, &Secret::from("other")).is_err(), "{hostile:?}");
            assert!(!address.contains("s3cret") && !address.contains('%'), "{address}");
        }
        assert!(read(CALLBACK, &secret).is_err());
    }

    proptest! {
        #[test]
        fn an_address_with_one_letter_changed_is_refused(at in 0_usize..90, letter in "[0-9A-Za-z_=&-]") {
            let secret = Secret::from("s3cret");
            let address = address(CALLBACK, &secret, ("transmission-4711", 2));
            let begin = address.find("key=").expect("the key") + at;
            prop_assume!(begin < address.len() && address.get(begin..=begin) != Some(letter.as_str()));
            let mut changed = address.clone();
            changed.replace_range(begin..=begin, &letter);
            prop_assert!(read(&changed, &secret).is_err(), "{} {}", address, changed);
        }
    }
}
