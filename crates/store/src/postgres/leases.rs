//! Which process drives which instance.
//!
//! A process says again and again that it lives; its leases are good for as long as it is
//! believed. So a heartbeat is one row, however many instances there are. The database's clock
//! decides, not those of the processes.

use crate::fault::Fault;
use crate::postgres::batch::{Batch, values};
use crate::postgres::pool::Conn;
use claviger_core::ids::InstanceId;
use claviger_core::ports::{Epoch, LeaseAsk, Leases, Shown, StoreError};
use tokio_postgres::Row;

/// A lease that nobody has: its holder gave it up or is not believed to live.
const CLAIM: &str = "WITH free AS (
        SELECT i.id FROM instance i
        LEFT JOIN lease l ON l.instance = i.id
        LEFT JOIN member m ON m.id = l.holder AND m.until > now()
        WHERE m.id IS NULL
        ORDER BY i.id LIMIT $2
    )
    INSERT INTO lease AS l (instance, holder, epoch)
    SELECT id, $1, 1 FROM free
    ON CONFLICT (instance) DO UPDATE SET holder = $1, epoch = l.epoch + 1
    WHERE NOT EXISTS (SELECT 1 FROM member m WHERE m.id = l.holder AND m.until > now())";

const COUNT: &str = "SELECT (SELECT count(*) FROM member WHERE until > now()),
        (SELECT count(*) FROM instance),
        (SELECT count(*) FROM lease WHERE holder = $1)";

/// Says that the process lives, and takes what is free, up to its fair share.
pub(crate) async fn lease(conn: &mut Conn, ask: &LeaseAsk) -> Result<Leases, Fault> {
    // Losing a heartbeat with the primary costs a take-over, no more: it waits for no disk.
    conn.run("BEGIN; SET LOCAL synchronous_commit TO off")
        .await?;
    conn.execute(
        "INSERT INTO member (id, until)
         VALUES ($1, clock_timestamp() + $2::bigint * interval '1 ms')
         ON CONFLICT (id) DO UPDATE SET until = excluded.until",
        &[&ask.holder, &i64::from(ask.lasting_ms)],
    )
    .await?;
    conn.run("COMMIT").await?;
    let row = conn.first(COUNT, &[&ask.holder]).await?;
    let row = row.ok_or(StoreError::NotFound)?;
    let (members, instances, held): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let share = instances.max(0).div_euclid(members.max(1))
        + i64::from(instances.rem_euclid(members.max(1)) > 0);
    let wanted = (share - held).min(i64::from(ask.claim_max));
    if wanted > 0 {
        conn.execute(CLAIM, &[&ask.holder, &wanted]).await?;
    }
    let sql = "SELECT instance, epoch FROM lease WHERE holder = $1";
    let list = conn.query(sql, &[&ask.holder]).await?;
    let held = list.iter().map(|row| {
        let id: String = row.try_get(0)?;
        Ok((InstanceId::new(id), Epoch(row.try_get(1)?)))
    });
    let held = held.collect::<Result<Vec<_>, Fault>>()?;
    let share = usize::try_from(share).unwrap_or(usize::MAX);
    Ok(Leases {
        surplus: held.len().saturating_sub(share),
        held,
        members: u32::try_from(members).unwrap_or(u32::MAX).max(1),
    })
}

/// Gives instances up, or everything.
pub(crate) async fn release(
    conn: &mut Conn,
    holder: &str,
    ids: Option<&[InstanceId]>,
) -> Result<(), Fault> {
    let Some(ids) = ids else {
        conn.execute("DELETE FROM member WHERE id = $1", &[&holder])
            .await?;
        return Ok(());
    };
    let ids: Vec<&str> = ids.iter().map(InstanceId::as_str).collect();
    let sql = "UPDATE lease SET holder = '' WHERE holder = $1 AND instance = ANY($2)";
    conn.execute(sql, &[&holder, &ids]).await.map(drop)
}

/// The leases of instances. Their rows stay locked, so that nobody takes one over before what
/// follows is committed.
pub(crate) const FENCE: &str = "SELECT instance, epoch FROM lease WHERE instance = ANY($1)
     ORDER BY instance FOR SHARE";

/// Refuses what follows in the transaction unless the leases are still those.
pub(crate) fn check(found: &[Row], fences: &[(&InstanceId, Epoch)]) -> Result<(), Fault> {
    for row in found {
        let (id, now): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        // One that is not found was removed with its instance: what follows finds nothing either.
        let mut of_it = fences.iter().filter(|(fenced, _)| fenced.as_str() == id);
        if of_it.any(|(_, epoch)| epoch.0 != now) {
            return Err(StoreError::Stale.into());
        }
    }
    Ok(())
}

/// Keeps what the driver sees.
pub(crate) fn show(batch: &mut Batch, id: &InstanceId, epoch: Epoch, text: &str) {
    batch.add(
        "INSERT INTO seat AS s (instance, epoch, seen)
         SELECT i.id, $2, $3 FROM instance i WHERE i.id = $1
         ON CONFLICT (instance) DO UPDATE SET epoch = excluded.epoch, seen = excluded.seen
         WHERE s.epoch <= excluded.epoch",
        values![id.to_string(), epoch.0, text.to_owned()],
    );
}

/// What the driver saw last.
pub(crate) async fn shown(conn: &mut Conn, id: &InstanceId) -> Result<Option<Shown>, Fault> {
    let sql = "SELECT s.seen, EXISTS (
             SELECT 1 FROM lease l JOIN member m ON m.id = l.holder
             WHERE l.instance = s.instance AND l.epoch = s.epoch AND m.until > now())
         FROM seat s WHERE s.instance = $1";
    let row = conn.first(sql, &[&id.as_str()]).await?;
    row.map(|row| {
        Ok(Shown {
            text: row.try_get(0)?,
            live: row.try_get(1)?,
        })
    })
    .transpose()
}
