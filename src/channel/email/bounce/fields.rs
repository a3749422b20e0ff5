//! Header fields as reports have them: names without regard to case, values folded over lines.

/// The fields of one block.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads the fields at the beginning of `text`, up to an empty line.
    pub(super) fn read(text: &[u8]) -> Self {
        blocks(text).into_iter().next().unwrap_or_default()
    }

    /// The value of the first field of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The same without the type in front of it: `rfc822; ann@example.org`, `smtp; 550 no`.
    pub(super) fn typed(&self, name: &str) -> Option<&str> {
        let value = self.get(name)?;
        Some(value.split_once(';').map_or(value, |(_, rest)| rest.trim()))
    }
}

/// The blocks of `text`, which empty lines divide (RFC 3464, section 2.1).
pub(super) fn blocks(text: &[u8]) -> Vec<Fields> {
    let text = String::from_utf8_lossy(text);
    let mut blocks = vec![Fields::default()];
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        let Some(block) = blocks.last_mut() else { break };
        if line.trim().is_empty() {
            if !block.0.is_empty() {
                blocks.push(Fields::default());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = block.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            block.0.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    blocks.retain(|block| !block.0.is_empty());
    blocks
}
