//! Memory while something is measured, as the system counts it. Unknown where there is no `/proc`.

use std::{fmt, fs};

use serde::Serialize;

/// Kilobytes of this process, in megabytes of a million bytes.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    /// When the measure began.
    idle_memory_mb: Option<f64>,
    /// At most since then.
    peak_memory_mb: Option<f64>,
}

impl Memory {
    /// Begins to look, from what is in use now. Where the system cannot begin its peak anew, it counts from the start
    /// of the process.
    pub(super) fn begin() -> Self {
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { idle_memory_mb: of("self", "VmRSS"), peak_memory_mb: None }
    }

    /// Ends looking.
    pub(super) fn end(self) -> Self {
        Self { peak_memory_mb: of("self", "VmHWM"), ..self }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.peak_memory_mb, self.idle_memory_mb) {
            (Some(peak), Some(idle)) => write!(f, "peak memory {peak:.0} MB, {:.0} MB above idle", peak - idle),
            _ => f.write_str("peak memory unknown"),
        }
    }
}

/// The most that the processes rendering for this one have used, in megabytes, all together.
pub(super) fn of_renderers() -> Option<f64> {
    let me = std::process::id().to_string();
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let children = processes.filter(|id| field(id, "PPid").as_ref() == Some(&me) && renders(id));
    Some(children.filter_map(|id| of(&id, "VmHWM")).sum())
}

/// What `process` holds at present, in megabytes.
pub(super) fn resident(process: &str) -> Option<f64> {
    of(process, "VmRSS")
}

/// Processor time that `process` has used, in seconds (proc(5), the fields `utime` and `stime` of `stat`, counted in
/// hundredths on all systems of today).
pub(super) fn processor_seconds(process: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may hold spaces; it ends with the last parenthesis.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn renders(process: &str) -> bool {
    let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).any(|part| part == b"render-child")
}

fn of(process: &str, name: &str) -> Option<f64> {
    let kilobytes: f64 = field(process, name)?.trim_end_matches(" kB").parse().ok()?;
    Some(super::rounded(kilobytes * 1024.0 / 1e6))
}

fn field(process: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}
