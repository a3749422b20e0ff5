//! Lines of dots to the code of ITU-T T.6, which fax machines with error correction and TIFF files speak.
//!
//! Each line is told by where its colour changes, seen from the changes of the line above (section 2.2). The code tables
//! are those of the `fax` crate; its own encoder takes a line dot by dot, which is slow for pages that are mostly white.

use fax::{
    BitWriter, Bits, VecWriter,
    maps::{EDFB_HALF, Mode, black, mode, white},
};

use super::{
    Page,
    paper::{OCTETS, WIDTH},
};

/// The largest run that has a code of its own; longer ones are told in pieces (T.4, table 3/T.4).
const LONGEST: u32 = 2560;

/// The code of `page`, with the end of a facsimile block after it (section 2.4.1.1).
pub(super) fn encode(page: &Page) -> Vec<u8> {
    let mut code = Code(VecWriter::new());
    let (mut above, mut line) = (Vec::new(), Vec::new());
    for octets in page.bits.chunks_exact(OCTETS) {
        changes(octets, &mut line);
        code.line(&line, &above);
        std::mem::swap(&mut line, &mut above);
    }
    code.put(EDFB_HALF);
    code.put(EDFB_HALF);
    code.0.finish()
}

/// Where the colour changes in a line, which begins white.
fn changes(octets: &[u8], found: &mut Vec<u32>) {
    found.clear();
    let mut last = 0;
    for (at, octet) in (0..).step_by(8).zip(octets) {
        let mut changed = octet ^ (octet >> 1 | last << 7);
        while changed != 0 {
            let bit = changed.leading_zeros();
            found.push(at + bit);
            changed ^= 0x80 >> bit;
        }
        last = octet & 1;
    }
}

struct Code(VecWriter);

impl Code {
    fn put(&mut self, bits: Bits) {
        let Ok(()) = self.0.write(bits);
    }

    /// Codes one line: section 2.2.5, with its names for the changes.
    fn line(&mut self, line: &[u32], above: &[u32]) {
        let change = |changes: &[u32], index: usize| changes.get(index).copied().unwrap_or(WIDTH);
        let (mut a0, mut black, mut next, mut seen) = (None, false, 0, 0);
        while a0.is_none_or(|a0| a0 < WIDTH) {
            seen = opposite(above, seen, a0, black);
            let (a1, b1, b2) = (change(line, next), change(above, seen), change(above, seen + 1));
            if b2 < a1 {
                self.mode(Mode::Pass);
                a0 = Some(b2);
                continue;
            }
            if a1.abs_diff(b1) <= 3 {
                let shift = a1 as i32 - b1 as i32;
                self.mode(Mode::Vertical(shift as i8));
                (a0, black, next) = (Some(a1), !black, next + 1);
                continue;
            }
            let a2 = change(line, next + 1);
            self.mode(Mode::Horizontal);
            self.run(a1 - a0.unwrap_or(0), black);
            self.run(a2 - a1, !black);
            (a0, next) = (Some(a2), next + 2);
        }
    }

    fn mode(&mut self, told: Mode) {
        self.put(mode::encode(told).expect("every mode that is used here has a code"));
    }

    fn run(&mut self, mut length: u32, black: bool) {
        while length >= LONGEST {
            self.term(LONGEST, black);
            length -= LONGEST;
        }
        if length >= 64 {
            self.term(length & !63, black);
        }
        self.term(length & 63, black);
    }

    fn term(&mut self, length: u32, black: bool) {
        let length = length as u16;
        let bits = if black { black::encode(length) } else { white::encode(length) };
        self.put(bits.expect("runs are cut into lengths that have a code"));
    }
}

/// The index of the first change above that is right of `a0` and goes away from its colour; `seen` is where the last one
/// was.
fn opposite(above: &[u32], mut seen: usize, a0: Option<u32>, black: bool) -> usize {
    let right = |change: &u32| a0.is_none_or(|a0| *change > a0);
    while seen > 0 && above.get(seen - 1).is_none_or(right) {
        seen -= 1;
    }
    while seen < above.len() && !(right(&above[seen]) && (seen % 2 == 1) == black) {
        seen += 1;
    }
    seen
}

#[cfg(test)]
mod tests {
    use hayro_ccitt::{DecodeSettings, Decoder, DecoderContext, EncodingMode, decode};
    use proptest::prelude::*;

    use super::*;

    /// What another crate than the one the tables are from makes of it.
    #[derive(Default)]
    struct Read {
        bits: Vec<u8>,
        dots: usize,
    }

    impl Decoder for Read {
        fn push_pixels(&mut self, white: bool, count: u32) {
            for _ in 0..count {
                if self.dots.is_multiple_of(8) {
                    self.bits.push(0);
                }
                if !white {
                    *self.bits.last_mut().expect("just pushed") |= 0x80 >> (self.dots % 8);
                }
                self.dots += 1;
            }
        }

        fn next_line(&mut self) {}
    }

    fn read(code: &[u8], lines: u32) -> Vec<u8> {
        let settings = DecodeSettings {
            columns: WIDTH,
            rows: lines,
            end_of_block: true,
            end_of_line: false,
            rows_are_byte_aligned: false,
            encoding: EncodingMode::Group4,
            invert_black: false,
        };
        let mut read = Read::default();
        decode(code, &mut read, &mut DecoderContext::new(settings)).expect("it is T.6");
        read.bits
    }

    /// Lines of runs, each like the one above with some of it changed, as pages have them.
    fn bitmap() -> impl Strategy<Value = Page> {
        let run = prop_oneof![4 => 0..5_usize, 3 => 0..70_usize, 1 => 0..1728_usize];
        let line = prop::collection::vec(run, 0..60);
        let lines = prop::collection::vec((line, 0..4_usize), 0..20);
        lines.prop_map(|lines| {
            let mut bits = Vec::new();
            for (runs, again) in lines {
                let mut dots = vec![false; WIDTH as usize];
                let (mut at, mut black) = (0, false);
                for run in runs {
                    let end = (at + run).min(dots.len());
                    dots[at..end].fill(black);
                    (at, black) = (end, !black);
                }
                for shift in 0..=again {
                    dots.rotate_right(shift);
                    let octet = |dots: &[bool]| dots.iter().fold(0, |octet, dot| octet << 1 | u8::from(*dot));
                    bits.extend(dots.chunks(8).map(octet));
                }
            }
            Page { bits }
        })
    }

    proptest! {
        #[test]
        fn any_page_comes_back_dot_for_dot(page in bitmap()) {
            prop_assert_eq!(read(&encode(&page), page.lines()), page.bits);
        }

        #[test]
        fn noise_comes_back_dot_for_dot(bits in prop::collection::vec(any::<u8>(), OCTETS * 3)) {
            let page = Page { bits };
            prop_assert_eq!(read(&encode(&page), page.lines()), page.bits);
        }
    }

    #[test]
    fn white_paper_takes_a_bit_a_line() {
        let page = Page { bits: vec![0; OCTETS * 2287] };
        assert_eq!(encode(&page).len(), (2287 + 24_usize).div_ceil(8));
        assert_eq!(read(&encode(&page), 2287), page.bits);
        let page = Page { bits: vec![0xff; OCTETS * 100] };
        assert_eq!(read(&encode(&page), 100), page.bits);
    }
}
