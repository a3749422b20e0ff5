//! Names of files that are safe on every system and in every mail.

/// How long a name may be before its extension, in bytes. File systems take 255 with what others add to it.
const LENGTH: usize = 120;

/// Names that mean devices on Windows, with any extension.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Media types and the extensions their files have, the usual one first.
const EXTENSIONS: [(&str, &[&str]); 14] = [
    ("application/pdf", &["pdf"]),
    ("text/csv", &["csv"]),
    ("text/plain", &["txt", "text", "log", "md"]),
    ("text/html", &["html", "htm"]),
    ("application/json", &["json"]),
    ("application/xml", &["xml"]),
    ("text/xml", &["xml"]),
    ("application/zip", &["zip"]),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx"]),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx"]),
    ("image/png", &["png"]),
    ("image/jpeg", &["jpg", "jpeg"]),
    ("image/tiff", &["tiff", "tif"]),
    ("image/gif", &["gif"]),
];

/// A file name made of `title` that fits `media_type`: letters of any script stay, path tricks, control characters
/// and device names do not.
pub fn file_name(title: &str, media_type: &str) -> String {
    let extensions = extensions(media_type);
    let (stem, extension) = match title.trim().rsplit_once('.') {
        Some((stem, found)) if extensions.contains(&found.to_ascii_lowercase().as_str()) => {
            (stem, found.to_ascii_lowercase())
        }
        Some((stem, found)) if extensions.is_empty() && is_extension(found) => (stem, found.to_owned()),
        _ => (title, extensions.first().copied().unwrap_or("bin").to_owned()),
    };
    format!("{}.{extension}", safe_stem(stem))
}

/// What `media_type` says without its parameters, in small letters.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What the extension of `file` says it is.
pub fn media_type(file: &str) -> &'static str {
    let extension = file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let known = EXTENSIONS.iter().find(|(_, extensions)| extensions.contains(&extension.as_str()));
    known.map_or("application/octet-stream", |(media_type, _)| media_type)
}

fn extensions(media_type: &str) -> &'static [&'static str] {
    let essence = essence(media_type);
    EXTENSIONS.iter().find(|(known, _)| *known == essence).map_or(&[], |(_, extensions)| extensions)
}

fn is_extension(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn safe_stem(stem: &str) -> String {
    let plain: String = stem.chars().map(safe_char).collect();
    let joined = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = &joined[..joined.floor_char_boundary(LENGTH)];
    let name = cut.trim_matches(|c: char| c == '.' || c == ' ');
    if name.is_empty() {
        return "document".to_owned();
    }
    if is_reserved(name) { format!("_{name}") } else { name.to_owned() }
}

/// Marks that turn text around can make `fdp.exe` look like `exe.pdf`, so they go with the control characters.
fn safe_char(c: char) -> char {
    match c {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '-',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    }
}

fn is_reserved(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = |device: &str| {
        first.strip_prefix(device).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    RESERVED.contains(&first.as_str()) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_letters_and_lose_their_tricks() {
        for (title, name) in [
            ("Opening checklist", "Opening checklist.pdf"),
            ("Отчёт за март", "Отчёт за март.pdf"),
            ("report.PDF", "report.pdf"),
            ("v1.2", "v1.2.pdf"),
            ("../../etc/passwd", "-..-etc-passwd.pdf"),
            ("C:\\temp\\a", "C--temp-a.pdf"),
            ("a\r\nBcc: b", "a Bcc- b.pdf"),
            ("con", "_con.pdf"),
            ("COM1.old", "_COM1.old.pdf"),
            ("\u{202e}fdp.exe", "fdp.exe.pdf"),
            (" .. ", "document.pdf"),
        ] {
            assert_eq!(file_name(title, "application/pdf"), name);
        }
    }

    #[test]
    fn the_extension_fits_the_media_type() {
        assert_eq!(file_name("a", "text/csv; charset=utf-8"), "a.csv");
        assert_eq!(file_name("a.dat", "application/x-odd"), "a.dat");
        assert_eq!(file_name("a", "application/x-odd"), "a.bin");
    }

    #[test]
    fn long_names_are_cut_between_letters() {
        let name = file_name(&"ж".repeat(200), "application/pdf");
        assert_eq!(name.len(), 124);
    }
}
