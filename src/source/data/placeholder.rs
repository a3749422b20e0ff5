//! Names with a colon in a statement, found where they mean a value: not in texts, quoted names, comments and casts.

/// A statement whose names have become numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbered {
    /// The pieces between the names.
    pub pieces: Vec<String>,
    /// What stands between them: places in `names`.
    pub places: Vec<usize>,
    /// Each name once.
    pub names: Vec<String>,
}

impl Numbered {
    /// The statement, with `write` deciding how each number is written.
    pub(super) fn text(&self, write: impl Fn(usize) -> String) -> String {
        let mut text = self.pieces.first().cloned().unwrap_or_default();
        for (place, piece) in self.places.iter().zip(&self.pieces[1..]) {
            text.push_str(&write(*place));
            text.push_str(piece);
        }
        text
    }
}

/// The names with a colon in `statement`, each once.
pub fn names(statement: &str) -> Vec<String> {
    number(statement).names
}

/// Finds the names in `statement`.
pub(super) fn number(statement: &str) -> Numbered {
    let mut numbered = Numbered { pieces: vec![String::new()], places: Vec::new(), names: Vec::new() };
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        if let Some(name) = rest.strip_prefix(':').and_then(name) {
            let place = numbered.names.iter().position(|it| it == name).unwrap_or(numbered.names.len());
            if place == numbered.names.len() {
                numbered.names.push(name.to_owned());
            }
            numbered.places.push(place);
            numbered.pieces.push(String::new());
            rest = &rest[1 + name.len()..];
            continue;
        }
        let length = opaque(rest).unwrap_or(first.len_utf8());
        if let Some(piece) = numbered.pieces.last_mut() {
            piece.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    numbered
}

/// The name that `text` begins with.
fn name(text: &str) -> Option<&str> {
    let begins = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_');
    let length = text.find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap_or(text.len());
    begins.then(|| &text[..length])
}

/// How many bytes at the beginning of `text` hold no names, whatever they look like.
fn opaque(text: &str) -> Option<usize> {
    let until = |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("::") {
        return Some(2);
    }
    if text.starts_with("--") {
        return Some(until(2, "\n"));
    }
    if text.starts_with("/*") {
        return Some(until(2, "*/"));
    }
    if text.starts_with(['E', 'e']) && text[1..].starts_with('\'') {
        return Some(escaped(text));
    }
    if text.starts_with(['\'', '"']) {
        return Some(until(1, &text[..1]));
    }
    if let Some(word) = name(text) {
        // A dollar in the middle of a name begins no text.
        let tail = text[word.len()..].find(|it: char| !it.is_ascii_alphanumeric() && !"_$".contains(it));
        return Some(word.len() + tail.unwrap_or(text.len() - word.len()));
    }
    let tag = dollar_tag(text)?;
    Some(until(tag.len(), tag))
}

/// The length of a text in which a backslash hides what follows it.
fn escaped(text: &str) -> usize {
    let mut hidden = false;
    for (at, it) in text.char_indices().skip(2) {
        match it {
            _ if hidden => hidden = false,
            '\\' => hidden = true,
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `$$` or `$tag$`.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let length = if inner.starts_with('$') { 0 } else { name(inner)?.len() };
    inner[length..].starts_with('$').then(|| &text[..length + 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(statement: &str) -> String {
        number(statement).text(|place| format!("${}", place + 1))
    }

    #[test]
    fn names_become_numbers_where_they_mean_a_value() {
        for (statement, expected) in [
            ("select 1", "select 1"),
            ("a = :site and b = :since", "a = $1 and b = $2"),
            ("a = :site or b = :site", "a = $1 or b = $1"),
            (":a::date - :b", "$1::date - $2"),
            ("'it''s :no' || :yes", "'it''s :no' || $1"),
            (r"E'it\'s :no' || :yes", r"E'it\'s :no' || $1"),
            ("\":no\" = :yes", "\":no\" = $1"),
            ("-- :no\n:yes", "-- :no\n$1"),
            ("/* :no */ :yes", "/* :no */ $1"),
            ("$$ :no $$ || :yes", "$$ :no $$ || $1"),
            ("$x$ :no $$ :no $x$ || :yes", "$x$ :no $$ :no $x$ || $1"),
            ("a[1:2] = :ü", "a[1:2] = :ü"),
            ("'open :no", "'open :no"),
        ] {
            assert_eq!(written(statement), expected, "{statement}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end_and_nothing_is_lost(text in r#"[:a-z'"$\\/*\n E-]{0,40}|.*"#) {
            let numbered = number(&text);
            prop_assert_eq!(numbered.text(|place| format!(":{}", numbered.names[place])), text);
        }
    }
}
