//! How faxes of an account are sent: what stands on them, how they are dialled, who tries again.

use std::time::Duration;

use crate::channel::{
    Resolution,
    config::{AccountConfig, AccountFault, FaxConfig},
};

/// What stands above each page without another setting. The law wants date and time, who sends, and the number of the
/// line (47 CFR 68.318(d)).
const HEADER: &str = "{from} {station}|{date}|page {page} of {pages}";
/// How long a fax may wait for the line: as long as hfaxd has it without being told.
const EXPIRE: Duration = Duration::from_secs(3 * 60 * 60);
/// The longest identification that goes over the line, in characters (ITU-T T.30, 5.3.6.2.4).
const LONGEST_STATION: usize = 20;

/// What an account says about its faxes.
#[derive(Debug)]
pub(super) struct Settings {
    pub from: String,
    pub station: String,
    /// As the server reads it.
    pub header: String,
    pub resolution: Resolution,
    /// Width and length in millimetres.
    pub page: (u16, u16),
    pub modem: Option<String>,
    pub dial: String,
    pub dials: u16,
    pub expire: Duration,
}

impl Settings {
    pub(super) fn read(config: &AccountConfig) -> Result<Self, AccountFault> {
        let FaxConfig { station, header, resolution, paper, modem, dial, dials, expire } = &config.fax;
        let from = plain(config.from.as_deref(), "`from` is missing; write who sends, such as Example Ltd")?;
        let station = plain(station.as_deref(), STATION)?;
        if station.len() > LONGEST_STATION || !station.contains(|it: char| it.is_ascii_digit()) {
            return Err(AccountFault::Incomplete(STATION));
        }
        Ok(Self {
            header: header_line(header.as_deref().unwrap_or(HEADER), &from, &station)?,
            from,
            station,
            resolution: match resolution.as_deref() {
                None | Some("fine") => Resolution::Fine,
                Some("normal") => Resolution::Normal,
                _ => return Err(AccountFault::Incomplete("`resolution` is not known; write fine or normal")),
            },
            // As the server's own table of sizes has them (pagesizes(5)).
            page: match paper.as_deref() {
                None | Some("a4") => (209, 296),
                Some("letter") => (215, 279),
                _ => return Err(AccountFault::Incomplete("`paper` is not known; write a4 or letter")),
            },
            modem: modem.as_deref().map(|it| plain(Some(it), "`modem` is empty; leave it out")).transpose()?,
            dial: dial_pattern(dial.as_deref().unwrap_or("{number}"))?,
            dials: match dials.unwrap_or(1) {
                dials @ 1..=100 => dials,
                _ => {
                    return Err(AccountFault::Incomplete(
                        "`dials` is 1, or up to 100 where the fax server tries again",
                    ));
                }
            },
            expire: match expire.unwrap_or(EXPIRE) {
                // The server knows minutes, and days of two digits.
                expire if (60..99 * 86_400).contains(&expire.as_secs()) => expire,
                _ => {
                    return Err(AccountFault::Incomplete("`expire` is no less than a minute and no more than 98 days"));
                }
            },
        })
    }
}

const STATION: &str = "`station` says the number of the line in at most 20 letters; write it such as +1 312 555 0001";

/// A text on one line that is there.
fn plain(text: Option<&str>, remedy: &'static str) -> Result<String, AccountFault> {
    let text = text.map(str::trim).filter(|it| !it.is_empty() && !it.contains(char::is_control) && it.len() <= 200);
    text.map(str::to_owned).ok_or(AccountFault::Incomplete(remedy))
}

/// The header as the server reads it: `%` marks times, `%%` marks what is known on the line (hylafax-config(5),
/// TagLineFormat).
fn header_line(header: &str, from: &str, station: &str) -> Result<String, AccountFault> {
    const REMEDY: &str = "`header` must have {date} and {station} in it, and no percent sign; write it such as \
                          {from} {station}|{date}|page {page} of {pages}";
    let header = plain(Some(header), REMEDY)?;
    if !header.contains("{date}") || !header.contains("{station}") || format!("{header}{from}{station}").contains('%') {
        return Err(AccountFault::Incomplete(REMEDY));
    }
    let words = [("{from}", from), ("{station}", station), ("{date}", "%c"), ("{page}", "%%P"), ("{pages}", "%%T")];
    Ok(words.iter().fold(header, |header, (name, value)| header.replace(name, value)))
}

fn dial_pattern(dial: &str) -> Result<String, AccountFault> {
    const REMEDY: &str = "`dial` says what is dialled; write {number} or {digits}, with digits and commas around it";
    let rest = dial.replace("{number}", "").replace("{digits}", "");
    let dials = |it: char| it.is_ascii_digit() || "+,*#wW-() ".contains(it);
    if rest.len() == dial.len() || rest.len() > 40 || !rest.chars().all(dials) {
        return Err(AccountFault::Incomplete(REMEDY));
    }
    Ok(dial.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl FnOnce(&mut AccountConfig)) -> AccountConfig {
        let mut config = AccountConfig::new("hylafax://reports@fax");
        config.from = Some("Example Ltd".to_owned());
        config.fax.station = Some("+1 312 555 0001".to_owned());
        change(&mut config);
        config
    }

    #[test]
    fn what_is_left_out_is_safe_and_lawful() {
        let settings = Settings::read(&config(|_| ())).unwrap();
        assert_eq!(settings.header, "Example Ltd +1 312 555 0001|%c|page %%P of %%T");
        assert_eq!((settings.dials, settings.expire, settings.page), (1, EXPIRE, (209, 296)));
        assert_eq!((settings.dial.as_str(), settings.resolution), ("{number}", Resolution::Fine));
    }

    #[test]
    fn a_setting_that_cannot_be_says_what_to_write() {
        type Change = fn(&mut AccountConfig);
        let cases: [(Change, &str); 11] = [
            (|it| it.from = None, "`from` is missing"),
            (|it| it.from = Some("Example\r\nQUIT".to_owned()), "`from` is missing"),
            (|it| it.fax.station = None, "`station`"),
            (|it| it.fax.station = Some("the number of our telephone".to_owned()), "`station`"),
            (|it| it.fax.header = Some("{from}".to_owned()), "`header`"),
            (|it| it.fax.header = Some("{station} {date} 100 %".to_owned()), "`header`"),
            (|it| it.fax.resolution = Some("best".to_owned()), "`resolution`"),
            (|it| it.fax.paper = Some("a3".to_owned()), "`paper`"),
            (|it| it.fax.dial = Some("\"; JKILL 1".to_owned()), "`dial`"),
            (|it| it.fax.dials = Some(0), "`dials`"),
            (|it| it.fax.expire = Some(Duration::from_secs(1)), "`expire`"),
        ];
        for (change, expected) in cases {
            let fault = Settings::read(&config(change)).unwrap_err().to_string();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
