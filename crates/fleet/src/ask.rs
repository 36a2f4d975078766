//! Questions that are put to an instance's nodes outside of driving them, over connections of
//! their own.

use crate::context::Context;
use crate::errors::NodeError;
use crate::link::{self, Access, Batch, Link};
use crate::reply;
use claviger_core::ids::InstanceId;
use claviger_core::instance::{Held, NodeSeed};
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

/// Its nodes as far as they are known, those that answered last first.
pub(crate) async fn nodes(held: &Held, context: &Context) -> Vec<NodeSeed> {
    let id = &held.instance.id;
    // What was found is as good as what was registered; without it that has to do.
    let records = context.store.nodes(id).await.unwrap_or_default();
    let found = records.into_iter().map(|record| NodeSeed {
        address: record.address,
        tls: record.tls,
    });
    let mut nodes: Vec<NodeSeed> = Vec::new();
    for seed in found.chain(held.instance.seeds.iter().cloned()) {
        if !nodes.iter().any(|node| node.address == seed.address) {
            nodes.push(seed);
        }
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
    let access = Access {
        address: node.address.clone(),
        tls: node.tls,
        material: held.instance.tls.clone(),
        login: held.instance.login.clone(),
    };
    let _permit = context
        .connects
        .acquire()
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
