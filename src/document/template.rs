//! Typst templates to PDF.
//!
//! A template reads its data as the file `/data.json`, so it also works in any Typst editor with a sample of that
//! name in the workflow's folder:
//!
//! ```typst
//! #let data = json("/data.json")
//! = Orders since #data.params.since for #data.recipient.name
//! ```
//!
//! It sees the files of its workflow and nothing else: no packages, no network, no other files, and for today the
//! business date. The same files and data give the same bytes. Data is a file and not `sys.inputs`, because those
//! are a part of the library, and a new library makes all cached work useless.

use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use typst::{
    Library, World, WorldExt, comemo,
    diag::{FileError, FileResult, SourceDiagnostic},
    foundations::{Bytes, Datetime, Duration, Smart},
    syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot},
    text::{Font, FontBook},
    utils::LazyHash,
};
use typst_as_lib::{TypstEngine, TypstTemplateCollection, TypstWorld, typst_kit_options::TypstKitFontOptions};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, Timestamp};

use super::{Context, Files, date, store::hex};

/// Where templates find their data.
const DATA: &str = "/data.json";

/// How many renders a cached piece of work survives without being used. Higher keeps more in memory; zero starts
/// each render from nothing.
const CACHED: usize = 8;

/// How many errors of one template are told.
const ERRORS: usize = 5;

/// The templates of one workflow, with its fonts and parsed files at hand.
pub struct Typesetter {
    engine: TypstEngine<TypstTemplateCollection>,
}

/// A typeset document.
#[derive(Debug)]
pub struct Pdf {
    pub bytes: Vec<u8>,
    pub pages: i32,
}

impl Typesetter {
    /// Reads `files` once; each render uses what was read.
    pub fn new(files: &Files) -> Self {
        let entries = || files.entries().iter().filter_map(|(path, bytes)| Some((path, file_id(path)?, bytes)));
        let sources = entries().filter(|(path, ..)| path.ends_with(".typ"));
        let sources = sources.map(|(_, id, bytes)| Source::new(id, String::from_utf8_lossy(bytes).into_owned()));
        let fonts = entries().filter(|(path, ..)| is_font(path));
        let fonts = fonts.flat_map(|(_, _, bytes)| Font::iter(Bytes::new(bytes.clone())));
        let embedded = TypstKitFontOptions::default().include_system_fonts(false).include_embedded_fonts(true);
        let engine = TypstEngine::builder()
            .fonts(fonts)
            .search_fonts_with(embedded)
            .with_static_source_file_resolver(sources)
            .with_static_file_resolver(entries().map(|(_, id, bytes)| (id, Bytes::new(bytes.clone()))))
            .build();
        Self { engine }
    }

    /// Renders the file `template` with `context` as its data; the error is for the template's author.
    pub fn render(&self, template: &str, context: &Context) -> Result<Pdf, String> {
        let main = file_id(template).ok_or_else(|| format!("`{template}` is no path in the workflow's folder"))?;
        let desk = Desk::new(&self.engine, main, context).map_err(|error| error.to_string())?;
        let pdf = desk.typeset();
        comemo::evict(CACHED);
        pdf
    }
}

fn is_font(path: &str) -> bool {
    [".ttf", ".otf", ".ttc", ".otc"].iter().any(|ending| path.to_ascii_lowercase().ends_with(ending))
}

/// The name the compiler has for a path in the workflow's folder; `None` for one that leads out of it.
fn file_id(path: &str) -> Option<FileId> {
    let path = VirtualPath::new(path).ok()?;
    Some(RootedPath::new(VirtualRoot::Project, path).intern())
}

/// What one render sees: the workflow's files, its data, and the business date.
struct Desk<'a> {
    world: TypstWorld<'a>,
    data_id: Option<FileId>,
    data: Bytes,
    date: Option<Datetime>,
    /// Identifies the document, and tells two with other data apart.
    identity: String,
}

impl<'a> Desk<'a> {
    fn new(
        engine: &'a TypstEngine<TypstTemplateCollection>,
        main: FileId,
        context: &Context,
    ) -> Result<Self, typst_as_lib::TypstAsLibError> {
        let data = context.to_string();
        let hash = Sha256::new().chain_update(main.vpath().get_with_slash()).chain_update(&data).finalize();
        let date = context.get("business_date").and_then(Value::as_str).and_then(date::iso);
        Ok(Self {
            world: engine.world_builder(main).build()?,
            data_id: file_id(DATA),
            data: Bytes::from_string(data),
            date: date.and_then(datetime),
            identity: hex(&hash),
        })
    }

    fn typeset(&self) -> Result<Pdf, String> {
        let document: PagedDocument = typst::compile(self).output.map_err(|errors| self.explain(&errors))?;
        let options = PdfOptions {
            ident: Smart::Custom(self.identity.clone()),
            creator: Smart::Custom(Some("Postbook".to_owned())),
            timestamp: self.date.map(Timestamp::new_utc),
            ..PdfOptions::default()
        };
        let bytes = typst_pdf::pdf(&document, &options).map_err(|errors| self.explain(&errors))?;
        let pages = i32::try_from(document.pages().len()).map_err(|_| "it has more pages than a PDF can".to_owned())?;
        Ok(Pdf { bytes, pages })
    }

    /// One line for each error: `templates/report.typ:12:5: unknown variable: foo (hint)`.
    fn explain(&self, errors: &[SourceDiagnostic]) -> String {
        let lines: Vec<String> = errors.iter().take(ERRORS).map(|error| self.explain_one(error)).collect();
        lines.join("\n")
    }

    fn explain_one(&self, error: &SourceDiagnostic) -> String {
        let mut line = self.place(error).unwrap_or_default();
        line.push_str(&error.message);
        for hint in &error.hints {
            // Writing to a string cannot fail.
            let _ = write!(line, " ({})", hint.v);
        }
        line
    }

    fn place(&self, error: &SourceDiagnostic) -> Option<String> {
        let id = error.span.id()?;
        let path = id.vpath().get_without_slash();
        let source = self.world.source(id).ok()?;
        let (line, column) = source.lines().byte_to_line_column(self.range(error.span)?.start)?;
        Some(format!("{path}:{}:{}: ", line + 1, column + 1))
    }
}

fn datetime(date: NaiveDate) -> Option<Datetime> {
    let (month, day) = (u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?);
    Datetime::from_ymd(date.year(), month, day)
}

impl World for Desk<'_> {
    fn library(&self) -> &LazyHash<Library> {
        self.world.library()
    }

    fn book(&self) -> &LazyHash<FontBook> {
        self.world.book()
    }

    fn main(&self) -> FileId {
        self.world.main()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        refuse_packages(id)?;
        self.world.source(id)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if Some(id) == self.data_id {
            return Ok(self.data.clone());
        }
        refuse_packages(id)?;
        self.world.file(id)
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.world.font(index)
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        self.date
    }
}

fn refuse_packages(id: FileId) -> FileResult<()> {
    match id.root() {
        VirtualRoot::Project => Ok(()),
        VirtualRoot::Package(_) => {
            Err(FileError::Other(Some("packages are not loaded here; copy its files into the workflow".into())))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::pdf;

    fn render(source: &str) -> Result<Pdf, String> {
        let files = [
            ("templates/main.typ", source),
            ("templates/lib.typ", "#let greet(name) = [Hello #name]\n#let wrong() = 1 + \"a\""),
            ("words.csv", "a,b"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), bytes::Bytes::from(text.to_owned())));
        let data = json!({ "business_date": "2026-04-01", "recipient": { "name": "Ann" } });
        Typesetter::new(&Files::new(files.into())).render("templates/main.typ", &data)
    }

    #[test]
    fn a_template_sees_its_data_its_files_and_the_business_date() {
        let source = r##"#import "lib.typ": greet
            #let data = json("/data.json")
            #assert(data.recipient.name == "Ann")
            #assert(datetime.today() == datetime(year: 2026, month: 4, day: 1))
            #assert(csv("/words.csv").at(0).at(1) == "b")
            #greet(data.recipient.name) #pagebreak() Two"##;
        let rendered = render(source).expect("it renders");
        assert_eq!(rendered.pages, 2);
        assert_eq!(pdf::pages(&rendered.bytes), Ok(2));
        assert_eq!(render(source).expect("it renders").bytes, rendered.bytes, "the same input, the same bytes");
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        for (source, expected) in [
            ("a\n\n#foo", "templates/main.typ:3:2: unknown variable: foo"),
            ("#import \"lib.typ\": wrong\n#wrong()", "templates/lib.typ:2:16: cannot add integer and string"),
            ("#image(\"logo.png\")", "templates/main.typ:1:8: file not found (searched at templates/logo.png)"),
            ("#read(\"/etc/passwd\")", "templates/main.typ:1:7: file not found (searched at etc/passwd)"),
            (
                "#import \"@preview/cetz:0.3.4\"",
                "templates/main.typ:1:9: failed to load file (packages are not loaded here; copy its files into the workflow)",
            ),
        ] {
            assert_eq!(render(source).expect_err(source), expected);
        }
        let outside = render("#read(\"../../../etc/passwd\")").expect_err("it leads out");
        assert!(outside.starts_with("templates/main.typ:1:7: "), "{outside}");
    }

    #[test]
    fn a_missing_template_is_named() {
        let files = Files::new([].into());
        let fault = Typesetter::new(&files).render("templates/none.typ", &json!({})).expect_err("there is none");
        assert!(fault.contains("templates/none.typ"), "{fault}");
        let fault = Typesetter::new(&files).render("../x.typ", &json!({})).expect_err("it leads out");
        assert_eq!(fault, "`../x.typ` is no path in the workflow's folder");
    }
}
