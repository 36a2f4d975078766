//! Instances as this vendor shows them. What claviger does not know of a self-hosted server
//! (prices, quotas, sizes) has a fixed value; all of these are ours and are listed in
//! `docs/wire/tencent.md`, section 4.

use super::time;
use super::wire::{Members, Value};
use claviger_core::engine::{Engine, Family};
use claviger_core::instance::{InstanceState, InstanceView, Topology};

/// Fixed, MB.
const SIZE_MB: f64 = 1024.0;
/// Fixed, MB.
const SHARD_SIZE_MB: i64 = 1024;
/// Fixed: connections.
const CLIENTS: i64 = 10_000;
/// Fixed, MB/s.
const NET_MB_S: i64 = 96;
/// Weight of replicas in reads: all or nothing.
const READS_ON: i64 = 100;

/// 0 to be initialised, 2 running, -2 isolated.
pub(super) fn status(state: InstanceState) -> i64 {
    match state {
        InstanceState::Registering => 0,
        InstanceState::Running => 2,
        InstanceState::Paused => -2,
    }
}

/// The states that such a number means.
pub(super) fn states(number: i64) -> Option<InstanceState> {
    [
        InstanceState::Registering,
        InstanceState::Running,
        InstanceState::Paused,
    ]
    .into_iter()
    .find(|state| status(*state) == number)
}

/// The vendor's number of an engine and architecture: the nearest one that it has, 7.0 while the
/// version is not known.
fn kind(engine: Option<Engine>, cluster: bool) -> i64 {
    let standard = match engine.map(|e| (e.family, e.major)) {
        Some((Family::Redis, ..=3)) => 2,
        Some((Family::Redis, 4)) => 6,
        Some((Family::Redis, 5)) => 8,
        Some((Family::Redis, 6)) => 15,
        Some((Family::Valkey, 8..)) => 19,
        _ => 17,
    };
    match (standard, cluster) {
        // Of 2.8 the two numbers lie apart.
        (2, true) => 5,
        (standard, cluster) => standard + i64::from(cluster),
    }
}

/// Host and port of the first registered node.
fn endpoint(instance: &InstanceView) -> (String, i64) {
    let first = instance.nodes.first().map(|node| node.address.as_str());
    let (host, port) = first
        .and_then(|address| address.rsplit_once(':'))
        .unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host.to_owned(), port.parse().unwrap_or(6379))
}

/// An element of DescribeInstances.
pub(super) fn listed(instance: &InstanceView) -> Members {
    let cluster = instance.topology == Some(Topology::Cluster);
    let (host, port) = endpoint(instance);
    let shards = i64::from(instance.primaries.max(1));
    let replicas = i64::from(instance.replicas) / shards;
    let version = instance.engine.map(Engine::short).unwrap_or_default();
    let family = match instance.engine.map(|engine| engine.family) {
        Some(Family::Valkey) => "Valkey",
        _ => "Redis",
    };
    let reads = if instance.policy.replica_reads {
        READS_ON
    } else {
        0
    };
    let mut members = vec![
        ("InstanceId", Value::text(instance.id.as_str())),
        ("InstanceName", Value::text(&instance.name)),
        ("Status", Value::Int(status(instance.state))),
        ("Type", Value::Int(kind(instance.engine, cluster))),
        ("Engine", family.into()),
        ("CurrentRedisVersion", version.into()),
        (
            "ProductType",
            if cluster { "cluster" } else { "standalone" }.into(),
        ),
        ("Region", Value::text(&instance.region)),
        ("WanIp", host.into()),
        ("Port", Value::Int(port)),
        ("Createtime", time::format(instance.created_at).into()),
        ("NoAuth", Value::Bool(instance.password_free)),
        (
            "PasswordFree",
            Value::Int(i64::from(instance.password_free)),
        ),
        ("RedisShardNum", Value::Int(shards)),
        ("RedisReplicasNum", Value::Int(replicas)),
        ("SlaveReadWeight", Value::Int(reads)),
    ];
    members.extend(fixed());
    members
}

/// What a self-hosted server does not have.
fn fixed() -> Members {
    let mut members: Members = vec![
        ("Size", Value::Float(SIZE_MB)),
        ("SizeUsed", Value::Float(0.0)),
        ("RedisShardSize", Value::Int(SHARD_SIZE_MB)),
        ("ClientLimit", Value::Int(CLIENTS)),
        ("ClientLimitMin", Value::Int(CLIENTS)),
        ("ClientLimitMax", Value::Int(CLIENTS)),
        ("NetLimit", Value::Int(NET_MB_S)),
        ("MonitorVersion", "5s".into()),
        ("ProductVersion", "local".into()),
    ];
    for name in ["CloseTime", "OfflineTime", "DeadlineTime"] {
        members.push((name, "0000-00-00 00:00:00".into()));
    }
    for name in [
        "UniqVpcId",
        "UniqSubnetId",
        "InstanceTitle",
        "ProjectName",
        "Vip6",
        "RemainBandwidthDuration",
        "WanAddress",
        "PolarisServer",
        "RedisClusterId",
        "DedicatedClusterId",
        "CurrentProxyVersion",
        "UpgradeProxyVersion",
        "UpgradeRedisVersion",
    ] {
        members.push((name, "".into()));
    }
    for name in [
        "Appid",
        "ProjectId",
        "RegionId",
        "ZoneId",
        "VpcId",
        "SubnetId",
        "AutoRenewFlag",
        "BillingMode",
        "SubStatus",
        "PriceId",
        "DtsStatus",
        "ReadOnly",
        "DiskSize",
        "DeleteProtectionSwitch",
    ] {
        members.push((name, Value::Int(0)));
    }
    for name in ["Tags", "InstanceNode", "InstanceTags", "NodeSet"] {
        members.push((name, Value::List(Vec::new())));
    }
    members
}
