//! A change of accounts on PostgreSQL: the row of `instance_head` is locked, what is held is read,
//! the decision is made here, and what it says is written, in one transaction and two ways to
//! the server and back: begin and read, write and commit.

use crate::change::loses_passwords;
use crate::fault::Fault;
use crate::postgres::batch::{Batch, Value, values};
use crate::postgres::past;
use crate::postgres::pool::{Conn, Param};
use crate::postgres::read::{self, INSTANCE_TO_CHANGE};
use crate::rows::{self, Secrets, account_columns, number, to_json};
use crate::seal::Sealer;
use crate::sealed;
use crate::words::{Word, routing_bits};
use claviger_core::account::Account;
use claviger_core::audit::AuditEntry;
use claviger_core::clock::Timestamp;
use claviger_core::decide::{Decision, InstanceSecrets};
use claviger_core::ids::{AccountId, InstanceId, TaskId};
use claviger_core::instance::{Held, NodeLogin};
use claviger_core::outcome::Changed;
use claviger_core::ports::{Accepted, AccountWrite, Idempotency, StoreError};
use claviger_core::refusal::Refusal;
use claviger_core::task::Task;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio_postgres::Row;

const LOCK: &str = "SELECT 1 FROM instance_head WHERE instance = $1 FOR UPDATE";

const TOKEN: &str = "SELECT fingerprint, outcome, revision FROM idempotency
     WHERE scope = $1 AND token = $2 AND until > $3";

const ACCOUNTS: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM account WHERE instance = $1 ORDER BY name"
);

/// What was read under the lock.
struct Found {
    token: Option<Row>,
    nonce_used: bool,
    instance: Option<Row>,
    accounts: Vec<Row>,
    next_task: i64,
    /// Other processes live.
    shared: bool,
}

/// What came of a change.
pub(crate) struct Done {
    pub(crate) answer: Result<Accepted, Refusal>,
    /// Something was written that other processes should hear of.
    pub(crate) to_tell: bool,
}

/// Decides and writes. When it returns without a fault, the transaction is over. `me` is the name
/// under which this process says that it lives; empty before it has.
pub(crate) async fn change(
    conn: &mut Conn,
    sealer: &Sealer,
    write: &AccountWrite,
    me: &str,
) -> Result<Done, Fault> {
    let found = find(conn, write, me).await?;
    let decided = decide(sealer, write, &found)?;
    let (held, decision) = match decided {
        Decided::New(made) => *made,
        Decided::Known(answer) => {
            conn.run("ROLLBACK").await?;
            let to_tell = false;
            return Ok(Done { answer, to_tell });
        }
    };
    let batch = batch(sealer, write, &held, &decision)?;
    batch.commit(conn).await.map_err(in_doubt)?;
    Ok(Done {
        answer: Ok(Accepted {
            outcome: decision.outcome,
            revision: decision.revision,
            replayed: false,
        }),
        to_tell: found.shared,
    })
}

/// A connection that breaks once the commit was sent leaves it open whether it was done: this is
/// not tried again here, the caller has a token or looks.
fn in_doubt(fault: Fault) -> Fault {
    if !fault.is_lost() {
        return fault;
    }
    let text = "PostgreSQL went away during the commit; it may or may not be done";
    StoreError::Unavailable(text.into()).into()
}

async fn find(conn: &mut Conn, write: &AccountWrite, me: &str) -> Result<Found, Fault> {
    let once = write.idempotency.as_ref();
    let token = match once {
        Some(_) => Some(conn.prepared(TOKEN).await?),
        None => None,
    };
    let (lock, instance, accounts) = (
        conn.prepared(LOCK).await?,
        conn.prepared(INSTANCE_TO_CHANGE).await?,
        conn.prepared(ACCOUNTS).await?,
    );
    let db = &conn.client;
    let id = write.instance.as_str();
    let at = write.at.as_millis();
    let scope = once.map_or("", |once| once.scope.as_str());
    let text = once.map_or("", |once| once.token.as_str());
    // An empty one is never there.
    let digest = write.nonce.as_ref().map_or(&[][..], |n| &n.digest[..]);
    let key: [Param<'_>; 1] = [&id];
    let token_of: [Param<'_>; 3] = [&scope, &text, &at];
    let instance_of: [Param<'_>; 4] = [&id, &digest, &at, &me];
    // In this order on the server, whatever comes back when. The lock comes first, in a statement
    // of its own: what is read together with it is as it was before the lock was waited for.
    let (_, _, token, found, accounts) = tokio::try_join!(
        biased;
        db.batch_execute("BEGIN"),
        db.query(&lock, &key),
        async {
            match &token {
                Some(token) => db.query_opt(token, &token_of).await,
                None => Ok(None),
            }
        },
        db.query_one(&instance, &instance_of),
        db.query(&accounts, &key),
    )?;
    Ok(Found {
        token,
        nonce_used: found.try_get("used")?,
        next_task: found.try_get("next")?,
        shared: found.try_get("shared")?,
        instance: found
            .try_get::<_, Option<&str>>(0)?
            .is_some()
            .then_some(found),
        accounts,
    })
}

enum Decided {
    /// To be written.
    New(Box<(Held, Decision)>),
    /// Nothing to write.
    Known(Result<Accepted, Refusal>),
}

fn decide(sealer: &Sealer, write: &AccountWrite, found: &Found) -> Result<Decided, Fault> {
    if let Some(idempotency) = &write.idempotency {
        // What is gone is gone, whatever was answered before.
        if found.instance.is_none() {
            return Ok(Decided::Known(Err(Refusal::InstanceNotFound)));
        }
        if let Some(row) = &found.token {
            return Ok(Decided::Known(remembered(idempotency, row)?));
        }
    }
    if write.nonce.is_some() && found.nonce_used {
        return Ok(Decided::Known(Err(Refusal::NonceUsed)));
    }
    let Some(instance) = &found.instance else {
        return Ok(Decided::Known(Err(Refusal::InstanceNotFound)));
    };
    let secrets = Secrets::Open(sealer);
    let held = Held {
        instance: rows::instance(instance, secrets)?,
        accounts: read::accounts(&found.accounts, write.instance.as_str(), secrets)?,
        next_task: TaskId(found.next_task),
    };
    // A fault of the domain must not take the connection with it.
    let decided = catch_unwind(AssertUnwindSafe(|| (write.decide)(&held)));
    let decided = decided.map_err(|_| {
        tracing::error!("a decision panicked; nothing was written");
        StoreError::Unavailable("a write was broken off by an internal error".into())
    })?;
    let decision = match decided {
        Ok(decision) => decision,
        Err(refusal) => return Ok(Decided::Known(Err(refusal))),
    };
    let taken = held.accounts.iter().any(|account| {
        account.name == decision.account.name
            && account.id != decision.account.id
            && Some(account.id) != decision.superseded
    });
    if taken {
        return Err(StoreError::Exists.into());
    }
    Ok(Decided::New(Box::new((held, decision))))
}

fn remembered(idempotency: &Idempotency, row: &Row) -> Result<Result<Accepted, Refusal>, Fault> {
    let fingerprint: &[u8] = row.try_get(0)?;
    if fingerprint != idempotency.fingerprint {
        return Ok(Err(Refusal::TokenReused));
    }
    let outcome: &str = row.try_get(1)?;
    Ok(Ok(Accepted {
        outcome: rows::parse::<Changed>(outcome)?,
        revision: rows::revision(row, 2)?,
        replayed: true,
    }))
}

fn batch(
    sealer: &Sealer,
    write: &AccountWrite,
    held: &Held,
    decision: &Decision,
) -> Result<Batch, Fault> {
    let instance = &write.instance;
    let mut batch = Batch::default();
    for id in loses_passwords(held, decision) {
        past::keep(&mut batch, instance, id, write.at);
    }
    if let Some(superseded) = decision.superseded {
        supersede(&mut batch, instance, superseded, &decision.account);
    }
    let at = write.at.as_millis();
    if let Some(secrets) = &decision.secrets {
        put_secrets(&mut batch, sealer, &held.instance.id, secrets)?;
    }
    if let Some(idempotency) = &write.idempotency {
        remember(&mut batch, idempotency, decision, at)?;
    }
    let entry = AuditEntry {
        instance: instance.to_string(),
        account: decision.account.name.to_string(),
        outcome: "ok".into(),
        detail: decision.detail.clone(),
        before: decision.before.clone(),
        after: decision.after.clone(),
        ..write.audit.clone()
    };
    let mut all = account_values(sealer, instance, &decision.account)?;
    all.extend(task_values(&decision.task));
    all.extend(values![number(decision.revision), to_json(&entry)?]);
    match &write.nonce {
        None => batch.add(WRITE, all),
        Some(nonce) => {
            let digest = nonce.digest.to_vec();
            all.extend(values![digest, nonce.until.as_millis(), at]);
            batch.add(WRITE_WITH_NONCE, all);
        }
    }
    Ok(batch)
}

/// One that is there and past its time gives way; one that came meanwhile makes the insertion
/// fail, and the whole is tried again.
fn remember(
    batch: &mut Batch,
    idempotency: &Idempotency,
    decision: &Decision,
    at: i64,
) -> Result<(), Fault> {
    let (scope, token) = (idempotency.scope.clone(), idempotency.token.clone());
    batch.add(
        "DELETE FROM idempotency WHERE scope = $1 AND token = $2 AND until <= $3",
        values![scope.clone(), token.clone(), at],
    );
    batch.add(
        "INSERT INTO idempotency (scope, token, fingerprint, outcome, revision, until)
         VALUES ($1, $2, $3, $4, $5, $6)",
        values![
            scope,
            token,
            idempotency.fingerprint.to_vec(),
            to_json(&decision.outcome)?,
            number(decision.revision),
            idempotency.until.as_millis(),
        ],
    );
    Ok(())
}

/// As in the embedded store: the old account's row makes room, its work is the new one's.
fn supersede(batch: &mut Batch, instance: &InstanceId, old: AccountId, new: &Account) {
    let (instance, old) = (instance.to_string(), old.to_string());
    batch.add(
        "DELETE FROM account WHERE instance = $1 AND name = $2 AND id = $3",
        values![instance.clone(), new.name.to_string(), old.clone()],
    );
    batch.add(
        "UPDATE task SET account = $3, revision = $4
         WHERE instance = $1 AND account = $2 AND state = 'running'",
        values![instance, old, new.id.to_string(), number(new.revision)],
    );
}

/// Writes an account, or the new state of the one of that identity: $1 to $20.
macro_rules! account_sql {
    () => {
        "INSERT INTO account (instance, id, name, kind, privilege, routing, description,
             sealed_password, life, replaces, created_revision, revision, confirmed, created_at,
             password_set_at, password_free, enabled, expires_at, sealed_leaving, sealed_link)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19, $20)
         ON CONFLICT (instance, name) DO UPDATE SET kind = excluded.kind,
             privilege = excluded.privilege, routing = excluded.routing,
             description = excluded.description, sealed_password = excluded.sealed_password,
             life = excluded.life, replaces = excluded.replaces,
             created_revision = excluded.created_revision, revision = excluded.revision,
             confirmed = excluded.confirmed, created_at = excluded.created_at,
             password_set_at = excluded.password_set_at, password_free = excluded.password_free,
             enabled = excluded.enabled, expires_at = excluded.expires_at,
             sealed_leaving = excluded.sealed_leaving, sealed_link = excluded.sealed_link
         WHERE account.id = excluded.id"
    };
}

/// Account, task, revision and audit row in one statement: each of its own costs as much again
/// as what it does. `$more` may be another one of it, with a comma behind.
macro_rules! write_sql {
    ($more:literal) => {
        concat!(
            "WITH a AS (",
            account_sql!(),
            "), t AS (
                INSERT INTO task (id, instance, account, account_name, kind, state, revision,
                    by_key, created_at, finished_at)
                VALUES ($21, $22, $23, $24, $25, $26, $27, $28, $29, $30)
            ), ",
            $more,
            "h AS (UPDATE instance_head SET revision = $31 WHERE instance = $1)
            INSERT INTO audit_new (entry) VALUES ($32)"
        )
    };
}

const WRITE: &str = write_sql!("");

/// A nonce that is there and past its time gives way. One that came meanwhile breaks the rule
/// that `until` is not null, and the whole is tried again.
const WRITE_WITH_NONCE: &str = write_sql!(
    "n AS (
        INSERT INTO nonce AS n (digest, until) VALUES ($33, $34)
        ON CONFLICT (digest) DO UPDATE
            SET until = CASE WHEN n.until <= $35 THEN excluded.until END
    ), "
);

/// See `account_sql`.
pub(crate) fn put_account(
    batch: &mut Batch,
    sealer: &Sealer,
    instance: &InstanceId,
    account: &Account,
) -> Result<(), Fault> {
    batch.add(account_sql!(), account_values(sealer, instance, account)?);
    Ok(())
}

fn account_values(
    sealer: &Sealer,
    instance: &InstanceId,
    account: &Account,
) -> Result<Vec<Value>, Fault> {
    let id = account.id.to_string();
    let place = sealed::account_password(instance.as_str(), &id);
    let password = sealed::seal_digests(sealer, place, account)?;
    let (leaving, link) = sealed::seal_link(sealer, instance.as_str(), &id, account)?;
    Ok(values![
        instance.as_str().to_owned(),
        id,
        account.name.to_string(),
        account.kind.word(),
        account.privilege.as_str().to_owned(),
        routing_bits(account.routing),
        account.description.clone(),
        password,
        account.life.word(),
        account.replaces,
        number(account.created_revision),
        number(account.revision),
        number(account.confirmed),
        account.created_at.as_millis(),
        account.password_set_at.map(Timestamp::as_millis),
        account.password_free,
        account.enabled,
        account.expires_at.map(Timestamp::as_millis),
        leaving,
        link,
    ])
}

fn task_values(task: &Task) -> Vec<Value> {
    values![
        task.id.0,
        task.instance.to_string(),
        task.account.to_string(),
        task.account_name.to_string(),
        task.kind.word(),
        task.state.word(),
        number(task.revision),
        task.by.to_string(),
        task.created_at.as_millis(),
        task.finished_at.map(Timestamp::as_millis),
    ]
}

fn put_secrets(
    batch: &mut Batch,
    sealer: &Sealer,
    instance: &InstanceId,
    secrets: &InstanceSecrets,
) -> Result<(), Fault> {
    put_login(batch, sealer, instance, &secrets.login)?;
    let place = sealed::default_password(instance.as_str());
    let password = sealed::seal_secret(sealer, place, &secrets.default_password)?;
    batch.add(
        "UPDATE instance SET sealed_default_password = $2 WHERE id = $1",
        values![instance.to_string(), password],
    );
    Ok(())
}

fn put_login(
    batch: &mut Batch,
    sealer: &Sealer,
    instance: &InstanceId,
    login: &NodeLogin,
) -> Result<(), Fault> {
    let place = sealed::instance_login(instance.as_str());
    let blob = sealed::seal_login(sealer, place, login)?;
    batch.add(
        "UPDATE instance SET login_user = $2, sealed_login = $3, former_logins = $4
         WHERE id = $1",
        values![
            instance.to_string(),
            login.user.clone(),
            blob,
            rows::count(login.former.len()),
        ],
    );
    Ok(())
}
