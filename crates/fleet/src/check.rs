//! A look at the nodes of an instance that may not be registered yet: do they answer, may the
//! login do what is needed, how do they keep users, what is dangerous.

use crate::context::Context;
use crate::discover;
use crate::errors::NodeError;
use crate::keeper;
use crate::link::{self, Batch, Link, Reply};
use crate::observe::{self, Facts, Mode};
use crate::plan::SCRATCH_PREFIX;
use crate::reply;
use claviger_core::check_report::{CheckReport, NodeCheck};
use claviger_core::engine::{AclLevel, Engine};
use claviger_core::ids::{AccountName, Revision};
use claviger_core::instance::{Instance, NodeSeed};
use claviger_core::node::{NodeRecord, NodeRole, Persistence};
use claviger_core::password::PasswordDigest;
use claviger_core::policy::SessionPolicy;
use claviger_core::secret::Secret;

/// How many users that are not ours are named.
const UNMANAGED_MAX: usize = 256;

/// Users described in one batch.
const USERS_AT_ONCE: usize = 16;

/// What one node showed.
pub(crate) struct Visit {
    pub(crate) seed: NodeSeed,
    pub(crate) facts: Option<Facts>,
    users: Vec<String>,
    pub(crate) problems: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// Checks the registered nodes and those found through them.
pub(crate) async fn check(instance: &Instance, context: &Context) -> CheckReport {
    let found = discover::discover(instance, context).await;
    let (mut visits, shape) = (found.visits, found.shape);
    for visit in visits.iter_mut().filter(|visit| visit.facts.is_some()) {
        let unsaved = context.board.unsaved(&instance.id, &visit.seed.address);
        visit.warnings.extend(unsaved);
    }
    let seen = || visits.iter().filter_map(|visit| visit.facts.as_ref());
    let leader = seen()
        .find(|f| f.role == NodeRole::Primary)
        .or_else(|| seen().next());
    CheckReport {
        topology: shape.topology().filter(|_| leader.is_some()),
        engine: leader.map(|facts| facts.engine),
        unmanaged: unmanaged(instance, &visits),
        nodes: visits.into_iter().map(Visit::report).collect(),
        sentinels: found.sentinels,
    }
}

fn unmanaged(instance: &Instance, visits: &[Visit]) -> Vec<AccountName> {
    let own = instance
        .login
        .user
        .as_deref()
        .unwrap_or(crate::desired::DEFAULT_USER);
    let mut names: Vec<AccountName> = visits
        .iter()
        .flat_map(|visit| &visit.users)
        .filter(|name| name.as_str() != own && *name != crate::desired::DEFAULT_USER)
        .filter(|name| !name.starts_with(SCRATCH_PREFIX))
        .map(|name| AccountName::new(name.as_str()))
        .collect();
    names.sort();
    names.dedup();
    names.truncate(UNMANAGED_MAX);
    names
}

impl Visit {
    fn report(self) -> NodeCheck {
        let facts = self.facts.as_ref();
        NodeCheck {
            node: NodeRecord {
                address: self.seed.address,
                tls: self.seed.tls,
                role: facts.map_or(NodeRole::Unknown, |facts| facts.role),
                engine: facts.map(|facts| facts.engine),
                run_id: facts.map(|facts| facts.run_id.clone()).unwrap_or_default(),
                persistence: facts.map_or(Persistence::Unknown, |facts| facts.persistence),
                confirmed: Revision::ZERO,
                saved: Revision::ZERO,
            },
            problems: self.problems,
            warnings: self.warnings,
        }
    }
}

pub(crate) async fn visit(instance: &Instance, seed: NodeSeed, context: &Context) -> Visit {
    let registered = instance.seeds.contains(&seed);
    let access = crate::membership::access(instance, &seed.address, seed.tls, registered);
    let mut visit = Visit {
        seed,
        facts: None,
        users: Vec::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    let opened = match context.connects.urgent().await {
        Ok(_permit) => link::open(&access, &context.config).await,
        Err(_) => Err(NodeError::Lost),
    };
    let result = match opened {
        Ok(link) => look_around(&mut visit, &link, instance).await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        visit.problems.push(error.to_string());
    }
    visit
}

async fn look_around(visit: &mut Visit, link: &Link, instance: &Instance) -> Result<(), NodeError> {
    let facts = observe::facts(link, visit.seed.tls).await?;
    if facts.mode == Mode::Sentinel {
        visit.facts = Some(facts);
        return Ok(());
    }
    let engine = facts.engine;
    match facts.persistence {
        Persistence::Volatile if observe::tears_lines(engine) => visit.warnings.push(format!(
            "{engine} has no ACL file: users are gone after a restart until claviger puts them \
             back. They are not written to the configuration file, which this version breaks \
             when it rewrites long lines; Sentinel does rewrite it, so give the server an ACL file"
        )),
        Persistence::Volatile => visit.warnings.push(
            "the server has neither an ACL file nor a configuration file: users are gone after \
             a restart until claviger puts them back"
                .into(),
        ),
        Persistence::Unknown => visit.warnings.push(
            "the login may not run CONFIG GET, so how users survive a restart is not known".into(),
        ),
        Persistence::Aclfile | Persistence::Config => {}
    }
    let persistence = facts.persistence;
    let replicated = facts.role == NodeRole::Replica || !facts.replicas.is_empty();
    visit.facts = Some(facts);
    if engine.acl_level() == AclLevel::None {
        visit.warnings.push(format!(
            "{engine} has no users: only the password of the default account can be managed"
        ));
        return Ok(());
    }
    let own = instance
        .login
        .user
        .as_deref()
        .unwrap_or(crate::desired::DEFAULT_USER);
    probe_rights(visit, link).await?;
    probe_default(visit, link, instance.password_free).await?;
    probe_open(visit, link, own).await?;
    if engine.acl_level() >= AclLevel::Selectors {
        let needs = Needs {
            persistence,
            masterauth: replicated,
            sessions: instance.policy.sessions != SessionPolicy::Keep,
        };
        probe_dryrun(visit, link, own, needs).await?;
    }
    note_engine(visit, engine);
    Ok(())
}

/// Tries what every change needs, on users that do not exist afterwards.
async fn probe_rights(visit: &mut Visit, link: &Link) -> Result<(), NodeError> {
    let scratch = format!("{SCRATCH_PREFIX}{:016x}", keeper::random());
    let mut batch = Batch::new();
    batch
        .word("ACL USERS")
        .add("ACL SETUSER", [scratch.as_str(), "reset", "off"])
        .add("ACL GETUSER", [&scratch])
        .add("CLIENT KILL", ["USER", scratch.as_str()])
        .add("ACL DELUSER", [&scratch]);
    let mut replies = link.run(&batch).await?.into_iter();
    if let Some(Ok(users)) = replies.next() {
        visit.users = reply::texts(&users).unwrap_or_default();
    }
    for (label, reply) in ["ACL SETUSER", "ACL GETUSER", "CLIENT KILL", "ACL DELUSER"]
        .into_iter()
        .zip(replies)
    {
        match reply {
            Ok(_) => {}
            // Whoever is refused as unknown was allowed to ask.
            Err(NodeError::Said { .. }) if label == "CLIENT KILL" => {}
            Err(error) => visit.problems.push(error.to_string()),
        }
    }
    Ok(())
}

/// Looks for an open server, for one that the next start would open, and for a requirepass that
/// no longer says the truth. `free` tells whether it was set to take no password.
async fn probe_default(visit: &mut Visit, link: &Link, free: bool) -> Result<(), NodeError> {
    let aclfile = visit
        .facts
        .as_ref()
        .is_some_and(|facts| facts.persistence == Persistence::Aclfile);
    let mut batch = Batch::new();
    batch
        .add("ACL GETUSER", [crate::desired::DEFAULT_USER])
        .add("CONFIG GET", ["requirepass"]);
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || -> Reply { replies.next().unwrap_or(Err(NodeError::Lost)) };
    let Some(user) = next()
        .ok()
        .and_then(|value| reply::user(&value).ok().flatten())
    else {
        return Ok(());
    };
    let open = user.on && user.nopass;
    if open {
        let set = if free { ", as it was set" } else { "" };
        visit.warnings.push(format!(
            "the default user takes no password{set}: anyone who reaches the server may do \
             anything"
        ));
    }
    if open && aclfile && !free {
        visit.warnings.push(
            "a start leaves the default user open if the ACL file has no line for it, whatever \
             requirepass says; ACL SAVE writes the line, so set its password and let it be saved"
                .into(),
        );
    }
    let requirepass = next()
        .ok()
        .and_then(|value| reply::field(&value, "requirepass"));
    if let Some(text) = requirepass.filter(|text| !text.is_empty()) {
        let digest = PasswordDigest::of(&Secret::new(text)).expose_hex();
        if !user.digests.contains(&digest) {
            visit.warnings.push(
                "requirepass is stale: it is not the default user's password, and CONFIG REWRITE \
                 keeps it in clear text"
                    .into(),
            );
        } else if aclfile {
            visit.warnings.push(
                "requirepass is set beside an ACL file: at a start only the file's own line for \
                 the default user counts, and without one the server is open"
                    .into(),
            );
        }
    }
    Ok(())
}

/// Looks for users that let anyone in: an account's is closed by claviger, unless it cannot tell
/// that the user is the account's.
async fn probe_open(visit: &mut Visit, link: &Link, own: &str) -> Result<(), NodeError> {
    let named = |name: &&String| {
        let name = name.as_str();
        name != crate::desired::DEFAULT_USER && name != own && !name.starts_with(SCRATCH_PREFIX)
    };
    let names: Vec<String> = visit.users.iter().filter(named).cloned().collect();
    let asked = &names[..names.len().min(UNMANAGED_MAX)];
    for names in asked.chunks(USERS_AT_ONCE) {
        let mut batch = Batch::new();
        for name in names {
            batch.add("ACL GETUSER", [name]);
        }
        for (name, reply) in names.iter().zip(link.run(&batch).await?) {
            let user = reply
                .ok()
                .and_then(|value| reply::user(&value).ok().flatten());
            if user.is_some_and(|user| user.on && user.nopass) {
                visit.warnings.push(format!(
                    "the user {name} takes any password: anyone who reaches the server may log in \
                     as it; unless it is an account that is just being put right, claviger leaves \
                     it alone, since it may be someone else's"
                ));
            }
        }
    }
    Ok(())
}

/// What the login has to do beside changing users.
struct Needs {
    persistence: Persistence,
    /// Tell replicas with which password to log in.
    masterauth: bool,
    /// End sessions that an account's change ends.
    sessions: bool,
}

/// From 7.0 on the server tells what a user may do.
async fn probe_dryrun(
    visit: &mut Visit,
    link: &Link,
    own: &str,
    needs: Needs,
) -> Result<(), NodeError> {
    let mut batch = Batch::new();
    batch
        .add("ACL DRYRUN", [own, "CONFIG", "REWRITE"])
        .add("ACL DRYRUN", [own, "ACL", "SAVE"])
        .add("ACL DRYRUN", [own, "CONFIG", "SET", "masterauth", "x"])
        .add("ACL DRYRUN", [own, "CLIENT", "LIST"]);
    let mut replies = link.run(&batch).await?.into_iter();
    let mut may = || {
        let reply = replies.next().unwrap_or(Err(NodeError::Lost));
        reply.is_ok_and(|value| reply::text(&value).as_deref() == Some("OK"))
    };
    let (rewrite, save, set, list) = (may(), may(), may(), may());
    match needs.persistence {
        Persistence::Config if !rewrite => visit
            .problems
            .push("the login may not run CONFIG REWRITE, which keeps users over a restart".into()),
        Persistence::Aclfile if !save => visit
            .problems
            .push("the login may not run ACL SAVE, which keeps users over a restart".into()),
        _ => {}
    }
    if needs.sessions && !list {
        visit.warnings.push(
            "the login may not run CLIENT LIST: sessions of changed accounts cannot be ended"
                .into(),
        );
    }
    if needs.masterauth && !set {
        visit.warnings.push(
            "the login may not run CONFIG SET: the default account's password cannot be changed, \
             since replicas must learn it"
                .into(),
        );
    }
    Ok(())
}

fn note_engine(visit: &mut Visit, engine: Engine) {
    if engine.acl_level() == AclLevel::Users {
        visit.warnings.push(format!(
            "{engine} has no channel rules: every account may use every Pub/Sub channel"
        ));
    }
}
