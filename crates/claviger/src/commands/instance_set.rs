//! `claviger instance set`.

use super::instance::{path, show};
use crate::cli::{AdministratorArg, DriftArg, InstanceSetArgs, RoleProfileArg};
use crate::client::{Call, Client};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use serde_json::{Value, json};

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(args: &InstanceSetArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let mut body = json!({});
    if let Some(profile) = args.role_profile {
        body["role_profile"] = match profile {
            RoleProfileArg::Faithful => json!("faithful"),
            RoleProfileArg::Strict => json!("strict"),
        };
    }
    if let Some(reach) = args.administrator {
        body["administrator"] = match reach {
            AdministratorArg::Fenced => json!("fenced"),
            AdministratorArg::Full => json!("full"),
        };
    }
    if let Some(list) = &args.disabled_commands {
        let commands = list.split(',').map(|c| c.trim().to_ascii_lowercase());
        let commands: Vec<_> = commands.filter(|c| !c.is_empty()).collect();
        body["disabled_commands"] = json!(commands);
    }
    if !(args.roles.is_empty() && args.remove_roles.is_empty()) {
        let ended = args
            .remove_roles
            .iter()
            .map(|name| (name.as_str(), Value::Null));
        let set = args
            .roles
            .iter()
            .map(|role| (role.name.as_str(), json!(role.rules)));
        let all = ended
            .chain(set)
            .map(|(name, rules)| (name.to_owned(), rules));
        body["custom_roles"] = Value::Object(all.collect());
    }
    set_policy(args, &mut body);
    if let Some(name) = &args.name {
        body["name"] = json!(name);
    }
    if let Some(region) = &args.region {
        body["region"] = json!(region);
    }
    let mut tags = super::tags(&args.tags)?;
    for name in &args.untags {
        tags.insert(name.clone(), Value::Null);
    }
    if !tags.is_empty() {
        body["tags"] = Value::Object(tags);
    }
    if args.pause || args.resume {
        body["paused"] = json!(args.pause);
    }
    let answer = client.call(Call::new("PATCH", path(&args.id)).with_body(body))?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    show(&answer.value, out)
}

fn set_policy(args: &InstanceSetArgs, body: &mut Value) {
    if let Some(drift) = args.drift {
        body["drift"] = match drift {
            DriftArg::Repair => json!("repair"),
            DriftArg::Report => json!("report"),
        };
    }
    if let Some(sessions) = args.sessions {
        body["sessions"] = json!(sessions);
    }
    if let Some(reads) = args.replica_reads {
        body["replica_reads"] = json!(reads.is_on());
    }
    if let Some(policy) = args.password_policy {
        body["password_policy"] = json!(policy);
    }
}
