//! Reads, on whatever connection: the readers' and the writer's own.

use crate::fault::Fault;
use crate::rows::{self, Secrets};
use crate::rows::{
    account_columns, audit_columns, instance_columns, key_columns, node_columns, task_columns,
};
use crate::seal::Sealer;
use crate::words::Word;
use claviger_core::access::AccessKey;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::account::{Account, AccountKind};
use claviger_core::audit::{AuditQuery, AuditRow};
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountName, InstanceId, KeyId, TaskId};
use claviger_core::instance::{Held, Instance};
use claviger_core::node::NodeRecord;
use claviger_core::ports::EXPIRING_MAX;
use claviger_core::query::{InstanceQuery, Page, Rows, TaskQuery};
use claviger_core::task::Task;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, Row, params_from_iter};

/// More instances than this are not driven by one process (memory and connections end first).
const INSTANCE_IDS_MAX: i64 = 100_000;

/// More keys than this are not listed.
const KEYS_MAX: i64 = 10_000;

fn collect<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// An instance with its accounts. Two statements: the caller sees to it that both read the same
/// state (a transaction).
pub(crate) fn held(
    connection: &Connection,
    id: &InstanceId,
    secrets: Secrets<'_>,
    next_task: TaskId,
) -> Result<Option<Held>, Fault> {
    let Some(instance) = instance(connection, id, secrets)? else {
        return Ok(None);
    };
    Ok(Some(Held {
        instance,
        accounts: accounts(connection, id, secrets)?,
        next_task,
    }))
}

/// One instance.
pub(crate) fn instance(
    connection: &Connection,
    id: &InstanceId,
    secrets: Secrets<'_>,
) -> Result<Option<Instance>, Fault> {
    let sql = concat!(
        "SELECT ",
        instance_columns!(),
        " FROM instance i JOIN instance_head h ON h.instance = i.id WHERE i.id = ?1"
    );
    first(connection, sql, [id.as_str()], |row| {
        rows::instance(row, secrets)
    })
}

/// Its accounts: the default account first, then by name, which is how the table stands.
fn accounts(
    connection: &Connection,
    id: &InstanceId,
    secrets: Secrets<'_>,
) -> Result<Vec<Account>, Fault> {
    let sql = concat!(
        "SELECT ",
        account_columns!(),
        " FROM account WHERE instance = ?1 ORDER BY name"
    );
    let mut accounts = collect(connection, sql, [id.as_str()], |row| {
        rows::account(row, id.as_str(), secrets)
    })?;
    let default = accounts
        .iter()
        .position(|account| account.kind == AccountKind::Default);
    if let Some(default) = default {
        accounts[..=default].rotate_right(1);
    }
    Ok(accounts)
}

/// See [`claviger_core::ports::Store::expiring`].
pub(crate) fn expiring(
    connection: &Connection,
    until: Timestamp,
) -> Result<Vec<(InstanceId, AccountName)>, Fault> {
    let sql = "SELECT a.instance, a.name FROM account a JOIN instance i ON i.id = a.instance
         WHERE a.expires_at IS NOT NULL AND a.expires_at <= ?1 AND a.enabled AND a.life = 'live'
             AND i.state = 'running'
         ORDER BY a.expires_at LIMIT ?2";
    let limit = rows::count(EXPIRING_MAX);
    collect(connection, sql, (until.as_millis(), limit), |row| {
        let (instance, name): (String, String) = (row.get(0)?, row.get(1)?);
        Ok((InstanceId::new(instance), AccountName::new(name)))
    })
}

/// Conditions that are put together as a query asks for them.
#[derive(Default)]
struct Filter {
    sql: String,
    values: Vec<Value>,
    /// The total is that of the page.
    uncounted: bool,
}

impl Filter {
    /// `condition` has one `?`.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.sql.push_str(if self.sql.is_empty() {
            " WHERE "
        } else {
            " AND "
        });
        self.sql.push_str(condition);
        self.values.push(value.into());
    }

    /// `column` is one of `words`.
    fn one_word_of(&mut self, column: &str, words: &[&str]) -> Result<(), Fault> {
        if words.is_empty() {
            return Ok(());
        }
        let condition = format!("{column} IN (SELECT value FROM json_each(?))");
        self.and(&condition, rows::to_json(&words)?);
        Ok(())
    }

    /// `column` is one of `ids`: one JSON parameter, so that the statement's text stays the same
    /// however many there are.
    fn one_of(&mut self, column: &str, ids: &[InstanceId]) -> Result<(), Fault> {
        let condition = format!("{column} IN (SELECT value FROM json_each(?))");
        self.and(&condition, rows::to_json(&ids)?);
        Ok(())
    }

    /// Runs the count and the page.
    fn rows<T>(
        mut self,
        connection: &Connection,
        columns: &str,
        from: &str,
        order: &str,
        page: Page,
        read: impl Fn(&Row<'_>) -> Result<T, Fault>,
    ) -> Result<Rows<T>, Fault> {
        let count = format!("SELECT count(*) FROM {from}{}", self.sql);
        let total = match self.uncounted {
            true => None,
            false => first(connection, &count, params_from_iter(&self.values), |row| {
                Ok(row.get::<_, i64>(0)?)
            })?,
        };
        let select = format!(
            "SELECT {columns} FROM {from}{} ORDER BY {order} LIMIT ? OFFSET ?",
            self.sql
        );
        let limit = page.limit.min(Page::LIMIT_MAX);
        self.values.push(bounded(limit).into());
        self.values.push(bounded(page.offset).into());
        let rows = collect(connection, &select, params_from_iter(&self.values), read)?;
        let counted = total.and_then(|n| u64::try_from(n).ok());
        Ok(Rows {
            total: counted.unwrap_or(rows.len() as u64),
            rows,
        })
    }
}

fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Instances, by id; secrets stay closed.
pub(crate) fn instances(
    connection: &Connection,
    query: &InstanceQuery,
) -> Result<Rows<Instance>, Fault> {
    let mut filter = Filter::default();
    if !query.ids.is_empty() {
        filter.one_of("i.id", &query.ids)?;
    }
    if let Some(visible) = &query.visible {
        filter.one_of("i.id", visible)?;
    }
    if let Some(region) = &query.region {
        filter.and("i.region = ?", region.clone());
    }
    if let Some(part) = &query.search {
        filter.and("(instr(i.name, ?) > 0 OR instr(i.id, ?) > 0)", part.clone());
        filter.values.push(part.clone().into());
    }
    if let Some(name) = &query.name {
        filter.and("i.name = ?", name.clone());
    }
    if let Some(part) = &query.name_part {
        filter.and("instr(i.name, ?) > 0", part.clone());
    }
    let states: Vec<_> = query.states.iter().map(|state| state.word()).collect();
    filter.one_word_of("i.state", &states)?;
    let topologies: Vec<_> = query.topologies.iter().map(|t| t.word()).collect();
    filter.one_word_of("i.observed_topology", &topologies)?;
    let order = if query.newest_first {
        "i.created_at DESC, i.id"
    } else {
        "i.id"
    };
    filter.rows(
        connection,
        instance_columns!(),
        "instance i JOIN instance_head h ON h.instance = i.id",
        order,
        query.page,
        |row| rows::instance(row, Secrets::Absent),
    )
}

/// All identities.
pub(crate) fn instance_ids(connection: &Connection) -> Result<Vec<InstanceId>, Fault> {
    let sql = "SELECT id FROM instance ORDER BY id LIMIT ?1";
    collect(connection, sql, [INSTANCE_IDS_MAX], |row| {
        Ok(InstanceId::new(row.get::<_, String>(0)?))
    })
}

/// An instance's nodes, in the order in which they were recorded.
pub(crate) fn nodes(connection: &Connection, id: &InstanceId) -> Result<Vec<NodeRecord>, Fault> {
    let sql = concat!(
        "SELECT ",
        node_columns!(),
        " FROM node WHERE instance = ?1 ORDER BY place"
    );
    collect(connection, sql, [id.as_str()], |row| rows::node(row))
}

/// Tasks, newest first.
pub(crate) fn tasks(connection: &Connection, query: &TaskQuery) -> Result<Rows<Task>, Fault> {
    let mut filter = Filter::default();
    if let Some(id) = query.id {
        filter.and("id = ?", id.0);
    }
    if let Some(instance) = &query.instance {
        filter.and("instance = ?", instance.as_str().to_owned());
    }
    if let Some(from) = query.from {
        filter.and("created_at >= ?", from.as_millis());
    }
    if let Some(until) = query.until {
        filter.and("created_at < ?", until.as_millis());
    }
    if let Some(visible) = &query.visible {
        filter.one_of("instance", visible)?;
    }
    if let Some(name) = &query.instance_name {
        filter.and(
            "instance IN (SELECT i.id FROM instance i WHERE i.name = ?)",
            name.clone(),
        );
    }
    let kinds: Vec<_> = query.kinds.iter().map(|kind| kind.word()).collect();
    filter.one_word_of("kind", &kinds)?;
    let states: Vec<_> = query.states.iter().map(|state| state.word()).collect();
    filter.one_word_of("state", &states)?;
    let by: Vec<_> = query.by.iter().map(KeyId::as_str).collect();
    filter.one_word_of("by_key", &by)?;
    filter.rows(
        connection,
        task_columns!(),
        "task",
        "id DESC",
        query.page,
        |row| rows::task(row),
    )
}

/// One key.
pub(crate) fn key(
    connection: &Connection,
    sealer: &Sealer,
    id: &KeyId,
) -> Result<Option<AccessKey>, Fault> {
    let sql = concat!("SELECT ", key_columns!(), " FROM access_key WHERE id = ?1");
    first(connection, sql, [id.as_str()], |row| {
        rows::access_key(row, sealer)
    })
}

/// All keys, oldest first.
pub(crate) fn keys(connection: &Connection, sealer: &Sealer) -> Result<Vec<AccessKey>, Fault> {
    let sql = concat!(
        "SELECT ",
        key_columns!(),
        " FROM access_key ORDER BY created_at, id LIMIT ?1"
    );
    collect(connection, sql, [KEYS_MAX], |row| {
        rows::access_key(row, sealer)
    })
}

/// All policies, by name.
pub(crate) fn access_policies(connection: &Connection) -> Result<Vec<AccessPolicy>, Fault> {
    let sql = "SELECT name, text, changed_at, changed_by FROM access_policy ORDER BY name";
    collect(connection, sql, [], |row| rows::access_policy(row))
}

/// Audit rows.
pub(crate) fn audit(connection: &Connection, query: &AuditQuery) -> Result<Rows<AuditRow>, Fault> {
    let mut filter = Filter::default();
    if let Some(instance) = &query.instance {
        filter.and("instance = ?", instance.as_str().to_owned());
    }
    let texts = [
        ("account = ?", &query.account),
        ("access_key = ?", &query.key),
        ("outcome = ?", &query.outcome),
        ("action = ?", &query.action),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            filter.and(condition, text.clone());
        }
    }
    if let Some(since) = query.since {
        filter.and("at >= ?", since.as_millis());
    }
    if let Some(until) = query.until {
        filter.and("at < ?", until.as_millis());
    }
    if let Some(after) = query.after {
        filter.and("id > ?", bounded(after));
        filter.uncounted = true;
    }
    let order = if query.oldest_first { "id" } else { "id DESC" };
    filter.rows(
        connection,
        audit_columns!(),
        "audit",
        order,
        query.page,
        |row| rows::audit(row),
    )
}

/// A named value.
pub(crate) fn setting(connection: &Connection, name: &str) -> Result<Option<String>, Fault> {
    let mut statement = connection.prepare_cached("SELECT value FROM setting WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}
