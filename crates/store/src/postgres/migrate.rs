//! The schema's history on PostgreSQL: as in `migrate`, but all that is missing runs in one
//! transaction, and processes that start together wait for each other.

use crate::fault::Fault;
use crate::migrate::{Migration, checksum};
use crate::open::OpenError;
use crate::seal::{SealError, Sealer};
use crate::sealed::{CANARY, CANARY_TEXT};
use tokio_postgres::{Client, Transaction};

/// All of them, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "001-start",
        sql: include_str!("../sql/postgres/001-start.sql"),
    },
    Migration {
        version: 2,
        name: "002-access",
        sql: include_str!("../sql/postgres/002-access.sql"),
    },
    Migration {
        version: 3,
        name: "003-links-and-past-passwords",
        sql: include_str!("../sql/postgres/003-links-and-past-passwords.sql"),
    },
];

/// The advisory lock of the schema: `CLVG`, twice.
const LOCK: i64 = 0x434C_5647_434C_5647;

/// Brings the schema up to `migrations` and checks the master key; both or neither.
///
/// # Errors
/// [`OpenError::Foreign`], [`OpenError::Newer`], [`OpenError::Edited`],
/// [`OpenError::WrongMasterKey`], or what the database says.
pub(crate) async fn migrate(
    client: &mut Client,
    migrations: &[Migration],
    sealer: &Sealer,
) -> Result<(), OpenError> {
    let transaction = client.transaction().await.map_err(Fault::from)?;
    run(&transaction, migrations, sealer).await?;
    transaction.commit().await.map_err(Fault::from)?;
    Ok(())
}

async fn run(
    transaction: &Transaction<'_>,
    migrations: &[Migration],
    sealer: &Sealer,
) -> Result<(), OpenError> {
    // Another process may be at it, with a large store.
    let wait = "SET LOCAL lock_timeout TO '60s'";
    transaction.batch_execute(wait).await.map_err(Fault::from)?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await
        .map_err(Fault::from)?;
    recognise(transaction).await?;
    let applied = applied(transaction).await?;
    let known = migrations.last().map_or(0, |migration| migration.version);
    if let Some((found, _)) = applied.last().filter(|(newest, _)| *newest > known) {
        return Err(OpenError::Newer {
            found: *found,
            known,
        });
    }
    for migration in migrations {
        let version = migration.version;
        let checksum = checksum(migration.sql);
        match applied.iter().find(|(held, _)| *held == version) {
            Some((_, held)) if *held == checksum => continue,
            Some(_) => return Err(OpenError::Edited { version }),
            None => {}
        }
        let sql = migration.sql;
        transaction.batch_execute(sql).await.map_err(Fault::from)?;
        transaction
            .execute(
                "INSERT INTO migration (version, name, checksum) VALUES ($1, $2, $3)",
                &[&version, &migration.name, &checksum],
            )
            .await
            .map_err(Fault::from)?;
    }
    check_canary(transaction, sealer).await
}

/// An empty schema becomes ours; one of another application stays as it is.
async fn recognise(transaction: &Transaction<'_>) -> Result<(), OpenError> {
    let row = transaction
        .query_one(
            "SELECT to_regclass('migration') IS NOT NULL,
                 (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm'))",
            &[],
        )
        .await
        .map_err(Fault::from)?;
    let (ours, tables): (bool, i64) = (row.get(0), row.get(1));
    if !ours && tables > 0 {
        return Err(OpenError::Foreign);
    }
    if !ours {
        let sql = "CREATE TABLE migration (version BIGINT PRIMARY KEY, name TEXT NOT NULL, \
             checksum TEXT NOT NULL)";
        transaction.batch_execute(sql).await.map_err(Fault::from)?;
    }
    Ok(())
}

async fn applied(transaction: &Transaction<'_>) -> Result<Vec<(i64, String)>, OpenError> {
    let sql = "SELECT version, checksum FROM migration ORDER BY version";
    // A table of that name that is not ours has other columns.
    let rows = transaction.query(sql, &[]).await;
    let rows = rows.map_err(|error| match error.code() {
        Some(&tokio_postgres::error::SqlState::UNDEFINED_COLUMN) => OpenError::Foreign,
        _ => Fault::from(error).into(),
    })?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn check_canary(transaction: &Transaction<'_>, sealer: &Sealer) -> Result<(), OpenError> {
    let found = transaction
        .query_opt("SELECT sealed FROM canary WHERE id = 1", &[])
        .await
        .map_err(Fault::from)?;
    let Some(row) = found else {
        let blob = sealer.seal(CANARY, CANARY_TEXT).map_err(Fault::from)?;
        transaction
            .execute("INSERT INTO canary (id, sealed) VALUES (1, $1)", &[&blob])
            .await
            .map_err(Fault::from)?;
        return Ok(());
    };
    match sealer.open(CANARY, row.get(0)) {
        Ok(text) if *text == CANARY_TEXT => Ok(()),
        Err(SealError::OtherKey) => Err(OpenError::WrongMasterKey),
        Ok(_) => Err(Fault::Seal(SealError::Damaged).into()),
        Err(error) => Err(Fault::Seal(error).into()),
    }
}
