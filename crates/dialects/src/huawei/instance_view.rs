//! Instances as this vendor shows them. What claviger does not know of a self-hosted server
//! (sizes, networks, orders) has a fixed value; all of these are ours and are listed in
//! `docs/wire/huawei.md`, section 4.4.

use super::time;
use claviger_core::engine::{AclLevel, Engine};
use claviger_core::instance::{InstanceState, InstanceView, Topology};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Fixed, GB.
const CAPACITY_GB: u64 = 1;
/// Fixed, MB.
const MEMORY_MB: u64 = 1024;

/// The vendor's words for the states.
const STATUS: [(&str, InstanceState); 3] = [
    ("CREATING", InstanceState::Registering),
    ("RUNNING", InstanceState::Running),
    ("FROZEN", InstanceState::Paused),
];

/// The state that a word means.
pub(super) fn state(word: &str) -> Option<InstanceState> {
    let found = STATUS.iter().find(|(known, _)| *known == word);
    found.map(|(_, state)| *state)
}

fn status(state: InstanceState) -> &'static str {
    let found = STATUS.iter().find(|(_, known)| *known == state);
    found.map_or("ERROR", |(word, _)| word)
}

/// Host and port of the first registered node.
fn endpoint(instance: &InstanceView) -> (&str, u64) {
    let first = instance.nodes.first().map(|node| node.address.as_str());
    let (host, port) = first
        .and_then(|address| address.rsplit_once(':'))
        .unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host, port.parse().unwrap_or(6379))
}

/// The first node's address, if it is registered by a number.
pub(super) fn ip(instance: &InstanceView) -> &str {
    let (host, _) = endpoint(instance);
    if host.parse::<IpAddr>().is_ok() {
        host
    } else {
        ""
    }
}

/// Whether the instance has the capacity asked for.
pub(super) fn has_capacity(asked: &str) -> bool {
    asked == CAPACITY_GB.to_string()
}

fn cache_mode(instance: &InstanceView) -> &'static str {
    match instance.topology {
        Some(Topology::Cluster) => "cluster",
        Some(Topology::Replicated | Topology::Sentinel) => "ha",
        Some(Topology::Standalone) | None => "single",
    }
}

/// An element of ListInstances, and most of ShowInstance.
pub(super) fn listed(instance: &InstanceView) -> Value {
    let (host, port) = endpoint(instance);
    let acl = instance.engine.map(Engine::acl_level);
    let created_at = time::format_millis(instance.created_at);
    let known = json!({
        "instance_id": instance.id.as_str(),
        "name": instance.name,
        "engine": "Redis",
        "engine_version": instance.engine.map(Engine::short).unwrap_or_default(),
        "status": status(instance.state),
        "sub_status": null,
        "cache_mode": cache_mode(instance),
        "ip": ip(instance),
        "port": port,
        "domain_name": host,
        // A text in the model, though a sample of the vendor's shows a truth value.
        "no_password_access": if instance.password_free { "true" } else { "false" },
        "access_user": null,
        "features": {
            "support_acl": acl != Some(AclLevel::None),
            "support_ssl": false,
            "support_audit_log": false,
            "support_transparent_client_ip": false,
        },
        "enable_ssl": instance.nodes.iter().any(|node| node.tls),
        "created_at": created_at,
        "updated_at": created_at,
    });
    joined(known, fixed())
}

/// What is the same of every instance.
fn fixed() -> Value {
    json!({
        "charging_mode": 0,
        "spec_code": "redis.ha.xu1.large.r2.1",
        "capacity": CAPACITY_GB,
        "capacity_minor": "",
        "max_memory": MEMORY_MB,
        "used_memory": 0,
        "description": "",
        "enterprise_project_id": "0",
        "vpc_id": "",
        "vpc_name": "",
        "subnet_id": "",
        "subnet_name": "",
        "security_group_id": "",
        "readonly_domain_name": "",
        "enable_publicip": false,
        "publicip_id": null,
        "publicip_address": null,
        "service_upgrade": false,
        "service_task_id": "",
        "az_codes": [],
        "cpu_type": "x86_64",
        "maintain_begin": "18:00:00",
        "maintain_end": "22:00:00",
        "order_id": null,
        "user_id": "",
        "user_name": "",
        "tags": [],
    })
}

/// The members of both objects.
fn joined(mut one: Value, other: Value) -> Value {
    if let (Value::Object(into), Value::Object(from)) = (&mut one, other) {
        into.extend(from);
    }
    one
}

/// The object of ShowInstance. It has no `task`: Terraform takes one for an instance at work.
pub(super) fn shown(instance: &InstanceView) -> Value {
    let databases = if cache_mode(instance) == "cluster" {
        1
    } else {
        16
    };
    let more = json!({
        "replica_count": instance.replicas + 1,
        "sharding_count": instance.primaries.max(1),
        "db_number": databases,
        "product_type": "generic",
        "storage_type": "DRAM",
        "available_zones": [],
        "backend_addrs": "",
        "subnet_cidr": "",
        "security_group_name": "",
        "enterprise_project_name": "default",
    });
    joined(listed(instance), more)
}
