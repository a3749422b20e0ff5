//! The pages of a PDF, drawn one at a time.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use hayro::{
    RenderCache, RenderSettings,
    hayro_interpret::InterpreterSettings,
    hayro_syntax::{DecryptionError, LoadPdfError, Pdf, page::Page},
    render,
    vello_cpu::color::palette::css,
};
use image::GrayImage;

use super::{
    Sheet, Unfit, ink,
    paper::{Paper, Place},
    too_many,
};
use crate::document::pdf::has_end;

/// A point, the unit of PDF, in millimetres.
const POINT: f32 = 25.4 / 72.0;

/// The pages of the PDF in `bytes`, at most so many.
pub(super) fn sheets(bytes: &[u8], paper: Paper, most: usize) -> Result<Vec<Sheet>, Unfit> {
    if !has_end(bytes) {
        return Err(unreadable(format!("it is a PDF that is cut off after {} bytes", bytes.len())));
    }
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| unreadable(told(error)))?;
    let pages = pdf.pages();
    match pages.len() {
        0 => Err(unreadable("it is a PDF without pages")),
        some if some > most => Err(too_many()),
        _ => (1..).zip(pages.iter()).map(|(number, page)| sheet(page, number, paper)).collect(),
    }
}

fn unreadable(text: impl Into<String>) -> Unfit {
    Unfit::new("pdf-unreadable", text)
}

fn told(error: LoadPdfError) -> &'static str {
    match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => "it is a PDF that opens only with a password",
        LoadPdfError::Decryption(_) => "it is a PDF whose encryption cannot be read",
        LoadPdfError::Invalid => "it is a PDF that is broken",
    }
}

/// One page. What could not be drawn is not left out without a word.
fn sheet(page: &Page<'_>, number: usize, paper: Paper) -> Result<Sheet, Unfit> {
    let missing = Arc::new(AtomicBool::new(false));
    let (width, height) = page.render_dimensions();
    let place = paper.place(width * POINT, height * POINT);
    let drawing = draw(page, (width, height), place, missing.clone());
    if missing.load(Ordering::Relaxed) {
        return Err(unreadable(format!("page {number} has a picture or letters that cannot be drawn")));
    }
    Ok(Sheet::of(&ink::page(&place.laid(drawing))))
}

fn draw(page: &Page<'_>, (width, height): (f32, f32), place: Place, missing: Arc<AtomicBool>) -> GrayImage {
    let drawn = place.drawn();
    let interpreting = InterpreterSettings {
        warning_sink: Arc::new(move |_| missing.store(true, Ordering::Relaxed)),
        ..InterpreterSettings::default()
    };
    let rendering = RenderSettings {
        x_scale: drawn.0 as f32 / width,
        y_scale: drawn.1 as f32 / height,
        width: u16::try_from(drawn.0).ok(),
        height: u16::try_from(drawn.1).ok(),
        bg_color: css::WHITE,
    };
    // A cache of its own for each page: what they share is drawn again, but a hundred photographs are not kept.
    let pixels = render(page, &RenderCache::new(), &interpreting, &rendering);
    let shades = pixels.data_as_u8_slice().chunks_exact(4).map(shade).collect();
    GrayImage::from_raw(drawn.0, drawn.1, shades).expect("there are as many dots as were asked for")
}

/// How bright a pixel looks (ITU-R BT.601); the paper below is white, so it has no holes.
fn shade(pixel: &[u8]) -> u8 {
    if pixel == [255; 4] {
        return 255;
    }
    let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((red * 299 + green * 587 + blue * 114 + 500) / 1000) as u8
}
