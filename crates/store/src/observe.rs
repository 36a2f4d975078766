//! What the fleet has seen of an instance.

use crate::fault::Fault;
use crate::ops::{UNMANAGED_MAX, update_one};
use crate::read;
use crate::rows::{Secrets, count, number, to_json};
use crate::words::Word;
use crate::writer::Desk;
use claviger_core::ids::InstanceId;
use claviger_core::instance::InstanceState;
use claviger_core::node::NodeRecord;
use claviger_core::ports::{Observed, StoreError};

/// Nodes of one instance that are kept: a Redis Cluster is said to end at about 1,000.
pub(crate) const NODES_MAX: usize = 2_000;

/// Users that nodes and Sentinels log in as that are kept; the observer cuts as well.
pub(crate) const LINK_USERS_MAX: usize = 256;

/// Writes what differs from what is stored; if nothing does, the commit costs no fsync.
pub(crate) fn observe(desk: &Desk, mut seen: Observed) -> Result<(), Fault> {
    let held = read::instance(&desk.connection, &seen.instance, Secrets::Absent)?;
    let held = held.ok_or(StoreError::NotFound)?;
    seen.unmanaged.truncate(UNMANAGED_MAX);
    seen.nodes.truncate(NODES_MAX);
    seen.link_users.truncate(LINK_USERS_MAX);
    let state = match held.state {
        InstanceState::Registering => InstanceState::Running,
        other => other,
    };
    let same = held.state == state
        && held.observed_topology == Some(seen.topology)
        && held.engine == seen.engine
        && held.unmanaged == seen.unmanaged
        && held.link_users == seen.link_users;
    if !same {
        update_one(
            desk,
            "UPDATE instance SET state = ?2, observed_topology = ?3, engine = ?4, unmanaged = ?5,
                 link_users = ?6
             WHERE id = ?1",
            (
                seen.instance.as_str(),
                state.word(),
                seen.topology.word(),
                seen.engine.as_ref().map(to_json).transpose()?,
                to_json(&seen.unmanaged)?,
                to_json(&seen.link_users)?,
            ),
        )?;
    }
    // A clear password is kept for as long as someone logs in with it.
    for user in &held.link_users {
        if !seen.link_users.contains(user) {
            desk.connection
                .prepare_cached(
                    "UPDATE account SET sealed_link = NULL WHERE instance = ?1 AND name = ?2",
                )?
                .execute((seen.instance.as_str(), user.as_str()))?;
        }
    }
    if read::nodes(&desk.connection, &seen.instance)? != seen.nodes {
        replace_nodes(desk, &seen.instance, &seen.nodes)?;
    }
    Ok(())
}

fn replace_nodes(desk: &Desk, id: &InstanceId, nodes: &[NodeRecord]) -> Result<(), Fault> {
    desk.connection
        .prepare_cached("DELETE FROM node WHERE instance = ?1")?
        .execute([id.as_str()])?;
    let mut statement = desk.connection.prepare_cached(
        "INSERT INTO node (instance, place, address, tls, role, engine, run_id, persistence,
             confirmed, saved)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (place, node) in nodes.iter().enumerate() {
        statement.execute((
            id.as_str(),
            count(place),
            node.address.as_str(),
            node.tls,
            node.role.word(),
            node.engine.as_ref().map(to_json).transpose()?,
            &node.run_id,
            node.persistence.word(),
            number(node.confirmed),
            number(node.saved),
        ))?;
    }
    Ok(())
}
