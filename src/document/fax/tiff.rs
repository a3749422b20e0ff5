//! Pages as a TIFF of the kind that fax servers send without touching it.
//!
//! One strip a page, no more tags than are asked for: TIFF class F in the dress of RFC 2301, section 4 ("Profile F"), which
//! is what HylaFAX's `tiffcheck` lets pass. The same pages give the same bytes.

use std::io::Cursor;

use tiff::{
    TiffResult,
    encoder::{Rational, TiffEncoder},
    tags::{CompressionMethod, PhotometricInterpretation, ResolutionUnit, Tag},
};

use super::{
    Sheet,
    paper::{Paper, WIDTH},
};
use crate::channel::Resolution;

/// The tag of T.6 options: none, so no uncompressed pieces.
const T6_OPTIONS: Tag = Tag::Unknown(293);

/// The tag of a page's number, counted from zero, and of how many there are.
const PAGE_NUMBER: Tag = Tag::Unknown(297);

/// A page of several.
const ONE_OF_MANY: u32 = 2;

/// Writes `sheets` one after the other.
pub(super) fn write(sheets: &[Sheet], resolution: Resolution) -> TiffResult<Vec<u8>> {
    let paper = Paper { resolution };
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file)?;
    let count = u16::try_from(sheets.len())?;
    for (number, sheet) in (0..count).zip(sheets) {
        let mut page = encoder.image_directory()?;
        let strip = u32::try_from(page.write_data(&sheet.code[..])?)?;
        page.write_tag(Tag::NewSubfileType, ONE_OF_MANY)?;
        page.write_tag(Tag::ImageWidth, WIDTH)?;
        page.write_tag(Tag::ImageLength, sheet.lines)?;
        page.write_tag(Tag::BitsPerSample, 1_u16)?;
        page.write_tag(Tag::Compression, CompressionMethod::Fax4)?;
        page.write_tag(Tag::PhotometricInterpretation, PhotometricInterpretation::WhiteIsZero)?;
        page.write_tag(Tag::FillOrder, 1_u16)?;
        page.write_tag(Tag::StripOffsets, strip)?;
        page.write_tag(Tag::Orientation, 1_u16)?;
        page.write_tag(Tag::SamplesPerPixel, 1_u16)?;
        page.write_tag(Tag::RowsPerStrip, sheet.lines)?;
        page.write_tag(Tag::StripByteCounts, sheet.octets())?;
        page.write_tag(Tag::XResolution, Rational { n: 204, d: 1 })?;
        page.write_tag(Tag::YResolution, Rational { n: paper.lines_per_inch(), d: 1 })?;
        page.write_tag(T6_OPTIONS, 0_u32)?;
        page.write_tag(Tag::ResolutionUnit, ResolutionUnit::Inch)?;
        page.write_tag(PAGE_NUMBER, [number, count])?;
        page.finish()?;
    }
    Ok(file.into_inner())
}
