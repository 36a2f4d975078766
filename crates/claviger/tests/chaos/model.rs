//! What the service has acknowledged, and what callers may ask next.

use crate::api::{Answered, Api};
use crate::dice::Dice;
use claviger_core::instance::{RolePolicy, RoleProfile};
use claviger_core::privilege::Privilege;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const INSTANCE: &str = "r-chaos";
/// The default account in the native API's words; Alibaba Cloud calls it by the instance's id.
const DEFAULT: &str = "default";
/// Names that accounts may have.
const NAMES: usize = 14;
/// Accounts at a time, below the least quota of the clouds.
const LIVE_MAX: usize = 10;
/// Passwords of a deleted name that are tried again.
const GONE_MAX: usize = 4;

/// One change.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create(String, String, Privilege),
    Privilege(String, Privilege),
    Password(String, String),
    Enable(String, bool),
    Delete(String),
    DefaultPassword(String),
    Roles(RolePolicy),
    Pause(bool),
}

impl Op {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Op::Create(..) => "create",
            Op::Privilege(..) => "privilege",
            Op::Password(..) => "password",
            Op::Enable(_, true) => "enable",
            Op::Enable(_, false) => "disable",
            Op::Delete(..) => "delete",
            Op::DefaultPassword(..) => "default password",
            Op::Roles(..) => "role policy",
            Op::Pause(true) => "pause",
            Op::Pause(false) => "resume",
        }
    }

    /// Whose account it changes.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Op::Create(name, ..)
            | Op::Privilege(name, _)
            | Op::Password(name, _)
            | Op::Enable(name, _)
            | Op::Delete(name) => Some(name),
            Op::DefaultPassword(_) | Op::Roles(_) | Op::Pause(_) => None,
        }
    }

    /// Asks for it; by which way, the dice say.
    pub(crate) fn send(&self, api: &Api, dice: &mut Dice) -> Answered {
        let cloud = dice.percent(50);
        let old = dice.percent(50);
        if cloud && let Some((action, mut params)) = self.aliyun() {
            params.push(("InstanceId", INSTANCE.to_owned()));
            let params: Vec<(&str, &str)> = params.iter().map(|(n, v)| (*n, v.as_str())).collect();
            return api.aliyun(action, &params, old);
        }
        let instance = format!("/instances/{INSTANCE}");
        let accounts = format!("{instance}/accounts");
        let patch = |path: &str, body: Value| api.change("PATCH", path, Some(&body));
        match self {
            Op::Create(name, password, privilege) => {
                let body = json!({"name": name, "password": password, "privilege": privilege});
                api.change("POST", &accounts, Some(&body))
            }
            Op::Privilege(name, privilege) => patch(
                &format!("{accounts}/{name}"),
                json!({"privilege": privilege}),
            ),
            Op::Password(name, password) => {
                patch(&format!("{accounts}/{name}"), json!({"password": password}))
            }
            Op::Enable(name, on) => patch(&format!("{accounts}/{name}"), json!({"enabled": on})),
            Op::Delete(name) => api.change("DELETE", &format!("{accounts}/{name}"), None),
            Op::DefaultPassword(password) => patch(
                &format!("{accounts}/{DEFAULT}"),
                json!({"password": password}),
            ),
            Op::Roles(policy) => patch(
                &instance,
                json!({
                    "role_profile": policy.profile, "disabled_commands": policy.disabled_commands,
                }),
            ),
            Op::Pause(paused) => patch(&instance, json!({"paused": paused})),
        }
    }

    /// The same in Alibaba Cloud's words, where it has them.
    fn aliyun(&self) -> Option<(&'static str, Vec<(&'static str, String)>)> {
        let word = |privilege: &Privilege| match privilege {
            Privilege::ReadOnly => Some("RoleReadOnly".to_owned()),
            Privilege::ReadWrite => Some("RoleReadWrite".to_owned()),
            Privilege::Replication => Some("RoleRepl".to_owned()),
            _ => None,
        };
        let name = |name: &str| ("AccountName", name.to_owned());
        let password = |password: &str| ("AccountPassword", password.to_owned());
        Some(match self {
            Op::Create(n, p, privilege) => (
                "CreateAccount",
                vec![name(n), password(p), ("AccountPrivilege", word(privilege)?)],
            ),
            Op::Privilege(n, privilege) => (
                "GrantAccountPrivilege",
                vec![name(n), ("AccountPrivilege", word(privilege)?)],
            ),
            Op::Password(n, p) => ("ResetAccountPassword", vec![name(n), password(p)]),
            Op::Delete(n) => ("DeleteAccount", vec![name(n)]),
            Op::DefaultPassword(p) => ("ResetAccountPassword", vec![name(INSTANCE), password(p)]),
            Op::Enable(..) | Op::Roles(_) | Op::Pause(_) => return None,
        })
    }
}

/// An account that must be there.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) password: String,
    pub(crate) privilege: Privilege,
    pub(crate) enabled: bool,
    /// Passwords that it had before.
    pub(crate) former: Vec<String>,
    /// It was seen on every node since it was made.
    pub(crate) confirmed: bool,
}

/// A change without an answer, and what the account's password dated from before it.
#[derive(Clone, Debug)]
pub(crate) struct Unsure {
    pub(crate) op: Op,
    pub(crate) set_at: Value,
}

/// What was acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) live: BTreeMap<String, Live>,
    /// Deleted names, with the last passwords that they had.
    pub(crate) gone: BTreeMap<String, Vec<String>>,
    /// Digests of the passwords that accounts of a name ever had.
    pub(crate) had: BTreeMap<String, BTreeSet<String>>,
    /// The default account's passwords, once set through us, newest last.
    pub(crate) default: Vec<String>,
    pub(crate) roles: RolePolicy,
    pub(crate) paused: bool,
    pub(crate) unsure: Vec<Unsure>,
}

impl Model {
    /// A change that a caller may ask for now, of a name that is not in `busy`.
    pub(crate) fn choose(&self, dice: &mut Dice, busy: &BTreeSet<String>) -> Op {
        if self.paused && dice.percent(70) {
            return Op::Pause(false);
        }
        let live: Vec<&String> = self.live.keys().filter(|n| !busy.contains(*n)).collect();
        let free: Vec<String> = (0..NAMES)
            .map(|n| format!("acct{n}"))
            .filter(|n| !self.live.contains_key(n) && !busy.contains(n))
            .collect();
        let password = format!("Pw-{:016x}", dice.next());
        let privilege = *dice.pick(&Privilege::BUILT_IN);
        let room = self.live.len() < LIVE_MAX && !free.is_empty();
        match dice.below(100) {
            0..36 if room => Op::Create(dice.pick(&free).clone(), password, privilege),
            36..52 if !live.is_empty() => Op::Privilege((*dice.pick(&live)).clone(), privilege),
            52..64 if !live.is_empty() => Op::Password((*dice.pick(&live)).clone(), password),
            64..70 if !live.is_empty() => {
                let name = (*dice.pick(&live)).clone();
                let on = self.live[&name].enabled;
                // At times once more what it is already.
                Op::Enable(name, if dice.percent(80) { !on } else { on })
            }
            70..90 if !live.is_empty() => Op::Delete((*dice.pick(&live)).clone()),
            90..94 => Op::DefaultPassword(password),
            94..98 => Op::Roles(RolePolicy {
                profile: *dice.pick(&[RoleProfile::Faithful, RoleProfile::Strict]),
                disabled_commands: dice
                    .pick(&[
                        vec![],
                        vec!["flushall"],
                        vec!["flushall", "flushdb", "keys"],
                    ])
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect(),
                ..RolePolicy::default()
            }),
            98..100 => Op::Pause(true),
            _ if room => Op::Create(dice.pick(&free).clone(), password, privilege),
            _ if !live.is_empty() => Op::Delete((*dice.pick(&live)).clone()),
            _ => Op::DefaultPassword(password),
        }
    }

    /// It happened.
    pub(crate) fn apply(&mut self, op: &Op) {
        if let Op::Create(name, password, _) | Op::Password(name, password) = op {
            let had = self.had.entry(name.clone()).or_default();
            had.insert(crate::check::digest(password));
        }
        match op {
            Op::Create(name, password, privilege) => {
                let live = Live {
                    password: password.clone(),
                    privilege: *privilege,
                    enabled: true,
                    former: Vec::new(),
                    confirmed: false,
                };
                self.live.insert(name.clone(), live);
            }
            Op::Privilege(name, privilege) => {
                if let Some(live) = self.live.get_mut(name) {
                    live.privilege = *privilege;
                }
            }
            Op::Password(name, password) => {
                if let Some(live) = self.live.get_mut(name) {
                    let former = std::mem::replace(&mut live.password, password.clone());
                    live.former.push(former);
                }
            }
            Op::Enable(name, on) => {
                if let Some(live) = self.live.get_mut(name) {
                    live.enabled = *on;
                }
            }
            Op::Delete(name) => {
                if let Some(live) = self.live.remove(name) {
                    let gone = self.gone.entry(name.clone()).or_default();
                    gone.extend(live.former.last().cloned());
                    gone.push(live.password);
                    gone.drain(..gone.len().saturating_sub(GONE_MAX));
                }
            }
            Op::DefaultPassword(password) => self.default.push(password.clone()),
            Op::Roles(policy) => self.roles = policy.clone(),
            Op::Pause(paused) => self.paused = *paused,
        }
    }

    /// When the password that the change is about was set; asked before a change that may be
    /// cut off.
    pub(crate) fn set_at(op: &Op, api: &Api) -> Value {
        let name = match op {
            Op::Password(name, _) => name.as_str(),
            Op::DefaultPassword(_) => DEFAULT,
            _ => return Value::Null,
        };
        let path = format!("/instances/{INSTANCE}/accounts/{name}");
        let view = api.read(&path).unwrap_or_default();
        view["password_set_at"].clone()
    }

    /// Reads from the service which of the unanswered changes happened, then compares all that
    /// it holds with what was acknowledged. How many had happened.
    pub(crate) fn settle(&mut self, api: &Api) -> Result<usize, String> {
        let instance = api.read(&format!("/instances/{INSTANCE}"))?;
        let accounts = api.read(&format!("/instances/{INSTANCE}/accounts"))?;
        let mut views: BTreeMap<String, Value> = BTreeMap::new();
        for view in accounts["rows"].as_array().ok_or("no rows")? {
            if view["status"] != "deleting" {
                let name = view["name"].as_str().unwrap_or_default();
                views.insert(name.to_owned(), view.clone());
            }
        }
        let roles: RolePolicy =
            serde_json::from_value(instance["roles"].clone()).map_err(|e| e.to_string())?;
        let paused = instance["state"] == "paused";
        let mut happened = 0;
        for Unsure { op, set_at } in std::mem::take(&mut self.unsure) {
            let done = match &op {
                Op::Create(name, ..) => views.contains_key(name),
                Op::Delete(name) => !views.contains_key(name),
                Op::Privilege(name, privilege) => {
                    views.get(name).map(|view| &view["privilege"])
                        == Some(&json!(privilege.as_str()))
                }
                Op::Password(name, _) => views
                    .get(name)
                    .is_some_and(|v| v["password_set_at"] != set_at),
                Op::Enable(name, on) => {
                    views.get(name).map(|view| &view["enabled"]) == Some(&json!(on))
                }
                Op::DefaultPassword(_) => views
                    .get(DEFAULT)
                    .is_some_and(|v| v["password_set_at"] != set_at),
                Op::Roles(policy) => roles == *policy,
                Op::Pause(asked) => paused == *asked,
            };
            if done {
                happened += 1;
                self.apply(&op);
            }
        }
        views.remove(DEFAULT);
        let told: BTreeMap<&str, (&str, bool)> = views
            .iter()
            .map(|(name, view)| {
                (
                    name.as_str(),
                    (
                        view["privilege"].as_str().unwrap_or_default(),
                        view["enabled"] == json!(true),
                    ),
                )
            })
            .collect();
        let held: BTreeMap<&str, (&str, bool)> = self
            .live
            .iter()
            .map(|(name, live)| (name.as_str(), (live.privilege.as_str(), live.enabled)))
            .collect();
        if told != held {
            return Err(format!("accounts: acknowledged {held:?}, held {told:?}"));
        }
        if roles != self.roles || paused != self.paused {
            return Err(format!(
                "acknowledged {:?} paused {}, held {roles:?} paused {paused}",
                self.roles, self.paused
            ));
        }
        Ok(happened)
    }
}
