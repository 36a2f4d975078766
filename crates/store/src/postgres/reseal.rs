//! Sealing again under the current master key, on PostgreSQL; see `crate::reseal`.

use crate::fault::Fault;
use crate::postgres::pool::Conn;
use crate::reseal::COLUMNS;
use crate::seal::Sealer;

/// The statements are those of the embedded store; parameters are written otherwise.
fn of(sql: &str) -> String {
    sql.replace('?', "$")
}

/// How many secrets are sealed under a former key.
pub(crate) async fn left(conn: &mut Conn, sealer: &Sealer) -> Result<u64, Fault> {
    let current = sealer.current_id();
    let mut sum = 0;
    for column in &COLUMNS {
        let row = conn.first(&of(column.count), &[&&current[..]]).await?;
        let count: i64 = row.map_or(Ok(0), |row| row.try_get(0))?;
        sum += u64::try_from(count).unwrap_or(0);
    }
    Ok(sum)
}

/// Seals at most `limit` again, in one transaction; 0 if none is left after that.
pub(crate) async fn reseal(conn: &mut Conn, sealer: &Sealer, limit: u64) -> Result<u64, Fault> {
    let current = sealer.current_id();
    let mut room = limit;
    let mut passed_over = 0;
    conn.run("BEGIN").await?;
    for column in &COLUMNS {
        let most = i64::try_from(room).unwrap_or(i64::MAX);
        // Nobody changes them meanwhile; those that someone is just changing come later.
        let find = format!("{} FOR UPDATE SKIP LOCKED", of(column.find));
        let list = conn.query(&find, &[&&current[..], &most]).await?;
        for row in &list {
            let (one, two, blob): (&str, &str, &[u8]) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let clear = sealer.open((column.place)(one, two), blob)?;
            let again = sealer.seal((column.place)(one, two), &clear)?;
            conn.execute(&of(column.set), &[&one, &two, &again]).await?;
        }
        room -= list.len() as u64;
        if room == 0 {
            passed_over = 1;
            break;
        }
    }
    conn.run("COMMIT").await?;
    match passed_over {
        0 => left(conn, sealer).await,
        more => Ok(more),
    }
}
