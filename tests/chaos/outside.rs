//! The far sides: servers of the storm's own, which it may kill. One mail server takes mail, faxes by mail gateway and links.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use serde_json::json;
use tokio::task::block_in_place;

use crate::{
    api,
    peers::{Own, Postfix, Sink, Sshd},
    services::{
        SECRET, Server,
        telnyx::{self, Fax, Telnyx},
    },
};

/// A server that may be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// Postfix.
    Mail,
    /// The mail server that is slow and often says no.
    Sink,
    /// OpenSSH's SFTP server.
    Files,
    /// The service that faxes.
    Fax,
}

pub struct Outside {
    mail: Own,
    sink: Own,
    files: Own,
    pub fax: Arc<Server<Telnyx>>,
}

impl Outside {
    pub fn start() -> Self {
        let own = |peer| block_in_place(|| Own::start(peer));
        let (mail, sink, files) = (own("smtp"), own("smtp_sink"), own("sftp"));
        let fax = Arc::new(Telnyx::start());
        tokio::spawn(call_back(fax.clone()));
        Self { mail, sink, files, fax }
    }

    pub async fn kill(&self, peer: Peer) {
        match self.own(peer) {
            Some(own) => block_in_place(|| own.kill()),
            None => self.fax.kill().await,
        }
    }

    pub fn restart(&self, peer: Peer) {
        match self.own(peer) {
            Some(own) => block_in_place(|| own.restart()),
            None => self.fax.restart(),
        }
    }

    fn own(&self, peer: Peer) -> Option<&Own> {
        match peer {
            Peer::Mail => Some(&self.mail),
            Peer::Sink => Some(&self.sink),
            Peer::Files => Some(&self.files),
            Peer::Fax => None,
        }
    }

    pub fn postfix(&self) -> Postfix {
        Postfix::of(&self.mail)
    }

    pub fn sink(&self) -> Sink {
        Sink::of(&self.sink)
    }

    pub fn sshd(&self) -> Sshd {
        Sshd::of(&self.files)
    }

    /// The accounts by which they are used; mail that is in doubt is settled as it says there.
    pub fn accounts(&self, (postfix, sink): (&str, &str)) -> String {
        let (mail, files) = (self.postfix().plain().url, self.sshd().outgoing());
        let gateway = mail.replacen("smtp:", "faxmail:", 1);
        let common = "from = \"Reports <reports@test.local>\"\nconnections = 6";
        format!(
            r#"
[account.postfix]
url = "{mail}"
{common}
settle = "{postfix}"

[account.sink]
url = "{}"
{common}
settle = "{sink}"

[account.gateway]
url = "{gateway}"
{common}
dial = "fax-{{digits}}@test.local"

[account.links]
url = "pickup:"
link_secret = "{SECRET} that is longer than thirty-two letters"
mail = "postfix"

[account.partner]
url = "{}"
host_key = "{}"

[account.telnyx]
url = "telnyx://{}:{SECRET}@{}?tls=none"
from = "{}"
verify = "{}"
"#,
            self.sink().plain().url,
            files.url,
            files.host_key.unwrap(),
            telnyx::CONNECTION,
            self.fax.address,
            telnyx::FROM,
            self.fax.service.public_key(),
        )
    }
}

/// Tells whoever asked for a fax that it arrived, again and again until it is heard.
async fn call_back(server: Arc<Server<Telnyx>>) {
    let http = api::client();
    let mut looks = tokio::time::interval(Duration::from_millis(200));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let queued = |fax: &&Fax| fax.status == "queued";
        let waiting: Vec<_> = server.service.faxes.lock().unwrap().iter().filter(queued).cloned().collect();
        for fax in waiting {
            if tell(&http, &server.service, &fax).await {
                let mut faxes = server.service.faxes.lock().unwrap();
                faxes.iter_mut().filter(|it| it.id == fax.id).for_each(|it| it.status = "delivered".to_owned());
            }
        }
    }
}

async fn tell(http: &reqwest::Client, telnyx: &Telnyx, fax: &Fax) -> bool {
    let payload = json!({ "fax_id": fax.id, "connection_id": telnyx::CONNECTION, "direction": "outbound", "to": fax.to,
        "status": "delivered", "client_state": fax.client_state, "page_count": 1 });
    let event = json!({ "id": format!("event of {}", fax.id), "event_type": "fax.delivered", "occurred_at": Utc::now(),
        "record_type": "event", "payload": payload });
    let body = json!({ "data": event }).to_string().into_bytes();
    let headers = telnyx.sign(&body, Utc::now());
    let url = fax.webhook_url.as_ref().expect("doors that can be called");
    let answer = http.post(url).headers(headers).body(body).timeout(Duration::from_secs(5)).send().await;
    answer.is_ok_and(|it| it.status().is_success())
}
