//! What the running service finds on its nodes.

use super::Finding;
use crate::client::{Answer, Call, Client, segment};
use claviger_core::clock::Timestamp;
use serde_json::Value;
use std::time::Duration;

const CHECK: &str = "nodes";
/// How much longer than other calls a look at all nodes may take.
const WAITS: Duration = Duration::from_secs(30);

/// The clock against the newest thing that the service has written down.
pub(super) fn clock(client: &Client) -> Option<Finding> {
    let answer = client
        .call(Call::new("GET", "/audit").with_query("limit=1"))
        .ok()?;
    let newest = answer.value.pointer("/rows/0/at").and_then(Value::as_i64);
    Some(super::clock::judge(newest.map(Timestamp::from_millis)))
}

/// Checks every instance, one after the other.
pub(super) fn look(client: &Client) -> Vec<Finding> {
    let answer = match client.get("/instances") {
        Ok(answer) => answer,
        Err(error) => {
            return vec![Finding::fail(
                CHECK,
                error.to_string(),
                "give an admin's key pair",
            )];
        }
    };
    let ids: Vec<_> = list(&answer.value, "rows")
        .map(|row| text(row, "id"))
        .collect();
    if ids.is_empty() {
        return vec![Finding::warn(
            CHECK,
            "no instance is registered",
            "claviger instance add",
        )];
    }
    ids.iter().flat_map(|id| one(client, id)).collect()
}

fn one(client: &Client, id: &str) -> Vec<Finding> {
    let mut call = Call::new("POST", format!("/instances/{}/check", segment(id)));
    call.waits = WAITS;
    match client.call(call) {
        Ok(Answer { value, .. }) => of_check(id, &value),
        Err(error) => vec![Finding::fail(
            CHECK,
            format!("{id}: {error}"),
            format!("claviger instance check {id}"),
        )],
    }
}

fn of_check(id: &str, check: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut count = 0;
    for node in list(check, "nodes") {
        count += 1;
        let address = text(&node["node"], "address");
        for problem in list(node, "problems") {
            let problem = problem.as_str().unwrap_or_default();
            findings.push(Finding::fail(
                CHECK,
                format!("{id} {address}: {problem}"),
                "docs/operations.md, \"Prepare the nodes\"",
            ));
        }
        for warning in list(node, "warnings") {
            let warning = warning.as_str().unwrap_or_default();
            findings.push(Finding::warn(
                CHECK,
                format!("{id} {address}: {warning}"),
                "docs/operations.md, \"Prepare the nodes\"",
            ));
        }
    }
    for sentinel in list(check, "sentinels") {
        let address = text(sentinel, "address");
        for word in list(sentinel, "problems").chain(list(sentinel, "warnings")) {
            let word = word.as_str().unwrap_or_default();
            findings.push(Finding::warn(
                CHECK,
                format!("{id} sentinel {address}: {word}"),
                "docs/operations.md, \"Sentinel\"",
            ));
        }
    }
    if count == 0 {
        findings.push(Finding::fail(
            CHECK,
            format!("{id}: no node answered"),
            "see that the nodes run and can be reached from the service",
        ));
    } else if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{id}: {count} fine")));
    }
    findings
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Weight;
    use super::*;
    use serde_json::json;

    #[test]
    fn findings_of_a_check() {
        let weights = |check: Value| -> Vec<Weight> {
            of_check("r-1", &check).iter().map(|f| f.result).collect()
        };
        assert_eq!(weights(json!({"nodes": []})), [Weight::Fail]);
        let node = |problems: Value, warnings: Value| json!({"node": {"address": "h:1"}, "problems": problems, "warnings": warnings});
        let fine = node(json!([]), json!([]));
        assert_eq!(weights(json!({"nodes": [fine, fine]})), [Weight::Ok]);
        let bad = node(json!(["down"]), json!(["volatile"]));
        assert_eq!(
            weights(json!({"nodes": [fine, bad]})),
            [Weight::Fail, Weight::Warn]
        );
        let away = json!({"address": "h:2", "problems": ["connection refused"], "warnings": []});
        assert_eq!(
            weights(json!({"nodes": [fine], "sentinels": [away]})),
            [Weight::Warn]
        );
    }
}
