//! A run of two hundred, from its start until nothing is left to be done but by a person.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use postbook::{channel::account::AccountConfig, clock::Clock};
use sqlx::PgPool;
use tokio::{task::spawn_blocking, time::interval};

use crate::{
    PATIENCE,
    harness::TestApp,
    node::{AT_ONCE, Node},
    verdict::Verdict,
};

pub const COUNT: usize = 200;

/// How many are settled, by the book, when the far side is killed.
const DEATHS: [i64; 5] = [20, 50, 80, 110, 140];

/// The most transmissions that the deaths can leave in doubt.
pub const DOUBTS: usize = DEATHS.len() * AT_ONCE;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// What may be taken away, and says what it has.
pub trait FarSide: Send + 'static {
    /// Takes it away in the middle of what it does.
    fn kill(&mut self);
    /// Brings it back, with what it had taken.
    fn restart(&mut self);
    /// How often each contact got it, once nothing is under way there any more.
    fn arrived(&mut self) -> BTreeMap<String, usize>;
}

/// What goes out in a storm.
pub struct Storm {
    channel: &'static str,
    /// By their names; `far` is the one it goes out by.
    accounts: BTreeMap<&'static str, AccountConfig>,
    /// Of which each gets one transmission.
    contacts: Vec<String>,
    /// What it carries, as TOML, and how that is set up.
    documents: &'static str,
    setup: String,
    clock: Clock,
}

impl Storm {
    /// One document to each of as many contacts as there are.
    pub fn new(channel: &'static str, account: AccountConfig, contact: impl Fn(usize) -> String) -> Self {
        let contacts = (0..COUNT).map(contact).collect();
        let (documents, setup) = (r#"[{ document = "checklist" }]"#, String::new());
        let storm = Self { channel, accounts: BTreeMap::new(), contacts, documents, setup, clock: Clock::default() };
        storm.with("far", account)
    }

    /// The same with one more account.
    pub fn with(mut self, name: &'static str, account: AccountConfig) -> Self {
        let account = AccountConfig { connections: AT_ONCE, timeout: Duration::from_secs(10), ..account };
        self.accounts.insert(name, account);
        self
    }

    /// The same with the document `own`, which is set up so.
    pub fn carrying(self, setup: String) -> Self {
        Self { documents: r#"[{ document = "own" }]"#, setup, ..self }
    }

    /// The same with words alone.
    pub fn words(self) -> Self {
        Self { documents: "[]", ..self }
    }

    /// The same by the clock of a far side that says when it took what.
    pub fn by(self, clock: &Clock) -> Self {
        Self { clock: clock.clone(), ..self }
    }

    /// Runs through the deaths of `far`, and compares.
    pub async fn ride_out(self, db: PgPool, far: impl FarSide) -> Verdict {
        let begun = Instant::now();
        let ours = self.accounts.iter().map(|(name, account)| ((*name).to_owned(), account.clone()));
        let mut app = TestApp::start_on(db, |accounts| accounts.extend(ours)).await;
        app.engine = app.engine.on(self.clock.clone());
        app.apply(&(self.setup.clone() + &self.batch())).await;
        let node = Node::start(&app);
        let run = app.start_run("storm").await;
        let far = outages(&app, &node, far).await;
        until(&app, "all are settled", SETTLED, COUNT as i64).await;
        let (_far, arrived) = aside(&node, far, |far| far.arrived()).await;
        node.stop().await;

        let verdict = Verdict::of(&app.transmissions(run).await, &arrived);
        println!("{}: {verdict}; {} s", self.channel, begun.elapsed().as_secs());
        verdict
    }

    /// Without cover pages, faxes are alike for all, and made once.
    fn batch(&self) -> String {
        let Self { channel, documents, .. } = self;
        let (mut recipients, cover) = (String::new(), *documents == "[]");
        for (number, contact) in self.contacts.iter().enumerate() {
            writeln!(recipients, "  {{ name = \"r{number}\", {channel} = \"{contact}\" }},").unwrap();
        }
        format!(
            r#"
            [[batch]]
            name = "storm"
            workflow = "batch-documents"
            run_as = "site-a"
            documents = {documents}
            recipients = [
            {recipients}]
            message = {{ subject = "For {{{{ recipient.name }}}}", text = "Good morning {{{{ recipient.name }}}}", cover = {cover} }}
            accounts = {{ {channel} = "far" }}
            "#
        )
    }
}

/// How many attempts did not get through.
const TROUBLES: &str = "select count(*) from attempt where outcome in ('deferred', 'uncertain')";

/// How many have ended or wait for later word or for a person.
const SETTLED: &str = "select count(*) from transmission join run on run.id = run where batch = 'storm'
    and purpose = 'document' and transmission.state not in ('queued', 'sending')
    and not exists (select from awaited where transmission = transmission.id and doubt)";

/// Kills `far` again and again, each time until that is noticed.
async fn outages<F: FarSide>(app: &TestApp, node: &Node, mut far: F) -> F {
    for count in DEATHS {
        until(app, "some are settled", SETTLED, count).await;
        let troubles = app.count(TROUBLES).await;
        (far, ()) = aside(node, far, F::kill).await;
        until(app, "it is missed", TROUBLES, troubles + 1).await;
        (far, ()) = aside(node, far, F::restart).await;
    }
    far
}

/// Does `act`, which takes its time, while the engine goes on by a clock that does not skip.
async fn aside<F, T>(node: &Node, mut far: F, act: impl FnOnce(&mut F) -> T + Send + 'static) -> (F, T)
where
    F: FarSide,
    T: Send + 'static,
{
    node.skips.store(false, Ordering::Relaxed);
    let act = spawn_blocking(move || {
        let done = act(&mut far);
        (far, done)
    });
    let done = act.await.unwrap();
    node.skips.store(true, Ordering::Relaxed);
    done
}

/// Waits until `query` counts as many as `least`.
async fn until(app: &TestApp, what: &str, query: &'static str, least: i64) {
    let (mut looks, begun) = (interval(LOOK), Instant::now());
    while app.count(query).await < least {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}; the book has {:?}", states(app).await);
        looks.tick().await;
    }
}

/// How many are in each state, with one of the reasons.
async fn states(app: &TestApp) -> Vec<(String, i64, Option<String>)> {
    let query =
        "select state, count(*), max(reason ->> 'text') from transmission where purpose = 'document' group by state";
    sqlx::query_as(query).fetch_all(&app.db).await.unwrap()
}
