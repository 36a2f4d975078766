//! What the fleet has confirmed and seen, on PostgreSQL.

use crate::fault::Fault;
use crate::observe::{LINK_USERS_MAX, NODES_MAX};
use crate::ops::UNMANAGED_MAX;
use crate::postgres::batch::{Batch, values};
use crate::postgres::past;
use crate::postgres::pool::Conn;
use crate::postgres::read;
use crate::rows::{count, number, to_json};
use crate::words::Word;
use claviger_core::clock::Timestamp;
use claviger_core::ids::InstanceId;
use claviger_core::ports::{Confirm, Observed, StoreError};

/// Records confirmations: as in the embedded store, those that came too late do nothing, or as
/// much as they prove.
pub(crate) fn confirm(batch: &mut Batch, instance: &InstanceId, what: &Confirm, at: Timestamp) {
    let (ids, revisions): (Vec<String>, Vec<i64>) = what
        .accounts
        .iter()
        .map(|(id, revision)| (id.to_string(), number(*revision)))
        .unzip();
    if !ids.is_empty() {
        // Up to what was seen, but never beyond the account's own revision, and never back.
        batch.add(
            "WITH seen AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS s (id, revision)),
             live AS (
                 UPDATE account a SET confirmed = greatest(a.confirmed,
                         least(s.revision, a.revision)),
                     replaces = a.replaces AND s.revision < a.revision,
                     sealed_leaving =
                         CASE WHEN s.revision < a.revision THEN a.sealed_leaving END
                 FROM seen s
                 WHERE a.instance = $1 AND a.id = s.id
                     AND (a.life = 'live' OR s.revision < a.revision)
                 RETURNING a.id, a.confirmed
             )
             UPDATE task t SET state = 'succeeded', finished_at = $4
             FROM live l
             WHERE t.instance = $1 AND t.account = l.id AND t.state = 'running'
                 AND t.revision <= l.confirmed",
            values![instance.to_string(), ids, revisions, at.as_millis()],
        );
    }
    let (ids, revisions): (Vec<String>, Vec<i64>) = what
        .gone
        .iter()
        .map(|(id, revision)| (id.to_string(), number(*revision)))
        .unzip();
    if !ids.is_empty() {
        past::keep_ending(batch, instance, (&ids, &revisions), at);
        batch.add(
            "WITH seen AS (SELECT * FROM unnest($2::text[], $3::bigint[]) AS s (id, revision)),
             gone AS (
                 DELETE FROM account a USING seen s
                 WHERE a.instance = $1 AND a.id = s.id AND a.life = 'deleting'
                     AND a.revision = s.revision
                 RETURNING a.id
             )
             UPDATE task t SET finished_at = $4,
                 state = CASE t.kind WHEN 'delete-account' THEN 'succeeded' ELSE 'superseded' END
             FROM gone g
             WHERE t.instance = $1 AND t.account = g.id AND t.state = 'running'",
            values![instance.to_string(), ids, revisions, at.as_millis()],
        );
    }
}

/// Writes what differs from what is stored.
pub(crate) async fn observe(conn: &mut Conn, seen: &Observed) -> Result<(), Fault> {
    let id = seen.instance.as_str();
    let unmanaged = &seen.unmanaged[..seen.unmanaged.len().min(UNMANAGED_MAX)];
    let users = &seen.link_users[..seen.link_users.len().min(LINK_USERS_MAX)];
    let nodes = &seen.nodes[..seen.nodes.len().min(NODES_MAX)];
    let known = conn
        .first("SELECT 1 FROM instance WHERE id = $1", &[&id])
        .await?;
    if known.is_none() {
        return Err(StoreError::NotFound.into());
    }
    let mut batch = Batch::default();
    batch.add(
        "UPDATE instance SET observed_topology = $2, engine = $3, unmanaged = $4,
             link_users = $5, state = CASE state WHEN 'registering' THEN 'running' ELSE state END
         WHERE id = $1 AND (observed_topology IS DISTINCT FROM $2 OR engine IS DISTINCT FROM $3
             OR unmanaged <> $4 OR link_users <> $5 OR state = 'registering')",
        values![
            id.to_owned(),
            seen.topology.word(),
            seen.engine.as_ref().map(to_json).transpose()?,
            to_json(&unmanaged)?,
            to_json(&users)?,
        ],
    );
    // A clear password is kept for as long as someone logs in with it.
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    batch.add(
        "UPDATE account SET sealed_link = NULL
         WHERE instance = $1 AND sealed_link IS NOT NULL AND name <> ALL($2)",
        values![id.to_owned(), users],
    );
    if read::nodes(conn, &seen.instance).await? != nodes {
        batch.add(
            "DELETE FROM node WHERE instance = $1",
            values![id.to_owned()],
        );
        for (place, node) in nodes.iter().enumerate() {
            batch.add(
                "INSERT INTO node (instance, place, address, tls, role, engine, run_id,
                     persistence, confirmed, saved)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                values![
                    id.to_owned(),
                    count(place),
                    node.address.to_string(),
                    node.tls,
                    node.role.word(),
                    node.engine.as_ref().map(to_json).transpose()?,
                    node.run_id.clone(),
                    node.persistence.word(),
                    number(node.confirmed),
                    number(node.saved),
                ],
            );
        }
    }
    batch.run(conn).await.map(drop)
}
