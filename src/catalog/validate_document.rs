//! The same for documents: those of the catalogue, and those held inside a batch.

use std::collections::BTreeMap;

use super::{
    DocumentDraft, DraftEntry, DraftSource, Faults, check, input,
    name::{named, titled},
};
use crate::document::{Document, Expressions, Remote, Source, param};

/// Checks a document of the catalogue.
///
/// # Errors
/// All that is wrong, with what is in `faults` already.
pub fn document(input: input::Document, mut faults: Faults) -> Result<DocumentDraft, Faults> {
    let name = named(input.name.clone(), &mut faults);
    let title = titled(input.title.clone(), &name, &mut faults);
    let (personal, params) = (input.personal.unwrap_or_default(), input.params.clone());
    let kind = faults.need("kind", input.kind, "write `stored`, `template`, `remote` or `object`");
    misplaced(&input, kind, &mut faults);
    let mut content = None;
    let source = match kind {
        Some(input::Kind::Template) => Some(template(input, &mut faults)),
        Some(input::Kind::Remote) => Some(remote(input, &mut faults)),
        Some(input::Kind::Object) => Some(object(input, &mut faults)),
        Some(input::Kind::Stored) => stored(input, &mut content, &mut faults),
        None => None,
    };
    let Some(source) = source else { return Err(faults) };
    let document = Document { name, title, personal, params, source };
    check::params(param::check_declarations(&document, &Expressions::default()), "params", &mut faults);
    faults.or(DocumentDraft { document, content })
}

/// Tells fields that the document's kind has no use for, which are most likely meant for another kind.
fn misplaced(input: &input::Document, kind: Option<input::Kind>, faults: &mut Faults) {
    use input::Kind::{Object, Remote, Stored, Template};
    let given = [
        ("content", input.content.is_some(), &[Stored][..]),
        ("digest", input.digest.is_some(), &[Stored]),
        ("file", input.file.is_some(), &[Stored, Remote]),
        ("media_type", input.media_type.is_some(), &[Stored, Remote, Object]),
        ("template", input.template.is_some(), &[Template]),
        ("url", input.url.is_some(), &[Remote]),
        ("method", input.method.is_some(), &[Remote]),
        ("headers", !input.headers.is_empty(), &[Remote]),
        ("query", !input.query.is_empty(), &[Remote]),
        ("body", input.body.is_some(), &[Remote]),
        ("secret", input.secret.is_some(), &[Remote]),
        ("timeout", input.timeout.is_some(), &[Remote]),
        ("limit", input.limit.is_some(), &[Remote]),
    ];
    let Some(kind) = kind else { return };
    for (field, _, _) in given.iter().filter(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
        faults.add(*field, "does not belong to a document of this kind; leave it out or change `kind`");
    }
}

fn stored(input: input::Document, content: &mut Option<Vec<u8>>, faults: &mut Faults) -> Option<Source> {
    let file = filed(input.file, "file", faults);
    let media_type = typed(input.media_type, "media_type", faults);
    match (input.content, input.digest) {
        (Some(_), Some(_)) => faults.add("digest", "write either `content` or `digest`"),
        (None, None) => faults.add("content", "is missing; write the file's bytes in base64"),
        (None, Some(digest)) => {
            if digest.len() != 64 || !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                faults.add("digest", "write a SHA-256 in 64 small hexadecimal digits, or `content`");
            }
            return Some(Source::Stored { file, media_type, digest });
        }
        (Some(written), None) => *content = decoded(&written, &media_type, "content", faults),
    }
    Some(Source::Stored { file, media_type, digest: String::new() })
}

/// Without a media type, the file's name says what it is.
fn object(input: input::Document, faults: &mut Faults) -> Source {
    faults.told("media_type", input.media_type.as_deref().and_then(check::media_type));
    Source::Object { media_type: input.media_type }
}

fn template(input: input::Document, faults: &mut Faults) -> Source {
    let template = faults.need("template", input.template, "write the Typst file in the workflow's folder");
    let template = template.unwrap_or_default();
    let inside = !template.starts_with('/') && !template.split(['/', '\\']).any(|part| part == "..");
    if !inside || !template.ends_with(".typ") {
        faults.add("template", "write a path inside the workflow's folder, such as `templates/report.typ`");
    }
    Source::Template { template }
}

fn remote(input: input::Document, faults: &mut Faults) -> Source {
    let url = faults.need("url", input.url, "write the report's address").unwrap_or_default();
    let scheme = ["http://", "https://", "{{"].iter().any(|start| url.starts_with(start));
    if !scheme {
        faults.add("url", "write an address that begins with `https://` or `http://`");
    }
    faults.told("url", check::one_line(&url).or_else(|| check::template(&url)));
    for (at, values) in [("headers", &input.headers), ("query", &input.query)] {
        for (name, value) in values {
            faults.told(&format!("{at}/{name}"), check::template(value));
        }
    }
    faults.told("body", input.body.as_deref().and_then(check::template));
    faults.told("file", input.file.as_deref().and_then(|file| check::line(file).or_else(|| check::template(file))));
    let method = input.method.unwrap_or_else(|| "GET".to_owned());
    if !["GET", "POST", "PUT"].contains(&method.as_str()) {
        faults.add("method", format!("is `{method}`; write GET, POST or PUT"));
    }
    let timeout = input.timeout.unwrap_or(60);
    if !(1..=3600).contains(&timeout) {
        faults.add("timeout", "write a number of seconds from 1 to 3600");
    }
    let limit = input.limit.unwrap_or(50 * 1024 * 1024);
    if !(1..=1024 * 1024 * 1024).contains(&limit) {
        faults.add("limit", "write a number of bytes from 1 to 1073741824");
    }
    Source::Remote(Remote {
        url,
        method,
        headers: input.headers,
        query: input.query,
        body: input.body,
        secret: input.secret,
        media_type: typed(input.media_type, "media_type", faults),
        file: input.file,
        timeout,
        limit,
    })
}

/// Checks a document held inside a batch.
pub(super) fn held(entry: input::Entry, at: &str, faults: &mut Faults) -> Option<DraftEntry> {
    if entry.file.is_none() && entry.content.is_none() {
        faults.add(at, "names no document; write `document`, or hold one with `file`, `media_type` and `content`");
        return None;
    }
    for param in entry.params.keys() {
        faults.add(format!("{at}/params/{param}"), "a held document has no parameters; leave it out");
    }
    let file = filed(entry.file, &format!("{at}/file"), faults);
    let media_type = typed(entry.media_type, &format!("{at}/media_type"), faults);
    let place = format!("{at}/content");
    let written = faults.need(&place, entry.content, "write the file's bytes in base64");
    let content = written.and_then(|written| decoded(&written, &media_type, &place, faults));
    let name = entry.name.unwrap_or_else(|| slug_of(&file));
    faults.told(&format!("{at}/name"), check::slug(&name));
    let title = entry.title.unwrap_or_else(|| name.clone());
    faults.told(&format!("{at}/title"), check::line(&title));
    let source = Source::Stored { file, media_type, digest: String::new() };
    let document = Document { name, title, personal: false, params: BTreeMap::new(), source };
    let held = DocumentDraft { document, content };
    Some(DraftEntry { source: DraftSource::Held(Box::new(held)), params: BTreeMap::new() })
}

fn filed(file: Option<String>, at: &str, faults: &mut Faults) -> String {
    let file = faults.need(at, file, "write the file's name, such as `checklist.pdf`").unwrap_or_default();
    faults.told(at, check::file(&file));
    file
}

fn typed(media_type: Option<String>, at: &str, faults: &mut Faults) -> String {
    let media_type = faults.need(at, media_type, "write one such as `application/pdf`").unwrap_or_default();
    faults.told(at, check::media_type(&media_type));
    media_type
}

fn decoded(written: &str, media_type: &str, at: &str, faults: &mut Faults) -> Option<Vec<u8>> {
    let bytes = check::base64(written).map_err(|fault| faults.add(at, fault)).ok()?;
    faults.told(at, check::bytes(media_type, &bytes));
    Some(bytes)
}

/// A key made of a file's name.
fn slug_of(file: &str) -> String {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let plain: String =
        stem.to_lowercase().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let slug: Vec<_> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let slug = slug.join("-");
    if slug.is_empty() {
        "document".to_owned()
    } else {
        slug.chars().take(40).collect::<String>().trim_end_matches('-').to_owned()
    }
}
