//! One node looked over on a connection of its own: its users, and how it renders rules. Nothing
//! is changed but for scratch users, which are gone again before anything else runs.

use crate::ask;
use crate::context::Context;
use crate::desired::Rule;
use crate::errors::NodeError;
use crate::link::{Batch, Link};
use crate::observe::{self, Facts};
use crate::plan::Seen;
use crate::reply;
use crate::scratch::{self, add_get, add_scratch, next, passable};
use claviger_core::engine::AclLevel;
use claviger_core::instance::{Held, NodeSeed};
use std::collections::HashMap;
use std::sync::Arc;

/// Users described, or rules rendered, in one batch.
const AT_ONCE: usize = 16;

/// A node that is looked over.
pub(crate) struct Survey<'a> {
    link: Link,
    context: &'a Context,
    pub(crate) facts: Facts,
    /// Short forms; `None` for a rule that the node refuses.
    renderings: HashMap<u64, Option<u64>>,
}

/// A user as a node describes it.
pub(crate) struct Described {
    pub(crate) seen: Seen,
    /// What would give it these rules.
    pub(crate) tokens: Vec<String>,
}

impl<'a> Survey<'a> {
    /// Connects.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub(crate) async fn open(
        held: &Held,
        node: &NodeSeed,
        context: &'a Context,
    ) -> Result<Self, NodeError> {
        let link = ask::connect(held, node, context).await?;
        let facts = observe::facts(&link, node.tls).await?;
        Ok(Self {
            link,
            context,
            facts,
            renderings: HashMap::new(),
        })
    }

    pub(crate) fn level(&self) -> AclLevel {
        self.facts.engine.acl_level()
    }

    /// The names of its users. Never ACL LIST, which may block a server with many.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn names(&self) -> Result<Vec<String>, NodeError> {
        let mut batch = Batch::new();
        batch.word("ACL USERS");
        let users = self.link.run(&batch).await?.pop();
        let users = users.unwrap_or(Err(NodeError::Lost))?;
        reply::into_texts(users).ok_or(NodeError::Garbage("ACL USERS"))
    }

    /// How the node renders the rule; `None` if it refuses it, or was not asked.
    pub(crate) fn rendering(&self, rule: &Rule) -> Option<u64> {
        self.renderings.get(&rule.key).copied().flatten()
    }

    /// Has the node render these rules, those that it has not rendered yet.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn render(&mut self, rules: &[Arc<Rule>]) -> Result<(), NodeError> {
        let mut new: Vec<&Arc<Rule>> = Vec::new();
        for rule in rules {
            let known = self.renderings.contains_key(&rule.key);
            if !known && !new.iter().any(|other| other.key == rule.key) {
                new.push(rule);
            }
        }
        for rules in new.chunks(AT_ONCE) {
            let mut batch = Batch::new();
            for rule in rules {
                add_scratch(&mut batch, rule);
            }
            let mut replies = self.link.run(&batch).await?.into_iter();
            for rule in rules {
                let set = passable(next(&mut replies))?;
                let shown = passable(next(&mut replies))?;
                let _ = passable(next(&mut replies))?;
                let rendered = match (set, shown) {
                    (Ok(_), Ok(value)) => reply::user(&value)?
                        .map(|user| scratch::rendering(&user, self.level(), self.context)),
                    _ => None,
                };
                self.renderings.insert(rule.key, rendered);
            }
        }
        Ok(())
    }

    /// Describes users; `None` for one that is not there.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn look(&self, names: &[&str]) -> Result<Vec<Option<Described>>, NodeError> {
        let mut all = Vec::with_capacity(names.len());
        for names in names.chunks(AT_ONCE) {
            let mut batch = Batch::new();
            for name in names {
                add_get(&mut batch, name);
            }
            for reply in self.link.run(&batch).await? {
                let value = reply?;
                let described = reply::user(&value)?.map(|user| Described {
                    tokens: reply::rule_tokens(&user, &value, self.level()),
                    seen: Seen {
                        on: user.on,
                        nopass: user.nopass,
                        rules: scratch::rendering(&user, self.level(), self.context),
                        digests: user.digests,
                    },
                });
                all.push(described);
            }
        }
        Ok(all)
    }
}
