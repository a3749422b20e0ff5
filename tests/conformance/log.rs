//! What the program logs at its finest level, of all libraries.

use std::{
    io,
    sync::{Mutex, Once},
};

use postbook::cli::logged;
use tracing_subscriber::fmt::MakeWriter;

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

/// Begins to keep what is logged.
pub fn keep() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        tracing_subscriber::fmt().with_env_filter(logged("trace")).with_ansi(false).with_writer(Log).init();
    });
}

/// What was logged so far.
pub fn text() -> String {
    String::from_utf8_lossy(&WRITTEN.lock().unwrap()).into_owned()
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
