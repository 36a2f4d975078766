//! A change of accounts: remembered or new, decided and written as one.

use crate::audit::{self, Filled};
use crate::fault::Fault;
use crate::past;
use crate::read;
use crate::rows::{self, Secrets, number};
use crate::sealed;
use crate::words::{Word, routing_bits};
use crate::writer::Desk;
use claviger_core::account::Account;
use claviger_core::clock::Timestamp;
use claviger_core::decide::{Decision, InstanceSecrets};
use claviger_core::ids::{AccountId, InstanceId, Revision, TaskId};
use claviger_core::instance::{Held, NodeLogin};
use claviger_core::outcome::Changed;
use claviger_core::ports::{Accepted, AccountWrite, Idempotency, NonceMark, StoreError};
use claviger_core::refusal::Refusal;
use claviger_core::task::Task;
use rusqlite::{Connection, OptionalExtension};

/// Decides and writes, within the caller's savepoint.
pub(crate) fn change(
    desk: &mut Desk,
    write: &AccountWrite,
) -> Result<Result<Accepted, Refusal>, Fault> {
    let db = &desk.connection;
    if let Some(idempotency) = &write.idempotency {
        // What is gone is gone, whatever was answered before.
        if !is_there(db, &write.instance)? {
            return Ok(Err(Refusal::InstanceNotFound));
        }
        if let Some(known) = remembered(db, idempotency, write.at)? {
            return Ok(known);
        }
    }
    if let Some(nonce) = &write.nonce
        && nonce_used(db, nonce, write.at)?
    {
        return Ok(Err(Refusal::NonceUsed));
    }
    let secrets = Secrets::Open(&desk.sealer);
    let Some(held) = read::held(db, &write.instance, secrets, desk.next_task)? else {
        return Ok(Err(Refusal::InstanceNotFound));
    };
    let decision = match (write.decide)(&held) {
        Ok(decision) => decision,
        Err(refusal) => return Ok(Err(refusal)),
    };
    keep_past(db, write, &held, &decision)?;
    store(desk, write, &decision)?;
    desk.next_task = desk.next_task.max(TaskId(decision.task.id.0 + 1));
    Ok(Ok(Accepted {
        outcome: decision.outcome,
        revision: decision.revision,
        replayed: false,
    }))
}

fn store(desk: &mut Desk, write: &AccountWrite, decision: &Decision) -> Result<(), Fault> {
    let db = &desk.connection;
    let instance = &write.instance;
    if let Some(superseded) = decision.superseded {
        supersede(db, instance, superseded, &decision.account)?;
    }
    put_account(desk, instance, &decision.account)?;
    put_task(db, &decision.task)?;
    set_revision(db, instance, decision.revision)?;
    if let Some(secrets) = &decision.secrets {
        put_secrets(desk, instance, secrets)?;
    }
    if let Some(idempotency) = &write.idempotency {
        remember(db, idempotency, decision)?;
    }
    if let Some(nonce) = &write.nonce {
        db.prepare_cached(
            "INSERT INTO nonce (digest, until) VALUES (?1, ?2)
             ON CONFLICT (digest) DO UPDATE SET until = excluded.until",
        )?
        .execute((&nonce.digest[..], nonce.until.as_millis()))?;
    }
    let filled = Filled {
        instance: instance.as_str(),
        account: decision.account.name.as_str(),
        outcome: "ok",
        detail: &decision.detail,
        before: &decision.before,
        after: &decision.after,
    };
    audit::put(desk, &filled.into_entry(&write.audit))
}

/// What the account's change, or the end of the one before it, takes away is remembered.
fn keep_past(
    db: &Connection,
    write: &AccountWrite,
    held: &Held,
    decision: &Decision,
) -> Result<(), Fault> {
    for id in loses_passwords(held, decision) {
        past::keep(db, &write.instance, id, None, write.at)?;
    }
    Ok(())
}

/// The accounts that have other passwords after a decision, or are no more.
pub(crate) fn loses_passwords(held: &Held, decision: &Decision) -> Vec<AccountId> {
    let account = &decision.account;
    let before = held.accounts.iter().find(|held| held.id == account.id);
    let changed = before.filter(|before| !before.has_passwords_of(account));
    let changed = changed.map(|before| before.id);
    changed.into_iter().chain(decision.superseded).collect()
}

fn is_there(db: &Connection, instance: &InstanceId) -> Result<bool, Fault> {
    let mut statement = db.prepare_cached("SELECT 1 FROM instance WHERE id = ?1")?;
    let found = statement.query_row([instance.as_str()], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// The answer that an earlier call with this token got, or that it may not be used so.
fn remembered(
    db: &Connection,
    idempotency: &Idempotency,
    at: Timestamp,
) -> Result<Option<Result<Accepted, Refusal>>, Fault> {
    let mut statement = db.prepare_cached(
        "SELECT fingerprint, outcome, revision FROM idempotency
         WHERE scope = ?1 AND token = ?2 AND until > ?3",
    )?;
    let mut found = statement.query((&idempotency.scope, &idempotency.token, at.as_millis()))?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let fingerprint: Vec<u8> = row.get(0)?;
    if fingerprint != idempotency.fingerprint {
        return Ok(Some(Err(Refusal::TokenReused)));
    }
    let outcome: String = row.get(1)?;
    Ok(Some(Ok(Accepted {
        outcome: rows::parse::<Changed>(&outcome)?,
        revision: rows::revision(row, 2)?,
        replayed: true,
    })))
}

fn remember(db: &Connection, idempotency: &Idempotency, decision: &Decision) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(
        "INSERT INTO idempotency (scope, token, fingerprint, outcome, revision, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (scope, token) DO UPDATE SET fingerprint = excluded.fingerprint,
             outcome = excluded.outcome, revision = excluded.revision, until = excluded.until",
    )?;
    statement.execute((
        &idempotency.scope,
        &idempotency.token,
        &idempotency.fingerprint[..],
        rows::to_json(&decision.outcome)?,
        number(decision.revision),
        idempotency.until.as_millis(),
    ))?;
    Ok(())
}

fn nonce_used(db: &Connection, nonce: &NonceMark, at: Timestamp) -> Result<bool, Fault> {
    let mut statement =
        db.prepare_cached("SELECT 1 FROM nonce WHERE digest = ?1 AND until > ?2")?;
    let found = statement.query_row((&nonce.digest[..], at.as_millis()), |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// The old account's row makes room for the one that has its name now. Work on the old one is
/// done when the new one is confirmed: that ends the old one's sessions and rights everywhere.
fn supersede(
    db: &Connection,
    instance: &InstanceId,
    old: AccountId,
    new: &Account,
) -> Result<(), Fault> {
    let old = old.to_string();
    db.prepare_cached("DELETE FROM account WHERE instance = ?1 AND name = ?2 AND id = ?3")?
        .execute((instance.as_str(), new.name.as_str(), &old))?;
    db.prepare_cached(
        "UPDATE task SET account = ?3, revision = ?4
         WHERE instance = ?1 AND account = ?2 AND state = 'running'",
    )?
    .execute((
        instance.as_str(),
        &old,
        new.id.to_string(),
        number(new.revision),
    ))?;
    Ok(())
}

/// Writes an account, or the new state of the one of that identity.
///
/// # Errors
/// [`StoreError::Exists`] if another one has the name.
pub(crate) fn put_account(
    desk: &Desk,
    instance: &InstanceId,
    account: &Account,
) -> Result<(), Fault> {
    let id = account.id.to_string();
    let place = sealed::account_password(instance.as_str(), &id);
    let password = sealed::seal_digests(&desk.sealer, place, account)?;
    let (leaving, link) = sealed::seal_link(&desk.sealer, instance.as_str(), &id, account)?;
    let mut statement = desk.connection.prepare_cached(
        "INSERT INTO account (instance, id, name, kind, privilege, routing, description,
             sealed_password, life, replaces, created_revision, revision, confirmed, created_at,
             password_set_at, password_free, enabled, expires_at, sealed_leaving, sealed_link)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
             ?19, ?20)
         ON CONFLICT (instance, name) DO UPDATE SET kind = excluded.kind,
             privilege = excluded.privilege, routing = excluded.routing,
             description = excluded.description, sealed_password = excluded.sealed_password,
             life = excluded.life, replaces = excluded.replaces,
             created_revision = excluded.created_revision, revision = excluded.revision,
             confirmed = excluded.confirmed, created_at = excluded.created_at,
             password_set_at = excluded.password_set_at, password_free = excluded.password_free,
             enabled = excluded.enabled, expires_at = excluded.expires_at,
             sealed_leaving = excluded.sealed_leaving, sealed_link = excluded.sealed_link
         WHERE account.id = excluded.id",
    )?;
    let written = statement.execute(rusqlite::params![
        instance.as_str(),
        &id,
        account.name.as_str(),
        account.kind.word(),
        account.privilege.as_str(),
        routing_bits(account.routing),
        &account.description,
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
    ])?;
    if written == 0 {
        return Err(StoreError::Exists.into());
    }
    Ok(())
}

fn put_task(db: &Connection, task: &Task) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(
        "INSERT INTO task (id, instance, account, account_name, kind, state, revision, by_key,
             created_at, finished_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    statement.execute((
        task.id.0,
        task.instance.as_str(),
        task.account.to_string(),
        task.account_name.as_str(),
        task.kind.word(),
        task.state.word(),
        number(task.revision),
        task.by.as_str(),
        task.created_at.as_millis(),
        task.finished_at.map(Timestamp::as_millis),
    ))?;
    Ok(())
}

/// Sets an instance's newest revision.
pub(crate) fn set_revision(
    db: &Connection,
    instance: &InstanceId,
    revision: Revision,
) -> Result<(), Fault> {
    db.prepare_cached("UPDATE instance_head SET revision = ?2 WHERE instance = ?1")?
        .execute((instance.as_str(), number(revision)))?;
    Ok(())
}

fn put_secrets(desk: &Desk, instance: &InstanceId, secrets: &InstanceSecrets) -> Result<(), Fault> {
    put_login(desk, instance, &secrets.login)?;
    let place = sealed::default_password(instance.as_str());
    let password = sealed::seal_secret(&desk.sealer, place, &secrets.default_password)?;
    desk.connection
        .prepare_cached("UPDATE instance SET sealed_default_password = ?2 WHERE id = ?1")?
        .execute((instance.as_str(), password))?;
    Ok(())
}

/// Writes an instance's login.
pub(crate) fn put_login(
    desk: &Desk,
    instance: &InstanceId,
    login: &NodeLogin,
) -> Result<(), Fault> {
    let place = sealed::instance_login(instance.as_str());
    let blob = sealed::seal_login(&desk.sealer, place, login)?;
    desk.connection
        .prepare_cached(
            "UPDATE instance SET login_user = ?2, sealed_login = ?3, former_logins = ?4
             WHERE id = ?1",
        )?
        .execute((
            instance.as_str(),
            &login.user,
            blob,
            rows::count(login.former.len()),
        ))?;
    Ok(())
}
