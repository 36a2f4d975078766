//! Reads on PostgreSQL.

use crate::fault::Fault;
use crate::postgres::batch::Value;
use crate::postgres::pool::{Conn, Param};
use crate::rows::{
    self, Secrets, account_columns, audit_columns, key_columns, node_columns, task_columns,
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
use claviger_core::ports::{EXPIRING_MAX, Strikes};
use claviger_core::query::{InstanceQuery, Page, Rows, TaskQuery};
use claviger_core::task::Task;
use tokio_postgres::Row;

/// As in the embedded store.
const INSTANCE_IDS_MAX: i64 = 100_000;

/// As in the embedded store.
const KEYS_MAX: i64 = 10_000;

/// Columns of an instance, in the order of [`rows::instance`].
macro_rules! columns {
    () => {
        "i.id, i.name, i.region, i.topology, i.master_name, i.seeds, \
    i.tls, i.login_user, i.sealed_login, i.sealed_default_password, i.roles, i.state, i.engine, \
    i.observed_topology, i.unmanaged, h.revision, i.created_at, i.policy, \
    (SELECT count(*) FROM node n WHERE n.instance = i.id AND n.role = 'primary'), \
    (SELECT count(*) FROM node n WHERE n.instance = i.id AND n.role = 'replica'), \
    coalesce((SELECT d.password_free FROM account d \
        WHERE d.instance = i.id AND d.name = 'default'), false), i.tags, i.link_users"
    };
}

/// One instance under the lock of its head, and what a change must know beside it, in one row, also
/// where there is no such instance: the next task's number, whether a nonce was used, whether
/// other processes live.
pub(crate) const INSTANCE_TO_CHANGE: &str = concat!(
    "SELECT ",
    columns!(),
    ", x.next, x.used, x.shared
     FROM (SELECT nextval('task_number') AS next,
         EXISTS (SELECT 1 FROM nonce WHERE digest = $2 AND until > $3) AS used,
         EXISTS (SELECT 1 FROM member WHERE id <> $4 AND until > now()) AS shared) x
     LEFT JOIN (instance i JOIN instance_head h ON h.instance = i.id) ON i.id = $1"
);

/// One instance.
pub(crate) const INSTANCE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM instance i JOIN instance_head h ON h.instance = i.id WHERE i.id = $1"
);

const ACCOUNTS: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM account WHERE instance = $1 ORDER BY name"
);

/// One instance, and what the sequence gives next, without taking it.
const INSTANCE_AND_NEXT: &str = concat!(
    "SELECT ",
    columns!(),
    ", (SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM task_number)
         AS next
     FROM instance i JOIN instance_head h ON h.instance = i.id WHERE i.id = $1"
);

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// An instance with its accounts, all of one moment, in one way to the server and back.
pub(crate) async fn held(
    conn: &mut Conn,
    id: &InstanceId,
    secrets: Secrets<'_>,
) -> Result<Option<Held>, Fault> {
    let instance = conn.prepared(INSTANCE_AND_NEXT).await?;
    let accounts_of = conn.prepared(ACCOUNTS).await?;
    let db = &conn.client;
    let id = id.as_str();
    let key: [Param<'_>; 1] = [&id];
    let ((), found, list, ()) = tokio::try_join!(
        biased;
        db.batch_execute(SNAPSHOT),
        db.query_opt(&instance, &key),
        db.query(&accounts_of, &key),
        db.batch_execute("COMMIT"),
    )?;
    let Some(row) = found else {
        return Ok(None);
    };
    Ok(Some(Held {
        instance: rows::instance(&row, secrets)?,
        accounts: accounts(&list, id, secrets)?,
        next_task: TaskId(row.try_get("next")?),
    }))
}

/// The default account first, then by name.
pub(crate) fn accounts(
    list: &[Row],
    instance: &str,
    secrets: Secrets<'_>,
) -> Result<Vec<Account>, Fault> {
    let accounts = list.iter().map(|row| rows::account(row, instance, secrets));
    let mut accounts = accounts.collect::<Result<Vec<_>, _>>()?;
    let default = accounts
        .iter()
        .position(|account| account.kind == AccountKind::Default);
    if let Some(default) = default {
        accounts[..=default].rotate_right(1);
    }
    Ok(accounts)
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
    /// Each `?` in the condition stands for the value.
    fn and(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        let place = format!("${}", self.values.len());
        self.sql.push_str(if self.sql.is_empty() {
            " WHERE "
        } else {
            " AND "
        });
        self.sql.push_str(&condition.replace('?', &place));
    }

    fn text(&mut self, condition: &str, value: &str) {
        self.and(condition, Box::new(value.to_owned()));
    }

    /// `column` is one of `words`, if there are any.
    fn one_word_of(&mut self, column: &str, words: &[&str]) {
        if !words.is_empty() {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            self.and(&format!("{column} = ANY(?)"), Box::new(words));
        }
    }

    /// `column` is one of `ids`.
    fn one_of(&mut self, column: &str, ids: &[InstanceId]) {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        self.and(&format!("{column} = ANY(?)"), Box::new(ids));
    }

    /// The count and the page.
    async fn rows<T>(
        self,
        conn: &mut Conn,
        columns: &str,
        from: &str,
        order: &str,
        page: Page,
        read: impl Fn(&Row) -> Result<T, Fault>,
    ) -> Result<Rows<T>, Fault> {
        let (limit, offset) = (
            bounded(page.limit.min(Page::LIMIT_MAX)),
            bounded(page.offset),
        );
        let mut params: Vec<Param<'_>> = Vec::with_capacity(self.values.len() + 2);
        params.extend(self.values.iter().map(|value| &**value as Param<'_>));
        let count = format!("SELECT count(*) FROM {from}{}", self.sql);
        let total: Option<i64> = match self.uncounted {
            true => None,
            false => {
                let total = conn.first(&count, &params).await?;
                total.map(|row| row.try_get(0)).transpose()?
            }
        };
        let n = params.len();
        let select = format!(
            "SELECT {columns} FROM {from}{} ORDER BY {order} LIMIT ${} OFFSET ${}",
            self.sql,
            n + 1,
            n + 2
        );
        params.push(&limit);
        params.push(&offset);
        let list = conn.query(&select, &params).await?;
        Ok(Rows {
            rows: list.iter().map(read).collect::<Result<_, _>>()?,
            total: total.map_or(list.len() as u64, |n| u64::try_from(n).unwrap_or(0)),
        })
    }
}

fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Instances; secrets stay closed.
pub(crate) async fn instances(
    conn: &mut Conn,
    query: &InstanceQuery,
) -> Result<Rows<Instance>, Fault> {
    let mut filter = Filter::default();
    if !query.ids.is_empty() {
        filter.one_of("i.id", &query.ids);
    }
    if let Some(visible) = &query.visible {
        filter.one_of("i.id", visible);
    }
    if let Some(region) = &query.region {
        filter.text("i.region = ?", region);
    }
    if let Some(part) = &query.search {
        filter.text("(strpos(i.name, ?) > 0 OR strpos(i.id, ?) > 0)", part);
    }
    if let Some(name) = &query.name {
        filter.text("i.name = ?", name);
    }
    if let Some(part) = &query.name_part {
        filter.text("strpos(i.name, ?) > 0", part);
    }
    let states: Vec<_> = query.states.iter().map(|state| state.word()).collect();
    filter.one_word_of("i.state", &states);
    let topologies: Vec<_> = query.topologies.iter().map(|t| t.word()).collect();
    filter.one_word_of("i.observed_topology", &topologies);
    let order = if query.newest_first {
        "i.created_at DESC, i.id"
    } else {
        "i.id"
    };
    let from = "instance i JOIN instance_head h ON h.instance = i.id";
    let read = |row: &Row| rows::instance(row, Secrets::Absent);
    filter
        .rows(conn, columns!(), from, order, query.page, read)
        .await
}

/// All identities.
pub(crate) async fn instance_ids(conn: &mut Conn) -> Result<Vec<InstanceId>, Fault> {
    let sql = "SELECT id FROM instance ORDER BY id LIMIT $1";
    let list = conn.query(sql, &[&INSTANCE_IDS_MAX]).await?;
    let ids = list
        .iter()
        .map(|row| Ok(InstanceId::new(row.try_get::<_, String>(0)?)));
    ids.collect()
}

/// Accounts whose end has come; see the port.
pub(crate) async fn expiring(
    conn: &mut Conn,
    until: Timestamp,
) -> Result<Vec<(InstanceId, AccountName)>, Fault> {
    let sql = "SELECT a.instance, a.name FROM account a JOIN instance i ON i.id = a.instance
         WHERE a.expires_at IS NOT NULL AND a.expires_at <= $1 AND a.enabled AND a.life = 'live'
             AND i.state = 'running'
         ORDER BY a.expires_at LIMIT $2";
    let limit = rows::count(EXPIRING_MAX);
    let list = conn.query(sql, &[&until.as_millis(), &limit]).await?;
    let due = list.iter().map(|row| {
        let (instance, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        Ok((InstanceId::new(instance), AccountName::new(name)))
    });
    due.collect()
}

/// An instance's nodes, in the order in which they were recorded.
pub(crate) async fn nodes(conn: &mut Conn, id: &InstanceId) -> Result<Vec<NodeRecord>, Fault> {
    let sql = concat!(
        "SELECT ",
        node_columns!(),
        " FROM node WHERE instance = $1 ORDER BY place"
    );
    let list = conn.query(sql, &[&id.as_str()]).await?;
    list.iter().map(rows::node).collect()
}

/// Tasks, newest first.
pub(crate) async fn tasks(conn: &mut Conn, query: &TaskQuery) -> Result<Rows<Task>, Fault> {
    let mut filter = Filter::default();
    if let Some(id) = query.id {
        filter.and("id = ?", Box::new(id.0));
    }
    if let Some(instance) = &query.instance {
        filter.text("instance = ?", instance.as_str());
    }
    if let Some(from) = query.from {
        filter.and("created_at >= ?", Box::new(from.as_millis()));
    }
    if let Some(until) = query.until {
        filter.and("created_at < ?", Box::new(until.as_millis()));
    }
    if let Some(visible) = &query.visible {
        filter.one_of("instance", visible);
    }
    if let Some(name) = &query.instance_name {
        let condition = "instance IN (SELECT i.id FROM instance i WHERE i.name = ?)";
        filter.text(condition, name);
    }
    let kinds: Vec<_> = query.kinds.iter().map(|kind| kind.word()).collect();
    filter.one_word_of("kind", &kinds);
    let states: Vec<_> = query.states.iter().map(|state| state.word()).collect();
    filter.one_word_of("state", &states);
    let by: Vec<_> = query.by.iter().map(KeyId::as_str).collect();
    filter.one_word_of("by_key", &by);
    filter
        .rows(
            conn,
            task_columns!(),
            "task",
            "id DESC",
            query.page,
            rows::task,
        )
        .await
}

/// One key.
pub(crate) async fn key(
    conn: &mut Conn,
    sealer: &Sealer,
    id: &KeyId,
) -> Result<Option<AccessKey>, Fault> {
    let sql = concat!("SELECT ", key_columns!(), " FROM access_key WHERE id = $1");
    let row = conn.first(sql, &[&id.as_str()]).await?;
    row.map(|row| rows::access_key(&row, sealer)).transpose()
}

/// All keys, oldest first.
pub(crate) async fn keys(conn: &mut Conn, sealer: &Sealer) -> Result<Vec<AccessKey>, Fault> {
    let sql = concat!(
        "SELECT ",
        key_columns!(),
        " FROM access_key ORDER BY created_at, id LIMIT $1"
    );
    let list = conn.query(sql, &[&KEYS_MAX]).await?;
    let keys = list.iter().map(|row| rows::access_key(row, sealer));
    keys.collect()
}

/// All policies, by name.
pub(crate) async fn access_policies(conn: &mut Conn) -> Result<Vec<AccessPolicy>, Fault> {
    let sql = "SELECT name, text, changed_at, changed_by FROM access_policy ORDER BY name";
    let list = conn.query(sql, &[]).await?;
    list.iter().map(rows::access_policy).collect()
}

/// Audit rows.
pub(crate) async fn audit(conn: &mut Conn, query: &AuditQuery) -> Result<Rows<AuditRow>, Fault> {
    let mut filter = Filter::default();
    if let Some(instance) = &query.instance {
        filter.text("instance = ?", instance.as_str());
    }
    let texts = [
        ("account = ?", &query.account),
        ("access_key = ?", &query.key),
        ("outcome = ?", &query.outcome),
        ("action = ?", &query.action),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            filter.text(condition, text);
        }
    }
    if let Some(since) = query.since {
        filter.and("at >= ?", Box::new(since.as_millis()));
    }
    if let Some(until) = query.until {
        filter.and("at < ?", Box::new(until.as_millis()));
    }
    if let Some(after) = query.after {
        filter.and("id > ?", Box::new(bounded(after)));
        filter.uncounted = true;
    }
    let order = if query.oldest_first { "id" } else { "id DESC" };
    filter
        .rows(
            conn,
            audit_columns!(),
            "audit",
            order,
            query.page,
            rows::audit,
        )
        .await
}

/// A named value.
pub(crate) async fn setting(conn: &mut Conn, name: &str) -> Result<Option<String>, Fault> {
    let sql = "SELECT value FROM setting WHERE name = $1";
    let row = conn.first(sql, &[&name]).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// The failures of a scope.
pub(crate) async fn strikes(conn: &mut Conn, scope: &str) -> Result<Strikes, Fault> {
    let sql = "SELECT count, until FROM strike WHERE scope = $1";
    let Some(row) = conn.first(sql, &[&scope]).await? else {
        return Ok(Strikes::default());
    };
    let count: i64 = row.try_get(0)?;
    Ok(Strikes {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        until: Timestamp::from_millis(row.try_get(1)?),
    })
}

/// How often the keys were changed.
pub(crate) async fn keys_version(conn: &mut Conn) -> Result<i64, Fault> {
    let row = conn
        .first("SELECT number FROM mark WHERE name = 'keys'", &[])
        .await?;
    Ok(row.map_or(Ok(0), |row| row.try_get(0))?)
}
