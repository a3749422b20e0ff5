//! What `postmaster.pid` says about the server of a data folder, and whether it is true.
//!
//! After a crash of the machine, or of the server alone, the file stays behind, and its process id may since have been
//! given to any other program. Postgres would then refuse to start.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The folder of its socket.
    pub socket: PathBuf,
    pub port: u16,
}

/// The state of a data folder's server.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Not running.
    Gone,
    /// Not running, with a file left behind that says otherwise, and the address it had.
    Stale(Option<Address>),
    /// Starting, recovering or stopping.
    Busy,
    Ready(Address),
}

/// Looks at the server of `data`.
pub fn look(data: &Path) -> Result<State> {
    let text = match fs::read_to_string(data.join("postmaster.pid")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Gone),
        Err(error) => return Err(error).with_context(|| format!("reading postmaster.pid in {}", data.display())),
    };
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let address = address(&lines);
    let alive = lines.first().and_then(|pid| pid.parse().ok()).is_some_and(|pid| serves(pid, data));
    Ok(match (alive, address, lines.get(7)) {
        (false, address, _) => State::Stale(address),
        (true, Some(address), Some(&"ready")) => State::Ready(address),
        (true, ..) => State::Busy,
    })
}

/// Removes the file that a server left behind.
pub fn forget(data: &Path) -> Result<()> {
    let path = data.join("postmaster.pid");
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
}

fn address(lines: &[&str]) -> Option<Address> {
    let port = lines.get(3)?.parse().ok()?;
    let socket = lines.get(4).filter(|folder| !folder.is_empty())?;
    Some(Address { socket: socket.into(), port })
}

/// Whether process `pid` is a Postgres that serves `data`: its command line names the folder.
fn serves(pid: u32, data: &Path) -> bool {
    let data = data.to_string_lossy();
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(line) => String::from_utf8_lossy(&line).split('\0').any(|argument| argument == data),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => Command::new("ps")
            .args(["-o", "args=", "-p", &pid.to_string()])
            .output()
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_id_given_to_another_program_is_stale() {
        let data = std::env::temp_dir().join(format!("postbook-postmaster-{}", std::process::id()));
        fs::create_dir_all(&data).unwrap();
        let text = format!("{}\n{}\n1700000000\n5432\n/run/x\n\n1 2\nready   \n", std::process::id(), data.display());
        fs::write(data.join("postmaster.pid"), text).unwrap();
        let state = look(&data).unwrap();
        forget(&data).unwrap();
        assert_eq!(state, State::Stale(Some(Address { socket: "/run/x".into(), port: 5432 })));
        assert_eq!(look(&data).unwrap(), State::Gone);
        fs::remove_dir_all(&data).unwrap();
    }
}
