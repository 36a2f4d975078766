//! The writes that are not changes of accounts.

use crate::audit;
use crate::change::{put_account, set_revision};
use crate::confirm::confirm;
use crate::fault::Fault;
use crate::keys::{add_key, keys_used, put_root_key, revoke_key, set_key};
use crate::observe::observe;
use crate::purge::purge;
use crate::read;
use crate::rows::{Reach, Secrets, count, number, to_json};
use crate::sealed;
use crate::settings::keep_task_floor;
use crate::strikes::{clear_strikes, put_strike};
use crate::words::Word;
use crate::writer::Desk;
use claviger_core::access::Tags;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::account::{Account, AccountKind, Life};
use claviger_core::adopt::Adoption;
use claviger_core::audit::AuditEntry;
use claviger_core::ids::{AccountId, AccountName, InstanceId, TaskId};
use claviger_core::instance::{Instance, InstanceState, RolePolicy};
use claviger_core::policy::InstancePolicy;
use claviger_core::ports::{Op, StoreError};
use claviger_core::privilege::{Privilege, Routing};
use rusqlite::Params;

/// Users that are not ours, of one instance, that are kept; the observer sorts and cuts as well.
pub(crate) const UNMANAGED_MAX: usize = 1_000;

/// Writes all of them and the audit row, within the caller's savepoint.
pub(crate) fn apply(desk: &mut Desk, ops: Vec<Op>, row: Option<&AuditEntry>) -> Result<(), Fault> {
    for op in ops {
        match op {
            Op::AddInstance {
                instance,
                default_account,
            } => add_instance(desk, &instance, default_account)?,
            Op::RemoveInstance(id) => remove_instance(desk, &id)?,
            Op::SetRoles(id, roles) => set_roles(desk, &id, &roles)?,
            Op::SetState(id, state) => set_state(desk, &id, state)?,
            Op::SetLabels {
                instance,
                name,
                region,
            } => set_labels(desk, &instance, name.as_deref(), region.as_deref())?,
            Op::SetPolicy(id, policy) => set_policy(desk, &id, &policy)?,
            Op::Adopt(id, adoption) => adopt(desk, &id, &adoption)?,
            Op::ForgetTask(id) => forget_task(desk, id)?,
            Op::Strike(strike) => put_strike(desk, &strike)?,
            Op::ClearStrikes(scope) => clear_strikes(desk, &scope)?,
            Op::Confirm(id, what, at) => confirm(desk, &id, &what, at)?,
            Op::Observe(seen) => observe(desk, seen)?,
            // This process alone drives what is in its own file.
            Op::Fence(..) | Op::Show(..) => {}
            Op::AddKey(key) => add_key(desk, &key)?,
            Op::PutRootKey(key) => put_root_key(desk, &key)?,
            Op::RevokeKey(id, at) => revoke_key(desk, &id, at)?,
            Op::SetKey(key) => set_key(desk, &key)?,
            Op::KeysUsed(used) => keys_used(desk, &used)?,
            Op::SetTags(id, tags) => set_tags(desk, &id, &tags)?,
            Op::PutAccessPolicy(policy) => put_policy(desk, &policy)?,
            Op::RemoveAccessPolicy(name) => remove_policy(desk, &name)?,
            Op::Audit(entry) => audit::put(desk, &entry)?,
            Op::Purge(now) => purge(desk, now)?,
        }
    }
    row.map_or(Ok(()), |entry| audit::put(desk, entry))
}

/// A statement that must find its one row.
pub(crate) fn update_one(desk: &Desk, sql: &str, params: impl Params) -> Result<(), Fault> {
    match desk.connection.prepare_cached(sql)?.execute(params)? {
        0 => Err(StoreError::NotFound.into()),
        _ => Ok(()),
    }
}

fn add_instance(desk: &Desk, instance: &Instance, default_account: AccountId) -> Result<(), Fault> {
    let id = instance.id.as_str();
    let login = sealed::seal_login(&desk.sealer, sealed::instance_login(id), &instance.login)?;
    let default_password = instance
        .default_password
        .as_ref()
        .map(|secret| sealed::seal_secret(&desk.sealer, sealed::default_password(id), secret))
        .transpose()?;
    let unmanaged = &instance.unmanaged[..instance.unmanaged.len().min(UNMANAGED_MAX)];
    let mut statement = desk.connection.prepare_cached(
        "INSERT INTO instance (id, name, region, topology, master_name, seeds, tls, login_user,
             sealed_login, former_logins, sealed_default_password, roles, state, engine,
             observed_topology, unmanaged, created_at, policy,
             tags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
             ?19)",
    )?;
    statement.execute(rusqlite::params![
        id,
        instance.name,
        instance.region,
        instance.topology.word(),
        instance.master_name,
        to_json(&instance.seeds)?,
        to_json(&Reach {
            tls: instance.tls.clone(),
            map: instance.map.clone(),
        })?,
        instance.login.user,
        login,
        count(instance.login.former.len()),
        default_password,
        to_json(&instance.roles)?,
        instance.state.word(),
        instance.engine.as_ref().map(to_json).transpose()?,
        instance.observed_topology.map(Word::word),
        to_json(&unmanaged)?,
        instance.created_at.as_millis(),
        to_json(&instance.policy)?,
        to_json(&instance.tags)?,
    ])?;
    desk.connection
        .prepare_cached("INSERT INTO instance_head (instance, revision) VALUES (?1, ?2)")?
        .execute((id, number(instance.revision)))?;
    put_account(desk, &instance.id, &default_of(instance, default_account))
}

/// The default account of a new instance: the servers' own, and so confirmed as it is.
pub(crate) fn default_of(instance: &Instance, id: AccountId) -> Account {
    Account {
        id,
        name: AccountName::from(Account::DEFAULT_NAME),
        kind: AccountKind::Default,
        privilege: Privilege::ReadWrite,
        routing: Routing::PRIMARY,
        description: String::new(),
        password: None,
        more_passwords: Vec::new(),
        former_passwords: Vec::new(),
        leaving_passwords: Vec::new(),
        link_password: None,
        password_free: false,
        enabled: true,
        expires_at: None,
        life: Life::Live,
        replaces: false,
        created_revision: instance.revision,
        revision: instance.revision,
        confirmed: instance.revision,
        created_at: instance.created_at,
        password_set_at: None,
    }
}

/// Accounts, tasks, nodes and the head go with it (foreign keys cascade).
fn remove_instance(desk: &Desk, id: &InstanceId) -> Result<(), Fault> {
    keep_task_floor(desk)?;
    update_one(desk, "DELETE FROM instance WHERE id = ?1", [id.as_str()])
}

/// Every managed account gets the next revision, so that every node is asked again for each.
fn set_roles(desk: &Desk, id: &InstanceId, roles: &RolePolicy) -> Result<(), Fault> {
    let held = read::instance(&desk.connection, id, Secrets::Absent)?;
    let held = held.ok_or(StoreError::NotFound)?;
    let revision = held.revision.next();
    update_one(
        desk,
        "UPDATE instance SET roles = ?2 WHERE id = ?1",
        (id.as_str(), to_json(roles)?),
    )?;
    set_revision(&desk.connection, id, revision)?;
    // As Account::is_managed has it.
    desk.connection
        .prepare_cached(
            "UPDATE account SET revision = ?2
             WHERE instance = ?1
                 AND (kind = 'custom' OR sealed_password IS NOT NULL OR password_free)",
        )?
        .execute((id.as_str(), number(revision)))?;
    Ok(())
}

fn set_policy(desk: &Desk, id: &InstanceId, policy: &InstancePolicy) -> Result<(), Fault> {
    update_one(
        desk,
        "UPDATE instance SET policy = ?2 WHERE id = ?1",
        (id.as_str(), to_json(policy)?),
    )
}

/// Accounts of users that are on the nodes already. A name that is taken refuses all of them.
fn adopt(desk: &Desk, id: &InstanceId, adoption: &Adoption) -> Result<(), Fault> {
    let held = read::instance(&desk.connection, id, Secrets::Absent)?;
    let held = held.ok_or(StoreError::NotFound)?;
    let after = adoption.after(&held).ok_or(StoreError::Exists)?;
    update_one(
        desk,
        "UPDATE instance SET roles = ?2 WHERE id = ?1",
        (id.as_str(), to_json(&after.roles)?),
    )?;
    set_revision(&desk.connection, id, after.revision)?;
    for account in &after.accounts {
        put_account(desk, id, account)?;
    }
    Ok(())
}

fn set_tags(desk: &Desk, id: &InstanceId, tags: &Tags) -> Result<(), Fault> {
    update_one(
        desk,
        "UPDATE instance SET tags = ?2 WHERE id = ?1",
        (id.as_str(), to_json(tags)?),
    )
}

fn put_policy(desk: &Desk, policy: &AccessPolicy) -> Result<(), Fault> {
    desk.connection
        .prepare_cached(
            "INSERT INTO access_policy (name, text, changed_at, changed_by)
             VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET text = excluded.text,
                 changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        )?
        .execute((
            &policy.name,
            &policy.text,
            policy.changed_at.as_millis(),
            policy.changed_by.as_str(),
        ))?;
    Ok(())
}

fn remove_policy(desk: &Desk, name: &str) -> Result<(), Fault> {
    update_one(desk, "DELETE FROM access_policy WHERE name = ?1", [name])
}

/// Only a finished one: a running one is what tells that nodes are still behind.
fn forget_task(desk: &Desk, id: TaskId) -> Result<(), Fault> {
    keep_task_floor(desk)?;
    update_one(
        desk,
        "DELETE FROM task WHERE id = ?1 AND state <> 'running'",
        [id.0],
    )
}

fn set_state(desk: &Desk, id: &InstanceId, state: InstanceState) -> Result<(), Fault> {
    update_one(
        desk,
        "UPDATE instance SET state = ?2 WHERE id = ?1",
        (id.as_str(), state.word()),
    )
}

fn set_labels(
    desk: &Desk,
    id: &InstanceId,
    name: Option<&str>,
    region: Option<&str>,
) -> Result<(), Fault> {
    update_one(
        desk,
        "UPDATE instance SET name = coalesce(?2, name), region = coalesce(?3, region)
         WHERE id = ?1",
        (id.as_str(), name, region),
    )
}
