//! Instances as this vendor shows them. What claviger does not know of a self-hosted server
//! (prices, quotas, sizes) has a fixed value; all of these are ours and are listed in
//! `docs/wire/aliyun.md`, section 4.

use super::time;
use super::wire::{Members, Value};
use claviger_core::instance::{InstanceState, InstanceView, Topology};

/// Fixed: the class of a small instance.
const CLASS: &str = "redis.master.mid.default";
/// Fixed, MB.
const CAPACITY_MB: u64 = 1024;
/// Fixed: connections.
const CONNECTIONS: u64 = 10_000;
/// Fixed: queries per second.
const QPS: u64 = 100_000;
/// Fixed, MB/s.
const BANDWIDTH_MB_S: u64 = 96;

fn status(instance: &InstanceView) -> &'static str {
    match instance.state {
        InstanceState::Registering => "Creating",
        InstanceState::Running => "Normal",
        InstanceState::Paused => "Inactive",
    }
}

/// The one zone of a region; ours.
pub(super) fn zone(region: &str) -> String {
    format!("{region}-a")
}

/// Host and port of the first registered node.
fn endpoint(instance: &InstanceView) -> (String, u64) {
    let first = instance.nodes.first().map(|node| node.address.as_str());
    let (host, port) = first
        .and_then(|address| address.rsplit_once(':'))
        .unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host.to_owned(), port.parse().unwrap_or(6379))
}

/// The members that both forms have in common, most telling ones first.
fn common(instance: &InstanceView) -> Members {
    let (host, port) = endpoint(instance);
    let cluster = instance.topology == Some(Topology::Cluster);
    let single = instance.topology == Some(Topology::Standalone);
    let version = instance.engine.map(claviger_core::engine::Engine::short);
    vec![
        ("InstanceId", Value::text(instance.id.as_str())),
        ("InstanceName", Value::text(&instance.name)),
        ("InstanceStatus", status(instance).into()),
        ("InstanceType", "Redis".into()),
        ("EngineVersion", version.unwrap_or_default().into()),
        (
            "ArchitectureType",
            if cluster { "cluster" } else { "standard" }.into(),
        ),
        ("NodeType", if single { "single" } else { "double" }.into()),
        ("RegionId", Value::text(&instance.region)),
        ("ZoneId", zone(&instance.region).into()),
        ("ConnectionDomain", host.into()),
        ("Port", Value::Int(port)),
        ("NetworkType", "CLASSIC".into()),
        ("ChargeType", "PostPaid".into()),
        ("CreateTime", time::format(instance.created_at).into()),
        ("EndTime", "".into()),
        ("InstanceClass", CLASS.into()),
        ("Capacity", Value::Int(CAPACITY_MB)),
        ("Connections", Value::Int(CONNECTIONS)),
        ("QPS", Value::Int(QPS)),
        ("Bandwidth", Value::Int(BANDWIDTH_MB_S)),
        ("PackageType", "standard".into()),
        ("VpcId", "".into()),
        ("VSwitchId", "".into()),
        ("PrivateIp", "".into()),
        ("ResourceGroupId", "".into()),
        ("IsRds", Value::Bool(false)),
        ("Config", "{}".into()),
        ("Tags", Value::wrapped("Tag", Vec::new())),
    ]
}

/// An element of DescribeInstances.
pub(super) fn listed(instance: &InstanceView) -> Members {
    let mut members = common(instance);
    members.extend([
        ("EditionType", "Community".into()),
        ("UserName", Value::text(instance.id.as_str())),
        // A truth value here, text in the other form; the count below the other way round.
        ("HasRenewChangeOrder", Value::Bool(false)),
        ("ReadOnlyCount", "0".into()),
    ]);
    members
}

/// The element of DescribeInstanceAttribute.
pub(super) fn attribute(instance: &InstanceView) -> Members {
    let mut members = common(instance);
    let open = if instance.password_free {
        "Close"
    } else {
        "Open"
    };
    members.extend([
        ("Engine", "Redis".into()),
        ("RealInstanceClass", CLASS.into()),
        ("VpcAuthMode", open.into()),
        ("ReplicationMode", "master-slave".into()),
        ("AvailabilityValue", "100%".into()),
        ("MaintainStartTime", "18:00Z".into()),
        ("MaintainEndTime", "22:00Z".into()),
        ("SecurityIPList", "".into()),
        ("HasRenewChangeOrder", "false".into()),
        ("ReadOnlyCount", Value::Int(0)),
        ("IsOrderCompleted", Value::Bool(true)),
        ("IsSupportTDE", Value::Bool(false)),
        ("InstanceReleaseProtection", Value::Bool(false)),
        ("AutoSecondaryZone", Value::Bool(false)),
    ]);
    members
}
