//! All of the shared store, out and in.

use crate::fault::Fault;
use crate::open::OpenError;
use crate::postgres::audit;
use crate::postgres::connect::Target;
use crate::postgres::migrate;
use crate::postgres::pool::Conn;
use crate::seal::Sealer;
use crate::transfer::{
    Contents, Guard, NOT_CONTENT, Outlet, Piece, Reading, Tally, TransferError, Value, broken_off,
};
use claviger_core::secret::Secret;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, Transaction};

/// Rows that are fetched, or written, at once.
const ROWS: usize = 500;

/// The same, as the wire takes it.
const ROWS_FETCHED: i32 = 500;

/// A table with its columns by name, and those of its primary key in their order.
struct Table {
    name: String,
    columns: Vec<String>,
    key: Vec<String>,
}

/// Tables of content; those that others refer to come first.
async fn tables(transaction: &Transaction<'_>) -> Result<Vec<Table>, TransferError> {
    let rows = transaction
        .query(
            "SELECT c.relname::text,
                 (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE \"C\")
                  FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                 (SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey, a.attnum))
                  FROM pg_index i JOIN pg_attribute a
                      ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
                  WHERE i.indrelid = c.oid AND i.indisprimary)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = current_schema() AND c.relkind = 'r'
             ORDER BY c.relname <> 'instance', c.relname COLLATE \"C\"",
            &[],
        )
        .await?;
    let mut tables = Vec::new();
    for row in rows {
        let name: String = row.try_get(0)?;
        if !NOT_CONTENT.contains(&name.as_str()) {
            tables.push(Table {
                name,
                columns: row.try_get(1)?,
                key: row.try_get(2)?,
            });
        }
    }
    Ok(tables)
}

fn quoted(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
    columns.join(", ")
}

async fn open(url: &Secret, sealer: &Sealer) -> Result<Client, OpenError> {
    let way = Target::parse(url)?.ready()?;
    let mut client = way.connect().await?;
    migrate::migrate(&mut client, migrate::MIGRATIONS, sealer).await?;
    // The other end of the copy, a file or another database, may be slow.
    let patience = "SET idle_in_transaction_session_timeout TO '10min'";
    client.batch_execute(patience).await.map_err(Fault::from)?;
    Ok(client)
}

/// Sends everything, as it is at one moment.
pub(crate) async fn read(
    url: &Secret,
    sealer: &Sealer,
    reading: Reading,
    outlet: &Outlet,
    named: impl FnOnce(OpenError) -> TransferError,
) -> Result<Contents, TransferError> {
    let client = open(url, sealer).await.map_err(named)?;
    // What was committed has its place in the trail first.
    let mut conn = Conn::new(client);
    audit::link_all(&mut conn, sealer).await?;
    let mut client = conn.client;
    let transaction = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await?;
    if reading == Reading::ForGood {
        // One that ends in good order takes its row with it. One that is only slow, or was killed,
        // is given half a minute more: what it accepts meanwhile would be lost.
        let sql = "SELECT count(*) FROM member WHERE until > now() - interval '30 seconds'";
        let alive: i64 = transaction.query_one(sql, &[]).await?.try_get(0)?;
        if alive > 0 {
            return Err(TransferError::InUse(crate::postgres::shown(url)));
        }
    }
    let sql = "SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM task_number";
    outlet
        .send(Piece::Start {
            by: env!("CARGO_PKG_VERSION").into(),
            next_task: transaction.query_one(sql, &[]).await?.try_get(0)?,
        })
        .await?;
    let contents = rows(&transaction, Some(outlet)).await?;
    outlet.send(Piece::End(contents.clone())).await?;
    transaction.rollback().await?;
    Ok(contents)
}

/// All rows of all tables.
async fn rows(
    transaction: &Transaction<'_>,
    outlet: Option<&Outlet>,
) -> Result<Contents, TransferError> {
    let mut tally = Tally::default();
    for table in tables(transaction).await? {
        tally.table(&table.name);
        if let Some(outlet) = outlet {
            let (name, columns) = (table.name.clone(), table.columns.clone());
            outlet.send(Piece::Table { name, columns }).await?;
        }
        let (list, order) = (quoted(&table.columns), quoted(&table.key));
        let sql = format!("SELECT {list} FROM \"{}\" ORDER BY {order}", table.name);
        let statement = transaction.prepare(&sql).await?;
        let portal = transaction.bind(&statement, &[]).await?;
        loop {
            let found = transaction.query_portal(&portal, ROWS_FETCHED).await?;
            for row in &found {
                let values = values(row)?;
                tally.row(&values);
                if let Some(outlet) = outlet {
                    outlet.send(Piece::Row(values)).await?;
                }
            }
            if found.len() < ROWS {
                break;
            }
        }
    }
    Ok(tally.end())
}

fn values(row: &Row) -> Result<Vec<Value>, TransferError> {
    let columns = row.columns().iter().enumerate();
    let values = columns.map(|(at, column)| {
        Ok(match *column.type_() {
            Type::BOOL => row.try_get::<_, Option<bool>>(at)?.map(i64::from).into(),
            Type::INT8 => row.try_get::<_, Option<i64>>(at)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(at)?.map(i64::from).into(),
            Type::BYTEA => row
                .try_get::<_, Option<&[u8]>>(at)?
                .map_or(Value::Null(()), Value::blob),
            _ => row
                .try_get::<_, Option<String>>(at)?
                .map_or(Value::Null(()), Value::Text),
        })
    });
    values.collect()
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Value::Null(()), Value::Int)
    }
}

/// Takes everything in, in one transaction; what is in it then.
pub(crate) async fn write(
    url: &Secret,
    sealer: &Arc<Sealer>,
    pieces: &mut mpsc::Receiver<Piece>,
    named: impl FnOnce(OpenError) -> TransferError,
) -> Result<Contents, TransferError> {
    let mut client = open(url, sealer).await.map_err(named)?;
    let transaction = client.transaction().await?;
    let tables = tables(&transaction).await?;
    for table in &tables {
        let sql = format!("LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", table.name);
        transaction.batch_execute(&sql).await?;
        let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{}\")", table.name);
        if transaction.query_one(&sql, &[]).await?.try_get(0)? {
            return Err(TransferError::NotEmpty(crate::postgres::shown(url)));
        }
    }
    let mut guard = Guard::new(Arc::clone(sealer));
    let mut sink = Sink::default();
    let mut next_task = 1;
    let sent = loop {
        match pieces.recv().await.ok_or_else(broken_off)? {
            Piece::Start {
                next_task: next, ..
            } => next_task = next,
            Piece::Table { name, columns } => {
                sink.flush(&transaction).await?;
                check_columns(&tables, &name, &columns)?;
                guard.table(&name, &columns);
                sink = Sink::new(&name, columns);
            }
            Piece::Row(row) => {
                guard.row(&row)?;
                sink.rows.push(row);
                if sink.rows.len() >= ROWS {
                    sink.flush(&transaction).await?;
                }
            }
            Piece::End(contents) => break contents,
        }
    };
    sink.flush(&transaction).await?;
    let written = rows(&transaction, None).await?;
    sent.compare(&written)?;
    let sql = "SELECT setval('task_number', greatest($1::bigint, 1), false)";
    transaction.query_one(sql, &[&next_task]).await?;
    follow_identities(&transaction).await?;
    let sql = "UPDATE mark SET number = number + 1";
    transaction.execute(sql, &[]).await?;
    transaction.commit().await?;
    Ok(written)
}

/// Sequences of numbered tables go on behind what was written.
async fn follow_identities(transaction: &Transaction<'_>) -> Result<(), TransferError> {
    let rows = transaction
        .query(
            "SELECT c.relname::text, a.attname::text FROM pg_attribute a
             JOIN pg_class c ON c.oid = a.attrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = current_schema() AND a.attidentity <> ''",
            &[],
        )
        .await?;
    for row in rows {
        let (table, column): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'),
                 coalesce(max(\"{column}\"), 0) + 1, false) FROM \"{table}\""
        );
        transaction.query_one(&sql, &[]).await?;
    }
    Ok(())
}

fn check_columns(tables: &[Table], name: &str, columns: &[String]) -> Result<(), TransferError> {
    let unknown = |what: String| Err(TransferError::Unknown(what));
    let Some(table) = tables.iter().find(|table| table.name == name) else {
        return unknown(format!("the table {name}"));
    };
    match columns
        .iter()
        .find(|column| !table.columns.contains(column))
    {
        Some(column) => unknown(format!("the column {column} of {name}")),
        None => Ok(()),
    }
}

/// Rows on their way into a table.
#[derive(Default)]
struct Sink {
    sql: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Sink {
    fn new(table: &str, columns: Vec<String>) -> Self {
        let list = quoted(&columns);
        Self {
            // The server turns each text into what its column is.
            sql: format!(
                "INSERT INTO \"{table}\" ({list}) SELECT {list}
                 FROM json_populate_recordset(NULL::\"{table}\", $1::text::json)"
            ),
            columns,
            rows: Vec::new(),
        }
    }

    async fn flush(&mut self, transaction: &Transaction<'_>) -> Result<(), TransferError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = self.rows.drain(..).map(|row| {
            let cells = self.columns.iter().zip(row);
            let cells = cells.map(|(name, value)| {
                let value = match value {
                    Value::Null(()) => serde_json::Value::Null,
                    Value::Int(number) => number.into(),
                    Value::Text(text) => text.into(),
                    Value::Blob { b } => format!("\\x{b}").into(),
                };
                (name.clone(), value)
            });
            serde_json::Value::Object(cells.collect())
        });
        let text = serde_json::Value::Array(rows.collect()).to_string();
        let written = transaction.execute(&self.sql, &[&text]).await;
        written.map_err(Fault::from)?;
        Ok(())
    }
}
