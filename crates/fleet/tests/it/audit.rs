//! What was done on nodes stands in the audit trail.

use crate::common::{PATIENCE, World, pair};
use claviger_core::audit::{AuditEntry, AuditQuery};
use claviger_core::ports::Store as _;
use claviger_core::privilege::Privilege;
use claviger_testkit::{Keeps, found_engines};
use std::time::{Duration, Instant};
use tokio::time::sleep;

async fn rows(world: &World, action: &str) -> Vec<AuditEntry> {
    let query = AuditQuery {
        action: Some(action.to_owned()),
        ..AuditQuery::default()
    };
    let rows = world.store.audit(&query).await.unwrap().rows;
    rows.into_iter().map(|row| row.entry).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deeds_are_told() {
    let (primary, replica) = pair(&found_engines()[0], Keeps::Nothing).await;
    let world = World::over(&[&primary]);
    world
        .create("app", "first-Password1", Privilege::ReadWrite)
        .await;
    let nodes = [primary.address(), replica.address()];
    told(&world, &nodes, "node.set-user").await;
    for server in [&primary, &replica] {
        server.ask(&["ACL", "SETUSER", "app", "off"]).unwrap();
    }
    told(&world, &nodes, "node.repair-user").await;
    world.store.delete(&world.id, "app");
    world.wake();
    told(&world, &nodes, "node.remove-user").await;
}

/// Polls until some row tells of it, for the account, on each node.
async fn told(world: &World, nodes: &[String], action: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all = rows(world, action).await;
        let fine = |row: &&AuditEntry| {
            row.dialect == "fleet" && row.account == "app" && row.outcome == "ok"
        };
        let details: Vec<_> = all.iter().filter(fine).map(|row| &row.detail).collect();
        let on = |node: &String| details.iter().any(|detail| detail.contains(node));
        if nodes.iter().all(on) {
            return;
        }
        assert!(Instant::now() < deadline, "{action}: {all:?}");
        sleep(Duration::from_millis(20)).await;
    }
}
