//! The server's own log of a call: how far it has come, what the other machine said of itself, what is kept as proof.
//!
//! Whether clients may read it is a setting of each modem (LogFileMode, hylafax-config(5)); where they may not, there is
//! that much less to tell.

use super::{control::Control, reply::Trouble};

/// The longest log that is read, in bytes. One of a hundred pages has half of it.
const LONGEST_LOG: usize = 512 * 1024;
/// The longest list of logs that is read.
const LONGEST_LIST: usize = 256 * 1024;
/// How many of the newest logs may be that of a call that goes on.
const NEWEST: usize = 4;
/// The most that is kept of a log, in bytes.
const LONGEST_KEPT: usize = 16 * 1024;
/// The longest name of a machine; the standard has 20 letters.
const LONGEST_STATION: usize = 40;
/// Lines that only say how bytes went to the modem.
const NOISE: [&str; 6] = ["<-- ", "--> ", "send frame number", "MODEM set", "DELAY ", "HDLC"];

/// A log of one call.
#[derive(Debug)]
pub(super) struct Log(String);

impl Log {
    /// The log of a call that is over; nothing when it may not be read.
    pub(super) async fn of_session(control: &mut Control, session: &str) -> Result<Option<Self>, Trouble> {
        match control.fetch(&format!("RETR log/c{session}"), LONGEST_LOG).await {
            Ok(bytes) => Ok(bytes.map(|it| Self(String::from_utf8_lossy(&it).into_owned()))),
            Err(Trouble::Said(_)) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// The log of the call that `job` makes just now, if it makes one and may be watched.
    pub(super) async fn of_job(control: &mut Control, job: u32) -> Result<Option<Self>, Trouble> {
        let list = match control.fetch("NLST log", LONGEST_LIST).await {
            Ok(list) => list.unwrap_or_default(),
            Err(Trouble::Said(_)) => return Ok(None),
            Err(trouble) => return Err(trouble),
        };
        let list = String::from_utf8_lossy(&list).into_owned();
        let mut sessions: Vec<&str> = list.lines().filter_map(|line| line.trim().strip_prefix('c')).collect();
        sessions.retain(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()));
        sessions.sort_unstable();
        for session in sessions.iter().rev().take(NEWEST) {
            let Some(log) = Self::of_session(control, session).await? else { return Ok(None) };
            if log.is_of(job) && !log.is_over() {
                return Ok(Some(log));
            }
        }
        Ok(None)
    }

    fn is_of(&self, job: u32) -> bool {
        self.0.contains(&format!("JOB {job} DEST"))
    }

    fn is_over(&self) -> bool {
        self.0.contains("]: SESSION END")
    }

    /// How far the call has come, in words.
    pub(super) fn progress(&self, pages: u32) -> String {
        let begun = self.words().filter(|it| it.starts_with("SEND begin page")).count();
        if begun > 0 {
            return format!("sending page {begun} of {pages}");
        }
        if self.words().any(|it| it.starts_with("REMOTE ")) {
            return "the other machine has answered".to_owned();
        }
        if self.words().any(|it| it.starts_with("DIAL ")) { "dialling" } else { "beginning the call" }.to_owned()
    }

    /// What the other machine called itself (ITU-T T.30, CSI).
    pub(super) fn station(&self) -> Option<String> {
        let csi = self.words().find_map(|it| it.strip_prefix("REMOTE CSI "))?;
        let csi = csi.trim().trim_matches('"').trim().chars().filter(|it| !it.is_control());
        Some(csi.take(LONGEST_STATION).collect()).filter(|it: &String| !it.is_empty())
    }

    /// How long the call took, in seconds.
    pub(super) fn seconds(&self) -> Option<u32> {
        let dialled = self.0.lines().find(|line| words(line).is_some_and(|it| it.starts_with("DIAL ")))?;
        let (begun, over) = (time_of_day(dialled)?, self.0.lines().rev().find_map(time_of_day)?);
        Some((over + 86_400 - begun) % 86_400)
    }

    /// What is worth keeping of it.
    pub(super) fn kept(&self) -> String {
        let mut kept = String::new();
        for line in self.0.lines().filter(|line| !NOISE.iter().any(|noise| line.contains(noise))) {
            if kept.len() + line.len() >= LONGEST_KEPT {
                break;
            }
            kept.extend(line.chars().map(|it| if it.is_control() { ' ' } else { it }));
            kept.push('\n');
        }
        kept
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter_map(words)
    }
}

/// `Nov 22 17:35:16.74: [ 3309]: SEND begin page`
fn words(line: &str) -> Option<&str> {
    line.split_once("]: ").map(|(_, words)| words.trim_end())
}

fn time_of_day(line: &str) -> Option<u32> {
    let time = line.split_whitespace().nth(2)?.split('.').next()?;
    let mut parts = time.split(':').map(|it| it.parse::<u32>().ok());
    let (Some(Some(hours)), Some(Some(minutes)), Some(Some(seconds))) = (parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Some(hours * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "Nov 22 23:59:50.44: [ 3309]: SESSION BEGIN 000000002 13125550002\r\n\
        Nov 22 23:59:50.44: [ 3309]: SEND FAX: JOB 2 DEST +13125550002 COMMID 000000002 DEVICE '/dev/ttyS0'\r\n\
        Nov 22 23:59:50.44: [ 3309]: <-- [12:AT+FCLASS=1\\r]\r\n\
        Nov 22 23:59:50.44: [ 3309]: DIAL 13125550002\r\n\
        Nov 22 23:59:58.92: [ 3309]: REMOTE CSI \"+1 312 555 0002\"\r\n\
        Nov 23 00:00:05.74: [ 3309]: SEND begin page\r\n\
        Nov 23 00:00:05.74: [ 3309]: SEND send frame number 0\r\n\
        Nov 23 00:00:12.10: [ 3309]: SEND begin page\r\n";

    #[test]
    fn a_log_tells_how_far_the_call_has_come() {
        for (lines, expected) in [
            (1, "beginning the call"),
            (4, "dialling"),
            (5, "the other machine has answered"),
            (6, "sending page 1 of 3"),
        ] {
            let log = Log(CALL.lines().take(lines).collect::<Vec<_>>().join("\n"));
            assert_eq!(log.progress(3), expected);
        }
        assert_eq!(Log(CALL.to_owned()).progress(3), "sending page 2 of 3");
    }

    #[test]
    fn a_log_tells_whom_it_reached_and_how_long_it_took() {
        let log = Log(CALL.to_owned());
        assert_eq!((log.station().as_deref(), log.seconds()), (Some("+1 312 555 0002"), Some(22)));
        assert!(log.is_of(2) && !log.is_of(22) && !log.is_over());
        assert!(!log.kept().contains("FCLASS") && !log.kept().contains("frame") && log.kept().contains("DIAL"));
        assert_eq!((Log(String::new()).station(), Log("x".to_owned()).seconds()), (None, None));
    }
}
