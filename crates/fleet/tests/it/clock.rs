//! The wall clock jumps; nodes are driven by another one.

use crate::common::{PATIENCE, World, instance, logs_in, quick};
use claviger_core::clock::Timestamp;
use claviger_core::ids::InstanceId;
use claviger_core::ports::Store;
use claviger_core::privilege::Privilege;
use claviger_fleet::Fleet;
use claviger_testkit::{FixedClock, MemoryStore, Server, ServerOptions, eventually, found_engines};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_changes_nothing() {
    const DAY_MS: i64 = 86_400_000;
    let server = Server::start(&found_engines()[0], &ServerOptions::default()).unwrap();
    let store = Arc::new(MemoryStore::default());
    store.add_instance(instance("r-test", &[server.address()]));
    let clock = Arc::new(FixedClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let shared: Arc<dyn Store> = store.clone();
    let fleet = Fleet::start(shared, clock.clone(), quick());
    let id = InstanceId::from("r-test");
    let world = World { id, store, fleet };
    let jumps = [0, DAY_MS, -30 * DAY_MS, 3_650 * DAY_MS, -20_000 * DAY_MS];
    for (n, jump) in jumps.into_iter().enumerate() {
        clock.advance_ms(jump);
        let name = format!("ape{n}");
        world
            .create(&name, "first-Password1", Privilege::ReadOnly)
            .await;
        clock.advance_ms(-jump / 2);
        server.ask(&["ACL", "DELUSER", &name]).unwrap();
        eventually("put back by the sweep", PATIENCE, || {
            logs_in(&server, &name, "first-Password1")
        })
        .await;
        clock.advance_ms(jump);
        world.store.delete(&world.id, &name);
        world.wake();
        eventually("deleted", PATIENCE, || {
            !logs_in(&server, &name, "first-Password1")
        })
        .await;
    }
}
