//! Instances as this vendor shows them. What claviger does not know of a self-hosted server
//! (prices, quotas, sizes) has a fixed value; all of these are ours and are listed in
//! `docs/wire/volcengine.md`, section 4.

use super::time;
use super::wire::{Members, Value};
use claviger_core::instance::{InstanceState, InstanceView, Topology};

/// Fixed, MiB: memory of a shard.
const SHARD_MIB: u64 = 1024;
/// Fixed: connections.
const CONNECTIONS: u64 = 10_000;
/// Fixed: how it is paid for.
pub(super) const CHARGE_TYPE: &str = "PostPaid";
/// Fixed: the project of every instance.
pub(super) const PROJECT: &str = "default";
/// Fixed: the kind of service.
pub(super) const SERVICE_TYPE: &str = "Basic";
/// Fixed: where data is.
pub(super) const DATA_LAYOUT: &str = "RAM";

/// Every state with the vendor's word for it. A paused instance takes no changes, which
/// `AllowListMaintaining` says as well; pollers go on waiting for `Running`.
pub(super) const STATES: [(InstanceState, &str); 3] = [
    (InstanceState::Registering, "Creating"),
    (InstanceState::Running, "Running"),
    (InstanceState::Paused, "AllowListMaintaining"),
];

fn status(instance: &InstanceView) -> &'static str {
    let of = |(state, _): &&(InstanceState, &str)| *state == instance.state;
    STATES.iter().find(of).map_or("Running", |(_, word)| word)
}

/// The one zone of a region; ours.
pub(super) fn zone(region: &str) -> String {
    format!("{region}-a")
}

/// Host and port of the first registered node.
fn endpoint(instance: &InstanceView) -> (String, String) {
    let first = instance.nodes.first().map(|node| node.address.as_str());
    let (host, port) = first
        .and_then(|address| address.rsplit_once(':'))
        .unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host.to_owned(), port.to_owned())
}

/// `7.0`; empty while unknown.
pub(super) fn version(instance: &InstanceView) -> String {
    let engine = instance.engine;
    engine.map_or_else(String::new, |engine| engine.short())
}

/// The members that both forms have in common.
fn common(instance: &InstanceView) -> Members {
    let shards = u64::from(instance.primaries.max(1));
    let nodes = u64::from(instance.primaries + instance.replicas).max(shards);
    let cluster = instance.topology == Some(Topology::Cluster);
    let capacity = vec![
        ("Total", Value::Int(SHARD_MIB * shards)),
        ("Used", Value::Int(0)),
    ];
    vec![
        ("InstanceId", Value::text(instance.id.as_str())),
        ("InstanceName", Value::text(&instance.name)),
        ("Status", status(instance).into()),
        ("EngineVersion", version(instance).into()),
        ("RegionId", Value::text(&instance.region)),
        ("ZoneIds", Value::List(vec![zone(&instance.region).into()])),
        ("VpcId", "".into()),
        ("ChargeType", CHARGE_TYPE.into()),
        ("CreateTime", time::format(instance.created_at).into()),
        ("ExpiredTime", "".into()),
        // Numbers, and the capacity one with a fraction: Terraform falls otherwise.
        ("NodeNumber", Value::Int(nodes / shards)),
        ("ShardNumber", Value::Int(shards)),
        ("ShardedCluster", Value::Int(u64::from(cluster))),
        ("ShardCapacity", Value::Double(1024.0)),
        ("Capacity", Value::Object(capacity)),
        ("DeletionProtection", "disabled".into()),
        ("MultiAZ", "disabled".into()),
        ("DataLayout", DATA_LAYOUT.into()),
        (
            "InstanceClass",
            if nodes > shards {
                "PrimarySecondary"
            } else {
                "Standalone"
            }
            .into(),
        ),
        ("ProjectName", PROJECT.into()),
        ("Tags", Value::List(Vec::new())),
    ]
}

/// An element of DescribeDBInstances.
pub(super) fn listed(instance: &InstanceView) -> Members {
    let (host, port) = endpoint(instance);
    let mut members = common(instance);
    members.extend([
        ("ServiceType", SERVICE_TYPE.into()),
        ("PrivateAddress", host.clone().into()),
        // Text, unlike every other number.
        ("PrivatePort", port.into()),
        ("VIP", host.into()),
        ("VIPv6", "".into()),
    ]);
    members
}

/// The answer of DescribeDBInstanceDetail.
pub(super) fn detail(instance: &InstanceView) -> Members {
    let (host, port) = endpoint(instance);
    let visit = vec![
        ("AddrType", "Private".into()),
        ("Address", host.clone().into()),
        ("Port", port.into()),
        ("VIP", host.into()),
        ("VIPv6", "".into()),
        ("EipId", "".into()),
    ];
    let node = vec![("AZ", zone(&instance.region).into())];
    // The reverse of what one would think: open is access without a password.
    let auth = if instance.password_free {
        "open"
    } else {
        "close"
    };
    let mut members = common(instance);
    members.extend([
        ("AutoRenew", Value::Bool(false)),
        ("ConfigureNodes", Value::List(vec![Value::Object(node)])),
        ("MaintenanceTime", "02:00-02:59".into()),
        ("MaxConnections", Value::Int(CONNECTIONS)),
        ("Modules", Value::List(Vec::new())),
        ("ShardCapacityV2", Value::Int(SHARD_MIB)),
        ("SubnetId", "".into()),
        ("VpcAuthMode", auth.into()),
        ("VisitAddrs", Value::List(vec![Value::Object(visit)])),
    ]);
    members
}
