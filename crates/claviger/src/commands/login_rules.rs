//! `claviger instance login-rules`: the least login that claviger needs on a node. Printed for a
//! person; nothing is sent to a node from here.

use crate::failure::Failure;
use crate::output::Out;
use claviger_core::acl::{own_login_tokens, sentinel_login_tokens};
use claviger_core::engine::AclLevel;
use serde_json::json;

/// The first version of each kind of rules, and the versions for which they hold.
const VERSIONS: [(AclLevel, &str, &str); 4] = [
    (AclLevel::Users, "6.0", "Redis 6.0"),
    (AclLevel::Channels, "6.2", "Redis 6.2"),
    (AclLevel::Selectors, "7.0", "Redis 7.0"),
    (
        AclLevel::Ordered,
        "7.2",
        "Redis 7.2 and later, every Valkey",
    ),
];

/// Prints it. The rules include the right to rotate the password with which replicas log in,
/// which is needed once the default account's password is set through claviger.
///
/// # Errors
/// Standard output is closed.
pub(super) fn run(out: Out) -> Result<(), Failure> {
    let rule = |level| own_login_tokens(level, true).join(" ");
    let watch = |level| sentinel_login_tokens(level).join(" ");
    if out.is_json() {
        let list = VERSIONS.map(|(level, version, _)| {
            json!({"version": version, "rule": rule(level), "sentinel_rule": watch(level)})
        });
        return out.json(&json!(list).to_string());
    }
    let mut before = None;
    for (level, _, title) in VERSIONS {
        let rule = rule(level);
        if before.as_ref() == Some(&rule) {
            out.line(&format!("# {title}: as above"))?;
            continue;
        }
        out.line(&format!("# {title}"))?;
        out.line(&format!("user claviger on #SHA256_OF_THE_PASSWORD {rule}"))?;
        before = Some(rule);
    }
    out.line(
        "# Each is a line of an ACL file. On a running server give the words from \"claviger\" on \
         to ACL SETUSER,",
    )?;
    out.line("# with \">PASSWORD\" in place of the digest, on every node, and persist it.")?;
    out.line("# On Sentinels, if they have users of their own (before 6.2 without allchannels):")?;
    out.line(&format!(
        "user claviger on #SHA256_OF_THE_PASSWORD {}",
        watch(AclLevel::Channels)
    ))
}
