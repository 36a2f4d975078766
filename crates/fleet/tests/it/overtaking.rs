//! A change gets through while others wait: for room to connect, for room to look things over.
//! And connections that servers end, as in a failover, are made anew at once.

use crate::common::{PATIENCE, instance, quick};
use claviger_core::ids::InstanceId;
use claviger_core::ports::{Fleet as _, Store};
use claviger_core::privilege::Privilege;
use claviger_fleet::{Fleet, FleetConfig};
use claviger_testkit::simnode::SimNodes;
use claviger_testkit::{MemoryStore, SystemClock, eventually_async};
use std::sync::Arc;
use std::time::Duration;

/// As many of everything at once.
const ROOM: u32 = 2;
/// Nodes that are always well. The ones before them fall silent.
const USERS: u32 = 10;
const BYSTANDER: u32 = 11;
/// No deadline ends what is silent while the test lives.
const NEVER: Duration = Duration::from_secs(3600);

struct World {
    nodes: SimNodes,
    store: Arc<MemoryStore>,
    fleet: Arc<Fleet>,
}

fn id(n: u32) -> InstanceId {
    InstanceId::from(format!("r-{n}").as_str())
}

impl World {
    /// Instances of one node each, all connected and swept once.
    async fn new(sweep_interval: Duration) -> Self {
        let nodes = SimNodes::start().await.unwrap();
        let store = Arc::new(MemoryStore::default());
        for n in (0..4).chain([USERS, BYSTANDER]) {
            let address = nodes.address(n).to_string();
            store.add_instance(instance(id(n).as_str(), &[address]));
            let store = &store;
            store.create(&id(n), "app", "first-Password1", Privilege::ReadWrite);
        }
        let shared: Arc<dyn Store> = store.clone();
        let config = FleetConfig {
            sweep_interval,
            connect_deadline: NEVER,
            command_deadline: NEVER,
            connects_max: ROOM as usize,
            reconciles_max: ROOM as usize,
            ..quick()
        };
        let fleet = Fleet::start(shared, Arc::new(SystemClock), config);
        let world = Self {
            nodes,
            store,
            fleet,
        };
        for n in (0..4).chain([USERS, BYSTANDER]) {
            world.holds(n, "app").await;
        }
        world
    }

    async fn holds(&self, n: u32, name: &str) {
        let name = name.to_owned();
        eventually_async(&format!("{name} on node {n}"), PATIENCE, async || {
            self.nodes.users(n).contains(&name) && self.store.all_confirmed(&id(n))
        })
        .await;
    }

    async fn connected(&self, n: u32) -> bool {
        let sight = self.fleet.sight(&id(n)).await.unwrap().unwrap();
        sight.nodes.iter().any(|node| node.reachable)
    }

    fn change(&self) {
        let (store, id) = (&self.store, id(USERS));
        store.create(&id, "late", "second-Password2", Privilege::ReadOnly);
        self.fleet.wake(&id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_does_not_wait_for_the_connections_of_others() {
    let world = World::new(NEVER).await;
    // They take connections and never answer: all room is theirs.
    for n in 0..4 {
        world.nodes.mute(n);
        world.nodes.cut(n);
    }
    eventually_async("the silent nodes hold all room", PATIENCE, async || {
        world.nodes.unheard() >= u64::from(ROOM)
    })
    .await;
    for n in [USERS, BYSTANDER] {
        world.nodes.cut(n);
        eventually_async("it is lost", PATIENCE, async || !world.connected(n).await).await;
    }
    world.change();
    world.holds(USERS, "late").await;
    assert!(!world.connected(BYSTANDER).await, "there was room for all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_node_is_back_does_not_wait_for_the_sweeps_of_others() {
    let world = World::new(Duration::from_millis(300)).await;
    // What was done for the users themselves is over when sweeps have begun.
    for n in 0..4 {
        let before = world.nodes.heard(n);
        eventually_async("sweeps", PATIENCE, async || {
            world.nodes.heard(n) >= before + 8
        })
        .await;
    }
    // Sweeps of silent nodes take all room that there is for looking things over.
    for n in 0..4 {
        world.nodes.mute(n);
    }
    eventually_async("sweeps wait for silent nodes", PATIENCE, async || {
        world.nodes.unheard() >= u64::from(ROOM)
    })
    .await;
    world.nodes.stop(USERS, true);
    eventually_async("it is lost", PATIENCE, async || {
        !world.connected(USERS).await
    })
    .await;
    let reads = world.store.reads();
    world.change();
    eventually_async("the node is seen to be away", PATIENCE, async || {
        world.store.reads() > reads
    })
    .await;
    world.nodes.stop(USERS, false);
    world.holds(USERS, "late").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_of_use_is_made_anew_without_a_growing_wait() {
    let nodes = SimNodes::start().await.unwrap();
    let store = Arc::new(MemoryStore::default());
    store.add_instance(instance("r-test", &[nodes.address(0).to_string()]));
    let config = FleetConfig {
        sweep_interval: NEVER,
        backoff_first: Duration::from_millis(1),
        // Doubled for each of the ends below, a wait would be longer than the test's patience.
        backoff_most: NEVER,
        ..quick()
    };
    let _fleet = Fleet::start(store, Arc::new(SystemClock), config);
    for end in 1..=20 {
        eventually_async("connected", PATIENCE, async || {
            nodes.connections() == 1 && nodes.attempts() >= end
        })
        .await;
        // It is of use for a while: that is what is tried here.
        tokio::time::sleep(Duration::from_millis(50)).await;
        nodes.cut(0);
        eventually_async("ended", PATIENCE, async || {
            nodes.attempts() > end || nodes.connections() == 0
        })
        .await;
    }
}
