//! TIFF files: those of others as pages, and ours as pictures to look at.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};
use tiff::{
    ColorType, TiffError, TiffResult,
    decoder::{Decoder, DecodingResult, ifd::Value},
    tags::{ResolutionUnit, Tag},
};

use super::{
    Page, Sheet, Unfit,
    paper::{OCTETS, Paper, WIDTH},
    picture, too_many,
};

/// Dots an inch of a scan that does not say.
const DENSITY: f32 = 200.0;

/// Whether `bytes` begin like one.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*")
}

/// The pages of the TIFF in `bytes`, at most so many.
pub(super) fn sheets(bytes: &[u8], paper: Paper, most: usize) -> Result<Vec<Sheet>, Unfit> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(unreadable)?;
    let mut sheets = Vec::new();
    loop {
        if sheets.len() == most {
            return Err(too_many());
        }
        sheets.push(Sheet::of(&page(&mut decoder, paper)?));
        if !decoder.more_images() {
            return Ok(sheets);
        }
        decoder.next_image().map_err(unreadable)?;
    }
}

fn unreadable(error: TiffError) -> Unfit {
    Unfit::new("image-unreadable", format!("it is a TIFF that cannot be read: {error}"))
}

fn page(decoder: &mut Decoder<Cursor<&[u8]>>, paper: Paper) -> Result<Page, Unfit> {
    let density = density(decoder).map_err(unreadable)?;
    let scan = read(decoder).map_err(unreadable)?;
    let Scan { width, height, colours, pixels } = scan;
    let as_it_is = width == WIDTH && paper.takes(height) && (density.1 - paper.lines_per_inch() as f32).abs() < 5.0;
    let picture = match (colours, pixels) {
        (ColorType::Gray(1), DecodingResult::U8(bits)) if as_it_is => return Ok(Page { bits: inverted(bits) }),
        (ColorType::Gray(1), DecodingResult::U8(bits)) => gray(width, height, spread(&bits, width)),
        (ColorType::Gray(8), DecodingResult::U8(shades)) => gray(width, height, shades),
        (ColorType::RGB(8), DecodingResult::U8(pixels)) => {
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
        }
        (ColorType::RGBA(8), DecodingResult::U8(pixels)) => {
            RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from)
        }
        _ => None,
    };
    let text =
        || format!("it is a TIFF whose colours ({colours:?}) cannot be read; save it in black and white or as RGB");
    let picture = picture.ok_or_else(|| Unfit::new("image-unreadable", text()))?;
    Ok(picture::sized(&picture::shades(&picture), density, paper))
}

fn gray(width: u32, height: u32, shades: Vec<u8>) -> Option<DynamicImage> {
    GrayImage::from_raw(width, height, shades).map(DynamicImage::from)
}

/// One image of a TIFF.
struct Scan {
    width: u32,
    height: u32,
    colours: ColorType,
    pixels: DecodingResult,
}

fn read(decoder: &mut Decoder<Cursor<&[u8]>>) -> TiffResult<Scan> {
    let (width, height) = decoder.dimensions()?;
    Ok(Scan { width, height, colours: decoder.colortype()?, pixels: decoder.read_image()? })
}

/// Dots an inch, across and down.
fn density(decoder: &mut Decoder<Cursor<&[u8]>>) -> TiffResult<(f32, f32)> {
    let unit = decoder.find_tag_unsigned::<u16>(Tag::ResolutionUnit)?;
    let inches = if unit == Some(ResolutionUnit::Centimeter.to_u16()) { 2.54 } else { 1.0 };
    let mut along = |tag| -> TiffResult<f32> {
        let told = match decoder.find_tag(tag)? {
            Some(Value::Rational(dots, per)) => Some(dots as f32 / per as f32),
            Some(Value::Float(dots)) => Some(dots),
            _ => None,
        };
        Ok(told.map(|dots| dots * inches).filter(|dots| (10.0..10_000.0).contains(dots)).unwrap_or(DENSITY))
    };
    Ok((along(Tag::XResolution)?, along(Tag::YResolution)?))
}

/// Readers of TIFF give white as one.
fn inverted(mut bits: Vec<u8>) -> Vec<u8> {
    bits.iter_mut().for_each(|octet| *octet = !*octet);
    bits
}

/// A shade for each bit of lines that begin with a new octet each.
fn spread(bits: &[u8], width: u32) -> Vec<u8> {
    let width = width as usize;
    let line = |octets: &[u8]| {
        let octets = octets.to_vec();
        (0..width).map(move |x| if octets[x / 8] & (0x80 >> (x % 8)) == 0 { 0 } else { 255 })
    };
    bits.chunks_exact(width.div_ceil(8)).flat_map(line).collect()
}

/// A PNG of the page `number`, from 1, of a TIFF of ours; `None` when it has fewer. Dots are as high as they are wide, as
/// on paper.
///
/// # Errors
/// When it is no TIFF of ours.
pub fn png(bytes: &[u8], number: usize) -> Result<Option<Vec<u8>>, Unfit> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(unreadable)?;
    for _ in 1..number {
        if !decoder.more_images() {
            return Ok(None);
        }
        decoder.next_image().map_err(unreadable)?;
    }
    let lines_per_inch = density(&mut decoder).map_err(unreadable)?.1;
    let scan = read(&mut decoder).map_err(unreadable)?;
    let (ColorType::Gray(1), DecodingResult::U8(bits), WIDTH) = (scan.colours, scan.pixels, scan.width) else {
        return Err(Unfit::new("image-unreadable", "it is not a fax page"));
    };
    let tall = if lines_per_inch < 150.0 { 2 } else { 1 };
    let lines: Vec<u8> = bits.chunks_exact(OCTETS).flat_map(|line| line.repeat(tall)).collect();
    drawn(&lines).map(Some).map_err(|error| Unfit::new("image-unreadable", error.to_string()))
}

fn drawn(lines: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let height = u32::try_from(lines.len() / OCTETS).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut file, WIDTH, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(lines)?;
    writer.finish()?;
    Ok(file)
}
