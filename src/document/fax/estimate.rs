//! How long a fax will take on the line, told before it is sent.
//!
//! Set-up and the end of a call take the same whatever is sent: about four seconds of called tone and its pause (ITU-T T.30,
//! section 4.1), three for the identification at 300 bit/s, another three for the answer with the training at the full
//! rate (section 5.3.2.1, TCF takes 1.5 s), and two to disconnect. Ringing comes on top, and nobody knows how long. Each page ends with a
//! message and its confirmation at 300 bit/s, three seconds with their pauses (section 5.3.6). Error correction cuts pages
//! into frames of 256 octets with 8 more for each (annex A, section A.3.6), and stuffs a zero after five ones.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Seconds of a call before and after the pages.
const CALL: f64 = 12.0;

/// Seconds between pages and after the last.
const PAGE: f64 = 3.0;

/// What error correction adds: 264 octets for 256, and about one bit in sixty-two for stuffing.
const FRAMES: f64 = 264.0 / 256.0 * 63.0 / 62.0;

/// Bits a second of V.17 on a good line, and of V.29 on a poor one.
const RATES: [f64; 2] = [14_400.0, 9_600.0];

/// What a fax comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    pub pages: usize,
    /// Seconds on a good line, after the other side has picked up.
    pub seconds: u32,
    /// The same at 9600 bit/s.
    pub seconds_at_9600: u32,
}

/// What pages of so many octets come to.
pub fn estimate(octets: &[u32]) -> Estimate {
    let bits: f64 = octets.iter().map(|octets| f64::from(*octets) * 8.0 * FRAMES).sum();
    let pauses = CALL + PAGE * octets.len() as f64;
    let [seconds, seconds_at_9600] = RATES.map(|rate| (pauses + bits / rate).round() as u32);
    Estimate { pages: octets.len(), seconds, seconds_at_9600 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_grow_with_pages_and_octets() {
        assert_eq!(estimate(&[]), Estimate { pages: 0, seconds: 12, seconds_at_9600: 12 });
        // Two pages of text: a call of 22.5 s was measured between two HylaFAX servers.
        assert_eq!(estimate(&[4000, 4000]), Estimate { pages: 2, seconds: 23, seconds_at_9600: 25 });
        assert_eq!(estimate(&[180_000]), Estimate { pages: 1, seconds: 120, seconds_at_9600: 172 });
    }
}
