//! A fleet over servers of one version.

use claviger_core::access::Tags;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{InstanceId, NodeAddress, Revision};
use claviger_core::instance::{
    Instance, InstanceState, NodeLogin, NodeSeed, NodeTls, RolePolicy, TopologyChoice,
};
use claviger_core::policy::InstancePolicy;
use claviger_core::ports::{Fleet as _, Store};
use claviger_core::sight::{AccountSight, InstanceSight, SyncState};
use claviger_fleet::{Fleet, FleetConfig};
use claviger_testkit::{
    EngineBinary, Keeps, MemoryStore, Server, ServerOptions, Session, SystemClock, eventually,
    eventually_async,
};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use claviger_testkit::session::text;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An instance, its store and its fleet.
pub(crate) struct World {
    pub(crate) id: InstanceId,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) fleet: Arc<Fleet>,
}

/// Settings that make tests quick.
pub(crate) fn quick() -> FleetConfig {
    FleetConfig {
        sweep_interval: Duration::from_millis(300),
        connect_deadline: Duration::from_millis(1000),
        command_deadline: Duration::from_millis(1000),
        backoff_first: Duration::from_millis(20),
        backoff_most: Duration::from_millis(200),
        save_interval: Duration::from_millis(100),
        ..FleetConfig::default()
    }
}

/// As an operator would register it.
pub(crate) fn instance(id: &str, seeds: &[String]) -> Instance {
    Instance {
        id: InstanceId::from(id),
        name: id.to_owned(),
        region: "cn-hangzhou".to_owned(),
        tags: Tags::new(),
        topology: TopologyChoice::Auto,
        master_name: None,
        seeds: seeds
            .iter()
            .map(|address| NodeSeed {
                address: NodeAddress::from(address.as_str()),
                tls: false,
            })
            .collect(),
        tls: NodeTls::default(),
        map: Vec::new(),
        login: NodeLogin::default(),
        default_password: None,
        roles: RolePolicy::default(),
        policy: InstancePolicy::default(),
        primaries: 0,
        replicas: 0,
        password_free: false,
        state: InstanceState::Registering,
        engine: None,
        observed_topology: None,
        unmanaged: Vec::new(),
        link_users: Vec::new(),
        revision: Revision::ZERO,
        created_at: Timestamp::default(),
    }
}

impl World {
    /// Registers the instance and starts driving it.
    pub(crate) fn new(instance: Instance, config: FleetConfig) -> Self {
        let store = Arc::new(MemoryStore::default());
        let id = instance.id.clone();
        store.add_instance(instance);
        let shared: Arc<dyn Store> = store.clone();
        let fleet = Fleet::start(shared, Arc::new(SystemClock), config);
        Self { id, store, fleet }
    }

    /// A service that starts over the same store, with nothing in memory.
    pub(crate) fn restarted(world: &World) -> Self {
        let shared: Arc<dyn Store> = world.store.clone();
        let fleet = Fleet::start(shared, Arc::new(SystemClock), quick());
        Self {
            id: world.id.clone(),
            store: Arc::clone(&world.store),
            fleet,
        }
    }

    /// Over these servers, the first of which is registered.
    pub(crate) fn over(servers: &[&Server]) -> Self {
        let seeds: Vec<String> = servers.iter().take(1).map(|s| s.address()).collect();
        Self::new(instance("r-test", &seeds), quick())
    }

    pub(crate) fn wake(&self) {
        self.fleet.wake(&self.id);
    }

    /// Makes an account and waits until every node has confirmed it.
    pub(crate) async fn create(
        &self,
        name: &str,
        password: &str,
        privilege: claviger_core::privilege::Privilege,
    ) {
        self.store.create(&self.id, name, password, privilege);
        self.wake();
        self.settled(&format!("{name} is confirmed")).await;
    }

    /// Waits until everything is confirmed.
    pub(crate) async fn settled(&self, what: &str) {
        let confirmed = || self.store.all_confirmed(&self.id);
        let deadline = std::time::Instant::now() + PATIENCE;
        while !confirmed() {
            if std::time::Instant::now() > deadline {
                panic!("not in time: {what}: {:#?}", self.sight().await);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until status says that all is well on so many nodes.
    pub(crate) async fn in_sync(&self, nodes: usize) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let sight = self.sight().await;
            if sight.in_sync && sight.nodes.len() == nodes {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "not in sync: {sight:#?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn sight(&self) -> InstanceSight {
        self.fleet.sight(&self.id).await.unwrap().unwrap()
    }

    pub(crate) async fn account(&self, name: &str) -> AccountSight {
        let sight = self.sight().await;
        sight
            .accounts
            .into_iter()
            .find(|a| a.name.as_str() == name)
            .unwrap()
    }

    /// Waits until an account is in that state.
    pub(crate) async fn reaches(&self, name: &str, state: SyncState) {
        eventually_async(&format!("{name} becomes {state:?}"), PATIENCE, || async {
            self.account(name).await.state == state
        })
        .await;
    }
}

/// A primary and its replica, connected.
pub(crate) async fn pair(binary: &EngineBinary, keeps: Keeps) -> (Server, Server) {
    pair_with(binary, keeps, &[]).await
}

/// The same with further lines of configuration for both.
pub(crate) async fn pair_with(
    binary: &EngineBinary,
    keeps: Keeps,
    lines: &[&str],
) -> (Server, Server) {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let options = ServerOptions {
        keeps,
        lines,
        ..ServerOptions::default()
    };
    let primary = Server::start(binary, &options).unwrap();
    let options = ServerOptions {
        replica_of: Some(primary.port()),
        ..options
    };
    let replica = Server::start(binary, &options).unwrap();
    eventually("the replica is linked", PATIENCE, || linked(&replica, None)).await;
    (primary, replica)
}

/// The replica's link to its primary is up.
pub(crate) fn linked(replica: &Server, password: Option<&str>) -> bool {
    let Ok(mut session) = replica.session() else {
        return false;
    };
    if let Some(password) = password
        && session.ask(&["AUTH", password]).is_err()
    {
        return false;
    }
    session
        .ask(&["INFO", "replication"])
        .is_ok_and(|info| text(&info).contains("master_link_status:up"))
}

/// The account can log in there.
pub(crate) fn logs_in(server: &Server, user: &str, password: &str) -> bool {
    // Around a switch Sentinel ends the connections of ordinary clients, which says nothing of the
    // user; the server's own refusal does.
    (0..20)
        .find_map(
            |_| match Session::login(&server.address(), user, password) {
                Ok(_) => Some(true),
                Err(error) => error.to_string().starts_with("WRONGPASS").then_some(false),
            },
        )
        .unwrap_or(false)
}

/// Redis 6.2 and 7.0 and the newest server of all, as far as they are there: what is watched over
/// takes long. With `CLAVIGER_TEST_ALL_ENGINES` set, one server of each minor version.
pub(crate) fn few_engines() -> Vec<&'static EngineBinary> {
    let mut few: Vec<&EngineBinary> = Vec::new();
    for binary in claviger_testkit::found_engines() {
        let same = |held: &&mut &EngineBinary| {
            let (held, new) = (held.engine, binary.engine);
            (held.family, held.major, held.minor) == (new.family, new.major, new.minor)
        };
        match few.iter_mut().find(same) {
            Some(held) if held.engine.patch < binary.engine.patch => *held = binary,
            Some(_) => {}
            None => few.push(binary),
        }
    }
    if std::env::var_os("CLAVIGER_TEST_ALL_ENGINES").is_some() {
        return few;
    }
    let newest = few.iter().map(|b| (b.engine.major, b.engine.minor)).max();
    few.retain(|binary| {
        let version = (binary.engine.major, binary.engine.minor);
        [(6, 2), (7, 0)].contains(&version) || Some(version) == newest
    });
    few
}

/// No sweep within a test's life: what is noticed is noticed by a signal.
pub(crate) fn unswept() -> FleetConfig {
    FleetConfig {
        sweep_interval: Duration::from_secs(3600),
        glance_interval: Duration::from_millis(100),
        ..quick()
    }
}

impl World {
    /// Waits until the node is shown in that part, and reachable.
    pub(crate) async fn shows(&self, address: &str, role: claviger_core::node::NodeRole) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let sight = self.sight().await;
            let mut nodes = sight.nodes.iter();
            if nodes.any(|n| n.address.as_str() == address && n.role == role && n.reachable) {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{address} is not shown as {role:?}: {sight:#?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes accounts, `PREFIX0` and so on, without waiting for anything but a moment, until
    /// `enough` says so; their names.
    pub(crate) async fn create_until(
        &self,
        prefix: &str,
        mut enough: impl FnMut() -> bool,
    ) -> Vec<String> {
        use claviger_core::privilege::Privilege;
        let begun = std::time::Instant::now();
        let mut names = Vec::new();
        while !enough() {
            assert!(begun.elapsed() < PATIENCE, "not in time: {prefix}");
            let name = format!("{prefix}{}", names.len());
            let store = &self.store;
            store.create(&self.id, &name, "first-Password1", Privilege::ReadWrite);
            self.wake();
            names.push(name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        names
    }
}
