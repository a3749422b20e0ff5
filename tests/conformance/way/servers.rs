//! Servers with files: OpenSSH, vsftpd, nginx, and an S3 server in this process.

use std::path::PathBuf;

use futures::future::{BoxFuture, FutureExt, ready};
use postbook::channel::{Parcel, account::AccountConfig};

use super::{Arrived, Deferred, Far, Way, awkward_files, folder::files_in, open, unique};
use crate::{
    line::at_port,
    peers::{Nginx, Sshd, Vsftpd, s3::S3},
};

/// The password plainly, in a URL, and as it goes to a web server.
const SECRETS: [&str; 4] = ["s3cret", "czNjcmV0", "c2VuZGVyOnMzY3JldC8r", "sec/ret"];

/// A folder of the far side that no other test uses.
struct Seen(PathBuf);

struct Bucket(S3, String);

pub fn all() -> Vec<Way> {
    let (sshd, vsftpd, nginx) = (Sshd::running(), Vsftpd::running(), Nginx::running());
    vec![
        way("sftp", sshd.outgoing(), sshd.files()),
        way("ftp", vsftpd.plain(), vsftpd.folder()),
        way("ftp with AUTH TLS", vsftpd.account(), vsftpd.folder()),
        way("ftps", vsftpd.implicit(), vsftpd.folder()),
        way("webdav", nginx.tls("dav"), nginx.folder()),
        way("web with PUT only", nginx.plain("plain", "&method=put"), nginx.folder()),
        s3(),
    ]
}

fn way(name: &'static str, config: AccountConfig, files: PathBuf) -> Way {
    let folder = unique();
    Way {
        name,
        good: format!("{folder}/inbox"),
        bad: "../../etc".to_owned(),
        deferred: Deferred::Account(Box::new(open(&at_port(&config, 1)))),
        account: open(&config),
        config: Some(config),
        // One and the same file.
        repeats: 1,
        secrets: SECRETS.map(str::to_owned).to_vec(),
        files: awkward_files(),
        far: Box::new(Seen(files.join(folder))),
    }
}

fn s3() -> Way {
    let s3 = S3::start();
    let config = AccountConfig::new(s3.url("bucket"));
    let prefix = unique();
    let way = way("s3", config, PathBuf::new());
    Way { good: format!("{prefix}/inbox"), far: Box::new(Bucket(s3, prefix)), ..way }
}

impl Far for Seen {
    fn arrived<'a>(&'a self, _parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        ready(files_in(&self.0)).boxed()
    }
}

impl Far for Bucket {
    fn arrived<'a>(&'a self, _parcel: &'a Parcel, _expected: usize) -> BoxFuture<'a, Vec<Arrived>> {
        ready(files_in(&self.0.path(&self.1))).boxed()
    }
}
