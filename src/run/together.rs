//! Flushing together: what concurrent handlers ask of the database goes there in shared statements.
//!
//! One commit of a hundred steps costs what one commit of one step costs, because both wait for the disk once. So
//! handlers hand in a wish and wait; whoever comes while nothing is under way is served at once, and all who come
//! meanwhile are served in the next round. Nothing is weakened: a handler goes on when its own wish is on disk. When
//! the database refuses a round, each wish of it is tried alone, so that one bad row holds up no other.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, anyhow};
use tokio::sync::oneshot;

use super::Engine;

/// Wishes granted in one round. More makes transactions longer, which others may wait for; fewer costs more commits.
const ROUND: usize = 500;

/// Something that is asked of the database by many at a time.
pub(super) trait Wish: Send + Sync + Sized + 'static {
    /// What it comes to.
    type Answer: Send + 'static;

    /// Grants all of `wishes`, or none: one answer each, in their order.
    fn grant(engine: &Engine, wishes: &[Self]) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;
}

/// The wishes of one kind on this node.
pub(super) struct Together<W: Wish>(Arc<Mutex<Waiting<W>>>);

impl<W: Wish> Clone for Together<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W: Wish> Default for Together<W> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Waiting { wishes: Vec::new(), granting: false })))
    }
}

struct Waiting<W: Wish> {
    wishes: Vec<Asked<W>>,
    /// Whether a round is under way.
    granting: bool,
}

type Asked<W> = (W, oneshot::Sender<Result<<W as Wish>::Answer>>);

impl<W: Wish> Together<W> {
    /// Has `wish` granted together with those of others.
    ///
    /// # Errors
    /// When the database cannot be reached, or refuses this wish.
    pub(super) async fn ask(&self, engine: &Engine, wish: W) -> Result<W::Answer> {
        let (answer, answered) = oneshot::channel();
        if let Some(granting) = self.hand_in((wish, answer)) {
            tokio::spawn(rounds(engine.clone(), granting));
        }
        answered.await.context("the round of this wish came to a sudden end")?
    }

    /// Gives the duty to grant to whoever comes when nobody has it.
    fn hand_in(&self, asked: Asked<W>) -> Option<Granting<W>> {
        let mut waiting = self.lock();
        waiting.wishes.push(asked);
        (!mem::replace(&mut waiting.granting, true)).then(|| Granting(self.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to grant. However it ends, nobody is left waiting.
struct Granting<W: Wish>(Together<W>);

impl<W: Wish> Drop for Granting<W> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        if mem::take(&mut waiting.granting) {
            waiting.wishes.clear();
        }
    }
}

impl<W: Wish> Granting<W> {
    /// The wishes of the next round; none when nobody waits, and then the duty is over.
    fn next(&self) -> Vec<Asked<W>> {
        let mut waiting = self.0.lock();
        waiting.granting = !waiting.wishes.is_empty();
        let count = waiting.wishes.len().min(ROUND);
        waiting.wishes.drain(..count).collect()
    }
}

async fn rounds<W: Wish>(engine: Engine, granting: Granting<W>) {
    loop {
        // Handlers that are about to ask do so first.
        tokio::task::yield_now().await;
        let round = granting.next();
        if round.is_empty() {
            return;
        }
        serve(&engine, round).await;
    }
}

async fn serve<W: Wish>(engine: &Engine, round: Vec<Asked<W>>) {
    let (wishes, askers): (Vec<_>, Vec<_>) = round.into_iter().unzip();
    match W::grant(engine, &wishes).await {
        Ok(answers) => {
            for (asker, answer) in askers.into_iter().zip(answers) {
                let _ = asker.send(Ok(answer));
            }
        }
        Err(error) if wishes.len() > 1 && is_refusal(&error) => {
            tracing::warn!(wishes = wishes.len(), error = format!("{error:#}"), "a round was refused; each goes alone");
            for (asker, wish) in askers.into_iter().zip(&wishes) {
                let _ = asker.send(alone(engine, wish).await);
            }
        }
        Err(error) => {
            for asker in askers {
                let _ = asker.send(Err(anyhow!("{error:#}")));
            }
        }
    }
}

async fn alone<W: Wish>(engine: &Engine, wish: &W) -> Result<W::Answer> {
    let answers = W::grant(engine, std::slice::from_ref(wish)).await?;
    answers.into_iter().next().context("a wish without an answer")
}

/// Whether the database answered, but not as wished. When it is away, all wishes fare alike.
fn is_refusal(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(sqlx::Error::Database(_))))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use futures::future::join_all;
    use sqlx::PgPool;

    use super::*;
    use crate::{
        channel::account::Channels,
        document::{Expressions, Store, Toolbox, renderer::Renderer, renderer::RendererConfig},
        run::Settings,
        source::http::{Client, RemoteConfig},
    };

    /// A hundred, shared by so many. Nobody can share with none.
    struct Share(i32);

    impl Wish for Share {
        type Answer = (i32, usize);

        async fn grant(engine: &Engine, wishes: &[Self]) -> Result<Vec<(i32, usize)>> {
            let by: Vec<_> = wishes.iter().map(|share| share.0).collect();
            let parts: Vec<i32> =
                sqlx::query_scalar("select 100 / n from unnest($1) with ordinality as wish (n, place) order by place")
                    .bind(&by)
                    .fetch_all(&engine.db)
                    .await?;
            Ok(parts.into_iter().map(|part| (part, wishes.len())).collect())
        }
    }

    fn engine(db: PgPool) -> Engine {
        let toolbox = Toolbox {
            renderer: Renderer::new("nothing".into(), RendererConfig::default()),
            http: Client::new(&RemoteConfig { allow: Vec::new() }).expect("a client"),
            store: Store::in_database(db.clone()),
            expressions: Expressions::default(),
            secrets: BTreeMap::new(),
        };
        let settings = Settings {
            worker: "test".to_owned(),
            lease: Duration::from_secs(60),
            deaths: 3,
            monitor: Default::default(),
        };
        Engine::new(db, Channels::open(&BTreeMap::new()).expect("no accounts"), toolbox, settings)
    }

    #[sqlx::test(migrations = false)]
    async fn many_are_granted_in_few_rounds_and_each_has_its_own_answer(db: PgPool) {
        let (engine, shares) = (engine(db), Together::<Share>::default());
        let answers = join_all((1..=100).map(|n| shares.ask(&engine, Share(n)))).await;
        let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("granted")).collect();
        assert_eq!(
            answers.iter().map(|(part, _)| *part).collect::<Vec<_>>(),
            (1..=100).map(|n| 100 / n).collect::<Vec<_>>()
        );
        assert!(answers.iter().any(|(_, together)| *together > 10), "they went together");
    }

    #[sqlx::test(migrations = false)]
    async fn what_the_database_refuses_fails_alone(db: PgPool) {
        let (engine, shares) = (engine(db), Together::<Share>::default());
        let answers = join_all([5, 0, 20].map(|n| shares.ask(&engine, Share(n)))).await;
        let parts: Vec<_> = answers.into_iter().map(|answer| answer.map(|(part, _)| part).ok()).collect();
        assert_eq!(parts, [Some(20), None, Some(5)]);
    }
}
