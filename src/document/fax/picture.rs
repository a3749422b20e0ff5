//! Pictures as pages: PNG and JPEG, upright as the camera was held.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, imageops};

use super::{
    Page, Unfit, ink,
    paper::{Paper, WHITE},
};

/// Pixels an inch of a picture that does not say; what is too large for the paper is made smaller anyway.
const DENSITY: f32 = 96.0;

/// The most memory that reading one may take. Less refuses large photographs, more comes near to what a rendering process may
/// have in all.
const MEMORY: u64 = 256 * 1024 * 1024;

/// The longest side.
const SIDE: u32 = 30_000;

/// Whether `bytes` begin like one of these.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    matches!(image::guess_format(bytes), Ok(ImageFormat::Png | ImageFormat::Jpeg))
}

/// The page with the picture in `bytes`.
pub(super) fn page(bytes: &[u8], paper: Paper) -> Result<Page, Unfit> {
    let shades = read(bytes).map_err(|error| unreadable(&error))?;
    Ok(sized(&shades, (DENSITY, DENSITY), paper))
}

pub(super) fn unreadable(error: &ImageError) -> Unfit {
    let text = match error {
        ImageError::Limits(_) => "it is a picture with too many pixels".to_owned(),
        other => format!("it is a picture that cannot be read: {other}"),
    };
    Unfit::new("image-unreadable", text)
}

fn read(bytes: &[u8]) -> Result<GrayImage, ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(shades(&picture))
}

/// The picture on white paper, in shades.
pub(super) fn shades(picture: &DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.to_luma8();
    }
    let see_through = picture.to_luma_alpha8();
    let over = |shade: u8, cover: u8| {
        let white = u32::from(WHITE);
        ((u32::from(shade) * u32::from(cover) + white * (white - u32::from(cover))) / white) as u8
    };
    let shades = see_through.pixels().map(|pixel| over(pixel.0[0], pixel.0[1])).collect();
    GrayImage::from_raw(see_through.width(), see_through.height(), shades).expect("one shade for each pixel")
}

/// The page with `shades`, which are so dense across and down.
pub(super) fn sized(shades: &GrayImage, (across, down): (f32, f32), paper: Paper) -> Page {
    let inches = |pixels: u32, density: f32| pixels as f32 / density * 25.4;
    let place = paper.place(inches(shades.width(), across), inches(shades.height(), down));
    let (width, height) = place.drawn();
    ink::page(&place.laid(imageops::resize(shades, width, height, imageops::FilterType::Triangle)))
}
