//! What is set up before a measure: one document, one batch, many recipients.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
    num::NonZeroU32,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    report_server::MEDIA_TYPE,
    stand::{BATCH, BUSINESS},
};

/// The bytes of the small document.
const NOTE: &str = "Good morning, the yard opens at seven today.\n";

/// Where a document comes from.
pub(super) enum Source {
    /// A short text, the same for everybody.
    Stored,
    /// A report server that answers each recipient with other bytes.
    Remote(SocketAddr),
}

/// Where the recipients come from.
pub(super) enum To {
    /// The batch lists so many.
    Listed(NonZeroU32),
    /// A query gives so many.
    Asked(NonZeroU32),
}

/// The files for `apply`: a document, for each recipient anew when it is `personal`, and a batch that sends it.
pub(super) fn text(source: &Source, personal: bool, to: &To) -> String {
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
         message = {{ subject = \"{{{{ document.title }}}}\", text = \"Good morning {{{{ recipient.name }}}}\" }}\n",
    );
    // Writing to a text cannot fail.
    let _ = match to {
        To::Listed(recipients) => listed(&mut text, *recipients),
        To::Asked(recipients) => asked(&mut text, *recipients),
    };
    text
}

/// The files for `apply`: a batch that sends words alone to so many telephones.
pub(super) fn words(telephones: NonZeroU32) -> String {
    let mut text = format!(
        "[[user]]\nname = \"bench\"\nrole = \"user\"\n\n\
         [[batch]]\nname = \"{BATCH}\"\nworkflow = \"batch-documents\"\nrun_as = \"bench\"\n\
         message = {{ subject = \"Hours\", text = \"The yard opens at seven, {{{{ recipient.name }}}}\" }}\n\
         recipients = [\n",
    );
    for number in 0..telephones.get() {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "  {{ name = \"{number}\", sms = \"+1312555{number:04}\" }},");
    }
    text + "]\n"
}

fn listed(text: &mut String, recipients: NonZeroU32) -> fmt::Result {
    text.push_str("recipients = [\n");
    for number in 1..=recipients.get() {
        writeln!(text, "  {{ name = \"{number}\", email = \"r{number}@example.org\" }},")?;
    }
    text.write_str("]\n")
}

fn asked(text: &mut String, recipients: NonZeroU32) -> fmt::Result {
    writeln!(
        text,
        "audience = {{ data = \"{BUSINESS}\", query = \"select n::text as name, 'r' || n || '@example.org' as email, \
         n as account from generate_series(1, {recipients}) as n\" }}"
    )
}
