//! What is set up before a measure: one document, one batch, many recipients.

use std::{fmt::Write, net::SocketAddr, num::NonZeroU32};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{report_server::MEDIA_TYPE, stand::BATCH};

/// The bytes of the small document.
const NOTE: &str = "Good morning, the yard opens at seven today.\n";

/// Where a document comes from.
pub(super) enum Source {
    /// A short text, the same for everybody.
    Stored,
    /// A report server that answers each recipient with other bytes.
    Remote(SocketAddr),
}

/// The files for `apply`: a document, for each recipient anew when it is `personal`, to so many recipients.
pub(super) fn text(source: &Source, personal: bool, recipients: NonZeroU32) -> String {
    let source = match source {
        Source::Stored => {
            let content = BASE64_STANDARD.encode(NOTE);
            format!("kind = \"stored\"\nfile = \"note.txt\"\nmedia_type = \"text/plain\"\ncontent = \"{content}\"\n")
        }
        Source::Remote(address) => {
            let url = format!("http://{address}/{{{{ recipient.name }}}}");
            format!("kind = \"remote\"\nurl = \"{url}\"\nmedia_type = \"{MEDIA_TYPE}\"\n")
        }
    };
    let mut text = format!(
        "[[user]]\nname = \"bench\"\nrole = \"user\"\n\n\
         [[document]]\nname = \"note\"\ntitle = \"Note\"\npersonal = {personal}\n{source}\n\
         [[batch]]\nname = \"{BATCH}\"\nworkflow = \"batch-documents\"\nrun_as = \"bench\"\n\
         documents = [{{ document = \"note\" }}]\naccounts = {{ email = \"nowhere\" }}\n\
         message = {{ subject = \"{{{{ document.title }}}}\", text = \"Good morning {{{{ recipient.name }}}}\" }}\n\
         recipients = [\n",
    );
    for number in 1..=recipients.get() {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {{ name = \"{number}\", email = \"r{number}@example.org\" }},");
    }
    text + "]\n"
}
