//! Who Postgres runs as. It refuses root, so root goes in disguise.
//!
//! In a user namespace root's files belong to an ordinary user, any folder will do and nothing changes its owner.
//! Where namespaces are refused (in some containers), the user `postgres` has to own the data and be able to reach it.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

const NAMESPACE: [&str; 4] = ["unshare", "--user", "--map-user=1000", "--map-group=1000"];
const SETPRIV: [&str; 4] = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];

/// Who Postgres runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guise {
    /// The ordinary user we are.
    Ourselves,
    /// Root, looking like an ordinary user.
    Namespace,
    /// The user `postgres`, with this id.
    Postgres(u32),
}

impl Guise {
    /// What is needed and possible here.
    pub fn choose() -> Result<Self> {
        if user_id(None)? != 0 {
            return Ok(Self::Ourselves);
        }
        let namespaces = Command::new(NAMESPACE[0]).args(&NAMESPACE[1..]).arg("true").stderr(Stdio::null()).status();
        if namespaces.is_ok_and(|status| status.success()) {
            return Ok(Self::Namespace);
        }
        match user_id(Some("postgres")) {
            Ok(id) => Ok(Self::Postgres(id)),
            Err(_) => bail!(
                "Postgres refuses to run as root, user namespaces are refused here, and there is no user `postgres`: \
                 start Postbook as an ordinary user"
            ),
        }
    }

    /// A command that runs `program` in this guise.
    pub fn command(self, program: &Path) -> Command {
        let prefix = match self {
            Self::Ourselves => return Command::new(program),
            Self::Namespace => NAMESPACE,
            Self::Postgres(_) => SETPRIV,
        };
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).arg(program);
        command
    }

    /// Makes `path` and all below belong to whom Postgres runs as.
    pub fn own(self, path: &Path) -> Result<()> {
        let id = match self {
            Self::Ourselves => return Ok(()),
            Self::Namespace => 0,
            Self::Postgres(id) => id,
        };
        if path.metadata().with_context(|| path.display().to_string())?.uid() == id {
            return Ok(());
        }
        let status = Command::new("chown").arg("-R").arg(id.to_string()).arg(path).status();
        ensure!(status.is_ok_and(|status| status.success()), "cannot change the owner of {}", path.display());
        Ok(())
    }
}

/// The id of `name`, or of the user this process runs as.
fn user_id(name: Option<&str>) -> Result<u32> {
    let output = Command::new("id").arg("-u").args(name).stderr(Stdio::null()).output().context("running id")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().context("asking id for a user's number")
}
