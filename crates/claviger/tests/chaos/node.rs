//! A real server behind a proxy that breaks things, as the test's own administrator sees it.

use crate::check::digest;
use crate::model::{INSTANCE, Live};
use claviger_core::acl::own_login_tokens;
use claviger_core::engine::AclLevel;
use claviger_testkit::{EngineBinary, FaultProxy, Keeps, Server, ServerOptions, Session};
use redis::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use tokio::runtime::Runtime;

/// The test's own login, which is also a user that claviger must not touch.
pub(crate) const ADMIN: (&str, &str) = ("chaos", "chaos-admin-password");
/// claviger's own login, where it is not the default user.
pub(crate) const OWN: (&str, &str) = ("claviger", "claviger-own-password");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    Down,
    Frozen,
}

/// Content of the node's own file at some time.
pub(crate) struct OldFile {
    content: String,
    /// How many passwords the default account had had then.
    pub(crate) passwords: usize,
}

pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) proxy: FaultProxy,
    pub(crate) engine: claviger_core::engine::Engine,
    pub(crate) state: State,
    keeps: Keeps,
    initial: Option<String>,
    pub(crate) old: Vec<OldFile>,
    /// Users made by hand, and how the server describes them.
    pub(crate) foreign: BTreeMap<String, String>,
    /// Deleted accounts that an old file has brought back.
    pub(crate) resurrected: BTreeSet<String>,
    /// Someone changed something by hand, or an old file was put in place.
    pub(crate) drifted: bool,
}

/// claviger's login in a node's URL.
pub(crate) fn login(own: bool) -> String {
    if own {
        format!("{}:{}@", OWN.0, OWN.1)
    } else {
        String::new()
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

/// Lists and texts as one line.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            format!("[{}]", items.join("|"))
        }
        other => format!("{other:?}"),
    }
}

/// A user as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) on: bool,
    pub(crate) nopass: bool,
    pub(crate) digests: Vec<String>,
    /// Commands, keys, channels, selectors.
    pub(crate) rules: String,
}

impl User {
    /// As a text to compare. Redis 7.0 lists the commands in the order of its table, which it
    /// changes while it runs.
    pub(crate) fn described(&self) -> String {
        let mut words: Vec<&str> = self.rules.split(' ').collect();
        words.sort_unstable();
        let (on, nopass, digests) = (self.on, self.nopass, self.digests.join(" "));
        format!("on {on} nopass {nopass} {digests} {}", words.join(" "))
    }
}

impl Node {
    /// Starts one. `own` gives claviger a user of its own.
    pub(crate) fn start(
        runtime: &Runtime,
        binary: &EngineBinary,
        keeps: Keeps,
        lines: &dyn Fn(u16) -> Vec<String>,
        own: bool,
        seed: u64,
    ) -> Result<Self, String> {
        let port = claviger_testkit::server::free_port().map_err(|e| e.to_string())?;
        Self::start_on(runtime, binary, keeps, lines, own, seed, port)
    }

    /// The same on that port.
    pub(crate) fn start_on(
        runtime: &Runtime,
        binary: &EngineBinary,
        keeps: Keeps,
        lines: &dyn Fn(u16) -> Vec<String>,
        own: bool,
        seed: u64,
        port: u16,
    ) -> Result<Self, String> {
        let target = format!("127.0.0.1:{port}");
        let proxy = runtime.block_on(FaultProxy::start(target, seed));
        let proxy = proxy.map_err(|e| e.to_string())?;
        let level = binary.engine.acl_level();
        let channels = if level >= AclLevel::Channels {
            "&* "
        } else {
            ""
        };
        let mut users = vec![format!(
            "user {} on >{} ~* {channels}+@all",
            ADMIN.0, ADMIN.1
        )];
        if own {
            let rules = own_login_tokens(level, true).join(" ");
            users.push(format!("user {} on >{} {rules}", OWN.0, OWN.1));
        }
        let mut options = ServerOptions {
            keeps,
            port: Some(port),
            lines: lines(proxy.port()),
            ..ServerOptions::default()
        };
        if keeps != Keeps::Aclfile {
            options.lines.extend(users.iter().cloned());
        }
        let server = Server::start(binary, &options).map_err(|e| format!("{e:#}"))?;
        let mut node = Self {
            server,
            proxy,
            engine: binary.engine,
            state: State::Up,
            keeps,
            initial: None,
            old: Vec::new(),
            foreign: BTreeMap::new(),
            resurrected: BTreeSet::new(),
            drifted: false,
        };
        if keeps == Keeps::Aclfile {
            for user in &users {
                let user = user.replacen("user", "ACL SETUSER", 1);
                node.server.ask(&words(&user)).map_err(|e| e.to_string())?;
            }
            node.server
                .ask(&["ACL", "SAVE"])
                .map_err(|e| e.to_string())?;
        }
        if keeps != Keeps::Nothing {
            node.initial = Some(node.server.own_file().map_err(|e| e.to_string())?);
        }
        node.note_foreign()?;
        Ok(node)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.proxy.port())
    }

    /// As claviger is told of it.
    pub(crate) fn url(&self, own: bool) -> String {
        format!("redis://{}{}", login(own), self.address())
    }

    pub(crate) fn is_volatile(&self) -> bool {
        self.keeps == Keeps::Nothing
    }

    pub(crate) fn has_aclfile(&self) -> bool {
        self.keeps == Keeps::Aclfile
    }

    fn file(&self) -> PathBuf {
        let name = match self.keeps {
            Keeps::Aclfile => "users.acl",
            Keeps::Config | Keeps::Nothing => "server.conf",
        };
        self.server.directory().join(name)
    }

    /// A session of the administrator, around the proxy.
    pub(crate) fn admin(&self) -> Result<Session, String> {
        let address = self.server.address();
        Session::login(&address, ADMIN.0, ADMIN.1).map_err(|e| format!("{address}: {e}"))
    }

    /// One command of the administrator.
    pub(crate) fn ask(&self, command: &[&str]) -> Result<Value, String> {
        let answer = self.admin()?.ask(command);
        answer.map_err(|e| format!("{} {command:?}: {e}", self.address()))
    }

    /// As [`Node::ask`], for words without spaces.
    pub(crate) fn say(&self, command: &str) -> Result<Value, String> {
        self.ask(&words(command))
    }

    /// This password gets in as that user.
    pub(crate) fn logs_in(&self, user: &str, password: &str) -> bool {
        Session::login(&self.server.address(), user, password).is_ok()
    }

    pub(crate) fn users(&self) -> Result<Vec<String>, String> {
        match self.say("ACL USERS")? {
            Value::Array(names) => Ok(names.iter().map(plain).collect()),
            other => Err(format!("ACL USERS: {other:?}")),
        }
    }

    pub(crate) fn user(&self, name: &str) -> Result<Option<User>, String> {
        let Value::Array(fields) = self.ask(&["ACL", "GETUSER", name])? else {
            return Ok(None);
        };
        let mut user = User {
            on: false,
            nopass: false,
            digests: Vec::new(),
            rules: String::new(),
        };
        for pair in fields.chunks(2) {
            let [field, value] = pair else { continue };
            let items = match value {
                Value::Array(items) => items.iter().map(plain).collect(),
                _ => Vec::new(),
            };
            match plain(field).as_str() {
                "flags" => {
                    user.on = items.iter().any(|flag| flag == "on");
                    user.nopass = items.iter().any(|flag| flag == "nopass");
                }
                "passwords" => user.digests = items,
                field => {
                    let value = plain(value);
                    user.rules.push_str(&format!("{field} {value} "));
                }
            }
        }
        Ok(Some(user))
    }

    /// How the server describes these rules.
    pub(crate) fn rendering(&self, tokens: &[String]) -> Result<String, String> {
        let mut command = vec!["ACL", "SETUSER", "chaosref", "reset", "off"];
        command.extend(tokens.iter().map(String::as_str));
        self.ask(&command)?;
        let user = self.user("chaosref")?;
        self.say("ACL DELUSER chaosref")?;
        Ok(user.ok_or("no reference user")?.rules)
    }

    /// A user of someone else, by its name.
    pub(crate) fn is_foreign(name: &str) -> bool {
        name == ADMIN.0 || name == OWN.0 || name.starts_with("hand")
    }

    /// Takes the users made by hand as they are now.
    pub(crate) fn note_foreign(&mut self) -> Result<(), String> {
        let mut foreign = BTreeMap::new();
        for name in self.users()? {
            if Self::is_foreign(&name)
                && let Some(user) = self.user(&name)?
            {
                foreign.insert(name, user.described());
            }
        }
        self.foreign = foreign;
        Ok(())
    }

    /// After an old file was read: who is there that should not be, and who is there under the
    /// name of an account and is an earlier one of that name.
    pub(crate) fn note_old(&mut self, live: &BTreeMap<String, Live>) -> Result<(), String> {
        self.note_foreign()?;
        for name in self.users()? {
            let current = match (live.get(&name), self.user(&name)?) {
                (Some(live), Some(user)) => user.digests.contains(&digest(&live.password)),
                _ => false,
            };
            let known = Self::is_foreign(&name)
                || current
                || name == "default"
                || name == INSTANCE
                || name.starts_with("claviger:");
            if !known {
                self.resurrected.insert(name);
            }
        }
        Ok(())
    }

    /// Writes its own file, as an operator would after work by hand.
    pub(crate) fn save(&self) -> Result<(), String> {
        match self.keeps {
            Keeps::Aclfile => self.say("ACL SAVE").map(drop),
            // Redis 6 would break its file.
            Keeps::Config if self.engine.acl_level() >= AclLevel::Selectors => {
                self.say("CONFIG REWRITE").map(drop)
            }
            Keeps::Config | Keeps::Nothing => Ok(()),
        }
    }

    pub(crate) fn kill(&mut self) {
        self.server.kill();
        self.state = State::Down;
    }

    /// Starts with what its own file holds.
    pub(crate) fn start_again(&mut self) -> Result<(), String> {
        self.server.start_again().map_err(|e| format!("{e:#}"))?;
        self.state = State::Up;
        self.note_foreign()
    }

    /// Starts as it was at first.
    pub(crate) fn start_empty(&mut self) -> Result<(), String> {
        self.server.kill();
        if let Some(initial) = &self.initial {
            std::fs::write(self.file(), initial).map_err(|e| e.to_string())?;
        }
        self.start_again()
    }

    /// Starts with a file of before.
    pub(crate) fn start_old(
        &mut self,
        at: usize,
        live: &BTreeMap<String, Live>,
    ) -> Result<(), String> {
        self.server.kill();
        std::fs::write(self.file(), &self.old[at].content).map_err(|e| e.to_string())?;
        self.start_again()?;
        self.note_old(live)
    }

    /// Keeps a copy of its own file for later.
    pub(crate) fn copy_file(&mut self, passwords: usize) {
        if let Ok(content) = self.server.own_file() {
            self.old.push(OldFile { content, passwords });
        }
        if self.old.len() > 5 {
            self.old.remove(0);
        }
    }

    pub(crate) fn freeze(&mut self, frozen: bool) -> Result<(), String> {
        self.server.freeze(frozen).map_err(|e| e.to_string())?;
        self.state = if frozen { State::Frozen } else { State::Up };
        Ok(())
    }
}
