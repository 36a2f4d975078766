//! Properties of `decide`: no sequence of commands breaks an invariant of the instance.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use claviger_core::access::{
    AccessKey, Action, Authorized, Circumstances, Judge, Principal, Resource, Role, Tags, authorize,
};
use claviger_core::account::{Account, AccountKind, AccountStatus, Life};
use claviger_core::clock::Timestamp;
use claviger_core::command::{
    Asked, Command, CreateAccount, DeleteAccount, ModifyAccount, PasswordChange, Target,
};
use claviger_core::decide::{Decision, Fresh, decide};
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{AccountId, AccountName, InstanceId, Revision, TaskId};
use claviger_core::instance::{
    Held, Instance, InstanceState, NodeLogin, NodeTls, RolePolicy, TopologyChoice,
};
use claviger_core::password::PasswordDigest;
use claviger_core::policy::InstancePolicy;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::refusal::Refusal;
use claviger_core::rules::{Check, Rules};
use claviger_core::secret::Secret;
use claviger_core::task::TaskState;
use proptest::prelude::*;

const QUOTA: u32 = 3;

static RULES: Rules = Rules {
    order: &Check::ALL,
    name_ok: |name, instance| {
        !name.is_empty() && name != "default" && name != instance && !name.contains(' ')
    },
    password_ok: |asked| asked.password.len() >= 4,
    password_must_change: false,
    description_ok: |text| text.len() <= 8,
    privileges: &[Privilege::ReadOnly, Privilege::ReadWrite],
    custom_roles: true,
    quota: QUOTA,
    per_action_max: None,
    old_password_lockout: None,
    signature_lockout: None,
};

fn account_id(n: u8) -> AccountId {
    AccountId::from_parts(Timestamp::from_millis(1), [n; 10])
}

fn fresh(n: u8) -> Fresh {
    Fresh {
        at: Timestamp::from_millis(i64::from(n) + 1),
        account: account_id(n),
    }
}

fn held() -> Held {
    let instance = Instance {
        id: InstanceId::from("r-1"),
        name: "one".into(),
        region: "cn-hangzhou".into(),
        tags: Tags::new(),
        topology: TopologyChoice::Auto,
        master_name: None,
        seeds: Vec::new(),
        tls: NodeTls::default(),
        map: Vec::new(),
        login: NodeLogin {
            user: None,
            password: Some(Secret::new("old!")),
            former: Vec::new(),
            sentinel: None,
        },
        default_password: None,
        roles: RolePolicy::default(),
        policy: InstancePolicy::default(),
        primaries: 1,
        replicas: 0,
        password_free: false,
        state: InstanceState::Running,
        engine: Engine::parse(Family::Redis, "7.0.15"),
        observed_topology: None,
        unmanaged: vec![AccountName::from("theirs")],
        link_users: Vec::new(),
        revision: Revision::ZERO,
        created_at: Timestamp::from_millis(0),
    };
    let default = Account {
        id: account_id(255),
        name: AccountName::from(Account::DEFAULT_NAME),
        kind: AccountKind::Default,
        privilege: Privilege::ReadWrite,
        routing: Routing::PRIMARY,
        description: String::new(),
        password: None,
        more_passwords: Vec::new(),
        former_passwords: Vec::new(),
        leaving_passwords: Vec::new(),
        link_password: None,
        password_free: false,
        enabled: true,
        expires_at: None,
        life: Life::Live,
        replaces: false,
        created_revision: Revision::ZERO,
        revision: Revision::ZERO,
        confirmed: Revision::ZERO,
        created_at: Timestamp::from_millis(0),
        password_set_at: None,
    };
    Held {
        instance,
        accounts: vec![default],
        next_task: TaskId(1),
    }
}

fn permit(command: Command) -> Authorized<Command> {
    let key = AccessKey::new(
        "root".into(),
        Secret::new("s"),
        Role::Admin,
        Timestamp::default(),
    );
    let admin = Principal::of(&key, Circumstances::default());
    let actions = command.actions();
    authorize(&Everything, &admin, &actions, &Resource::Service, command).unwrap()
}

/// Permits everything: what is permitted is no concern of a decision.
struct Everything;

impl Judge for Everything {
    fn permits(&self, _: &Principal, _: Action, _: &Resource<'_>) -> bool {
        true
    }
}

fn create(name: &str) -> CreateAccount {
    CreateAccount {
        instance: "r-1".into(),
        name: name.into(),
        password: Secret::new("pass"),
        privilege: Asked::Known(Privilege::ReadOnly),
        routing: Asked::Known(Routing::PRIMARY),
        description: None,
        expires_at: None,
    }
}

fn modify(target: Target) -> ModifyAccount {
    ModifyAccount::of("r-1".into(), target)
}

fn run(held: &Held, command: Command, n: u8) -> Result<Decision, Refusal> {
    decide(held, &permit(command), &RULES, fresh(n))
}

/// What the store does with a decision.
fn write(held: &mut Held, decision: Decision) {
    held.instance.revision = decision.revision;
    held.next_task = TaskId(held.next_task.0 + 1);
    if let Some(secrets) = decision.secrets {
        held.instance.login = secrets.login;
        held.instance.default_password = Some(secrets.default_password);
    }
    held.accounts
        .retain(|a| a.id != decision.account.id && Some(a.id) != decision.superseded);
    held.accounts.push(decision.account);
}

/// What the store does when every node has confirmed everything.
fn confirm(held: &mut Held) {
    held.accounts.retain(|account| account.life == Life::Live);
    for account in &mut held.accounts {
        account.confirmed = account.revision;
        account.replaces = false;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Command(Command),
    Confirm,
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "d", "default", "r-1", "theirs", ""])
        .prop_map(str::to_owned)
}

fn privileges() -> impl Strategy<Value = Asked<Privilege>> {
    prop_oneof![
        4 => prop::sample::select(Privilege::BUILT_IN.to_vec()).prop_map(Asked::Known),
        1 => Just(Asked::Unknown),
    ]
}

fn passwords() -> impl Strategy<Value = Secret> {
    prop::sample::select(vec!["abc", "abcd", "efgh"]).prop_map(Secret::new)
}

fn steps() -> impl Strategy<Value = Step> {
    let creates = (names(), passwords(), privileges()).prop_map(|(name, password, privilege)| {
        Command::Create(CreateAccount {
            password,
            privilege,
            ..create(&name)
        })
    });
    let change = (prop::option::of(passwords()), passwords())
        .prop_map(|(old, new)| PasswordChange { old, new });
    let modifies = (
        names(),
        prop::option::of(privileges()),
        prop::option::of(change),
        prop::option::of("[a-z]{0,10}"),
        prop::option::of(any::<bool>()),
        prop::option::of(any::<bool>()),
    )
        .prop_map(
            |(name, privilege, password, description, password_free, enabled)| {
                let base = modify(Target::Name(name));
                Command::Modify(ModifyAccount {
                    privilege,
                    password,
                    description,
                    password_free,
                    enabled,
                    ..base
                })
            },
        );
    let deletes = names().prop_map(|name| {
        Command::Delete(DeleteAccount {
            instance: "r-1".into(),
            target: Target::Name(name),
        })
    });
    prop_oneof![
        4 => creates.prop_map(Step::Command),
        3 => modifies.prop_map(Step::Command),
        3 => deletes.prop_map(Step::Command),
        1 => Just(Step::Confirm),
    ]
}

fn check_invariants(held: &Held) {
    let mut names: Vec<_> = held.accounts.iter().map(|a| a.name.clone()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), held.accounts.len(), "names are unique");
    let defaults: Vec<_> = held
        .accounts
        .iter()
        .filter(|a| a.kind == AccountKind::Default)
        .collect();
    assert_eq!(defaults.len(), 1, "one default account");
    assert_eq!(defaults[0].life, Life::Live);
    assert_eq!(defaults[0].privilege, Privilege::ReadWrite);
    let live = |a: &&Account| a.kind == AccountKind::Custom && a.life == Life::Live;
    assert!(held.accounts.iter().filter(live).count() <= QUOTA as usize);
    for account in &held.accounts {
        assert!(account.revision <= held.instance.revision);
        assert!(account.confirmed <= account.revision);
        assert!(account.created_revision <= account.revision);
        assert!(
            account.name.as_str() != "theirs",
            "users that are not ours are not taken"
        );
        assert!(account.kind == AccountKind::Default || account.password.is_some());
        assert!(account.kind == AccountKind::Default || !account.password_free);
        assert!(account.kind == AccountKind::Custom || account.enabled);
        assert!(account.view(false).status != AccountStatus::Available || account.is_confirmed());
    }
    // Never locked out: the default account's password, once set, is our login's too.
    if let Some(digest) = &defaults[0].password {
        assert!(digest.matches(held.instance.login.password.as_ref().unwrap()));
        assert!(digest.matches(held.instance.default_password.as_ref().unwrap()));
    }
}

proptest! {
    #[test]
    fn no_sequence_breaks_an_invariant(steps in prop::collection::vec(steps(), 1..40)) {
        let mut held = held();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Confirm => confirm(&mut held),
                Step::Command(command) => {
                    let before = held.instance.revision;
                    let n = u8::try_from(n).unwrap();
                    if let Ok(decision) = run(&held, command, n) {
                        prop_assert_eq!(decision.revision, before.next());
                        prop_assert_eq!(decision.account.revision, before.next());
                        // Done at once where no node has anything to confirm.
                        let done = decision.account.life == Life::Live
                            && decision.account.is_confirmed();
                        prop_assert_eq!(decision.task.state == TaskState::Succeeded, done);
                        prop_assert_eq!(decision.task.finished_at.is_some(), done);
                        prop_assert_eq!(decision.task.account, decision.account.id);
                        write(&mut held, decision);
                    }
                    check_invariants(&held);
                }
            }
        }
    }

    #[test]
    fn the_same_question_gets_the_same_answer(step in steps()) {
        let Step::Command(command) = step else { return Ok(()) };
        let one = run(&held(), command.clone(), 1);
        let two = run(&held(), command, 1);
        prop_assert_eq!(format!("{one:?}"), format!("{two:?}"));
    }
}

#[test]
fn each_refusal() {
    let mut held = held();
    let refused = |held: &Held, command| run(held, command, 9).err();
    let creating = |c: CreateAccount| Command::Create(c);
    let decision = run(&held, creating(create("a")), 1).unwrap();
    write(&mut held, decision);
    assert_eq!(
        refused(&held, creating(create("a"))),
        Some(Refusal::AccountExists)
    );
    assert_eq!(
        refused(&held, creating(create("theirs"))),
        Some(Refusal::NameUnmanaged)
    );
    assert_eq!(
        refused(&held, creating(create("r-1"))),
        Some(Refusal::NameInvalid)
    );
    let weak = CreateAccount {
        password: Secret::new("abc"),
        ..create("b")
    };
    assert_eq!(
        refused(&held, creating(weak)),
        Some(Refusal::PasswordInvalid)
    );
    let odd = CreateAccount {
        privilege: Asked::Known(Privilege::Administrator),
        ..create("b")
    };
    assert_eq!(
        refused(&held, creating(odd)),
        Some(Refusal::PrivilegeInvalid)
    );
    let long = CreateAccount {
        description: Some("123456789".into()),
        ..create("b")
    };
    assert_eq!(
        refused(&held, creating(long)),
        Some(Refusal::DescriptionInvalid)
    );
    let unrouted = CreateAccount {
        routing: Asked::Unknown,
        ..create("b")
    };
    assert_eq!(
        refused(&held, creating(unrouted)),
        Some(Refusal::RoutingInvalid)
    );
    let wrong = ModifyAccount {
        password: Some(PasswordChange {
            old: Some(Secret::new("nope")),
            new: Secret::new("abcd"),
        }),
        ..modify(Target::Name("a".into()))
    };
    assert_eq!(
        refused(&held, Command::Modify(wrong)),
        Some(Refusal::OldPasswordWrong { tries_left: None })
    );
    let delete = |target| {
        Command::Delete(DeleteAccount {
            instance: "r-1".into(),
            target,
        })
    };
    assert_eq!(
        refused(&held, delete(Target::Default)),
        Some(Refusal::DefaultProtected)
    );
    assert_eq!(
        refused(&held, delete(Target::Name("zz".into()))),
        Some(Refusal::AccountNotFound)
    );
    for name in ["b", "c"] {
        let n = name.as_bytes()[0];
        let decision = run(&held, creating(create(name)), n).unwrap();
        write(&mut held, decision);
    }
    assert_eq!(
        refused(&held, creating(create("d"))),
        Some(Refusal::QuotaExceeded { limit: QUOTA })
    );
    let decision = run(&held, delete(Target::Name("b".into())), 7).unwrap();
    write(&mut held, decision);
    assert_eq!(
        refused(&held, delete(Target::Name("b".into()))),
        Some(Refusal::AccountBusy)
    );
    held.instance.state = InstanceState::Paused;
    assert_eq!(
        refused(&held, creating(create("d"))),
        Some(Refusal::InstanceNotRunning)
    );
    held.instance.engine = Engine::parse(Family::Redis, "5.0.14");
    assert_eq!(
        refused(&held, creating(create("d"))),
        Some(Refusal::EngineTooOld)
    );
}

#[test]
fn a_name_is_free_as_soon_as_its_account_is_being_deleted() {
    let mut held = held();
    let decision = run(&held, Command::Create(create("a")), 1).unwrap();
    let first = decision.account.id;
    write(&mut held, decision);
    confirm(&mut held);
    let target = Target::Name("a".into());
    let delete = Command::Delete(DeleteAccount {
        instance: "r-1".into(),
        target,
    });
    let decision = run(&held, delete, 2).unwrap();
    assert_eq!(decision.account.life, Life::Deleting);
    write(&mut held, decision);
    let decision = run(&held, Command::Create(create("a")), 3).unwrap();
    assert_eq!(decision.superseded, Some(first));
    assert!(
        decision.account.replaces,
        "the old one's sessions must end first"
    );
    assert_ne!(decision.account.id, first);
}

#[test]
fn the_default_password_changes_our_login_and_keeps_the_former() {
    let held = held();
    let command = Command::Modify(ModifyAccount {
        password: Some(PasswordChange {
            old: None,
            new: Secret::new("new!"),
        }),
        ..modify(Target::Default)
    });
    let secrets = run(&held, command.clone(), 1).unwrap().secrets.unwrap();
    assert_eq!(secrets.login.password.unwrap().expose(), "new!");
    assert_eq!(secrets.login.former[0].as_ref().unwrap().expose(), "old!");
    let mut many = held.clone();
    for n in 0..20_u8 {
        let command = Command::Modify(ModifyAccount {
            password: Some(PasswordChange {
                old: None,
                new: Secret::new(format!("pass{n}")),
            }),
            ..modify(Target::Default)
        });
        let decision = run(&many, command, n).unwrap();
        write(&mut many, decision);
    }
    let former = &many.instance.login.former;
    assert_eq!(former.len(), 8);
    assert_eq!(former[0].as_ref().unwrap().expose(), "pass18");
    assert_eq!(
        former[7].as_ref().unwrap().expose(),
        "old!",
        "the oldest stays"
    );
    let mut other = held;
    other.instance.login.user = Some("claviger-login".into());
    let secrets = run(&other, command, 1).unwrap().secrets.unwrap();
    assert_eq!(secrets.login.password.unwrap().expose(), "old!");
    assert!(secrets.login.former.is_empty());
}

#[test]
fn a_description_alone_needs_no_node() {
    let mut held = held();
    let decision = run(&held, Command::Create(create("a")), 1).unwrap();
    write(&mut held, decision);
    confirm(&mut held);
    let described = ModifyAccount {
        description: Some("x".into()),
        ..modify(Target::Name("a".into()))
    };
    let decision = run(&held, Command::Modify(described), 2).unwrap();
    assert!(decision.account.is_confirmed());
    let rotated = ModifyAccount {
        password: Some(PasswordChange {
            old: Some(Secret::new("pass")),
            new: Secret::new("abcd"),
        }),
        ..modify(Target::Name("a".into()))
    };
    let decision = run(&held, Command::Modify(rotated), 2).unwrap();
    assert!(!decision.account.is_confirmed());
    assert!(
        decision
            .account
            .password
            .unwrap()
            .same_as(&PasswordDigest::of(&Secret::new("abcd")))
    );
}

#[test]
fn an_end_that_is_past_is_lifted_by_enabling() {
    let mut held = held();
    let soon = Timestamp::from_millis(10);
    let made = Command::Create(CreateAccount {
        expires_at: Some(soon),
        ..create("app")
    });
    let decision = run(&held, made, 1).unwrap();
    write(&mut held, decision);
    let switch = |enabled, expires_at| {
        Command::Modify(ModifyAccount {
            enabled: Some(enabled),
            expires_at,
            ..modify(Target::Name("app".into()))
        })
    };
    let off = run(&held, switch(false, None), 2).unwrap();
    assert_eq!(
        (off.account.enabled, off.account.expires_at),
        (false, Some(soon))
    );
    write(&mut held, off);
    let early = run(&held, switch(true, None), 5).unwrap();
    assert_eq!(early.account.expires_at, Some(soon), "still to come");
    let late = run(&held, switch(true, None), 30).unwrap();
    assert_eq!(
        (late.account.enabled, late.account.expires_at),
        (true, None)
    );
    assert_eq!(late.detail, "enabled, expiry lifted");
    let other = Some(Timestamp::from_millis(99));
    let given = run(&held, switch(true, Some(other)), 30).unwrap();
    assert_eq!(given.account.expires_at, other);
}

/// Links would break without it, and are told its password.
#[test]
fn an_account_that_links_log_in_with() {
    let mut held = held();
    held.instance.link_users = vec![AccountName::from("a")];
    for (name, n) in [("a", 1), ("b", 2)] {
        let decision = run(&held, Command::Create(create(name)), n).unwrap();
        let known = decision.account.link_password.as_ref();
        assert_eq!(known.map(Secret::expose), (name == "a").then_some("pass"));
        write(&mut held, decision);
    }
    let change = |name: &str, set: &dyn Fn(&mut ModifyAccount)| {
        let mut modify = modify(Target::Name(name.into()));
        set(&mut modify);
        Command::Modify(modify)
    };
    let renew = |new: &'static str| {
        move |modify: &mut ModifyAccount| {
            modify.password = Some(PasswordChange {
                old: None,
                new: Secret::new(new),
            });
        }
    };
    // What was valid before stays known until it is confirmed everywhere, also over two changes.
    for (new, leaving) in [("pass-2", 1), ("pass-3", 2)] {
        let decision = run(&held, change("a", &renew(new)), 3).unwrap();
        assert_eq!(decision.account.leaving_passwords.len(), leaving);
        // Told, though it was set at the same moment as the one before.
        assert!(decision.after.contains_key("password_set_at"));
        let known = decision.account.link_password.as_ref().unwrap();
        assert_eq!(known.expose(), new);
        write(&mut held, decision);
    }
    confirm(&mut held);
    let decision = run(&held, change("a", &renew("four")), 3).unwrap();
    let leaving = &decision.account.leaving_passwords;
    assert!(leaving.len() == 1 && leaving[0].matches(&Secret::new("pass-3")));
    let end = Timestamp::from_millis(5);
    let ends: [&dyn Fn(&mut ModifyAccount); 2] = [&|m| m.enabled = Some(false), &|m| {
        m.expires_at = Some(Some(end));
    }];
    let delete = |name: &str| {
        Command::Delete(DeleteAccount {
            instance: "r-1".into(),
            target: Target::Name(name.into()),
        })
    };
    for end in ends {
        let refused = run(&held, change("a", end), 4).unwrap_err();
        assert_eq!(refused, Refusal::AccountLinked);
        assert!(run(&held, change("b", end), 4).is_ok());
    }
    assert_eq!(
        run(&held, delete("a"), 4).unwrap_err(),
        Refusal::AccountLinked
    );
    assert!(run(&held, delete("b"), 4).is_ok());
    // Nobody logs in with it any more.
    held.instance.link_users.clear();
    let decision = run(&held, change("a", &renew("five")), 3).unwrap();
    assert!(decision.account.link_password.is_none());
    assert!(run(&held, delete("a"), 4).is_ok());
}
