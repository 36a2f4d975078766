//! What processes on one database tell each other: that an instance or the keys were changed.
//!
//! Told after the commit and in a transaction of its own: PostgreSQL lets transactions that
//! notify commit only one after the other, which would end its group commit. A message that is
//! lost costs time, nothing else.

use crate::fault::Fault;
use crate::postgres::connect::Way;
use crate::postgres::pool::{Pool, within};
use claviger_core::ids::InstanceId;
use claviger_core::ports::{Ears, Hint};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// The channel.
const CHANNEL: &str = "claviger";

/// Messages that wait to be sent; beyond it they are dropped, and the sweep finds the work.
const QUEUE_MAX: usize = 4_096;

/// How soon a lost connection is opened again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// How often a quiet connection is tried: one that leads to a server that lost its office would
/// stay quiet for ever.
const TRIED_EVERY: Duration = Duration::from_secs(5);

/// The ears of this process.
#[derive(Default)]
pub(crate) struct Audience(Mutex<Vec<Arc<dyn Ears>>>);

impl Audience {
    pub(crate) fn add(&self, ears: Arc<dyn Ears>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(ears);
    }

    fn hear(&self, hint: &Hint) {
        let all = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for ears in all {
            ears.hear(hint);
        }
    }
}

/// Sends to the others.
#[derive(Clone)]
pub(crate) struct Crier(mpsc::Sender<Hint>);

impl Crier {
    /// Starts sending; ends with the last crier. `me` marks what this process says.
    pub(crate) fn start(pool: Arc<Pool>, me: String) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(cry(pool, me, receiver));
        Self(sender)
    }

    /// Tells the others, soon.
    pub(crate) fn tell(&self, hint: Hint) {
        // No room: whoever waits for it looks by itself.
        let _ = self.0.try_send(hint);
    }
}

async fn cry(pool: Arc<Pool>, me: String, mut waiting: mpsc::Receiver<Hint>) {
    let mut hints = Vec::new();
    while waiting.recv_many(&mut hints, QUEUE_MAX).await > 0 {
        let texts: BTreeSet<String> = hints.drain(..).map(|hint| text(&me, &hint)).collect();
        let texts: Vec<String> = texts.into_iter().collect();
        let sent = async {
            let mut lease = pool.take().await?;
            let sql = "SELECT pg_notify($1, t) FROM unnest($2::text[]) AS t";
            let sent = within(lease.conn.query(sql, &[&CHANNEL, &texts])).await;
            lease.settle(sent).await
        };
        if sent.await.is_err() {
            tracing::debug!("other processes were not told of a change; they find it themselves");
        }
    }
}

fn text(me: &str, hint: &Hint) -> String {
    match hint {
        Hint::Instance(id) => format!("{me} instance {id}"),
        Hint::Keys => format!("{me} keys"),
        Hint::Anything => format!("{me} anything"),
    }
}

fn parse(me: &str, text: &str) -> Option<Hint> {
    let (from, what) = text.split_once(' ')?;
    if from == me {
        return None;
    }
    match what.split_once(' ') {
        Some(("instance", id)) => Some(Hint::Instance(InstanceId::new(id))),
        None if what == "keys" => Some(Hint::Keys),
        _ => Some(Hint::Anything),
    }
}

/// Listens until dropped, through every loss of the connection.
pub(crate) async fn listen(target: Arc<Way>, me: String, audience: Arc<Audience>) {
    let mut first = true;
    loop {
        let ended = listen_once(&target, &me, &audience, first).await;
        if let Err(fault) = ended {
            let error = claviger_core::ports::StoreError::from(fault);
            tracing::debug!(%error, "not listening to the database");
        }
        first = false;
        sleep(AGAIN_AFTER).await;
    }
}

async fn listen_once(
    target: &Way,
    me: &str,
    audience: &Audience,
    first: bool,
) -> Result<(), Fault> {
    let (told, mut messages) = mpsc::unbounded_channel();
    let client = target.connect_told(Some(told)).await?;
    client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
    if !first {
        audience.hear(&Hint::Anything);
    }
    loop {
        match tokio::time::timeout(TRIED_EVERY, messages.recv()).await {
            Ok(Some((_, payload))) => {
                if let Some(hint) = parse(me, &payload) {
                    audience.hear(&hint);
                }
            }
            Ok(None) => return Ok(()),
            Err(_) => {
                let tried = client.query_one("SELECT pg_is_in_recovery()", &[]);
                let row = within(async { Ok(tried.await?) }).await?;
                if row.try_get::<_, bool>(0)? {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for hint in [Hint::Instance("r-1".into()), Hint::Keys, Hint::Anything] {
            assert_eq!(parse("b", &text("a", &hint)), Some(hint.clone()));
            assert_eq!(parse("a", &text("a", &hint)), None);
        }
    }
}
