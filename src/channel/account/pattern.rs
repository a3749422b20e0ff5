//! Contacts by pattern, for rehearsals: `*` stands for any text, and case does not count.

/// Whether `text` looks like `pattern`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("ann@example.org", "Ann@Example.org", true),
            ("ann@example.org", "joann@example.org", false),
            ("*@example.org", "ann@example.org", true),
            ("*@example.org", "ann@example.com", false),
            ("ann@*", "ann@", true),
            ("a*n*org", "ann@example.org", true),
            ("a*x*y*org", "ann@example.org", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
