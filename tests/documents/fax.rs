//! Fax pages, made by rendering processes from whatever comes, and read by another reader of TIFF files.

use std::{fmt::Write, process::Command, time::Duration};

use bytes::Bytes;
use postbook::{
    channel::Resolution,
    document::{
        Failure, Files,
        fax::{BUILT_IN, Cover, built_in},
        renderer::{Faxed, Originals, Renderer, RendererConfig},
    },
};
use serde_json::json;
use tiff::decoder::{Decoder, DecodingResult};

use crate::{
    peers,
    workbench::{LIMIT, context, files, hasty_renderer, patient_renderer, renderer},
};

async fn typeset(renderer: &Renderer, text: &str) -> Bytes {
    let rendered = renderer.render("a.typ", &files(&[("a.typ", text)]), &context(), LIMIT).await;
    rendered.expect("no fault of ours").expect("a PDF").0
}

async fn fax(renderer: &Renderer, files: &[(&str, Bytes)]) -> Result<Faxed, Failure> {
    fax_with(renderer, files, (Resolution::Normal, None)).await
}

async fn fax_with(
    renderer: &Renderer,
    files: &[(&str, Bytes)],
    (resolution, cover): (Resolution, Option<(&Files, Cover)>),
) -> Result<Faxed, Failure> {
    let files: Vec<_> = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
    let originals = Originals { resolution, files: &files, cover };
    renderer.fax(originals).await.expect("no fault of ours")
}

/// What libtiff makes of it: the lines of all pages, uncompressed, black as one.
fn read_by_libtiff(tiff: &[u8]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let [packed, plain] = ["packed.tiff", "plain.tiff"].map(|name| folder.path().join(name));
    std::fs::write(&packed, tiff).expect("written");
    let copied = Command::new(peers::tiffcp()).args(["-c", "none"]).args([&packed, &plain]).output();
    let copied = copied.expect("tiffcp runs");
    assert!(copied.status.success() && copied.stderr.is_empty(), "{}", String::from_utf8_lossy(&copied.stderr));
    let file = std::io::Cursor::new(std::fs::read(&plain).expect("written"));
    let mut decoder = Decoder::new(file).expect("a TIFF");
    let mut pages = Vec::new();
    loop {
        let DecodingResult::U8(bits) = decoder.read_image().expect("plain lines") else { panic!("lines of bits") };
        pages.push(bits.into_iter().map(|octet| !octet).collect());
        if !decoder.more_images() {
            return pages;
        }
        decoder.next_image().expect("a page");
    }
}

/// A PDF of these objects, numbered from 1, the first of which is the catalogue.
fn written(objects: &[&str], trailer: &str) -> Bytes {
    let mut pdf = "%PDF-1.4\n".to_owned();
    let mut places = String::new();
    for (number, object) in (1..).zip(objects) {
        writeln!(places, "{:010} 00000 n ", pdf.len()).expect("written");
        write!(pdf, "{number} 0 obj\n{object}\nendobj\n").expect("written");
    }
    let (start, size) = (pdf.len(), objects.len() + 1);
    write!(pdf, "xref\n0 {size}\n0000000000 65535 f \n{places}trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\n")
        .expect("written");
    write!(pdf, "startxref\n{start}\n%%EOF\n").expect("written");
    pdf.into()
}

fn stream(dictionary: &str, content: &str) -> String {
    format!("<< {dictionary} /Length {} >>\nstream\n{content}\nendstream", content.len())
}

const CATALOGUE: &str = "<< /Type /Catalog /Pages 2 0 R >>";
const ONE_PAGE: &str = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>";

#[tokio::test]
async fn another_reader_sees_every_page_dot_for_dot() {
    let renderer = patient_renderer();
    let text = "#set page(paper: \"a4\")\n#lorem(300) #pagebreak() #rect(width: 100%, height: 50%, fill: gradient.linear(black, white))";
    let pdf = typeset(&renderer, text).await;
    let cover = json!({ "fax": { "to": "Ann", "number": "+13125550002", "from": "Site A", "date": "1 April 2026",
                                 "subject": "Orders", "text": "https://example.org", "files": ["a.pdf"] } });
    let cover = Cover { template: BUILT_IN.to_owned(), context: cover };
    let files = built_in();

    let faxed = fax_with(&renderer, &[("a.pdf", pdf)], (Resolution::Fine, Some((&files, cover)))).await.expect("a fax");

    let pages = read_by_libtiff(&faxed.tiff);
    assert_eq!((pages.len(), faxed.octets.len()), (3, 3));
    for (number, page) in (1..).zip(pages) {
        let png = renderer.picture(&faxed.tiff, number).await.expect("drawn").expect("there is one");
        let seen = image::load_from_memory(&png).expect("a PNG").to_luma8();
        let bits: Vec<u8> =
            seen.chunks(8).map(|dots| dots.iter().fold(0, |bits, dot| bits << 1 | u8::from(*dot == 0))).collect();
        assert!(bits == page, "page {number} is not the same");
    }
    assert!(renderer.picture(&faxed.tiff, 4).await.expect("looked for").is_none());
}

#[tokio::test]
async fn a_hundred_pages_become_a_fax_in_the_memory_of_one_process() {
    let config = RendererConfig { children: 1, timeout: LIMIT, memory: 256 * 1024 * 1024 };
    let renderer = Renderer::new(env!("CARGO_BIN_EXE_postbook").into(), config);
    let text = "#set page(paper: \"a4\")\n#for i in range(100) [Page #i #rect(width: 40mm, height: 20mm, fill: luma(150)) #pagebreak(weak: true)]";
    let pdf = typeset(&renderer, text).await;
    assert_eq!(fax(&renderer, &[("a.pdf", pdf)]).await.expect("a fax").octets.len(), 100);
}

#[tokio::test]
async fn hostile_pdfs_are_refused_or_drawn_in_bounded_time_and_the_next_one_is_faxed() {
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>";
    let itself =
        stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>", "/X Do /X Do");
    let bomb = stream(
        "/Type /XObject /Subtype /Image /Width 100000 /Height 100000 /ColorSpace /DeviceRGB /BitsPerComponent 8",
        "x",
    );
    let shown = stream("", "/X Do");
    let endless = stream("", &"0 0 m 500 500 l 9 9 9 9 9 9 c S\n".repeat(200_000));
    let vast = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 1e30 1e30] >>";
    let locked = "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O (00000000000000000000000000000000) /U (00000000000000000000000000000000) >> /ID [(0) (0)]";
    let cases = [
        ("pages in a circle", written(&[CATALOGUE, "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"], "")),
        ("a form in itself", written(&[CATALOGUE, ONE_PAGE, page, &shown, &itself], "")),
        ("a picture that is a bomb", written(&[CATALOGUE, ONE_PAGE, page, &shown, &bomb], "")),
        ("a million lines", written(&[CATALOGUE, ONE_PAGE, page, &endless, &itself], "")),
        ("a vast page", written(&[CATALOGUE, ONE_PAGE, vast], "")),
        ("locked", written(&[CATALOGUE, ONE_PAGE, page, &shown, &itself], locked)),
    ];
    let renderer = hasty_renderer();
    for (name, pdf) in cases {
        let faxed = tokio::time::timeout(Duration::from_secs(20), fax(&renderer, &[("a.pdf", pdf)])).await;
        match faxed.unwrap_or_else(|_| panic!("{name}: it takes too long")) {
            Ok(faxed) => assert_eq!(faxed.octets.len(), 1, "{name}"),
            Err(failure) => {
                assert!(!failure.again, "{name}: {failure:?}");
                assert_eq!(json!(failure.reason.scope), "document", "{name}: {failure:?}");
            }
        }
    }
    let good = typeset(&patient_renderer(), "good").await;
    assert_eq!(fax(&renderer, &[("a.pdf", good)]).await.expect("a fax").octets.len(), 1);
}

#[tokio::test]
async fn a_file_that_cannot_become_pages_is_named() {
    let renderer = renderer();
    let good = typeset(&renderer, "good").await;
    let zip = Bytes::from_static(b"PK\x03\x04");
    let failure = fax(&renderer, &[("good.pdf", good), ("orders.xlsx", zip)]).await.expect_err("one is no document");
    assert_eq!(
        (failure.reason.code.as_str(), failure.reason.text.as_str()),
        ("no-fax-pages", "orders.xlsx: it cannot become fax pages; those that can are PDF, PNG, JPEG and TIFF")
    );
}
