//! Pages of a fax as TIFF files without compression, written and read here: a reader of its own, beside the server's.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use crate::peers::reader;

/// Bytes of a line of 1728 dots.
pub const WIDTH: usize = 216;

/// How far down the header line reaches, in lines of the page.
const HEADER: usize = 40;

/// A page, a byte for eight dots, black is 1.
#[derive(Clone, PartialEq, Eq)]
pub struct Page(pub Vec<u8>);

impl Page {
    pub fn lines(&self) -> usize {
        self.0.len() / WIDTH
    }

    pub fn line(&self, number: usize) -> &[u8] {
        &self.0[number * WIDTH..(number + 1) * WIDTH]
    }

    /// The page without what the header may stand on; nothing of one that was cut in its header.
    pub fn below_header(&self) -> &[u8] {
        self.0.get(HEADER * WIDTH..).unwrap_or_default()
    }

    /// What stands left, in the middle and right above the page: who, when, which page.
    pub fn header(&self) -> [Vec<u8>; 3] {
        let thirds = [0..WIDTH / 3, WIDTH / 3..WIDTH * 2 / 3, WIDTH * 2 / 3..WIDTH];
        thirds.map(|third| (0..HEADER).flat_map(|line| self.line(line)[third.clone()].to_vec()).collect())
    }

    /// What the header says left and right, as it is read.
    pub fn read_header(&self) -> [String; 2] {
        [0..WIDTH / 3, WIDTH * 2 / 3..WIDTH].map(|part| {
            let dots = |line: usize, at| if line < HEADER && part.contains(&at) { self.line(line)[at] } else { 0 };
            let alone = (0..2 * HEADER).flat_map(|line| (0..WIDTH).map(move |at| (line, at)));
            Self(alone.map(|(line, at)| dots(line, at)).collect()).words()
        })
    }

    /// Its one line of words.
    fn words(&self) -> String {
        let mut picture = tempfile::NamedTempFile::new().unwrap();
        picture.write_all(&tiff(std::slice::from_ref(self))).unwrap();
        let read =
            Command::new(reader()).arg(picture.path()).args(["-", "--psm", "7", "--dpi", "204"]).output().unwrap();
        assert!(read.status.success(), "{read:?}");
        String::from_utf8(read.stdout).unwrap().trim().to_owned()
    }

    /// Whether there is something in each part of the header.
    pub fn has_header(&self) -> bool {
        self.header().iter().all(|part| part.iter().any(|byte| *byte != 0))
    }
}

/// The faxes among `files` whose last page is `last`. What comes over another line meanwhile is not whole.
pub fn received(files: impl IntoIterator<Item = PathBuf>, last: &Page) -> Vec<Vec<Page>> {
    let faxes = files.into_iter().filter_map(|it| read(&it));
    faxes.filter(|fax| fax.last().is_some_and(|page| page.below_header() == last.below_header())).collect()
}

/// Three pages of A4 in fine resolution, of which the second has a photograph: a picture in grey, as dots.
pub fn three() -> Vec<Page> {
    (1..=3).map(|number| if number == 2 { photograph() } else { text(number) }).collect()
}

/// Lines of marks, different on each page; nothing where the header will be.
fn text(number: usize) -> Page {
    let mark = |x: usize, y: usize| (y % 200 < 20 && x % 12 < 2 + (x + y / 200 * number) % 7).then_some(0xe7);
    page(|x, y| if y > 150 && (10..200).contains(&x) { mark(x, y).unwrap_or(0) } else { 0 })
}

/// A ball in the light, by ordered dithering.
fn photograph() -> Page {
    const DITHER: [[usize; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];
    let dark = |x: usize, y: usize| {
        let (dx, dy) = (x as f64 - 700.0, y as f64 - 700.0);
        let shade = (dx * dx + dy * dy).sqrt() / 180.0 + (dx + dy) / 700.0;
        shade.clamp(0.0, 1.0) * 16.0 > DITHER[y % 4][x % 4] as f64
    };
    page(|x, y| match (x, y) {
        (70..105, 600..800) => (0..8).fold(0, |byte, bit| byte << 1 | u8::from(dark(x * 8 + bit, y))),
        _ => 0,
    })
}

fn page(byte: impl Fn(usize, usize) -> u8) -> Page {
    let lines = 2200;
    Page((0..lines).flat_map(|y| (0..WIDTH).map(move |x| (x, y))).map(|(x, y)| byte(x, y)).collect())
}

/// A TIFF file of `pages` (TIFF 6.0, bilevel images), 204 by 196 dots an inch.
pub fn tiff(pages: &[Page]) -> Vec<u8> {
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let mut next = 4;
    for (number, page) in pages.iter().enumerate() {
        let strip = file.len();
        file.extend(&page.0);
        let dots = file.len();
        file.extend([204u32, 1, 196, 1].iter().flat_map(|it| it.to_le_bytes()));
        let directory = u32::try_from(file.len()).unwrap();
        file[next..next + 4].copy_from_slice(&directory.to_le_bytes());
        let (lines, numbers) = (page.lines(), number | pages.len() << 16);
        let tags: [(u16, u16, u32, usize); 15] = [
            (254, 4, 1, 2),
            (256, 4, 1, WIDTH * 8),
            (257, 4, 1, lines),
            (258, 3, 1, 1),
            (259, 3, 1, 1),
            (262, 3, 1, 0),
            (266, 3, 1, 1),
            (273, 4, 1, strip),
            (277, 3, 1, 1),
            (278, 4, 1, lines),
            (279, 4, 1, page.0.len()),
            (282, 5, 1, dots),
            (283, 5, 1, dots + 8),
            (296, 3, 1, 2),
            (297, 3, 2, numbers),
        ];
        file.extend(15u16.to_le_bytes());
        for (tag, kind, count, value) in tags {
            file.extend(tag.to_le_bytes().into_iter().chain(kind.to_le_bytes()).chain(count.to_le_bytes()));
            file.extend(u32::try_from(value).unwrap().to_le_bytes());
        }
        next = file.len();
        file.extend([0; 4]);
    }
    file
}

/// The pages of any TIFF file of a fax, unpacked by libtiff's own tool; nothing when it is not whole.
pub fn read(path: &Path) -> Option<Vec<Page>> {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.tif");
    let copy = Command::new("tiffcp").args(["-c", "none", "-f", "msb2lsb"]).args([path, &plain]).output();
    if !copy.unwrap().status.success() {
        return None;
    }
    let file = std::fs::read(plain).unwrap();
    assert_eq!(&file[..4], b"II*\0");
    let mut pages = Vec::new();
    let mut directory = long(&file, 4);
    while directory != 0 {
        let tags = short(&file, directory);
        assert_eq!(value(&file, directory, 256), vec![WIDTH * 8], "as wide as a fax");
        let strips = value(&file, directory, 273).into_iter().zip(value(&file, directory, 279));
        pages.push(Page(strips.flat_map(|(at, bytes)| file[at..at + bytes].to_vec()).collect()));
        directory = long(&file, directory + 2 + tags * 12);
    }
    Some(pages)
}

/// The values of a tag.
fn value(file: &[u8], directory: usize, wanted: usize) -> Vec<usize> {
    let entries = (0..short(file, directory)).map(|it| directory + 2 + it * 12);
    let entry = entries.into_iter().find(|&it| short(file, it) == wanted).unwrap();
    let (kind, count) = (short(file, entry + 2), long(file, entry + 4));
    let size = if kind == 3 { 2 } else { 4 };
    let at = if size * count <= 4 { entry + 8 } else { long(file, entry + 8) };
    (0..count).map(|it| if kind == 3 { short(file, at + it * 2) } else { long(file, at + it * 4) }).collect()
}

fn short(file: &[u8], at: usize) -> usize {
    u16::from_le_bytes(file[at..at + 2].try_into().unwrap()).into()
}

fn long(file: &[u8], at: usize) -> usize {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
}
