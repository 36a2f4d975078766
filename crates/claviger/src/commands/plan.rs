//! `claviger plan`: what would be changed on each node now.

use super::{rows, text};
use crate::cli::PlanArgs;
use crate::client::{Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::{Out, printable};
use std::time::Duration;

/// How much longer than other calls a look at all nodes may take.
const NODES_WAIT: Duration = Duration::from_secs(30);

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(args: &PlanArgs, env: &dyn Env) -> Result<(), Failure> {
    let client = Client::from_args(&args.client, env)?;
    let mut call = Call::new(
        "GET",
        format!("/instances/{}/plan", segment(&args.instance)),
    );
    call.waits = NODES_WAIT;
    let answer = client.call(call)?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    let nodes = rows(&answer.value, "nodes");
    let lines: Vec<_> = nodes
        .iter()
        .map(|node| {
            let steps = rows(node, "steps").len();
            vec![
                text(node, "/address"),
                text(node, "/right"),
                steps.to_string(),
                printable(&text(node, "/error")),
            ]
        })
        .collect();
    out.table(&["NODE", "RIGHT", "OTHERS", "ERROR"], &lines)?;
    let steps: Vec<_> = nodes
        .iter()
        .flat_map(|node| {
            let address = text(node, "/address");
            rows(node, "steps").iter().map(move |step| {
                vec![
                    address.clone(),
                    printable(&text(step, "/user")),
                    text(step, "/step"),
                    printable(&text(step, "/reason")),
                ]
            })
        })
        .collect();
    if steps.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.table(&["NODE", "USER", "STEP", "REASON"], &steps)
}
