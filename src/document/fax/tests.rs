use std::io::Cursor;

use bytes::Bytes;
use hayro::{RenderCache, RenderSettings, hayro_interpret::InterpreterSettings, hayro_syntax::Pdf, vello_cpu};
use image::{DynamicImage, GenericImageView, GrayImage, ImageFormat, Luma, LumaA, Rgb, RgbImage};
use serde_json::json;

use super::*;
use crate::document::{Files, template::Typesetter};

/// The PDF of a Typst text.
fn typeset(text: &str) -> Vec<u8> {
    let files = Files::new([("a.typ".to_owned(), Bytes::from(text.to_owned()))].into());
    Typesetter::new(&files).render("a.typ", &json!({})).expect("it renders").bytes
}

fn fax(bytes: &[u8], resolution: Resolution) -> Result<Vec<u8>, Unfit> {
    let sheets = pages(&[Original { name: "a.pdf", bytes }], resolution)?;
    write(&sheets, resolution)
}

/// The pages as pictures.
fn seen(tiff: &[u8]) -> Vec<GrayImage> {
    let page = |number| png(tiff, number).expect("it is a fax");
    let pictures = (1..).map_while(page);
    pictures.map(|png| image::load_from_memory(&png).expect("it is a PNG").to_luma8()).collect()
}

fn seen_fine(bytes: &[u8]) -> Vec<GrayImage> {
    seen(&fax(bytes, Resolution::Fine).expect("it can be faxed"))
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).expect("it is written");
    bytes.into_inner()
}

/// How much of this part of a page is black: left, top, width, height.
fn blackness(page: &GrayImage, (left, top, width, height): (u32, u32, u32, u32)) -> f64 {
    let part = page.view(left, top, width, height);
    let black = part.pixels().filter(|(_, _, shade)| shade.0[0] == 0).count();
    black as f64 / f64::from(width * height)
}

fn fault(bytes: &[u8]) -> (String, String) {
    let unfit = fax(bytes, Resolution::Normal).expect_err("it cannot be faxed");
    (unfit.code, unfit.text)
}

#[test]
fn ten_point_text_stays_legible() {
    let pdf = typeset("#set page(paper: \"a4\")\n#set text(size: 10pt)\n#lorem(200)\n\n#text(fill: gray, lorem(50))");
    // What was drawn, before it was made black and white: as a judge that knows nothing of how that is done.
    let drawn = Pdf::new(pdf.clone()).expect("it is a PDF");
    let page = &drawn.pages()[0];
    let size = RenderSettings {
        x_scale: 1688.0 / page.render_dimensions().0,
        y_scale: 2287.0 / page.render_dimensions().1,
        width: Some(1688),
        height: Some(2287),
        bg_color: vello_cpu::color::palette::css::WHITE,
    };
    let shades = hayro::render(page, &RenderCache::new(), &InterpreterSettings::default(), &size);
    let shade = |x: u32, y: u32| shades.sample(x as u16, y as u16).g;

    let fax = &seen_fine(&pdf)[0];

    let dots = || (0..2287).flat_map(|y| (0..1688).map(move |x| (x, y)));
    let black = |(x, y): (u32, u32)| fax.get_pixel(x + 20, y).0[0] == 0;
    let strokes = dots().filter(|(x, y)| shade(*x, *y) < 128).count() as f64;
    let lost = dots().filter(|(x, y)| shade(*x, *y) < 128 && !black((*x, *y))).count() as f64;
    let blots = dots().filter(|(x, y)| shade(*x, *y) > 240 && black((*x, *y))).count() as f64;
    assert!(strokes > 50_000.0, "{strokes} dots of text");
    assert!(lost / strokes < 0.001, "{lost} of {strokes} dots are lost");
    assert!(blots / strokes < 0.001, "{blots} dots are black where there was paper");
}

#[test]
fn pages_come_in_order_at_their_size_and_wide_ones_lie_on_their_side() {
    let mark = "#place(top + left, rect(width: 20mm, height: 40mm, fill: black, stroke: none))";
    let pdf = typeset(&format!(
        "#set page(paper: \"a4\", margin: 0mm)\n{mark}\n#pagebreak()\n#set page(paper: \"us-letter\", flipped: true)\n{mark}"
    ));
    let pages = seen_fine(&pdf);
    let sizes: Vec<_> = pages.iter().map(|page| page.dimensions()).collect();
    assert_eq!(sizes, [(1728, 2287), (1728, 2151)]);
    // 20 mm are 161 dots, 40 mm are 308 lines; A4 leaves 20 dots on the left.
    assert!(blackness(&pages[0], (22, 2, 156, 300)) > 0.99);
    assert!(blackness(&pages[0], (185, 0, 1500, 2287)) < 0.001);
    // On its side the mark is at the top right, 40 mm wide and 20 mm high.
    assert!(blackness(&pages[1], (1728 - 315, 2, 310, 150)) > 0.99);
    assert!(blackness(&pages[1], (0, 0, 1400, 2151)) < 0.001);

    let normal = fax(&pdf, Resolution::Normal).expect("it can be faxed");
    assert_eq!(seen(&normal)[0].dimensions(), (1728, 2286), "shown as high as it will be printed");
}

#[test]
fn pictures_become_pages_as_they_are_held() {
    let shade = |x: u32, y: u32| Rgb([if y < 500 { 40 } else { 200 }, 120, (x / 5) as u8]);
    let photo = RgbImage::from_fn(750, 1000, shade);
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Tiff] {
        let bytes = if format == ImageFormat::Tiff { rgb_tiff(&photo) } else { encoded(photo.clone(), format) };
        let pages = seen_fine(&bytes);
        assert_eq!(pages.len(), 1, "{format:?}");
        let upper = blackness(&pages[0], (200, 100, 1300, 800));
        let lower = blackness(&pages[0], (200, 1200, 1300, 700));
        assert!(upper > lower + 0.1, "{format:?}: {upper} above, {lower} below");
    }
    let glass = image::GrayAlphaImage::from_pixel(200, 300, LumaA([0, 0]));
    let pages = seen_fine(&encoded(glass, ImageFormat::Png));
    assert_eq!(blackness(&pages[0], (0, 0, 1728, 2151)), 0.0, "what can be seen through is white");
}

fn rgb_tiff(photo: &RgbImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = ::tiff::encoder::TiffEncoder::new(&mut file).expect("a TIFF");
    encoder.write_image::<::tiff::encoder::colortype::RGB8>(photo.width(), photo.height(), photo).expect("written");
    file.into_inner()
}

#[test]
fn a_fax_is_faxed_again_dot_for_dot() {
    let pdf = typeset("#set page(paper: \"a4\")\nOne #pagebreak() #rect(fill: gradient.linear(black, white))");
    for resolution in [Resolution::Normal, Resolution::Fine] {
        let once = fax(&pdf, resolution).expect("it can be faxed");
        assert_eq!(fax(&pdf, resolution).expect("it can be faxed"), once, "the same pages, the same bytes");
        assert_eq!(fax(&once, resolution).expect("it can be faxed"), once);
    }
}

#[test]
fn a_cover_page_says_how_many_pages_there_are_with_all_of_its_own() {
    let counted = "#let fax = json(\"/data.json\").fax\n#set page(paper: \"a4\")\n#assert(fax.pages in (4, 5))
        #one #pagebreak() #if fax.pages == 5 { rect(width: 100%, height: 100%, fill: black) }";
    let counted = counted.replace("#one", "One");
    let files = Files::new([("c.typ".to_owned(), Bytes::from(counted))].into());
    let cover = Cover { template: "c.typ".to_owned(), context: json!({ "fax": {} }) };
    let sheets = cover.sheets(&Typesetter::new(&files), Resolution::Fine, 3).expect("it renders");
    let pages = seen(&write(&sheets, Resolution::Fine).expect("a TIFF"));
    assert_eq!(pages.len(), 2);
    assert!(blackness(&pages[1], (800, 1000, 100, 100)) > 0.99, "it was told of five pages");
}

#[test]
fn the_built_in_cover_page_tells_what_there_is_to_tell() {
    let cover = |fax| Cover { template: BUILT_IN.to_owned(), context: json!({ "fax": fax }) };
    let typesetter = Typesetter::new(&built_in());
    let full = json!({ "to": "Ann", "number": "+13125550002", "from": "Site A", "date": "1 April 2026", "subject": "S",
                       "text": "a\n\n*b* #c https://example.org", "files": ["a.pdf"] });
    let bare = json!({ "to": "Ann", "number": "", "from": null, "date": "", "subject": "", "text": "", "files": [] });
    for (fax, others) in [(full, 2), (bare, 0)] {
        let sheets = cover(fax).sheets(&typesetter, Resolution::Normal, others).expect("it renders");
        assert_eq!(sheets.len(), 1);
    }
    let long = json!({ "to": "Ann", "number": "", "from": "", "date": "", "subject": "", "text": "word ".repeat(1500), "files": [] });
    assert_eq!(cover(long).sheets(&typesetter, Resolution::Normal, 1).expect("it renders").len(), 3);
}

#[test]
fn what_cannot_become_pages_is_refused_with_a_reason() {
    let pdf = typeset("a");
    let cases: [(&str, &[u8], &str, &str); 8] = [
        (
            "a zip",
            b"PK\x03\x04....",
            "no-fax-pages",
            "a.pdf: it cannot become fax pages; those that can are PDF, PNG, JPEG and TIFF",
        ),
        (
            "nothing",
            b"",
            "no-fax-pages",
            "a.pdf: it cannot become fax pages; those that can are PDF, PNG, JPEG and TIFF",
        ),
        ("a header", b"%PDF-1.7\n", "pdf-unreadable", "a.pdf: it is a PDF that is cut off after 9 bytes"),
        ("no objects", b"%PDF-1.7\n%%EOF", "pdf-unreadable", "a.pdf: it is a PDF that is broken"),
        ("a stump", &pdf[..pdf.len() / 3], "pdf-unreadable", "a.pdf: it is a PDF that is cut off"),
        (
            "half a PNG",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            "image-unreadable",
            "a.pdf: it is a picture that cannot be read",
        ),
        ("half a TIFF", b"II*\0\x08\0\0\0", "image-unreadable", "a.pdf: it is a TIFF that cannot be read"),
        (
            "half a JPEG",
            b"\xff\xd8\xff\xe0\0\x10JFIF",
            "image-unreadable",
            "a.pdf: it is a picture that cannot be read",
        ),
    ];
    for (name, bytes, code, text) in cases {
        let (found, told) = fault(bytes);
        assert_eq!(found, code, "{name}: {told}");
        assert!(told.starts_with(text), "{name}: {told}");
    }
    let wide = encoded(GrayImage::from_pixel(40_000, 1, Luma([0])), ImageFormat::Png);
    assert_eq!(fault(&wide).1, "a.pdf: it is a picture with too many pixels");
    let long = typeset("#for i in range(350) { pagebreak() }");
    assert_eq!(fault(&long).0, "too-many-pages");
}
