//! Fax pages: documents as the black and white lines that a fax machine prints.
//!
//! PDFs and pictures are drawn at the size of their paper, made black and white, and written as one TIFF of ITU-T T.6
//! pages, which servers send as it is. Reading what others made may crash or eat memory, so only the processes that
//! render call [`pages`] and [`png()`]; everybody may [`estimate()`].

mod cover;
mod estimate;
mod ink;
mod paper;
mod pdf;
mod picture;
mod scan;
mod t6;
mod tiff;

use serde::{Deserialize, Serialize};

pub use cover::{BUILT_IN, Cover, built_in};
pub use estimate::{Estimate, estimate};
pub use scan::png;

use crate::channel::Resolution;
use paper::Paper;

/// The most pages of one fax. More hold a line for hours; services refuse more than 350.
const MOST: usize = 350;

/// Why something cannot become fax pages. It lies in the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    pub code: String,
    pub text: String,
}

impl Unfit {
    fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }
}

/// A document on its way to become pages.
#[derive(Debug)]
pub struct Original<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

/// One page, packed: a line after the other, the leftmost dot in the highest bit, black is one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Page {
    bits: Vec<u8>,
}

/// One page as it goes over the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    lines: u32,
    /// Coded by ITU-T T.6.
    code: Vec<u8>,
}

impl Sheet {
    fn of(page: &Page) -> Self {
        Self { lines: page.lines(), code: t6::encode(page) }
    }

    /// How many octets a fax machine is sent for it.
    pub fn octets(&self) -> u32 {
        u32::try_from(self.code.len()).unwrap_or(u32::MAX)
    }
}

impl Page {
    fn lines(&self) -> u32 {
        u32::try_from(self.bits.len() / paper::OCTETS).unwrap_or(u32::MAX)
    }
}

/// The pages of all `originals`, one after the other.
///
/// # Errors
/// When one of them cannot become pages, with its name.
pub fn pages(originals: &[Original<'_>], resolution: Resolution) -> Result<Vec<Sheet>, Unfit> {
    let mut sheets = Vec::new();
    for original in originals {
        let more = sheets_of(original.bytes, Paper { resolution }, MOST - sheets.len());
        let named = |fault: Unfit| Unfit { text: format!("{}: {}", original.name, fault.text), ..fault };
        sheets.append(&mut more.map_err(named)?);
    }
    Ok(sheets)
}

/// One TIFF of `sheets`.
///
/// # Errors
/// When it would be larger than a TIFF can be.
pub fn write(sheets: &[Sheet], resolution: Resolution) -> Result<Vec<u8>, Unfit> {
    tiff::write(sheets, resolution).map_err(|error| Unfit::new("too-many-pages", error.to_string()))
}

/// The pages of one original; what it is its first bytes say, whatever it is called.
fn sheets_of(bytes: &[u8], paper: Paper, most: usize) -> Result<Vec<Sheet>, Unfit> {
    if super::pdf::looks_like_one(bytes) {
        return pdf::sheets(bytes, paper, most);
    }
    if scan::is_one(bytes) {
        return scan::sheets(bytes, paper, most);
    }
    if picture::is_one(bytes) {
        picture::page(bytes, paper).map(|page| vec![Sheet::of(&page)])
    } else {
        let text = "it cannot become fax pages; those that can are PDF, PNG, JPEG and TIFF";
        Err(Unfit::new("no-fax-pages", text))
    }
}

fn too_many() -> Unfit {
    Unfit::new("too-many-pages", format!("together it comes to more than {MOST} pages, which is too much for one fax"))
}
#[cfg(test)]
mod tests;
