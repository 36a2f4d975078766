//! Statements that are sent together: one way to the server and back for all of them.

use crate::fault::Fault;
use crate::postgres::pool::Conn;
use claviger_core::ports::StoreError;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use tokio_postgres::types::ToSql;

/// A parameter.
pub(crate) type Value = Box<dyn ToSql + Sync + Send>;

/// Parameters of any types.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as $crate::postgres::batch::Value),*]
    };
}
pub(crate) use values;

struct Step {
    sql: &'static str,
    values: Vec<Value>,
    /// Finding no row is [`StoreError::NotFound`].
    must: bool,
}

/// Statements in their order.
#[derive(Default)]
pub(crate) struct Batch(Vec<Step>);

impl Batch {
    /// One more.
    pub(crate) fn add(&mut self, sql: &'static str, values: Vec<Value>) {
        self.push(sql, values, false);
    }

    /// One more, which must find its row.
    pub(crate) fn must(&mut self, sql: &'static str, values: Vec<Value>) {
        self.push(sql, values, true);
    }

    fn push(&mut self, sql: &'static str, values: Vec<Value>, must: bool) {
        self.0.push(Step { sql, values, must });
    }

    /// One of them must find its row.
    pub(crate) fn has_must(&self) -> bool {
        self.0.iter().any(|step| step.must)
    }

    /// Sends all of them; how many rows each changed.
    pub(crate) async fn run(self, conn: &mut Conn) -> Result<Vec<u64>, Fault> {
        self.send(conn, false).await
    }

    /// Sends all of them and the commit behind them. If one of them fails, the server makes a
    /// rollback of the commit. None of them may be one that must find its row.
    pub(crate) async fn commit(self, conn: &mut Conn) -> Result<(), Fault> {
        self.send(conn, true).await.map(drop)
    }

    async fn send(self, conn: &mut Conn, commit: bool) -> Result<Vec<u64>, Fault> {
        let mut statements = Vec::with_capacity(self.0.len());
        for step in &self.0 {
            statements.push(conn.prepared(step.sql).await?);
        }
        let conn = &*conn;
        let mut sent: Vec<Sending<'_>> = Vec::with_capacity(self.0.len() + 1);
        for (step, statement) in self.0.iter().zip(&statements) {
            let values = step
                .values
                .iter()
                .map(|value| &**value as &(dyn ToSql + Sync));
            let values: Vec<_> = values.collect();
            sent.push(Box::pin(async move {
                Ok(conn.client.execute(statement, &values).await?)
            }));
        }
        if commit {
            sent.push(Box::pin(
                async move { conn.run("COMMIT").await.map(|()| 0) },
            ));
        }
        let mut counts = Vec::with_capacity(sent.len());
        for answer in in_order(sent).await {
            counts.push(answer?);
        }
        let missed = self
            .0
            .iter()
            .zip(&counts)
            .any(|(step, n)| step.must && *n == 0);
        if missed {
            return Err(StoreError::NotFound.into());
        }
        Ok(counts)
    }
}

/// A statement under way.
pub(crate) type Sending<'a> = Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + 'a>>;

/// Starts all in their order, and waits for all.
async fn in_order(mut under_way: Vec<Sending<'_>>) -> Vec<Result<u64, Fault>> {
    let mut answers: Vec<Option<Result<u64, Fault>>> = under_way.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut ready = true;
        for (work, answer) in under_way.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match work.as_mut().poll(cx) {
                    Poll::Ready(done) => *answer = Some(done),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}
