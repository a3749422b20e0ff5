//! Shades of grey to black and white.
//!
//! Two kinds of marks want two ways. Where paper shows through close by, it is text or a line: it becomes black or white
//! as it is darker or lighter than a shade between paper and the darkest around, so that thin strokes and grey letters stay
//! whole.
//! Everything else is a photograph or a tint: what a dot has too much or too little is handed on to its neighbours, which
//! keeps the mean of any area (R. W. Floyd, L. Steinberg, "An adaptive algorithm for spatial greyscale", 1976).

use image::GrayImage;

use super::{Page, paper::WHITE};

/// From which shade on a dot counts as paper.
const PAPER: u8 = 248;

/// How far around a dot paper is looked for. Higher draws darker rims around photographs, lower misses bold strokes.
const REACH: usize = 2;

/// How much of the way from paper to the darkest shade around a dot of a line has come, in eighths. Lower draws bolder
/// letters that run together, higher loses the thin strokes of small ones.
const WAY: u16 = 3;

/// How much darker than paper a line has to be somewhere close by to be drawn as one. What is paler is a tint.
const CONTRAST: u8 = 64;

/// The page in black and white.
pub(super) fn page(shades: &GrayImage) -> Page {
    let width = shades.width() as usize;
    let rows: Vec<&[u8]> = shades.chunks_exact(width).collect();
    let near: Vec<Option<Vec<bool>>> = rows.iter().map(|row| near_paper(row)).collect();
    let mut bits = vec![0; width / 8 * rows.len()];
    let mut debt = Debt::new(width);
    for (y, line) in bits.chunks_exact_mut(width / 8).enumerate() {
        if debt.is_none() && is_blank(rows[y]) {
            continue;
        }
        let window = &rows[y.saturating_sub(REACH)..(y + REACH + 1).min(rows.len())];
        let near = &near[y.saturating_sub(REACH)..(y + REACH + 1).min(rows.len())];
        debt.next_line();
        for step in 0..width {
            // Every other line goes backwards, or else the dots would line up.
            let x = if y % 2 == 0 { step } else { width - 1 - step };
            let shade = rows[y][x];
            if shade == WHITE && debt.here[x + 1] == 0 {
                continue;
            }
            let lined = near.iter().any(|row| row.as_ref().is_none_or(|row| row[x]));
            let black = match lined.then(|| parting(window, x)).flatten() {
                Some(parting) => shade <= parting,
                None => debt.pay(x, shade, y % 2 == 0),
            };
            if black {
                line[x / 8] |= 0x80 >> (x % 8);
            }
        }
    }
    Page { bits }
}

fn is_blank(row: &[u8]) -> bool {
    row.iter().all(|shade| *shade == WHITE)
}

/// Where paper is within reach in this row; `None` stands for everywhere.
fn near_paper(row: &[u8]) -> Option<Vec<bool>> {
    if is_blank(row) {
        return None;
    }
    let mut near = vec![true; row.len()];
    let mut from = 0;
    for marks in row.split(|shade| *shade >= PAPER) {
        let to = from + marks.len();
        // At the edges of the page there is none.
        let left = if from == 0 { 0 } else { from + REACH };
        let right = if to == row.len() { to } else { to.saturating_sub(REACH) };
        if left < right {
            near[left..right].fill(false);
        }
        from = to + 1;
    }
    Some(near)
}

/// The shade that parts line from paper around `x`, where something is dark enough for a line.
fn parting(window: &[&[u8]], x: usize) -> Option<u8> {
    let around = |row: &&[u8]| row[x.saturating_sub(REACH)..(x + REACH + 1).min(row.len())].iter().copied().min();
    let darkest = window.iter().filter_map(around).min()?;
    let contrast = WHITE - darkest;
    (contrast >= CONTRAST).then(|| WHITE - (u16::from(contrast) * WAY / 8) as u8)
}

/// What dots have handed on to those after them, in sixteenths of a shade.
struct Debt {
    here: Vec<i32>,
    below: Vec<i32>,
}

impl Debt {
    /// Nothing is owed on a line of so many dots; one more on each side spares looking for the edges.
    fn new(width: usize) -> Self {
        Self { here: vec![0; width + 2], below: vec![0; width + 2] }
    }

    fn is_none(&self) -> bool {
        self.below.iter().all(|owed| *owed == 0)
    }

    fn next_line(&mut self) {
        std::mem::swap(&mut self.here, &mut self.below);
        self.below.fill(0);
    }

    /// Whether the dot is black; what that is too much or too little goes to its neighbours.
    fn pay(&mut self, x: usize, shade: u8, forwards: bool) -> bool {
        let wanted = i32::from(shade) + self.here[x + 1] / 16;
        let black = wanted < 128;
        let over = wanted - if black { 0 } else { i32::from(WHITE) };
        if over != 0 {
            let (after, before) = if forwards { (x + 2, x) } else { (x, x + 2) };
            self.here[after] += over * 7;
            self.below[before] += over * 3;
            self.below[x + 1] += over * 5;
            self.below[after] += over;
        }
        black
    }
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;
    use crate::document::fax::paper::WIDTH;

    /// How grey the page is, where paper is 255.
    fn mean(page: &Page) -> f64 {
        let black: u32 = page.bits.iter().map(|octet| octet.count_ones()).sum();
        255.0 * (1.0 - f64::from(black) / (page.bits.len() as f64 * 8.0))
    }

    #[test]
    fn a_photograph_keeps_its_mean_grey() {
        // Slopes, waves and a highlight, as photographs have them.
        let shade = |x: u32, y: u32| {
            let (x, y) = (f64::from(x) / 300.0, f64::from(y) / 200.0);
            (120.0 + 70.0 * (x * 2.0).sin() * y.cos() + 50.0 * (x - y).sin()).clamp(0.0, 255.0) as u8
        };
        let photo = GrayImage::from_fn(WIDTH, 1200, |x, y| Luma([shade(x, y)]));
        let before = photo.iter().map(|shade| f64::from(*shade)).sum::<f64>() / f64::from(WIDTH * 1200);
        let after = mean(&page(&photo));
        assert!((before - after).abs() < 255.0 * 0.02, "{before} became {after}");
    }

    #[test]
    fn tints_keep_their_shade_and_blank_paper_stays_blank() {
        for shade in [0, 20, 128, 230, 255] {
            let tint = GrayImage::from_pixel(WIDTH, 200, Luma([shade]));
            let after = mean(&page(&tint));
            assert!((after - f64::from(shade)).abs() < 255.0 * 0.02, "{shade} became {after}");
        }
    }

    #[test]
    fn a_thin_grey_stroke_between_two_lines_stays_whole() {
        for shade in [60, 128, 185] {
            let paper = GrayImage::from_fn(WIDTH, 40, |x, y| Luma([if y == 20 && x >= 100 { shade } else { WHITE }]));
            let drawn = page(&paper);
            let black: u32 = drawn.bits.iter().map(|octet| octet.count_ones()).sum();
            assert_eq!(black, WIDTH - 100, "{shade}: every dot of the stroke and none beside it");
        }
    }
}
