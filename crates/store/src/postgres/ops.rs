//! The writes that are not changes of accounts, on PostgreSQL.

use crate::fault::Fault;
use crate::ops::{UNMANAGED_MAX, default_of};
use crate::postgres::audit;
use crate::postgres::batch::{Batch, values};
use crate::postgres::change::put_account;
use crate::postgres::pool::{Conn, Param};
use crate::postgres::read::INSTANCE;
use crate::postgres::{leases, nodes, purge};
use crate::rows::{self, Reach, Secrets, count, number, to_json};
use crate::seal::Sealer;
use crate::sealed;
use crate::views::touched;
use crate::words::Word;
use crate::writer::seen_of_nodes;
use claviger_core::access::AccessKey;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::adopt::Adoption;
use claviger_core::audit::AuditEntry;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountId, InstanceId, TaskId};
use claviger_core::instance::{Instance, InstanceState, RolePolicy};
use claviger_core::ports::{Epoch, NonceMark, Op, StoreError, Strike};

/// Writes all of them and the audit row, or nothing.
pub(crate) async fn apply(
    conn: &mut Conn,
    sealer: &Sealer,
    ops: &[Op],
    row: Option<&AuditEntry>,
) -> Result<(), Fault> {
    // What is found again by looking does not wait for the disk.
    let lasting = row.is_some() || !ops.iter().all(seen_of_nodes);
    let begin = if lasting {
        "BEGIN"
    } else {
        "BEGIN; SET LOCAL synchronous_commit TO off"
    };
    begin_locked(conn, begin, ops).await?;
    // What only writes is sent together, at the end with the commit.
    let mut batch = Batch::default();
    for op in ops {
        if !add(&mut batch, sealer, op)? {
            std::mem::take(&mut batch).run(conn).await?;
            one(conn, sealer, op).await?;
        }
    }
    if let Some(entry) = row {
        audit::put(&mut batch, entry)?;
    }
    if batch.has_must() {
        std::mem::take(&mut batch).run(conn).await?;
    }
    batch.commit(conn).await
}

/// Begins, with the heads of the instances concerned locked, always in the same order, so that no
/// two transactions wait for each other; as changes of accounts do, first of all. Then the leases
/// that must still hold.
async fn begin_locked(conn: &mut Conn, begin: &str, ops: &[Op]) -> Result<(), Fault> {
    let mut ids: Vec<&str> = ops
        .iter()
        .filter_map(touched)
        .map(InstanceId::as_str)
        .collect();
    ids.sort_unstable();
    let sql = "SELECT 1 FROM instance_head WHERE instance = ANY($1) ORDER BY instance FOR UPDATE";
    let heads = conn.prepared(sql).await?;
    let fences: Vec<_> = ops.iter().filter_map(fenced).collect();
    let lease = match fences.is_empty() {
        true => None,
        false => Some(conn.prepared(leases::FENCE).await?),
    };
    let db = &conn.client;
    let key: [Param<'_>; 1] = [&ids];
    let fenced: Vec<&str> = fences.iter().map(|(id, _)| id.as_str()).collect();
    let fenced_of: [Param<'_>; 1] = [&fenced];
    let ((), _, found) = tokio::try_join!(
        biased;
        db.batch_execute(begin),
        async {
            match ids.is_empty() {
                true => Ok(Vec::new()),
                false => db.query(&heads, &key).await,
            }
        },
        async {
            match &lease {
                Some(lease) => db.query(lease, &fenced_of).await,
                None => Ok(Vec::new()),
            }
        },
    )?;
    leases::check(&found, &fences)
}

fn fenced(op: &Op) -> Option<(&InstanceId, Epoch)> {
    match op {
        Op::Fence(id, epoch) => Some((id, *epoch)),
        _ => None,
    }
}

/// What reads before it writes.
async fn one(conn: &mut Conn, sealer: &Sealer, op: &Op) -> Result<(), Fault> {
    match op {
        Op::Adopt(id, adoption) => adopt(conn, sealer, id, adoption).await,
        Op::Observe(seen) => nodes::observe(conn, seen).await,
        Op::Purge(now) => purge::purge(conn, sealer, *now).await,
        _ => Ok(()),
    }
}

/// Adds what the op writes; false if it reads before it writes.
fn add(batch: &mut Batch, sealer: &Sealer, op: &Op) -> Result<bool, Fault> {
    match op {
        Op::AddInstance {
            instance,
            default_account,
        } => add_instance(batch, sealer, instance, *default_account)?,
        Op::RemoveInstance(id) => batch.must(
            "DELETE FROM instance WHERE id = $1",
            values![id.to_string()],
        ),
        Op::SetRoles(id, roles) => set_roles(batch, id, roles)?,
        Op::SetState(id, state) => set_state(batch, id, *state),
        Op::SetLabels {
            instance,
            name,
            region,
        } => batch.must(
            "UPDATE instance SET name = coalesce($2, name), region = coalesce($3, region)
             WHERE id = $1",
            values![instance.to_string(), name.clone(), region.clone()],
        ),
        Op::SetPolicy(id, policy) => batch.must(
            "UPDATE instance SET policy = $2 WHERE id = $1",
            values![id.to_string(), to_json(policy)?],
        ),
        Op::ForgetTask(id) => forget_task(batch, *id),
        Op::Strike(strike) => put_strike(batch, strike),
        Op::ClearStrikes(scope) => batch.add(
            "DELETE FROM strike WHERE scope = $1",
            values![scope.clone()],
        ),
        Op::Confirm(id, what, at) => nodes::confirm(batch, id, what, *at),
        // Looked at before anything else.
        Op::Fence(..) => {}
        Op::Show(id, epoch, text) => leases::show(batch, id, *epoch, text),
        Op::AddKey(key) => put_key(batch, sealer, key, "")?,
        Op::PutRootKey(key) => put_key(batch, sealer, key, ROOT_KEY)?,
        Op::RevokeKey(id, at) => {
            batch.must(
                "UPDATE access_key SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1",
                values![id.to_string(), at.as_millis()],
            );
            batch.add(KEYS_CHANGED, values![]);
        }
        Op::SetKey(key) => set_key(batch, sealer, key)?,
        Op::KeysUsed(used) => {
            for (id, at) in used {
                batch.add(
                    "UPDATE access_key SET last_used_at = greatest(last_used_at, $2)
                     WHERE id = $1",
                    values![id.to_string(), at.as_millis()],
                );
            }
        }
        Op::SetTags(id, tags) => {
            batch.must(
                "UPDATE instance SET tags = $2 WHERE id = $1",
                values![id.to_string(), to_json(tags)?],
            );
        }
        Op::PutAccessPolicy(policy) => put_policy(batch, policy),
        Op::RemoveAccessPolicy(name) => batch.must(
            "DELETE FROM access_policy WHERE name = $1",
            values![name.clone()],
        ),
        Op::Audit(entry) => audit::put(batch, entry)?,
        Op::Adopt(..) | Op::Observe(_) | Op::Purge(_) => return Ok(false),
    }
    if concerns_rights(op) {
        batch.add(KEYS_CHANGED, values![]);
    }
    Ok(true)
}

/// It changes what decisions on permissions go by, and no key: other processes read it again
/// with the keys.
pub(crate) fn concerns_rights(op: &Op) -> bool {
    matches!(
        op,
        Op::AddInstance { .. }
            | Op::RemoveInstance(_)
            | Op::SetLabels { .. }
            | Op::SetTags(..)
            | Op::PutAccessPolicy(_)
            | Op::RemoveAccessPolicy(_)
    )
}

const KEYS_CHANGED: &str = "UPDATE mark SET number = number + 1 WHERE name = 'keys'";

const ADD_KEY: &str =
    "INSERT INTO access_key (id, sealed_secret, role, scope, description, created_at, revoked_at,
         tags, expires_at, sealed_former, former_until, last_used_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// Whatever was stored under its identity, a revocation included, gives way, but for when it was
/// made.
const ROOT_KEY: &str =
    "INSERT INTO access_key (id, sealed_secret, role, scope, description, created_at, revoked_at,
         tags, expires_at, sealed_former, former_until, last_used_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     ON CONFLICT (id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
         role = excluded.role, scope = excluded.scope, description = excluded.description,
         revoked_at = excluded.revoked_at, tags = excluded.tags,
         expires_at = excluded.expires_at, sealed_former = excluded.sealed_former,
         former_until = excluded.former_until";

fn put_key(
    batch: &mut Batch,
    sealer: &Sealer,
    key: &AccessKey,
    sql: &'static str,
) -> Result<(), Fault> {
    let place = sealed::key_secret(key.id.as_str());
    batch.add(
        if sql.is_empty() { ADD_KEY } else { sql },
        values![
            key.id.to_string(),
            sealed::seal_secret(sealer, place, &key.secret)?,
            key.role.word(),
            to_json(&key.scope)?,
            key.description.clone(),
            key.created_at.as_millis(),
            key.revoked_at.map(Timestamp::as_millis),
            to_json(&key.tags)?,
            key.expires_at.map(Timestamp::as_millis),
            seal_former(sealer, key)?,
            key.former.as_ref().map(|former| former.until.as_millis()),
            key.last_used_at.map(Timestamp::as_millis),
        ],
    );
    batch.add(KEYS_CHANGED, values![]);
    Ok(())
}

fn seal_former(sealer: &Sealer, key: &AccessKey) -> Result<Option<Vec<u8>>, Fault> {
    let place = sealed::former_secret(key.id.as_str());
    let former = key.former.as_ref();
    former
        .map(|former| sealed::seal_secret(sealer, place, &former.secret))
        .transpose()
}

/// What may change of a key; its role, scope, age and revocation stay.
fn set_key(batch: &mut Batch, sealer: &Sealer, key: &AccessKey) -> Result<(), Fault> {
    let place = sealed::key_secret(key.id.as_str());
    batch.must(
        "UPDATE access_key SET sealed_secret = $2, sealed_former = $3, former_until = $4,
             expires_at = $5, tags = $6, description = $7
         WHERE id = $1",
        values![
            key.id.to_string(),
            sealed::seal_secret(sealer, place, &key.secret)?,
            seal_former(sealer, key)?,
            key.former.as_ref().map(|former| former.until.as_millis()),
            key.expires_at.map(Timestamp::as_millis),
            to_json(&key.tags)?,
            key.description.clone(),
        ],
    );
    batch.add(KEYS_CHANGED, values![]);
    Ok(())
}

fn put_policy(batch: &mut Batch, policy: &AccessPolicy) {
    batch.add(
        "INSERT INTO access_policy (name, text, changed_at, changed_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET text = excluded.text,
             changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        values![
            policy.name.clone(),
            policy.text.clone(),
            policy.changed_at.as_millis(),
            policy.changed_by.to_string(),
        ],
    );
}

fn add_instance(
    batch: &mut Batch,
    sealer: &Sealer,
    instance: &Instance,
    default_account: AccountId,
) -> Result<(), Fault> {
    let id = instance.id.as_str();
    let login = sealed::seal_login(sealer, sealed::instance_login(id), &instance.login)?;
    let default_password = instance
        .default_password
        .as_ref()
        .map(|secret| sealed::seal_secret(sealer, sealed::default_password(id), secret))
        .transpose()?;
    let unmanaged = &instance.unmanaged[..instance.unmanaged.len().min(UNMANAGED_MAX)];
    batch.add(
        "INSERT INTO instance (id, name, region, topology, master_name, seeds, tls, login_user,
             sealed_login, former_logins, sealed_default_password, roles, state, engine,
             observed_topology, unmanaged, created_at, policy, tags)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19)",
        values![
            id.to_owned(),
            instance.name.clone(),
            instance.region.clone(),
            instance.topology.word(),
            instance.master_name.clone(),
            to_json(&instance.seeds)?,
            to_json(&Reach {
                tls: instance.tls.clone(),
                map: instance.map.clone(),
            })?,
            instance.login.user.clone(),
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
        ],
    );
    batch.add(
        "INSERT INTO instance_head (instance, revision) VALUES ($1, $2)",
        values![id.to_owned(), number(instance.revision)],
    );
    let default = default_of(instance, default_account);
    put_account(batch, sealer, &instance.id, &default)
}

/// Every managed account gets the next revision, so that every node is asked again for each.
fn set_roles(batch: &mut Batch, id: &InstanceId, roles: &RolePolicy) -> Result<(), Fault> {
    batch.must(
        "UPDATE instance SET roles = $2 WHERE id = $1",
        values![id.to_string(), to_json(roles)?],
    );
    batch.must(
        "UPDATE instance_head SET revision = revision + 1 WHERE instance = $1",
        values![id.to_string()],
    );
    // As Account::is_managed has it.
    batch.add(
        "UPDATE account SET revision =
             (SELECT h.revision FROM instance_head h WHERE h.instance = $1)
         WHERE instance = $1 AND (kind = 'custom' OR sealed_password IS NOT NULL)",
        values![id.to_string()],
    );
    Ok(())
}

fn set_state(batch: &mut Batch, id: &InstanceId, state: InstanceState) {
    batch.must(
        "UPDATE instance SET state = $2 WHERE id = $1",
        values![id.to_string(), state.word()],
    );
}

/// Takes users over, by what is held at this moment.
async fn adopt(
    conn: &mut Conn,
    sealer: &Sealer,
    id: &InstanceId,
    adoption: &Adoption,
) -> Result<(), Fault> {
    let held = conn.first(INSTANCE, &[&id.as_str()]).await?;
    let held = rows::instance(&held.ok_or(StoreError::NotFound)?, Secrets::Absent)?;
    let after = adoption.after(&held).ok_or(StoreError::Exists)?;
    let mut accounts = Batch::default();
    for account in &after.accounts {
        put_account(&mut accounts, sealer, id, account)?;
    }
    // Another account has the name.
    if accounts.run(conn).await?.contains(&0) {
        return Err(StoreError::Exists.into());
    }
    let mut batch = Batch::default();
    batch.must(
        "UPDATE instance SET roles = $2 WHERE id = $1",
        values![id.to_string(), to_json(&after.roles)?],
    );
    batch.must(
        "UPDATE instance_head SET revision = $2 WHERE instance = $1",
        values![id.to_string(), number(after.revision)],
    );
    batch.run(conn).await.map(drop)
}

/// Only a finished one: a running one is what tells that nodes are still behind.
fn forget_task(batch: &mut Batch, id: TaskId) {
    batch.must(
        "DELETE FROM task WHERE id = $1 AND state <> 'running'",
        values![id.0],
    );
}

fn put_strike(batch: &mut Batch, strike: &Strike) {
    let at = strike.at.as_millis();
    let until = at.saturating_add(i64::from(strike.lock_s) * 1_000);
    batch.add(
        "INSERT INTO strike (scope, count, until) VALUES ($1, 1, $3)
         ON CONFLICT (scope) DO UPDATE SET
             count = CASE WHEN strike.until <= $2 THEN 1 ELSE strike.count + 1 END, until = $3",
        values![strike.scope.clone(), at, until],
    );
}

/// Sets `name` if it is not set; what holds now.
pub(crate) async fn setting_or(conn: &mut Conn, name: &str, value: &str) -> Result<String, Fault> {
    // The update changes nothing, but it waits for whoever is just setting it, and returns.
    let sql = "INSERT INTO setting (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = setting.value RETURNING value";
    let row = conn.first(sql, &[&name, &value]).await?;
    let row = row.ok_or(StoreError::NotFound)?;
    Ok(row.try_get(0)?)
}

/// Remembers a nonce of a read; false if it is remembered already. Losing the last of them with
/// the primary lets a captured read be repeated, nothing more: it waits for no disk.
pub(crate) async fn use_nonce(
    conn: &mut Conn,
    nonce: &NonceMark,
    at: Timestamp,
) -> Result<bool, Fault> {
    let sql = "INSERT INTO nonce AS n (digest, until) VALUES ($1, $2)
         ON CONFLICT (digest) DO UPDATE SET until = excluded.until WHERE n.until <= $3";
    let insert = conn.prepared(sql).await?;
    let digest = &nonce.digest[..];
    let (until, at) = (nonce.until.as_millis(), at.as_millis());
    let params: [Param<'_>; 3] = [&digest, &until, &at];
    let db = &conn.client;
    let ((), used, ()) = tokio::try_join!(
        biased;
        db.batch_execute("BEGIN; SET LOCAL synchronous_commit TO off"),
        db.execute(&insert, &params),
        db.batch_execute("COMMIT"),
    )?;
    Ok(used == 1)
}
