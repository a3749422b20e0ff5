//! Whether bytes are a PDF, and how many pages it has.
//!
//! Reading a hostile PDF may crash or eat memory, so only the processes that render call this.

use lopdf::Document;

/// How much junk may stand before the header and after the end; readers of PDF accept as much.
const JUNK: usize = 1024;

/// Why bytes are not a PDF that can be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    #[error("it is not a PDF: it begins with `{0}`")]
    NotOne(String),
    #[error("it is a PDF that is broken ({0} bytes): {1}")]
    Broken(usize, String),
    #[error("it is a PDF that is cut off after {0} bytes")]
    CutOff(usize),
    #[error("it is a PDF without pages")]
    Empty,
    #[error("it is a PDF that opens only with a password")]
    Locked,
}

/// The number of pages of the PDF in `bytes`.
pub fn pages(bytes: &[u8]) -> Result<i32, PdfError> {
    if !looks_like_one(bytes) {
        return Err(PdfError::NotOne(String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).escape_debug().collect()));
    }
    if !has_end(bytes) {
        return Err(PdfError::CutOff(bytes.len()));
    }
    let broken = |text: String| PdfError::Broken(bytes.len(), text);
    let document = Document::load_mem(bytes).map_err(|error| match error {
        lopdf::Error::InvalidPassword => PdfError::Locked,
        other => broken(other.to_string()),
    })?;
    match i32::try_from(document.page_iter().count()) {
        Ok(0) => Err(PdfError::Empty),
        Ok(pages) => Ok(pages),
        Err(_) => Err(broken("it has too many pages".to_owned())),
    }
}

/// Whether `bytes` have a PDF's end. Readers mend one without it as far as it goes, so that pages would be missing without
/// a word.
pub fn has_end(bytes: &[u8]) -> bool {
    bytes[bytes.len().saturating_sub(JUNK)..].windows(5).any(|window| window == b"%%EOF")
}

/// Whether `bytes` have a PDF's header near their beginning.
pub fn looks_like_one(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(JUNK)].windows(5).any(|window| window == b"%PDF-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pdf_is_said_to_be_none() {
        assert_eq!(pages(b"<html>Login"), Err(PdfError::NotOne("<html>Login".to_owned())));
        assert_eq!(pages(b""), Err(PdfError::NotOne(String::new())));
        assert_eq!(pages(b"%PDF-1.7\nthe rest is missing"), Err(PdfError::CutOff(28)));
        assert!(matches!(pages(b"%PDF-1.7\n%%EOF"), Err(PdfError::Broken(14, _))));
    }
}
