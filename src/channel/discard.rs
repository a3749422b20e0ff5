//! Takes everything and delivers nowhere: for rehearsals, and for measuring all that comes before a channel.

use futures::future::{BoxFuture, FutureExt, ready};

use super::{Outcome, Parcel, Permit, Proof, Report, driver::Driver};
use crate::{contact::Contact, reason::Reason};

/// Where nothing arrives.
#[derive(Debug)]
pub(super) struct Discard;

impl Driver for Discard {
    /// Says what would have been sent.
    fn transmit<'a>(&'a self, parcel: &'a Parcel, _contact: &'a Contact, _permit: Permit<'a>) -> BoxFuture<'a, Report> {
        let bytes: usize = parcel.files.iter().map(|file| file.bytes.len()).sum();
        let text =
            format!("{} files of {bytes} bytes in all, thrown away as this account is told to", parcel.files.len());
        ready(Report::new(Outcome::Delivered(Proof { by: "discard".to_owned(), text }))).boxed()
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, Reason>> {
        ready(Ok("throws everything away".to_owned())).boxed()
    }
}
