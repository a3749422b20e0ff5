//! The Postgres programs on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::DatabaseError;

/// The oldest major version Postbook works with.
pub const OLDEST: u32 = 14;

/// Folders that hold one folder per version, the beginning of its name, and where the programs are in it.
const FAMILIES: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
];

/// A folder with `initdb`, `pg_ctl` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binaries {
    version: u32,
    folder: PathBuf,
}

impl Binaries {
    /// The newest ones for new data, those of the version that made it for `data` that is there already. Looks in
    /// `folder` alone when one is given.
    pub fn find(folder: Option<&Path>, data: &Path) -> Result<Self, DatabaseError> {
        let places = folder.map_or_else(usual_places, |folder| vec![folder.to_owned()]);
        let mut found: Vec<_> = places.iter().filter_map(|folder| Self::at(folder)).collect();
        found.sort();
        let Some(newest) = found.last().cloned() else {
            let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
            return Err(DatabaseError::NoBinaries(places.join(", ")));
        };
        if let Some(wanted) = made_by(data) {
            let fitting = found.into_iter().find(|binaries| binaries.version == wanted);
            return fitting.ok_or(DatabaseError::OtherVersion { data: data.to_owned(), wanted });
        }
        if newest.version < OLDEST {
            return Err(DatabaseError::TooOld { found: newest.version, folder: newest.folder });
        }
        Ok(newest)
    }

    /// One of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn at(folder: &Path) -> Option<Self> {
        let complete = ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file());
        let output = complete.then(|| Command::new(folder.join("postgres")).arg("--version").output())?.ok()?;
        let version = major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { version, folder: folder.to_owned() })
    }
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL)")?.1.trim_start();
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// The major version that made `data`, if there is any.
fn made_by(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        places.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    for (parent, prefix, programs) in FAMILIES {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let members = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        places.extend(members.map(|entry| entry.path().join(programs)));
    }
    places.extend(["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"].map(PathBuf::from));
    places.sort();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_all_forms() {
        let forms = [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", Some(15)),
            ("postgres (PostgreSQL) 9.6.24", Some(9)),
            ("postgres (PostgreSQL) 18beta1\n", Some(18)),
            ("something else", None),
        ];
        for (text, version) in forms {
            assert_eq!(major(text), version, "{text}");
        }
    }
}
