//! Questions that are put to an instance's nodes outside of driving them, over connections of
//! their own.

use crate::context::Context;
use crate::errors::NodeError;
use crate::link::{self, Batch, Link};
use crate::membership;
use crate::reply;
use claviger_core::ids::InstanceId;
use claviger_core::instance::{Held, NodeSeed, TopologyChoice};
use claviger_core::refusal::Refusal;

/// How many nodes are tried before a question stays unanswered.
const NODES_TRIED_MAX: usize = 3;
/// The most words that one answer carries: servers know a few hundred commands, modules add some.
const WORDS_MAX: usize = 4096;
/// The longest name of a category, bytes.
const CATEGORY_LEN_MAX: usize = 64;

/// The instance with its secrets.
///
/// # Errors
/// [`Refusal::InstanceNotFound`]; [`Refusal::Unavailable`] if it cannot be read.
pub(crate) async fn held(id: &InstanceId, context: &Context) -> Result<Held, Refusal> {
    match context.store.held(id).await {
        Ok(held) => held.ok_or(Refusal::InstanceNotFound),
        Err(error) => {
            tracing::error!(instance = %id, "cannot read the instance: {error}");
            Err(Refusal::Unavailable)
        }
    }
}

/// Its nodes as far as they are known, those that answered last first. The registered ones are
/// asked only before any was found: they may be Sentinels, or have left their cluster.
pub(crate) async fn nodes(held: &Held, context: &Context) -> Vec<NodeSeed> {
    let id = &held.instance.id;
    // Without what was found, what was registered has to do.
    let records = context.store.nodes(id).await.unwrap_or_default();
    let found = records.into_iter().map(|record| NodeSeed {
        address: record.address,
        tls: record.tls,
    });
    let mut nodes: Vec<NodeSeed> = found.collect();
    if nodes.is_empty() && held.instance.topology != TopologyChoice::Sentinel {
        nodes.clone_from(&held.instance.seeds);
    }
    let reachable = context.board.reachable(id);
    nodes.sort_by_key(|node| !reachable.contains(&node.address));
    nodes
}

/// A connection of its own to a node.
///
/// # Errors
/// As [`link::open`].
pub(crate) async fn connect(
    held: &Held,
    node: &NodeSeed,
    context: &Context,
) -> Result<Link, NodeError> {
    let access = membership::access(&held.instance, &node.address, node.tls, false);
    let _permit = context
        .connects
        .urgent()
        .await
        .map_err(|_| NodeError::Lost)?;
    link::open(&access, &context.config).await
}

/// See [`claviger_core::ports::Fleet::acl_words`].
pub(crate) async fn acl_words(
    id: &InstanceId,
    category: Option<&str>,
    context: &Context,
) -> Result<Vec<String>, Refusal> {
    let unknown = || Refusal::ParameterInvalid {
        name: "category",
        why: "the servers know no such category",
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let fine = |text: &str| text.len() <= CATEGORY_LEN_MAX && text.bytes().all(plain);
    if category.is_some_and(|text| text.is_empty() || !fine(text)) {
        return Err(unknown());
    }
    let held = held(id, context).await?;
    for node in nodes(&held, context).await.iter().take(NODES_TRIED_MAX) {
        match words_of(&held, node, category, context).await {
            Ok(words) => return Ok(words),
            Err(NodeError::Said { text, .. }) if text.starts_with("Unknown category") => {
                return Err(unknown());
            }
            // No ACL commands at all.
            Err(NodeError::Said { text, .. }) if text.starts_with("unknown command") => {
                return Err(Refusal::EngineTooOld);
            }
            Err(error) => {
                tracing::warn!(instance = %id, node = %node.address, "cannot ask: {error}");
            }
        }
    }
    Err(Refusal::Unavailable)
}

async fn words_of(
    held: &Held,
    node: &NodeSeed,
    category: Option<&str>,
    context: &Context,
) -> Result<Vec<String>, NodeError> {
    let link = connect(held, node, context).await?;
    let mut batch = Batch::new();
    batch.add("ACL CAT", category);
    let mut replies = link.run(&batch).await?;
    let words = replies.pop().unwrap_or(Err(NodeError::Lost))?;
    let mut words = reply::into_texts(words).ok_or(NodeError::Garbage("ACL CAT"))?;
    words.sort();
    words.dedup();
    words.truncate(WORDS_MAX);
    Ok(words)
}
