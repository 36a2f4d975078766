//! Instances: the fleet members whose accounts are kept.

use crate::access::{InstanceFacts, Tags};
use crate::account::Account;
use crate::clock::Timestamp;
use crate::engine::Engine;
use crate::ids::{AccountName, InstanceId, NodeAddress, Revision, TaskId};
use crate::policy::InstancePolicy;
use crate::privilege::RoleName;
use crate::reach::AddressMap;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// How the nodes of an instance belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// One primary, no replica.
    Standalone,
    /// One primary and its replicas, found through ROLE.
    Replicated,
    /// A primary and replicas watched by Sentinels.
    Sentinel,
    /// A Redis or Valkey Cluster.
    Cluster,
}

/// What the operator said of the topology when the instance was registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TopologyChoice {
    /// Ask the servers.
    #[default]
    Auto,
    /// Forced.
    Standalone,
    /// Forced.
    Replicated,
    /// Forced.
    Sentinel,
    /// Forced.
    Cluster,
}

/// Whether accounts may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceState {
    /// Registered without having been seen yet: no node has answered so far.
    Registering,
    /// Seen; changes are taken.
    Running,
    /// Set aside by the operator: changes are refused and the nodes are left alone.
    Paused,
}

/// Which rules the privileges become (`docs/engines.md`, section 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleProfile {
    /// What the clouds' pages promise: KEYS, SORT and FLUSHDB work.
    #[default]
    Faithful,
    /// Without commands that block or empty the server.
    Strict,
}

/// How far the Administrator privilege reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdministratorReach {
    /// All but what reveals secrets, changes users or breaks the topology.
    #[default]
    Fenced,
    /// Every command.
    Full,
}

/// How privileges become rules on this instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RolePolicy {
    /// Faithful or strict.
    #[serde(default)]
    pub profile: RoleProfile,
    /// Taken from every role; lower case, such as `flushall`.
    #[serde(default)]
    pub disabled_commands: Vec<String>,
    /// How far Administrator reaches.
    #[serde(default)]
    pub administrator: AdministratorReach,
    /// Roles of the operator's own.
    #[serde(default)]
    pub custom: Vec<CustomRole>,
}

impl RolePolicy {
    /// Roles of one's own that an instance may have.
    pub const CUSTOM_MAX: usize = 64;

    /// The role of that name.
    pub fn custom(&self, name: &RoleName) -> Option<&CustomRole> {
        self.custom.iter().find(|role| role.name == *name)
    }
}

/// A named rule set. What its tokens may be is checked by [`crate::acl::custom_tokens_ok`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CustomRole {
    /// Its name.
    pub name: RoleName,
    /// Rule tokens, in order. Without a token for keys it is on all keys; without one for
    /// channels, on all channels.
    pub rules: Vec<String>,
}

/// How to reach a node: what `redis://` and `rediss://` URLs say, without the login.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeSeed {
    /// `host:port`.
    pub address: NodeAddress,
    /// Speak TLS to it.
    #[serde(default)]
    pub tls: bool,
}

/// File paths of the TLS material for the nodes; paths, not contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeTls {
    /// PEM file of the authorities to trust; the system's when absent.
    #[serde(default)]
    pub ca: Option<String>,
    /// PEM file of the client certificate.
    #[serde(default)]
    pub cert: Option<String>,
    /// PEM file of its key.
    #[serde(default)]
    pub key: Option<String>,
}

/// The login that claviger itself uses on the nodes.
#[derive(Clone, Debug, Default)]
pub struct NodeLogin {
    /// User name; `None` means the `default` user.
    pub user: Option<String>,
    /// Password; `None` means none is needed.
    pub password: Option<Secret>,
    /// Passwords that a node may come to hold again, newest first: from an old ACL file, or from
    /// its configuration. Tried when the newest is refused, so that we are never locked out.
    pub former: Vec<Option<Secret>>,
    /// The login on the Sentinels, if it was given; see [`SentinelLogin`].
    pub sentinel: Option<SentinelLogin>,
}

/// The login on the Sentinels, which keep users of their own. Where none was given they are
/// asked without a login, and with that of the nodes if they want one.
#[derive(Clone, Debug, Default)]
pub struct SentinelLogin {
    /// User name; `None` means the `default` user.
    pub user: Option<String>,
    /// Password; `None` means none is needed.
    pub password: Option<Secret>,
}

impl NodeLogin {
    /// It is the server's default user.
    pub fn is_default_user(&self) -> bool {
        self.user
            .as_deref()
            .is_none_or(|user| user == Account::DEFAULT_NAME)
    }
}

/// A fleet member.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Identity, also the name of its default account in Alibaba's words.
    pub id: InstanceId,
    /// A name for people.
    pub name: String,
    /// Region word, such as `cn-hangzhou`.
    pub region: String,
    /// For policies to go by.
    pub tags: Tags,
    /// What the operator said of the topology.
    pub topology: TopologyChoice,
    /// Sentinel's name of the primary, for that topology.
    pub master_name: Option<String>,
    /// Where to start looking: nodes, or Sentinels; all others are found from here.
    pub seeds: Vec<NodeSeed>,
    /// TLS material for the nodes.
    pub tls: NodeTls,
    /// Where nodes are reached that announce other addresses.
    pub map: Vec<AddressMap>,
    /// Our login on the nodes.
    pub login: NodeLogin,
    /// Clear password of the default account if it was set through us: replicas need it in
    /// `masterauth`. Sealed at rest.
    pub default_password: Option<Secret>,
    /// How privileges become rules.
    pub roles: RolePolicy,
    /// How it treats its accounts.
    pub policy: InstancePolicy,
    /// Whether changes are taken.
    pub state: InstanceState,
    /// Version of the primary when last seen; `None` while registering.
    pub engine: Option<Engine>,
    /// How the nodes belonged together when last seen.
    pub observed_topology: Option<Topology>,
    /// How many nodes take writes, when last seen; only read, never written.
    pub primaries: u32,
    /// How many nodes follow, when last seen; only read, never written.
    pub replicas: u32,
    /// The default account takes no password; only read, never written: the account has it.
    pub password_free: bool,
    /// Users on the nodes that are not ours, when last seen (bounded by the observer).
    pub unmanaged: Vec<AccountName>,
    /// Users, other than the default one, that nodes log in to their primary as, and Sentinels to
    /// the nodes, when last seen (bounded by the observer).
    pub link_users: Vec<AccountName>,
    /// The newest accepted change.
    pub revision: Revision,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// An instance with its accounts: what a decision is made on.
#[derive(Clone, Debug)]
pub struct Held {
    /// The instance.
    pub instance: Instance,
    /// All its accounts, the default account first, then by name; deleting ones included.
    pub accounts: Vec<Account>,
    /// The number that the next task gets.
    pub next_task: TaskId,
}

impl Held {
    /// The account of that name, also while it is being deleted.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts
            .iter()
            .find(|account| account.name.as_str() == name)
    }
}

/// An instance as a caller may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceView {
    /// Identity.
    pub id: InstanceId,
    /// A name for people.
    pub name: String,
    /// Region word.
    pub region: String,
    /// For policies to go by.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Whether changes are taken.
    pub state: InstanceState,
    /// What the operator said of the topology.
    pub topology_choice: TopologyChoice,
    /// How the nodes belonged together when last seen.
    pub topology: Option<Topology>,
    /// Version of the primary when last seen.
    pub engine: Option<Engine>,
    /// The registered nodes, or Sentinels.
    pub nodes: Vec<NodeSeed>,
    /// Sentinel's name of the primary, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_name: Option<String>,
    /// Where nodes are reached that announce other addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub map: Vec<AddressMap>,
    /// How privileges become rules.
    pub roles: RolePolicy,
    /// How it treats its accounts.
    #[serde(default)]
    pub policy: InstancePolicy,
    /// How many nodes take writes, when last seen.
    #[serde(default)]
    pub primaries: u32,
    /// How many nodes follow, when last seen.
    #[serde(default)]
    pub replicas: u32,
    /// The default user takes no password (as far as claviger set it).
    pub password_free: bool,
    /// The newest accepted change.
    pub revision: Revision,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl Instance {
    /// What policies may go by.
    pub fn facts(&self) -> InstanceFacts {
        InstanceFacts {
            id: self.id.clone(),
            name: self.name.clone(),
            region: self.region.clone(),
            tags: self.tags.clone(),
        }
    }

    /// Replicas or Sentinels were seen to log in as this user.
    pub fn links_with(&self, user: &AccountName) -> bool {
        self.link_users.contains(user)
    }

    /// The caller's view.
    pub fn view(&self) -> InstanceView {
        InstanceView {
            id: self.id.clone(),
            name: self.name.clone(),
            region: self.region.clone(),
            tags: self.tags.clone(),
            state: self.state,
            topology_choice: self.topology,
            topology: self.observed_topology,
            engine: self.engine,
            nodes: self.seeds.clone(),
            master_name: self.master_name.clone(),
            map: self.map.clone(),
            roles: self.roles.clone(),
            policy: self.policy,
            primaries: self.primaries,
            replicas: self.replicas,
            password_free: self.password_free,
            revision: self.revision,
            created_at: self.created_at,
        }
    }
}
