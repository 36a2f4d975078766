//! All of the embedded store, out and in.

use super::{Contents, Guard, NOT_CONTENT, Outlet, Piece, Reading, TASK_FLOOR, Tally};
use super::{TransferError, Value, broken_off};
use crate::migrate::check_known;
use crate::open::{OpenError, check_canary_of, prepare, reader};
use crate::seal::Sealer;
use crate::settings;
use rusqlite::Connection;
use rusqlite::types::{Value as Sql, ValueRef};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A table with its columns by name, and those of its primary key in their order.
struct Table {
    name: String,
    columns: Vec<(String, String)>,
    key: Vec<String>,
}

impl Table {
    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Tables of content; those that others refer to come first.
fn tables(db: &Connection) -> Result<Vec<Table>, TransferError> {
    let mut statement = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
         ORDER BY name <> 'instance', name",
    )?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut tables = Vec::new();
    for name in names {
        let name = name?;
        if NOT_CONTENT.contains(&name.as_str()) {
            continue;
        }
        let sql = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY name";
        let mut statement = db.prepare(sql)?;
        let columns = statement.query_map([&name], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?))
        })?;
        let columns: Vec<(String, String, i64)> = columns.collect::<Result<_, _>>()?;
        let mut key: Vec<_> = columns.iter().filter(|column| column.2 > 0).collect();
        key.sort_by_key(|column| column.2);
        let key = key.into_iter().map(|column| column.0.clone()).collect();
        tables.push(Table {
            name,
            columns: columns
                .into_iter()
                .map(|(name, kind, _)| (name, kind))
                .collect(),
            key,
        });
    }
    Ok(tables)
}

/// Sends everything, as it is at one moment.
pub(super) fn read(
    path: &Path,
    sealer: &Sealer,
    reading: Reading,
    outlet: &Outlet,
    named: impl FnOnce(OpenError) -> TransferError,
) -> Result<Contents, TransferError> {
    let opened = (|| {
        if !path.exists() {
            return Err(OpenError::Io {
                path: path.to_owned(),
                source: std::io::ErrorKind::NotFound.into(),
            });
        }
        let held = match reading {
            Reading::ForGood => Some(prepare(path, sealer)?),
            Reading::Beside => None,
        };
        let db = reader(path)?;
        check_known(&db)?;
        check_canary_of(&db, sealer)?;
        Ok((held, db))
    })();
    let (_held, db) = opened.map_err(named)?;
    db.execute_batch("BEGIN")?;
    outlet.send_blocking(Piece::Start {
        by: env!("CARGO_PKG_VERSION").into(),
        next_task: settings::next_task(&db)?.0,
    })?;
    let contents = rows(&db, &mut |piece| outlet.send_blocking(piece))?;
    outlet.send_blocking(Piece::End(contents.clone()))?;
    Ok(contents)
}

/// All rows of all tables.
fn rows(
    db: &Connection,
    take: &mut dyn FnMut(Piece) -> Result<(), TransferError>,
) -> Result<Contents, TransferError> {
    let mut tally = Tally::default();
    for table in tables(db)? {
        let columns = table.names();
        tally.table(&table.name);
        take(Piece::Table {
            name: table.name.clone(),
            columns: columns.clone(),
        })?;
        let list = quoted(&columns);
        let order = quoted(&table.key);
        let sql = format!("SELECT {list} FROM \"{}\" ORDER BY {order}", table.name);
        let mut statement = db.prepare(&sql)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let mut values = Vec::with_capacity(columns.len());
            for at in 0..columns.len() {
                values.push(match row.get_ref(at)? {
                    ValueRef::Null => Value::Null(()),
                    ValueRef::Integer(number) => Value::Int(number),
                    ValueRef::Real(_) => return Err(TransferError::Damaged),
                    ValueRef::Text(text) => Value::Text(
                        std::str::from_utf8(text)
                            .map_err(|_| TransferError::Damaged)?
                            .to_owned(),
                    ),
                    ValueRef::Blob(bytes) => Value::blob(bytes),
                });
            }
            // How far the sequence is, is said at the start.
            if table.name == "setting" && values.contains(&Value::Text(TASK_FLOOR.into())) {
                continue;
            }
            tally.row(&values);
            take(Piece::Row(values))?;
        }
    }
    Ok(tally.end())
}

fn quoted(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
    columns.join(", ")
}

/// Takes everything in, in one transaction; what is in it then.
pub(super) fn write(
    path: &Path,
    sealer: &Arc<Sealer>,
    mut pieces: mpsc::Receiver<Piece>,
    named: impl FnOnce(OpenError) -> TransferError,
) -> Result<Contents, TransferError> {
    let opened = prepare(path, sealer).map_err(named)?;
    let db = &opened.writer;
    db.execute_batch("BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON")?;
    let tables = tables(db)?;
    for table in &tables {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM \"{}\")", table.name);
        if db.query_row(&sql, [], |row| row.get::<_, bool>(0))? {
            return Err(TransferError::NotEmpty(path.display().to_string()));
        }
    }
    let mut guard = Guard::new(Arc::clone(sealer));
    let mut insert = String::new();
    let mut next_task = 1;
    let sent = loop {
        match pieces.blocking_recv().ok_or_else(broken_off)? {
            Piece::Start {
                next_task: next, ..
            } => next_task = next,
            Piece::Table { name, columns } => {
                check_columns(&tables, &name, &columns)?;
                guard.table(&name, &columns);
                let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
                let (list, places) = (quoted(&columns), places.join(", "));
                insert = format!("INSERT INTO \"{name}\" ({list}) VALUES ({places})");
            }
            Piece::Row(row) => {
                guard.row(&row)?;
                let values = row.into_iter().map(to_sql);
                db.prepare_cached(&insert)?
                    .execute(rusqlite::params_from_iter(values))?;
            }
            Piece::End(contents) => break contents,
        }
    };
    let written = rows(db, &mut |_| Ok(()))?;
    sent.compare(&written)?;
    settings::put(db, TASK_FLOOR, &next_task.to_string())?;
    db.execute_batch("COMMIT")?;
    Ok(written)
}

fn check_columns(tables: &[Table], name: &str, columns: &[String]) -> Result<(), TransferError> {
    let unknown = |what: String| Err(TransferError::Unknown(what));
    let Some(table) = tables.iter().find(|table| table.name == name) else {
        return unknown(format!("the table {name}"));
    };
    for column in columns {
        if !table.columns.iter().any(|(known, _)| known == column) {
            return unknown(format!("the column {column} of {name}"));
        }
    }
    Ok(())
}

fn to_sql(value: Value) -> Sql {
    let bytes = value.bytes();
    match value {
        Value::Null(()) => Sql::Null,
        Value::Int(number) => Sql::Integer(number),
        Value::Text(text) => Sql::Text(text),
        Value::Blob { .. } => Sql::Blob(bytes.unwrap_or_default()),
    }
}
