//! Rows to the domain's values and back.

use crate::fault::Fault;
use crate::seal::Sealer;
use crate::sealed;
use crate::words::{Word, routing_of};
use claviger_core::access::{AccessKey, FormerSecret};
use claviger_core::access_policy::AccessPolicy;
use claviger_core::account::Account;
use claviger_core::audit::{AuditEntry, AuditRow, Link, hex};
use claviger_core::clock::Timestamp;
use claviger_core::ids::{
    AccountId, AccountName, InstanceId, KeyId, NodeAddress, Revision, TaskId,
};
use claviger_core::instance::{Instance, NodeLogin, NodeTls};
use claviger_core::node::NodeRecord;
use claviger_core::password::PasswordDigest;
use claviger_core::privilege::Privilege;
use claviger_core::reach::AddressMap;
use claviger_core::task::Task;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::FromSql as Sql;

/// What the column `tls` holds: all of how nodes are reached, beside the seeds and the login.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reach {
    #[serde(flatten)]
    pub(crate) tls: NodeTls,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) map: Vec<AddressMap>,
}

/// Whether secrets are opened while reading.
#[derive(Clone, Copy)]
pub(crate) enum Secrets<'a> {
    /// Yes.
    Open(&'a Sealer),
    /// No: logins and passwords are absent, and a digest that is there reads as zeros, so that
    /// a managed default account is still told from one that is not.
    Absent,
}

/// Columns of [`instance`]; `FROM instance JOIN instance_head`.
macro_rules! instance_columns {
    () => {
        "i.id, i.name, i.region, i.topology, i.master_name, i.seeds, \
    i.tls, i.login_user, i.sealed_login, i.sealed_default_password, i.roles, i.state, i.engine, \
    i.observed_topology, i.unmanaged, h.revision, i.created_at, i.policy, \
    (SELECT count(*) FROM node n WHERE n.instance = i.id AND n.role = 'primary'), \
    (SELECT count(*) FROM node n WHERE n.instance = i.id AND n.role = 'replica'), \
    coalesce((SELECT d.password_free FROM account d \
        WHERE d.instance = i.id AND d.name = 'default'), 0), i.tags, i.link_users"
    };
}

/// Columns of [`account`].
macro_rules! account_columns {
    () => {
        "id, name, kind, privilege, routing, description, \
    sealed_password, life, replaces, created_revision, revision, confirmed, created_at, \
    password_set_at, password_free, enabled, expires_at, sealed_leaving, sealed_link"
    };
}

/// Columns of [`task`].
macro_rules! task_columns {
    () => {
        "id, instance, account, account_name, kind, state, revision, \
    by_key, created_at, finished_at"
    };
}

/// Columns of [`node`].
macro_rules! node_columns {
    () => {
        "address, tls, role, engine, run_id, persistence, confirmed, saved"
    };
}

/// Columns of [`access_key`].
macro_rules! key_columns {
    () => {
        "id, sealed_secret, role, scope, description, created_at, revoked_at, tags, expires_at, \
    sealed_former, former_until, last_used_at"
    };
}

/// Columns of [`audit`].
macro_rules! audit_columns {
    () => {
        "at, request_id, access_key, source, dialect, action, instance, \
    account, outcome, detail, session, before, after, id, hash"
    };
}

pub(crate) use {
    account_columns, audit_columns, instance_columns, key_columns, node_columns, task_columns,
};

/// A value that either database can give.
pub(crate) trait Cell: rusqlite::types::FromSql + for<'a> Sql<'a> {}

impl<T: rusqlite::types::FromSql + for<'a> Sql<'a>> Cell for T {}

/// A row of either database, by the position of its columns.
pub(crate) trait Cells {
    /// A value of its own.
    fn get<T: Cell>(&self, index: usize) -> Result<T, Fault>;
    /// A text in place.
    fn text_or(&self, index: usize) -> Result<Option<&str>, Fault>;
    /// Bytes in place.
    fn blob(&self, index: usize) -> Result<Option<&[u8]>, Fault>;
}

impl Cells for rusqlite::Row<'_> {
    fn get<T: Cell>(&self, index: usize) -> Result<T, Fault> {
        Ok(rusqlite::Row::get(self, index)?)
    }

    fn text_or(&self, index: usize) -> Result<Option<&str>, Fault> {
        let value = self.get_ref(index)?;
        let text = value.as_str_or_null();
        text.map_err(|_| Fault::unreadable("a text column"))
    }

    fn blob(&self, index: usize) -> Result<Option<&[u8]>, Fault> {
        let value = self.get_ref(index)?;
        let blob = value.as_blob_or_null();
        blob.map_err(|_| Fault::unreadable("a blob column"))
    }
}

impl Cells for tokio_postgres::Row {
    fn get<T: Cell>(&self, index: usize) -> Result<T, Fault> {
        let value = self.try_get(index);
        value.map_err(|_| Fault::unreadable("a column"))
    }

    fn text_or(&self, index: usize) -> Result<Option<&str>, Fault> {
        let value = self.try_get(index);
        value.map_err(|_| Fault::unreadable("a text column"))
    }

    fn blob(&self, index: usize) -> Result<Option<&[u8]>, Fault> {
        let value = self.try_get(index);
        value.map_err(|_| Fault::unreadable("a blob column"))
    }
}

fn text(row: &impl Cells, index: usize) -> Result<&str, Fault> {
    let value = row.text_or(index)?;
    value.ok_or_else(|| Fault::unreadable("a text column"))
}

fn text_or(row: &impl Cells, index: usize) -> Result<Option<&str>, Fault> {
    row.text_or(index)
}

fn blob(row: &impl Cells, index: usize) -> Result<Option<&[u8]>, Fault> {
    row.blob(index)
}

/// A count, which both databases give as 64 bits.
fn small(row: &impl Cells, index: usize) -> Result<u32, Fault> {
    let number: i64 = row.get(index)?;
    u32::try_from(number).map_err(|_| Fault::unreadable("a count"))
}

fn word<T: Word>(row: &impl Cells, index: usize) -> Result<T, Fault> {
    T::parse(text(row, index)?).ok_or_else(|| Fault::unreadable("a stored word"))
}

fn json<T: DeserializeOwned>(row: &impl Cells, index: usize) -> Result<T, Fault> {
    parse(text(row, index)?)
}

fn json_or<T: DeserializeOwned>(row: &impl Cells, index: usize) -> Result<Option<T>, Fault> {
    text_or(row, index)?.map(parse).transpose()
}

/// Reads stored JSON.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::unreadable("a structured column"))
}

/// Writes JSON to be stored.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|_| Fault::unreadable("a value to be stored"))
}

fn time(row: &impl Cells, index: usize) -> Result<Timestamp, Fault> {
    Ok(Timestamp::from_millis(row.get(index)?))
}

fn time_or(row: &impl Cells, index: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(row.get::<Option<i64>>(index)?.map(Timestamp::from_millis))
}

pub(crate) fn revision(row: &impl Cells, index: usize) -> Result<Revision, Fault> {
    let number: i64 = row.get(index)?;
    let number = u64::try_from(number).map_err(|_| Fault::unreadable("a revision"))?;
    Ok(Revision(number))
}

/// A revision as the database keeps numbers.
pub(crate) fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// A length as the database keeps numbers.
pub(crate) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

pub(crate) fn instance(row: &impl Cells, secrets: Secrets<'_>) -> Result<Instance, Fault> {
    let id = text(row, 0)?;
    let user: Option<String> = row.get(7)?;
    let (login, default_password) = match secrets {
        Secrets::Absent => {
            let login = NodeLogin {
                user,
                ..NodeLogin::default()
            };
            (login, None)
        }
        Secrets::Open(sealer) => {
            let place = sealed::instance_login(id);
            let login = sealed::open_login(sealer, place, user, blob(row, 8)?.unwrap_or(&[]))?;
            let place = sealed::default_password(id);
            let password = blob(row, 9)?
                .map(|blob| sealed::open_secret(sealer, place, blob))
                .transpose()?;
            (login, password)
        }
    };
    let Reach { tls, map } = json(row, 6)?;
    Ok(Instance {
        id: InstanceId::from(id),
        name: row.get(1)?,
        region: row.get(2)?,
        tags: json(row, 21)?,
        topology: word(row, 3)?,
        master_name: row.get(4)?,
        seeds: json(row, 5)?,
        tls,
        map,
        login,
        default_password,
        roles: json(row, 10)?,
        policy: json(row, 17)?,
        primaries: small(row, 18)?,
        replicas: small(row, 19)?,
        password_free: row.get(20)?,
        state: word(row, 11)?,
        engine: json_or(row, 12)?,
        observed_topology: text_or(row, 13)?
            .map(|word| Word::parse(word).ok_or_else(|| Fault::unreadable("a stored word")))
            .transpose()?,
        unmanaged: json(row, 14)?,
        link_users: json(row, 22)?,
        revision: revision(row, 15)?,
        created_at: time(row, 16)?,
    })
}

pub(crate) fn account(
    row: &impl Cells,
    instance: &str,
    secrets: Secrets<'_>,
) -> Result<Account, Fault> {
    let id = text(row, 0)?;
    let account = account_id(id)?;
    let (passwords, former_passwords) = match (blob(row, 6)?, secrets) {
        (None, _) => Default::default(),
        (Some(_), Secrets::Absent) => (vec![PasswordDigest::from_bytes([0; 32])], Vec::new()),
        (Some(blob), Secrets::Open(sealer)) => {
            sealed::open_digests(sealer, instance, account, id, blob)?
        }
    };
    let (mut leaving_passwords, mut link_password) = (Vec::new(), None);
    if let Secrets::Open(sealer) = secrets {
        if let Some(blob) = blob(row, 17)? {
            let place = sealed::leaving_passwords(instance, id);
            leaving_passwords = sealed::open_list(sealer, place, blob)?;
        }
        if let Some(blob) = blob(row, 18)? {
            let place = sealed::link_password(instance, id);
            link_password = Some(sealed::open_secret(sealer, place, blob)?);
        }
    }
    let mut passwords = passwords.into_iter();
    Ok(Account {
        id: account,
        name: AccountName::new(text(row, 1)?),
        kind: word(row, 2)?,
        privilege: Privilege::parse(text(row, 3)?)
            .ok_or_else(|| Fault::unreadable("a privilege"))?,
        routing: routing_of(row.get(4)?).ok_or_else(|| Fault::unreadable("a routing"))?,
        description: row.get(5)?,
        password: passwords.next(),
        more_passwords: passwords.collect(),
        former_passwords,
        leaving_passwords,
        link_password,
        password_free: row.get(14)?,
        enabled: row.get(15)?,
        expires_at: time_or(row, 16)?,
        life: word(row, 7)?,
        replaces: row.get(8)?,
        created_revision: revision(row, 9)?,
        revision: revision(row, 10)?,
        confirmed: revision(row, 11)?,
        created_at: time(row, 12)?,
        password_set_at: time_or(row, 13)?,
    })
}

fn account_id(text: &str) -> Result<AccountId, Fault> {
    AccountId::parse(text).ok_or_else(|| Fault::unreadable("an account's identity"))
}

pub(crate) fn task(row: &impl Cells) -> Result<Task, Fault> {
    Ok(Task {
        id: TaskId(row.get(0)?),
        instance: InstanceId::new(text(row, 1)?),
        account: account_id(text(row, 2)?)?,
        account_name: AccountName::new(text(row, 3)?),
        kind: word(row, 4)?,
        state: word(row, 5)?,
        revision: revision(row, 6)?,
        by: KeyId::new(text(row, 7)?),
        created_at: time(row, 8)?,
        finished_at: time_or(row, 9)?,
    })
}

pub(crate) fn node(row: &impl Cells) -> Result<NodeRecord, Fault> {
    Ok(NodeRecord {
        address: NodeAddress::new(text(row, 0)?),
        tls: row.get(1)?,
        role: word(row, 2)?,
        engine: json_or(row, 3)?,
        run_id: row.get(4)?,
        persistence: word(row, 5)?,
        confirmed: revision(row, 6)?,
        saved: revision(row, 7)?,
    })
}

pub(crate) fn access_key(row: &impl Cells, sealer: &Sealer) -> Result<AccessKey, Fault> {
    let id = text(row, 0)?;
    let secret = blob(row, 1)?.unwrap_or(&[]);
    let former = match (blob(row, 9)?, time_or(row, 10)?) {
        (Some(blob), Some(until)) => Some(FormerSecret {
            secret: sealed::open_secret(sealer, sealed::former_secret(id), blob)?,
            until,
        }),
        _ => None,
    };
    Ok(AccessKey {
        id: KeyId::new(id),
        secret: sealed::open_secret(sealer, sealed::key_secret(id), secret)?,
        role: word(row, 2)?,
        scope: json(row, 3)?,
        description: row.get(4)?,
        created_at: time(row, 5)?,
        revoked_at: time_or(row, 6)?,
        former,
        tags: json(row, 7)?,
        expires_at: time_or(row, 8)?,
        last_used_at: time_or(row, 11)?,
    })
}

/// A row's digest; `None` in one that is older than the chain.
pub(crate) fn hash(row: &impl Cells, index: usize) -> Result<Option<Link>, Fault> {
    let wrong = |_| Fault::unreadable("a digest of the audit trail");
    let bytes = row.blob(index)?;
    bytes
        .map(|bytes| bytes.try_into().map_err(wrong))
        .transpose()
}

pub(crate) fn access_policy(row: &impl Cells) -> Result<AccessPolicy, Fault> {
    Ok(AccessPolicy {
        name: row.get(0)?,
        text: row.get(1)?,
        changed_at: time(row, 2)?,
        changed_by: KeyId::new(text(row, 3)?),
    })
}

pub(crate) fn audit(row: &impl Cells) -> Result<AuditRow, Fault> {
    let entry = AuditEntry {
        at: time(row, 0)?,
        request_id: row.get(1)?,
        key: row.get(2)?,
        source: row.get(3)?,
        dialect: row.get(4)?,
        action: row.get(5)?,
        instance: row.get(6)?,
        account: row.get(7)?,
        outcome: row.get(8)?,
        detail: row.get(9)?,
        session: row.get(10)?,
        before: json(row, 11)?,
        after: json(row, 12)?,
    };
    let seq: i64 = row.get(13)?;
    let hash = hash(row, 14)?;
    Ok(AuditRow {
        seq: u64::try_from(seq).map_err(|_| Fault::unreadable("a row's number"))?,
        entry,
        hash: hash.map(|hash| hex(&hash)).unwrap_or_default(),
    })
}
