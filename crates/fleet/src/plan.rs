//! Desired × seen → what to do with each user, and why not. Pure.
//!
//! Three rules stand above all others, and the tests at the end hold them against a model:
//! users that are not ours are left alone, our own login is never touched, and doing the same
//! again changes nothing.

use std::collections::BTreeSet;

/// The start of the names of our scratch users.
pub(crate) const SCRATCH_PREFIX: &str = "claviger:scratch:";

/// A user as read from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) on: bool,
    pub(crate) nopass: bool,
    pub(crate) digests: BTreeSet<String>,
    /// Short form of its rules as the node renders them.
    pub(crate) rules: u64,
}

/// What is known of a user on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Not read: it is known to be ours and to be out of date.
    Skipped,
    /// There is none.
    Absent,
    /// There is one.
    Present(Seen),
}

/// What a user should be.
#[derive(Clone, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) name: &'a str,
    /// It may log in.
    pub(crate) on: bool,
    /// Its passwords, in hexadecimal digits; exactly these.
    pub(crate) digests: &'a BTreeSet<String>,
    /// Passwords that it may still have here: written and never confirmed.
    pub(crate) former: &'a [String],
    /// How the node renders its rules; `None` if that is not known yet.
    pub(crate) rules: Option<u64>,
    /// It should not be there at all.
    pub(crate) gone: bool,
    pub(crate) claim: Claim,
}

/// What speaks for a user of that name on this node being ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// It was confirmed here before, or on every node.
    pub(crate) ours: bool,
    /// It was seen to be someone else's.
    pub(crate) foreign: bool,
    /// An earlier account of the same name may have sessions here.
    pub(crate) end_sessions: bool,
}

/// What to do with one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is as it should be.
    Nothing,
    /// Give it its password and rules.
    Set,
    /// End it with its sessions, and make it anew.
    Replace,
    /// End it with its sessions.
    Remove,
    /// A user of that name is there and is not ours.
    Clash,
    /// Must not be touched, for this reason.
    Refuse(&'static str),
}

/// Decides on one user. `own_user` is our own login on the node.
pub(crate) fn decide(target: &Target<'_>, look: &Look, own_user: &str) -> Action {
    if let Some(reason) = untouchable(target.name, own_user) {
        return Action::Refuse(reason);
    }
    match look {
        Look::Absent if target.gone => Action::Nothing,
        Look::Absent => Action::Set,
        Look::Skipped if target.gone => Action::Remove,
        Look::Skipped if target.claim.end_sessions => Action::Replace,
        Look::Skipped => Action::Set,
        Look::Present(seen) => present(target, seen),
    }
}

/// Why a user of that name is never written.
pub(crate) fn untouchable(name: &str, own_user: &str) -> Option<&'static str> {
    if name == own_user {
        Some("claviger itself logs in as this user on the nodes")
    } else if name == crate::desired::DEFAULT_USER {
        Some("this is the server's own user")
    } else if name.starts_with(SCRATCH_PREFIX) {
        Some("the name is reserved")
    } else {
        None
    }
}

fn present(target: &Target<'_>, seen: &Seen) -> Action {
    let holds = holds(target, seen);
    let claim = target.claim;
    // A password of the account tells that the user is the account's, with whatever rules: we may
    // have been stopped between writing and recording it, and the account changed since.
    let known = target.digests.iter().any(|d| seen.digests.contains(d));
    let known_before = target.former.iter().any(|d| seen.digests.contains(d));
    let ours = !claim.foreign && (claim.ours || known || known_before);
    match (target.gone, holds, ours) {
        // What is exactly as we make it, down to the password, was made by us.
        (true, true, _) | (true, false, true) => Action::Remove,
        // The account ends; the user of someone else stays.
        (true, false, false) => Action::Nothing,
        (false, true, _) if claim.end_sessions => Action::Replace,
        (false, true, _) => Action::Nothing,
        (false, false, true) if claim.end_sessions || (known_before && !known) => Action::Replace,
        (false, false, true) => Action::Set,
        (false, false, false) => Action::Clash,
    }
}

/// The user is on or off as wanted, has exactly these passwords and exactly these rules.
pub(crate) fn holds(target: &Target<'_>, seen: &Seen) -> bool {
    logs_in_as_wanted(target, seen) && target.rules == Some(seen.rules)
}

fn logs_in_as_wanted(target: &Target<'_>, seen: &Seen) -> bool {
    seen.on == target.on && !seen.nopass && seen.digests == *target.digests
}

/// Nothing is known to be wrong with the user, but its rules cannot be compared: the node does not
/// show how it renders them.
pub(crate) fn is_incomparable(target: &Target<'_>, look: &Look) -> bool {
    let fits = matches!(look, Look::Present(seen) if logs_in_as_wanted(target, seen));
    fits && !target.gone && target.rules.is_none()
}

/// How a user differs, in plain words.
pub(crate) fn difference(target: &Target<'_>, look: &Look) -> &'static str {
    match look {
        Look::Skipped => "is out of date",
        Look::Absent => "is missing",
        Look::Present(_) if target.gone => "is back",
        Look::Present(seen) if target.on && !seen.on => "is switched off",
        Look::Present(seen) if !target.on && seen.on => "is switched on",
        Look::Present(seen) if seen.nopass => "takes any password",
        Look::Present(seen) if !target.digests.is_subset(&seen.digests) => "has another password",
        Look::Present(seen) if seen.digests != *target.digests => "has further passwords",
        Look::Present(_) if target.rules.is_none() => "cannot be compared",
        Look::Present(_) => "has other rules",
    }
}

/// One step on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// End its sessions: before it is deleted, for then the server does not know them any more.
    Kill,
    /// Delete it.
    Delete,
    /// `reset on|off #digest... rules...`, in one command, which a server does whole or not at
    /// all.
    Set,
}

impl Action {
    /// The steps, in order.
    pub(crate) fn steps(self) -> &'static [Step] {
        match self {
            Action::Nothing | Action::Clash | Action::Refuse(_) => &[],
            Action::Set => &[Step::Set],
            Action::Replace => &[Step::Kill, Step::Delete, Step::Set],
            Action::Remove => &[Step::Kill, Step::Delete],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<String, Seen>;

    #[derive(Clone, Debug)]
    struct Want {
        name: String,
        on: bool,
        digests: BTreeSet<String>,
        former: Vec<String>,
        rules: u64,
        gone: bool,
        claim: Claim,
    }

    impl Want {
        fn target(&self) -> Target<'_> {
            Target {
                name: &self.name,
                on: self.on,
                digests: &self.digests,
                former: &self.former,
                rules: Some(self.rules),
                gone: self.gone,
                claim: self.claim,
            }
        }
    }

    fn look(model: &Model, name: &str) -> Look {
        model.get(name).cloned().map_or(Look::Absent, Look::Present)
    }

    fn execute(model: &mut Model, want: &Want, action: Action) {
        for step in action.steps() {
            match step {
                Step::Kill => {}
                Step::Delete => {
                    model.remove(&want.name);
                }
                Step::Set => {
                    let user = Seen {
                        on: want.on,
                        nopass: false,
                        digests: want.digests.clone(),
                        rules: want.rules,
                    };
                    model.insert(want.name.clone(), user);
                }
            }
        }
    }

    fn seen() -> impl Strategy<Value = Seen> {
        let digests = proptest::collection::btree_set("[ab]", 0..3);
        (any::<bool>(), any::<bool>(), digests, 0..3_u64).prop_map(
            |(on, nopass, digests, rules)| Seen {
                on,
                nopass,
                digests,
                rules,
            },
        )
    }

    fn claim() -> impl Strategy<Value = Claim> {
        any::<[bool; 3]>().prop_map(|[ours, foreign, end_sessions]| Claim {
            ours,
            foreign,
            end_sessions,
        })
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-d]",
            Just("own".to_owned()),
            Just("default".to_owned()),
            Just(format!("{SCRATCH_PREFIX}1")),
        ]
    }

    fn wants() -> impl Strategy<Value = BTreeMap<String, Want>> {
        let digests = proptest::collection::btree_set("[ab]", 1..3);
        let flags = any::<[bool; 2]>();
        let former = proptest::collection::vec("[bc]", 0..2);
        let want = (name(), digests, former, 0..3_u64, flags, claim()).prop_map(
            |(name, digests, former, rules, [on, gone], claim)| Want {
                name,
                on,
                digests,
                former,
                rules,
                gone,
                claim,
            },
        );
        proptest::collection::vec(want, 0..6)
            .prop_map(|wants| wants.into_iter().map(|w| (w.name.clone(), w)).collect())
    }

    fn models() -> impl Strategy<Value = Model> {
        proptest::collection::btree_map(name(), seen(), 0..8)
    }

    proptest! {
        #[test]
        fn a_plan_reaches_the_desired_state_once_and_touches_nothing_else(
            wants in wants(), before in models(),
        ) {
            let mut model = before.clone();
            for want in wants.values() {
                let action = decide(&want.target(), &look(&model, &want.name), "own");
                execute(&mut model, want, action);
                let after = look(&model, &want.name);
                match action {
                    Action::Clash | Action::Refuse(_) => {
                        prop_assert_eq!(&after, &look(&before, &want.name));
                    }
                    Action::Nothing if want.gone => {}
                    _ if want.gone => prop_assert_eq!(&after, &Look::Absent),
                    _ => match &after {
                        Look::Present(seen) => prop_assert!(holds(&want.target(), seen)),
                        other => prop_assert!(false, "{other:?}"),
                    },
                }
                // The second plan is empty; an ended predecessor is ended once.
                let mut again = want.clone();
                again.claim.end_sessions = false;
                let second = decide(&again.target(), &after, "own");
                prop_assert!(second.steps().is_empty(), "{second:?}");
            }
            for (name, user) in &before {
                let ours = wants.contains_key(name) && untouchable(name, "own").is_none();
                if !ours {
                    prop_assert_eq!(model.get(name), Some(user));
                }
            }
        }

        #[test]
        fn what_is_not_ours_stays(mut want in wants(), before in seen()) {
            for want in want.values_mut() {
                want.claim = Claim { end_sessions: false, ..Claim::default() };
                let present = Look::Present(before.clone());
                let action = decide(&want.target(), &present, "own");
                let mut own = want.digests.iter().chain(&want.former);
                if !own.any(|digest| before.digests.contains(digest)) {
                    prop_assert!(action.steps().is_empty(), "{action:?}");
                }
            }
        }
    }

    /// We were stopped after writing and before recording it, and the account changed meanwhile.
    #[test]
    fn a_user_with_a_password_of_the_account_is_the_accounts() {
        let mut want = Want {
            name: "a".into(),
            on: true,
            digests: BTreeSet::from(["new".to_owned()]),
            former: vec!["old".into()],
            rules: 1,
            gone: false,
            claim: Claim::default(),
        };
        let with = |digest: &str| {
            Look::Present(Seen {
                on: true,
                nopass: false,
                digests: BTreeSet::from([digest.to_owned()]),
                rules: 2,
            })
        };
        let act = |want: &Want, digest: &str| decide(&want.target(), &with(digest), "own");
        assert_eq!(act(&want, "new"), Action::Set);
        assert_eq!(act(&want, "old"), Action::Replace);
        assert_eq!(act(&want, "other"), Action::Clash);
        want.gone = true;
        assert_eq!(act(&want, "old"), Action::Remove);
        assert_eq!(act(&want, "other"), Action::Nothing);
        want.claim.foreign = true;
        assert_eq!(act(&want, "old"), Action::Nothing);
    }

    #[test]
    fn differences_are_named() {
        let want = Want {
            name: "a".into(),
            on: true,
            digests: BTreeSet::from(["d".to_owned()]),
            former: Vec::new(),
            rules: 1,
            gone: false,
            claim: Claim::default(),
        };
        let mut seen = Seen {
            on: true,
            nopass: false,
            digests: BTreeSet::from(["d".to_owned()]),
            rules: 2,
        };
        let say = |seen: &Seen| difference(&want.target(), &Look::Present(seen.clone()));
        assert_eq!(say(&seen), "has other rules");
        let present = Look::Present(seen.clone());
        let unknown = Target {
            rules: None,
            ..want.target()
        };
        assert_eq!(difference(&unknown, &present), "cannot be compared");
        assert!(is_incomparable(&unknown, &present));
        assert!(!is_incomparable(&want.target(), &present));
        seen.digests.insert("e".into());
        assert_eq!(say(&seen), "has further passwords");
        seen.on = false;
        assert_eq!(say(&seen), "is switched off");
        assert!(!is_incomparable(&unknown, &Look::Present(seen.clone())));
        seen.digests = BTreeSet::from(["e".to_owned()]);
        seen.on = true;
        assert_eq!(say(&seen), "has another password");
    }
}
