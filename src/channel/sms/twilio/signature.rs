//! Whether a callback is Twilio's: `X-Twilio-Signature`, HMAC-SHA-1 in Base64 over the address as it was called, followed by
//! the names and values of the form, sorted by name (www.twilio.com/docs/usage/security, "Validating requests").
//!
//! It holds no time, so a replay bears it too: that the same word counts once is seen to where words are kept.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use url::Url;

use crate::{
    channel::{Callback, Unheard, mark},
    secret::Secret,
};

/// Checks that the holder of `token` signed this. Compared in constant time.
pub(super) fn check(callback: &Callback<'_>, token: &Secret) -> Result<(), Unheard> {
    let forged = |text: &str| Unheard::Forged(text.to_owned());
    let header = callback.headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
    let signature = BASE64_STANDARD.decode(header.ok_or_else(|| forged("it is not signed"))?);
    let signature = signature.map_err(|_| forged("its signature is no Base64"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.expose().as_bytes());
    let fields = fields(callback.body);
    // Twilio's own libraries take the address with its usual port as well as without.
    let spellings = [Some(callback.url.to_owned()), with_port(callback.url)];
    let signed = spellings.into_iter().flatten().any(|url| {
        let text = format!("{url}{fields}");
        hmac::verify(&key, text.as_bytes(), &signature).is_ok()
    });
    if signed { Ok(()) } else { Err(forged("its signature is not Twilio's")) }
}

/// The form as it is signed.
fn fields(body: &[u8]) -> String {
    let mut fields = mark::form(body);
    fields.sort();
    fields.into_iter().map(|(name, value)| name + &value).collect()
}

/// `url` with the port that its scheme means.
fn with_port(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok().filter(|parsed| parsed.port().is_none())?;
    let (host, port) = (parsed.host_str()?, parsed.port_or_known_default()?);
    Some(url.replacen(host, &format!("{host}:{port}"), 1))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const BODY: &str =
        "Digits=1234&To=%2B18005551212&From=%2B14158675310&Caller=%2B14158675310&CallSid=CA1234567890ABCDE";
    /// Of Twilio's own example, with the token `12345`.
    const SIGNATURE: &str = "GvWf1cFY/Q7PnoempGyD5oXAezc=";

    fn checked(url: &str, body: &[u8], signature: &[u8]) -> bool {
        let Ok(value) = HeaderValue::from_bytes(signature) else { return false };
        let headers = HeaderMap::from_iter([(reqwest::header::HeaderName::from_static("x-twilio-signature"), value)]);
        let callback = Callback { method: "POST", url, headers: &headers, body, now: DateTime::UNIX_EPOCH };
        check(&callback, &Secret::from("12345")).is_ok()
    }

    #[test]
    fn twilios_own_example_is_recognised() {
        assert!(checked(URL, BODY.as_bytes(), SIGNATURE.as_bytes()));
        assert!(!checked("https://mycompany.com/other", BODY.as_bytes(), SIGNATURE.as_bytes()));
        assert!(!checked(URL, BODY.as_bytes(), b""));
    }

    proptest! {
        #[test]
        fn a_callback_with_one_byte_changed_is_refused(at in 0_usize..1000, change in 1_u8..) {
            let mut parts = [URL.as_bytes().to_vec(), BODY.as_bytes().to_vec(), SIGNATURE.as_bytes().to_vec()];
            let lengths = parts.each_ref().map(Vec::len);
            let mut at = at % lengths.iter().sum::<usize>();
            let part = (0..3).find(|part| at < lengths[*part] || { at -= lengths[*part]; false }).unwrap_or_default();
            parts[part][at] ^= change;
            let [url, body, signature] = &parts;
            let Ok(url) = std::str::from_utf8(url) else { return Ok(()) };
            // What reads as the same form is the same callback.
            prop_assume!(part != 1 || fields(body) != fields(BODY.as_bytes()));
            prop_assert!(!checked(url, body, signature));
        }
    }
}
