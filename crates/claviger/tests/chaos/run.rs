//! The run: steps of calls and faults, and the comparison at the end of each stretch.

use crate::api::Answered;
use crate::check;
use crate::dice::Dice;
use crate::model::{INSTANCE, Model, Op, Unsure};
use crate::node::{Node, State};
use crate::service::Service;
use crate::topology::{Topology, eventually};
use claviger_testkit::Fault;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Steps between two comparisons.
const STRETCH: u64 = 30;
/// Refusals that a caller may meet here.
const REFUSALS: [&str; 8] = [
    // Of a paused instance.
    "InstanceNotRunning",
    "InstanceStatus.NotSupported",
    "IncorrectDBInstanceState",
    // A user of that name is on a node and is not ours: one that an old file has brought back.
    "NameUnmanaged",
    "InvalidAccountName.Duplicate",
    "InvalidAccountName.Forbid",
    "InvalidAccount.AlreadyExists",
    "AccountBusy",
];

/// Something broken, until a step.
struct Broken {
    node: usize,
    until: u64,
}

pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) topology: Box<dyn Topology>,
    pub(crate) service: Service,
    pub(crate) own: bool,
    model: Model,
    broken: Vec<Broken>,
    pub(crate) step: u64,
    /// What was done, and how often.
    pub(crate) counts: BTreeMap<String, u64>,
    /// The last things done, for the report of a failure.
    pub(crate) trail: Vec<String>,
    /// Longest waits, in milliseconds.
    pub(crate) longest: BTreeMap<&'static str, u64>,
}

impl Run {
    pub(crate) fn new(seed: u64, topology: Box<dyn Topology>, service: Service, own: bool) -> Self {
        Self {
            seed,
            topology,
            service,
            own,
            model: Model::default(),
            broken: Vec::new(),
            step: 0,
            counts: BTreeMap::new(),
            trail: Vec::new(),
            longest: BTreeMap::new(),
        }
    }

    fn note(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
        self.remember(what);
    }

    fn remember(&mut self, what: &str) {
        self.trail.push(format!("{}: {what}", self.step));
        if self.trail.len() > 60 {
            self.trail.remove(0);
        }
    }

    fn took(&mut self, what: &'static str, since: Instant) {
        let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let longest = self.longest.entry(what).or_default();
        *longest = (*longest).max(millis);
    }

    /// Registers the instance, then makes the steps.
    pub(crate) fn run(&mut self, steps: u64) -> Result<(), String> {
        self.service.start()?;
        let mut body = self.topology.registration();
        body["id"] = json!(INSTANCE);
        body["nodes"] = json!(self.topology.seeds(self.own));
        body["force"] = json!(true);
        match self.service.api.change("POST", "/instances", Some(&body)) {
            Answered::Done => {}
            other => return Err(format!("registering: {other:?}")),
        }
        self.compare()?;
        while self.step < steps {
            self.step += 1;
            let mut dice = Dice::new(self.seed, self.step);
            self.mend(&mut dice)?;
            self.one(&mut dice)?;
            self.pass_time(&mut dice);
            if self.step.is_multiple_of(STRETCH) {
                self.compare()?;
            }
        }
        self.compare()
    }

    /// Faults last for a while: mostly shorter than a retry takes, at times longer than a sweep.
    fn pass_time(&self, dice: &mut Dice) {
        let most = *dice.pick(&[0, 2, 10, 10, 20, 20, 50, 400]);
        std::thread::sleep(Duration::from_millis(dice.next() % (most + 1)));
    }

    fn one(&mut self, dice: &mut Dice) -> Result<(), String> {
        if !self.service.is_running() {
            self.restart()?;
        }
        match dice.below(100) {
            0..44 => self.change(dice),
            44..52 => self.burst(dice),
            52..60 => self.killed_change(dice),
            60..74 => self.break_line(dice),
            74..82 => self.break_node(dice),
            82..88 => self.by_hand(dice),
            88..91 => self.cut_off(dice),
            91..93 => self.fail_over(dice),
            93..95 => {
                self.note("claviger killed");
                self.service.kill();
                Ok(())
            }
            95..96 => {
                self.note("claviger stopped");
                self.service.stop()
            }
            96..98 => {
                let what = self.service.second()?;
                self.note(what);
                Ok(())
            }
            _ => {
                let passwords = self.model.default.len();
                for node in self.topology.nodes_mut() {
                    node.copy_file(passwords);
                }
                Ok(())
            }
        }
    }

    /// Starts the service again and compares what it holds with what was acknowledged.
    fn restart(&mut self) -> Result<(), String> {
        self.service.start()?;
        let unsure = self.model.unsure.len();
        let happened = self.model.settle(&self.service.api)?;
        if unsure > 0 {
            *self.counts.entry("cut off, done".into()).or_default() += happened as u64;
            *self.counts.entry("cut off, not done".into()).or_default() +=
                (unsure - happened) as u64;
        }
        Ok(())
    }

    fn take(&mut self, op: &Op, answered: Answered) -> Result<(), String> {
        self.remember(&format!("{op:?} {answered:?}"));
        match answered {
            Answered::Done => {
                *self.counts.entry(op.kind().into()).or_default() += 1;
                self.model.apply(op);
                Ok(())
            }
            Answered::Refused(code) => {
                *self.counts.entry(format!("refused {code}")).or_default() += 1;
                let resurrected = |node: &Node| !node.resurrected.is_empty();
                let excused = self.model.paused || self.topology.nodes().iter().any(resurrected);
                if REFUSALS.contains(&code.as_str()) && excused {
                    Ok(())
                } else {
                    Err(format!("{op:?} was refused with {code}"))
                }
            }
            Answered::Nothing(why) => Err(format!("{op:?} got no answer: {why}")),
        }
    }

    /// Nothing is broken now, as far as this test knows.
    fn is_calm(&self) -> bool {
        self.broken.is_empty()
            && !self.model.paused
            && self.topology.nodes().iter().all(|node| {
                node.state == State::Up
                    && !node.drifted
                    && node.resurrected.is_empty()
                    && node.proxy.fault() == Fault::None
            })
    }

    fn change(&mut self, dice: &mut Dice) -> Result<(), String> {
        let op = self.model.choose(dice, &BTreeSet::new());
        let answered = op.send(&self.service.api, dice);
        let done = answered == Answered::Done;
        self.take(&op, answered)?;
        let calm = done && self.is_calm() && dice.percent(40);
        let (Some(name), true) = (op.name(), calm) else {
            return Ok(());
        };
        // In sync is said of what was read back: one look at each node must do then.
        self.await_in_sync()?;
        *self.counts.entry("looked at at once".into()).or_default() += 1;
        for node in self.topology.nodes() {
            match self.model.live.get(name) {
                Some(live) => check::account(node, &self.model, name, live)?,
                None if node.user(name)?.is_some() => {
                    return Err(format!("{name} is still there on {}", node.address()));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Several callers at once, each with an account of its own.
    fn burst(&mut self, dice: &mut Dice) -> Result<(), String> {
        let mut busy = BTreeSet::new();
        let mut ops = Vec::new();
        for _ in 0..4 {
            let op = self.model.choose(dice, &busy);
            if let Some(name) = op.name() {
                busy.insert(name.to_owned());
                ops.push((op, Dice::new(dice.next(), 0)));
            }
        }
        let api = &self.service.api;
        let answers: Vec<(Op, Answered)> = std::thread::scope(|scope| {
            let sent: Vec<_> = ops
                .into_iter()
                .map(|(op, mut dice)| {
                    scope.spawn(move || {
                        let answered = op.send(api, &mut dice);
                        (op, answered)
                    })
                })
                .collect();
            sent.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for (op, answered) in answers {
            self.take(&op, answered)?;
        }
        Ok(())
    }

    /// A change while the service is killed.
    fn killed_change(&mut self, dice: &mut Dice) -> Result<(), String> {
        let op = self.model.choose(dice, &BTreeSet::new());
        let api = self.service.api.clone();
        let set_at = Model::set_at(&op, &api);
        let mut own = Dice::new(dice.next(), 0);
        let asked = op.clone();
        let sent = std::thread::spawn(move || asked.send(&api, &mut own));
        std::thread::sleep(Duration::from_micros(dice.next() % 6_000));
        self.service.kill();
        self.note("claviger killed in a change");
        match sent.join().unwrap() {
            Answered::Nothing(_) => {
                self.remember(&format!("{op:?} no answer"));
                self.model.unsure.push(Unsure { op, set_at });
            }
            answered => self.take(&op, answered)?,
        }
        if dice.percent(70) {
            self.restart()?;
        }
        Ok(())
    }

    /// A node that nothing is wrong with.
    fn whole_node(&self, dice: &mut Dice) -> Option<usize> {
        let at = dice.below(self.topology.nodes().len());
        let broken = self.broken.iter().any(|broken| broken.node == at);
        (!broken && self.broken.len() < 2).then_some(at)
    }

    fn break_line(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some(at) = self.whole_node(dice) else {
            return Ok(());
        };
        let says = |line: &str| Fault::Says(line.to_owned());
        let refuses = |which: &str, line: &str| Fault::Refuses(which.to_owned(), line.to_owned());
        let faults = [
            ("node unreachable", Fault::Unreachable),
            ("node silent", Fault::Silent),
            ("slow line", Fault::Slow(30)),
            ("lossy line", Fault::Lossy(60)),
            ("very lossy line", Fault::Lossy(400)),
            (
                "LOADING",
                says("LOADING Redis is loading the dataset in memory"),
            ),
            (
                "MASTERDOWN",
                says(
                    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                ),
            ),
            (
                "READONLY",
                refuses(
                    "ACL SETUSER",
                    "READONLY You can't write against a read only replica.",
                ),
            ),
            (
                "OOM",
                refuses(
                    "ACL SETUSER",
                    "OOM command not allowed when used memory > 'maxmemory'.",
                ),
            ),
            (
                "NOPERM",
                refuses(
                    "ACL",
                    "NOPERM this user has no permissions to run the 'acl' command",
                ),
            ),
            (
                "NOPERM to delete",
                refuses(
                    "ACL DELUSER",
                    "NOPERM this user has no permissions to run this command",
                ),
            ),
            (
                "file not written",
                refuses(
                    "ACL SAVE",
                    "ERR There was an error trying to save the ACLs.",
                ),
            ),
        ];
        let (what, fault) = dice.pick(&faults).clone();
        self.note(what);
        self.topology.nodes()[at].proxy.set(fault);
        let until = self.step + 1 + dice.next() % 12;
        self.broken.push(Broken { node: at, until });
        Ok(())
    }

    fn break_node(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some(at) = self.whole_node(dice) else {
            return Ok(());
        };
        let until = self.step + 1 + dice.next() % 10;
        let passwords = self.model.default.len();
        let live = self.model.live.clone();
        let own = self.own;
        let node = &mut self.topology.nodes_mut()[at];
        let what = match dice.below(5) {
            0 => {
                node.kill();
                self.broken.push(Broken { node: at, until });
                "node killed"
            }
            1 => {
                node.freeze(true)?;
                self.broken.push(Broken { node: at, until });
                "node frozen"
            }
            2 => {
                node.drifted = true;
                node.start_empty()?;
                "node restarted empty"
            }
            3 => {
                node.kill();
                node.drifted = true;
                node.start_again()?;
                "node restarted"
            }
            _ => {
                // Logins of so long ago are not known any more to a service that has no own user.
                let usable = |old: &crate::node::OldFile| own || passwords - old.passwords < 7;
                let usable: Vec<usize> = (0..node.old.len())
                    .filter(|at| usable(&node.old[*at]))
                    .collect();
                if usable.is_empty() {
                    return Ok(());
                }
                node.drifted = true;
                node.start_old(*dice.pick(&usable), &live)?;
                "node restarted with an old file"
            }
        };
        self.note(what);
        if self.topology.nodes()[at].state == State::Up {
            self.topology.rejoin(at)?;
        }
        Ok(())
    }

    /// Someone works on a node by hand.
    fn by_hand(&mut self, dice: &mut Dice) -> Result<(), String> {
        let at = dice.below(self.topology.nodes().len());
        let node = &mut self.topology.nodes_mut()[at];
        if node.state != State::Up {
            return Ok(());
        }
        let names: Vec<&String> = self.model.live.keys().collect();
        let name = match names.is_empty() {
            true => "nobody".to_owned(),
            false => (*dice.pick(&names)).clone(),
        };
        // Without the account there is nothing to change: SETUSER would make a user of our own.
        let there = node.user(&name)?.is_some();
        // A password beside none at all would be the only one: that locks everybody out.
        let default = node.user("default")?.is_some_and(|user| !user.nopass);
        // Nothing tells a user without a password from someone else's before its account was
        // confirmed once.
        let live = self.model.live.get(&name);
        let proven = there && live.is_some_and(|live| live.confirmed);
        let hand = format!("hand{}", dice.below(4));
        let (what, command) = match dice.below(10) {
            0 if there => ("user deleted by hand", format!("ACL DELUSER {name}")),
            1 if there => (
                "user switched off by hand",
                format!("ACL SETUSER {name} off"),
            ),
            2 if proven => ("user opened by hand", format!("ACL SETUSER {name} nopass")),
            3 if there => (
                "password added by hand",
                format!("ACL SETUSER {name} >other"),
            ),
            4 if there => ("rights taken by hand", format!("ACL SETUSER {name} -get")),
            5 if there => ("rights given by hand", format!("ACL SETUSER {name} +@all")),
            6 if default && !self.model.default.is_empty() => (
                "default user changed by hand",
                "ACL SETUSER default >other".to_owned(),
            ),
            7 if node.has_aclfile() => ("ACL LOAD by hand", "ACL LOAD".to_owned()),
            8 => ("foreign user deleted", format!("ACL DELUSER {hand}")),
            _ => (
                "foreign user made",
                format!(
                    "ACL SETUSER {hand} reset on >pw{} ~x:* +get",
                    dice.below(100)
                ),
            ),
        };
        node.drifted = true;
        let said = node.say(&command);
        if command != "ACL LOAD" {
            said?;
            node.note_foreign()?;
        } else if node.note_old(&self.model.live).is_err() {
            // Valkey 8.0.1 and Redict 7.3.6 crash on it as replicas.
            node.kill();
            let until = self.step + 2;
            self.broken.push(Broken { node: at, until });
            self.note("crashed at ACL LOAD");
        }
        self.note(what);
        Ok(())
    }

    fn fail_over(&mut self, dice: &mut Dice) -> Result<(), String> {
        if let Some(what) = self.topology.fail_over(dice)? {
            self.note("failover");
            self.remember(&what);
        }
        Ok(())
    }

    /// A node is cut off while an account is deleted: what it still allows is shown, and gone
    /// soon after it is back.
    fn cut_off(&mut self, dice: &mut Dice) -> Result<(), String> {
        let enabled = self.model.live.iter().filter(|(_, live)| live.enabled);
        let names: Vec<String> = enabled.map(|(name, _)| name.clone()).collect();
        if !self.is_calm() || names.is_empty() {
            return Ok(());
        }
        self.await_in_sync()?;
        let at = dice.below(self.topology.nodes().len());
        let name = dice.pick(&names).clone();
        let password = self.model.live[&name].password.clone();
        let address = self.topology.nodes()[at].address();
        self.topology.nodes()[at].proxy.set(Fault::Unreachable);
        let op = Op::Delete(name.clone());
        let answered = op.send(&self.service.api, dice);
        self.take(&op, answered)?;
        let status = format!("/instances/{INSTANCE}/status");
        let api = self.service.api.clone();
        eventually("the node that still has the user is named", || {
            let sight = api.read(&status)?;
            let accounts = sight["accounts"].as_array().cloned().unwrap_or_default();
            let pending = |account: &Value| {
                let on = account["pending_on"].as_array().cloned();
                account["name"] == json!(name) && on.unwrap_or_default().contains(&json!(address))
            };
            Ok(sight["in_sync"] == json!(false) && accounts.iter().any(pending))
        })?;
        let node = &self.topology.nodes()[at];
        if !node.logs_in(&name, &password) {
            return Err(format!("{name} is gone from {address}, which is cut off"));
        }
        std::thread::sleep(Duration::from_millis(dice.next() % 3_000));
        node.proxy.set(Fault::None);
        let back = Instant::now();
        eventually("the user is gone from the node that is back", || {
            Ok(node.user(&name)?.is_none())
        })?;
        self.took("reachable again to deleted there", back);
        self.note("cut off for a delete");
        Ok(())
    }

    /// Ends what has been broken for long enough.
    fn mend(&mut self, dice: &mut Dice) -> Result<(), String> {
        let step = self.step;
        let due: Vec<usize> = self
            .broken
            .iter()
            .filter(|broken| broken.until <= step)
            .map(|broken| broken.node)
            .collect();
        self.broken.retain(|broken| broken.until > step);
        for at in due {
            self.mend_node(at, dice.below(3))?;
        }
        Ok(())
    }

    fn mend_node(&mut self, at: usize, how: usize) -> Result<(), String> {
        let node = &mut self.topology.nodes_mut()[at];
        node.proxy.set(Fault::None);
        match node.state {
            State::Up => return Ok(()),
            State::Frozen => node.freeze(false)?,
            State::Down => {
                node.drifted = true;
                if how == 0 {
                    node.start_empty()?;
                } else {
                    node.start_again()?;
                }
                self.topology.rejoin(at)?;
            }
        }
        Ok(())
    }

    fn await_in_sync(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let api = self.service.api.clone();
        let mut last = Value::Null;
        let synced = eventually("in sync", || {
            last = api.read(&format!("/instances/{INSTANCE}/status"))?;
            Ok(last["in_sync"] == json!(true))
        });
        self.took("in sync", begun);
        synced.map_err(|error| format!("{error}; last: {last}"))
    }

    /// Heals everything, waits until the service says that all is in sync, and reads every node.
    fn compare(&mut self) -> Result<(), String> {
        for at in 0..self.topology.nodes().len() {
            self.mend_node(at, 1)?;
        }
        self.broken.clear();
        self.topology.heal()?;
        if !self.service.is_running() {
            self.restart()?;
        }
        if self.model.paused {
            let op = Op::Pause(false);
            let answered = op.send(&self.service.api, &mut Dice::new(0, 0));
            self.take(&op, answered)?;
        }
        self.model.settle(&self.service.api)?;
        self.clear_resurrected()?;
        let begun = Instant::now();
        let drifted = self.topology.nodes().iter().any(|node| node.drifted);
        self.await_in_sync()?;
        let (topology, model) = (&self.topology, &self.model);
        // What was done by hand is found by the next sweep; scratch users go by the one after.
        eventually("every node holds what was acknowledged", || {
            for node in topology.nodes() {
                check::node(node, model)?;
            }
            Ok(true)
        })?;
        self.took(
            if drifted {
                "all nodes right, after drift"
            } else {
                "all nodes right"
            },
            begun,
        );
        self.await_in_sync()?;
        for node in self.topology.nodes_mut() {
            node.drifted = false;
        }
        for live in self.model.live.values_mut() {
            live.confirmed = true;
        }
        self.note("all compared");
        Ok(())
    }

    /// An old file has brought back accounts that were deleted: those with passwords that they
    /// had go again. What was changed by hand before it was saved is nobody's that claviger
    /// knows: shown as not managed, until the operator removes it.
    fn clear_resurrected(&mut self) -> Result<(), String> {
        let api = self.service.api.clone();
        let mut removed = Vec::new();
        for at in 0..self.topology.nodes().len() {
            let names = std::mem::take(&mut self.topology.nodes_mut()[at].resurrected);
            for name in names {
                let (node, model) = (&self.topology.nodes()[at], &self.model);
                let live = model.live.get(&name);
                let mut foreign = false;
                eventually(
                    "a user that came back goes, is put right or is shown",
                    || {
                        let Some(user) = node.user(&name)? else {
                            return Ok(live.is_none());
                        };
                        if live.is_some_and(|live| user.digests == [check::digest(&live.password)])
                        {
                            return Ok(true);
                        }
                        let had = model.had.get(&name);
                        let ours = |digest| had.is_some_and(|had| had.contains(digest));
                        if !user.nopass && !user.digests.is_empty() && user.digests.iter().all(ours)
                        {
                            return Ok(false);
                        }
                        foreign = true;
                        let sight = api.read(&format!("/instances/{INSTANCE}/status"))?;
                        let shown = sight["unmanaged"].as_array().cloned().unwrap_or_default();
                        Ok(live.is_some() || shown.contains(&json!(name)))
                    },
                )?;
                let node = &self.topology.nodes()[at];
                if foreign && node.user(&name)?.is_some() {
                    node.ask(&["ACL", "DELUSER", &name])?;
                    node.save()?;
                    self.note("a changed user back from an old file");
                    removed.push(json!(name));
                } else if !self.model.live.contains_key(&name) {
                    self.note("deleted account back from an old file, and gone again");
                }
            }
        }
        // Names that were taken are free again once that was seen.
        eventually("what was removed by hand is not shown any more", || {
            let sight = api.read(&format!("/instances/{INSTANCE}/status"))?;
            let shown = sight["unmanaged"].as_array().cloned().unwrap_or_default();
            Ok(!removed.iter().any(|name| shown.contains(name)))
        })
    }
}
