//! Writing a text with the letters that mobiles have, so that it costs less: `Zażółć` becomes `Zazolc`.

use super::alphabet;

/// Puts the nearest letters of the GSM alphabet in the place of those it lacks, and nothing in the place of marks that
/// cannot be seen. Letters it has stay, accents included; what nothing comes near to stays as well, and the text is then
/// no cheaper than before.
pub fn transliterate(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, letter| {
        match nearest(letter) {
            Some(near) => plain.extend(near.chars().map(apostrophe)),
            None => plain.push(letter),
        }
        plain
    })
}

/// What to write for a letter that the alphabet lacks.
fn nearest(letter: char) -> Option<&'static str> {
    if alphabet::septets(letter).is_some() {
        return None;
    }
    deunicode::deunicode_char(letter)
}

/// The one printing letter of ASCII that mobiles lack.
fn apostrophe(letter: char) -> char {
    if letter == '`' { '\'' } else { letter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_become_their_nearest_and_the_rest_stays() {
        for (text, plain) in [
            ("Zażółć gęślą jaźń", "Zazolc gesla jazn"),
            ("Größe 5 € à é", "Größe 5 € à é"),
            ("“so” – or ‘so’…", "\"so\" - or 'so'..."),
            ("a\u{a0}b`c", "a b'c"),
            ("Привет", "Privet"),
            ("re\u{301}n\u{2009}e", "ren e"),
            ("{[~]}", "{[~]}"),
        ] {
            assert_eq!(transliterate(text), plain);
        }
    }
}
