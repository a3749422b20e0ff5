//! The process that renders. It knows no secrets, has a limit on its memory, and may be killed at any time.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process,
    sync::mpsc::{self, SyncSender},
    thread,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use nix::sys::resource::{Resource, setrlimit};

use super::frame::{self, Answer, Frame, Front, Request};
use crate::{
    channel::Resolution,
    document::{
        Files,
        fax::{self, Original, Sheet, Unfit},
        pdf,
        template::Typesetter,
    },
};

/// How many workflows stay loaded. Lower sends files again when many workflows take turns; higher takes memory.
const LOADED: usize = 8;

/// Renders what is asked on standard input until it closes, with at most `memory` bytes.
pub fn child_main(memory: u64) -> Result<()> {
    setrlimit(Resource::RLIMIT_DATA, memory, memory).context("limiting the memory of a rendering process")?;
    let (sender, requests) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || listen(&sender)).context("listening to the server")?;
    let mut bench = Bench::default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    for request in requests {
        let (answer, body) = bench.answer(request);
        frame::write(&mut out, &answer, &body).context("answering the server")?;
        out.flush()?;
    }
    Ok(())
}

/// Passes requests on. When the server is gone the process ends at once, even in the middle of a template that never
/// does.
fn listen(requests: &SyncSender<Frame<Request>>) {
    let mut pipe = io::BufReader::new(io::stdin().lock());
    while let Ok(Some(request)) = frame::read(&mut pipe) {
        if requests.send(request).is_err() {
            break;
        }
    }
    process::exit(0);
}

/// The workflows at hand, the one used last at the end.
#[derive(Default)]
struct Bench {
    loaded: Vec<(String, Typesetter)>,
}

impl Bench {
    fn answer(&mut self, request: Frame<Request>) -> (Answer, Vec<u8>) {
        match request.head {
            Request::Load { digest, files } => (self.load(digest, files, request.body), Vec::new()),
            Request::Render { digest, template, context } => {
                let Some(typesetter) = self.find(&digest) else {
                    return (Answer::Missing, Vec::new());
                };
                match typesetter.render(&template, &context) {
                    Ok(pdf) => (Answer::Rendered { pages: pdf.pages }, pdf.bytes),
                    Err(text) => (Answer::Refused { text }, Vec::new()),
                }
            }
            Request::Count => match pdf::pages(&request.body) {
                Ok(pages) => (Answer::Counted { pages }, Vec::new()),
                Err(error) => (Answer::Refused { text: error.to_string() }, Vec::new()),
            },
            Request::Fax { resolution, files, cover } => {
                let faxed = self.fax(resolution, (&files, &request.body), cover);
                faxed.unwrap_or_else(|unfit| (Answer::Unfit(unfit), Vec::new()))
            }
            Request::Picture { page } => match fax::png(&request.body, page) {
                Ok(picture) => (Answer::Pictured { found: picture.is_some() }, picture.unwrap_or_default()),
                Err(unfit) => (Answer::Unfit(unfit), Vec::new()),
            },
        }
    }

    /// The pages of the files, with the cover page before them: it says how many there are.
    fn fax(
        &mut self,
        resolution: Resolution,
        (files, mut body): (&[(String, usize)], &[u8]),
        cover: Option<Front>,
    ) -> Result<(Answer, Vec<u8>), Unfit> {
        if cover.as_ref().is_some_and(|front| self.find(&front.digest).is_none()) {
            return Ok((Answer::Missing, Vec::new()));
        }
        let mut originals = Vec::with_capacity(files.len());
        for (name, size) in files {
            let (bytes, rest) = body.split_at_checked(*size).unwrap_or((body, &[]));
            originals.push(Original { name, bytes });
            body = rest;
        }
        let mut sheets = fax::pages(&originals, resolution)?;
        if let Some((typesetter, cover)) = cover.as_ref().and_then(|it| Some((self.find(&it.digest)?, &it.cover))) {
            let first = cover.sheets(typesetter, resolution, sheets.len())?;
            sheets.splice(..0, first);
        }
        let octets = sheets.iter().map(Sheet::octets).collect();
        Ok((Answer::Faxed { octets }, fax::write(&sheets, resolution)?))
    }

    fn load(&mut self, digest: String, files: Vec<(String, usize)>, mut body: Bytes) -> Answer {
        let mut entries = BTreeMap::new();
        for (path, size) in files {
            if size > body.len() {
                return Answer::Refused { text: format!("the file `{path}` did not arrive whole") };
            }
            entries.insert(path, body.split_to(size));
        }
        if self.loaded.len() == LOADED {
            self.loaded.remove(0);
        }
        self.loaded.push((digest, Typesetter::new(&Files::new(entries))));
        Answer::Loaded
    }

    fn find(&mut self, digest: &str) -> Option<&Typesetter> {
        let position = self.loaded.iter().position(|(loaded, _)| loaded == digest)?;
        let found = self.loaded.remove(position);
        self.loaded.push(found);
        self.loaded.last().map(|(_, typesetter)| typesetter)
    }
}
