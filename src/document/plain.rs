//! HTML to plain text, for paper: links are written out after their words, as nobody can click on them.

/// Elements that stand on lines of their own.
const BLOCKS: [&str; 14] = ["p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table"];

/// Elements whose content is not for readers.
const UNSEEN: [&str; 4] = ["script", "style", "head", "title"];

/// What `html` says.
pub fn text(html: &str) -> String {
    let mut reader = Reader::default();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        reader.words(before);
        if !tag.starts_with(|letter: char| letter.is_ascii_alphabetic() || "/!".contains(letter)) {
            reader.words("<");
            rest = tag;
            continue;
        }
        let (tag, after) = tag.split_once('>').unwrap_or((tag, ""));
        reader.tag(tag);
        rest = after;
    }
    reader.words(rest);
    reader.text.trim().to_owned()
}

#[derive(Default)]
struct Reader {
    text: String,
    /// The element whose content is being left out.
    unseen: Option<String>,
    /// Where the link leads that is being read, and where its words begin.
    link: Option<(String, usize)>,
}

impl Reader {
    fn words(&mut self, words: &str) {
        if self.unseen.is_some() {
            return;
        }
        let words = meant(words);
        for (index, word) in words.split_ascii_whitespace().enumerate() {
            let spaced = index > 0 || words.starts_with(|letter: char| letter.is_ascii_whitespace());
            if spaced && !self.text.is_empty() && !self.text.ends_with(['\n', ' ']) {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
        if words.ends_with(|letter: char| letter.is_ascii_whitespace()) && !self.text.ends_with(['\n', ' ']) {
            self.text.push(' ');
        }
    }

    fn tag(&mut self, tag: &str) {
        let closing = tag.starts_with('/');
        let name = tag.trim_start_matches('/').split(|letter: char| !letter.is_ascii_alphanumeric()).next();
        let name = name.unwrap_or_default().to_ascii_lowercase();
        match &self.unseen {
            Some(unseen) if closing && *unseen == name => self.unseen = None,
            Some(_) => {}
            None if UNSEEN.contains(&name.as_str()) && !closing => self.unseen = Some(name),
            None if name == "a" => self.link(if closing { None } else { target(tag) }),
            None if BLOCKS.contains(&name.as_str()) => self.line(name == "p"),
            None => {}
        }
    }

    /// Ends the link that is being read, and begins the one that leads to `target`.
    fn link(&mut self, target: Option<String>) {
        if let Some((target, begin)) = self.link.take()
            && !self.text[begin..].contains(target.trim_end_matches('/'))
        {
            self.text.push_str(&format!(" <{target}>"));
        }
        self.link = target.map(|target| (target, self.text.len()));
    }

    fn line(&mut self, paragraph: bool) {
        let kept = self.text.trim_end_matches(' ').len();
        if self.link.as_ref().is_none_or(|(_, begin)| *begin <= kept) {
            self.text.truncate(kept);
        }
        let ending = if paragraph { "\n\n" } else { "\n" };
        if !self.text.is_empty() && !self.text.ends_with(ending) {
            self.text.push('\n');
        }
        if paragraph && !self.text.is_empty() && !self.text.ends_with(ending) {
            self.text.push('\n');
        }
    }
}

/// Where a link leads, if it leads somewhere else than into its own page.
fn target(tag: &str) -> Option<String> {
    let at = tag.to_ascii_lowercase().find("href")?;
    let value = tag.get(at + 4..)?.trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split_ascii_whitespace().next()?,
    };
    let target = meant(value);
    let target = target.strip_prefix("mailto:").unwrap_or(&target).trim();
    (!target.is_empty() && !target.starts_with('#')).then(|| target.to_owned())
}

/// The letters that are meant by `&amp;` and the like.
fn meant(text: &str) -> String {
    let mut meant = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        meant.push_str(before);
        let named = entity.split_once(';').filter(|(name, _)| name.len() <= 8);
        match named.and_then(|(name, after)| Some((letter(name)?, after))) {
            Some((letter, after)) => {
                meant.push(letter);
                rest = after;
            }
            None => {
                meant.push('&');
                rest = entity;
            }
        }
    }
    meant + rest
}

fn letter(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return number.ok().and_then(char::from_u32);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "euro" => '€',
        "ndash" => '–',
        "mdash" => '—',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_are_written_out_and_lines_stay_lines() {
        for (html, plain) in [
            (
                "Hello <b>Ann</b>,<br>see <a href=\"https://example.org/a?b=1&amp;c=2\">your orders</a>.",
                "Hello Ann,\nsee your orders <https://example.org/a?b=1&c=2>.",
            ),
            ("<a href='https://example.org/'>https://example.org</a>", "https://example.org"),
            ("<a href=\"mailto:ann@example.org\">Ann</a> <a href=\"#top\">up</a>", "Ann <ann@example.org> up"),
            ("<head><title>T</title></head><p>One</p><p>Two &lt; three &#8364; &#x41;</p>", "One\n\nTwo < three € A"),
            (
                "<style>p { color: red }</style>A &amp B & C &unknown; <ul><li>x</li><li>y</li></ul>",
                "A &amp B & C &unknown;\nx\ny",
            ),
            ("a < b", "a < b"),
            ("<a", ""),
        ] {
            assert_eq!(text(html), plain, "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(html in "(<a href=|</a>|<p>|&amp;|&#9;|<br>| |[a-z\\PC]){0,40}") {
            prop_assert!(text(&html).len() <= html.len() * 3);
        }
    }
}
