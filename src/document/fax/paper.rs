//! How large things are on fax paper.
//!
//! ITU-T T.4, sections 2.1 and 2.2: 1728 dots along 215 mm, and 3.85 or 7.7 lines a millimetre.

use image::{GrayImage, imageops};

use crate::channel::Resolution;

/// Dots in a line.
pub(super) const WIDTH: u32 = 1728;

/// Octets in a line.
pub(super) const OCTETS: usize = WIDTH as usize / 8;

/// The length of a line in millimetres.
const ACROSS: f32 = 215.0;

/// Lengths of a page in millimetres: Letter, and A4, which is the longest that every machine takes.
const DOWN: [f32; 2] = [279.4, 297.0];

/// What a page may be longer than its paper without being made smaller; a rounding of sizes in points.
const SLACK: f32 = 1.0;

/// Paper of this fineness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paper {
    pub(super) resolution: Resolution,
}

/// Where a drawing goes on a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Lines of the page.
    pub(super) lines: u32,
    /// The drawing's size in dots and lines.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether it lies on its side, so that it fills the page.
    pub(super) turned: bool,
}

impl Paper {
    /// Lines to an inch, as they are named: [`Self::lines_per_mm`] is what is meant.
    pub(super) fn lines_per_inch(self) -> u32 {
        match self.resolution {
            Resolution::Normal => 98,
            Resolution::Fine => 196,
        }
    }

    /// Whether so many lines go on one page; fax machines print a little less or more than A4.
    pub(super) fn takes(self, lines: u32) -> bool {
        lines <= round((DOWN[1] + 10.0 * SLACK) * self.lines_per_mm())
    }

    fn lines_per_mm(self) -> f32 {
        match self.resolution {
            Resolution::Normal => 3.85,
            Resolution::Fine => 7.7,
        }
    }

    /// Where a drawing of this size in millimetres goes: upright as it is, on its side when it is wider than high, and
    /// smaller when it does not fit. It is never made larger.
    pub(super) fn place(self, width: f32, height: f32) -> Place {
        let turned = width > height;
        let (width, height) = if turned { (height, width) } else { (width, height) };
        let narrowed = (ACROSS / width).min(1.0);
        let down = if height * narrowed <= DOWN[0] + SLACK { DOWN[0] } else { DOWN[1] };
        let scale = narrowed.min(down / height);
        let lines = round(down * self.lines_per_mm());
        Place {
            lines,
            width: round(width * scale * WIDTH as f32 / ACROSS).clamp(1, WIDTH),
            height: round(height * scale * self.lines_per_mm()).clamp(1, lines),
            turned,
        }
    }
}

/// Sizes of pages are far from where this would lose anything.
fn round(size: f32) -> u32 {
    size.round() as u32
}

impl Place {
    /// Width and height of the drawing before it is turned.
    pub(super) fn drawn(self) -> (u32, u32) {
        if self.turned { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// The sheet with `drawing`, which is as large as [`Self::drawn`] says, in the middle of its top.
    pub(super) fn laid(self, drawing: GrayImage) -> GrayImage {
        let drawing = if self.turned { imageops::rotate90(&drawing) } else { drawing };
        let mut sheet = GrayImage::from_raw(WIDTH, self.lines, vec![WHITE; (WIDTH * self.lines) as usize])
            .expect("there are as many dots as its size says");
        let (left, width) = (((WIDTH - self.width) / 2) as usize, self.width as usize);
        let rows = sheet.chunks_exact_mut(WIDTH as usize).zip(drawing.chunks_exact(width));
        for (row, drawn) in rows {
            row[left..left + width].copy_from_slice(drawn);
        }
        sheet
    }
}

/// The shade of paper.
pub(super) const WHITE: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_keep_their_size_and_larger_ones_are_made_to_fit() {
        let fine = Paper { resolution: Resolution::Fine };
        let place = |lines, width, height, turned| Place { lines, width, height, turned };
        for (name, width, height, expected) in [
            ("A4", 210.0, 297.0, place(2287, 1688, 2287, false)),
            ("Letter", 215.9, 279.4, place(2151, 1728, 2142, false)),
            ("A4 on its side", 297.0, 210.0, place(2287, 1688, 2287, true)),
            ("A5", 148.0, 210.0, place(2151, 1190, 1617, false)),
            ("Legal", 215.9, 355.6, place(2287, 1449, 2287, false)),
            ("A0", 841.0, 1189.0, place(2287, 1688, 2287, false)),
            ("a strip", 10.0, 100_000.0, place(2287, 1, 2287, false)),
            ("a speck", 0.001, 0.001, place(2151, 1, 1, false)),
        ] {
            assert_eq!(fine.place(width, height), expected, "{name}");
        }
        let normal = Paper { resolution: Resolution::Normal };
        assert_eq!(normal.place(210.0, 297.0), place(1143, 1688, 1143, false));
    }
}
