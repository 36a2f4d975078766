//! What an instance and its accounts may be set to, by the command line alone, with a real server.

use crate::dev::{ask, facts, nodes, servers};
use crate::harness::{Done, Place, eventually};

/// A running service with one node.
struct Desk<'a> {
    place: &'a Place,
    node: String,
}

impl Desk<'_> {
    fn set(&self, args: &[&str]) -> Done {
        self.place
            .run(&[&["instance", "set", "r-dev"], args].concat())
    }

    fn account(&self, args: &[&str]) -> Done {
        self.place.run(&[&["account"], args].concat())
    }

    fn create(&self, name: &str, privilege: &str, password: &str) -> Done {
        let args = [
            "account",
            "create",
            "r-dev",
            name,
            "--wait",
            "--privilege",
            privilege,
        ];
        let env = [("CLAVIGER_ACCOUNT_PASSWORD", password)];
        self.place.run_with(&args, &env)
    }

    fn ask(&self, commands: &[&str]) -> String {
        ask(&self.node, commands).unwrap()
    }
}

#[test]
fn roles_policies_ends_and_users_that_are_there_already() {
    if !servers() {
        return;
    }
    let place = Place::new();
    // Looking again and again by commands is faster than what one key may do by default.
    let args = [
        "dev",
        "--listen",
        "127.0.0.1:0",
        "--rate-limit",
        "0",
        "--json",
    ];
    let mut dev = place.start(&args, &[]);
    let node = nodes(&facts(&mut dev)).remove(0);
    let desk = Desk {
        place: &place,
        node,
    };
    roles_and_policies(&desk);
    off_on_and_ends(&desk);
    users_of_somebody_else(&desk);
    no_password_at_all(&desk);
}

const ANNA: &str = "AUTH anna anna-pass-12";

fn roles_and_policies(desk: &Desk<'_>) {
    let shown = desk
        .set(&[
            "--role",
            "reporting=~app:* +@read -keys",
            "--administrator",
            "full",
            "--drift",
            "report",
            "--sessions",
            "kill-after:30s",
            "--password-policy",
            "letters=2,digits=2,length=9",
        ])
        .fine();
    for told in [
        "reporting=\"~app:* +@read -keys\"",
        "kill-after:30s",
        "letters=2,digits=2,specials=1,length=9",
    ] {
        assert!(shown.contains(told), "{shown}");
    }
    let line = desk.create("anna", "reporting", "short-1").one_line(1);
    assert!(line.contains("password"), "{line}");
    desk.create("anna", "reporting", "anna-pass-12").fine();
    let answer = desk.ask(&[ANNA, "GET app:1", "GET other", "KEYS *"]);
    let words: Vec<_> = answer
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(words[..4], ["+OK", "$-1", "-NOPERM", "-NOPERM"], "{answer}");
    let line = desk.set(&["--remove-role", "reporting"]).one_line(1);
    assert!(line.contains("the account anna has the role"), "{line}");
}

fn off_on_and_ends(desk: &Desk<'_>) {
    desk.account(&["disable", "r-dev", "anna", "--wait"]).fine();
    assert!(desk.ask(&[ANNA]).starts_with("-WRONGPASS"));
    let shown = desk.account(&["show", "r-dev", "anna", "--json"]).json();
    assert_eq!(
        (&shown["status"], &shown["enabled"]),
        (&"disabled".into(), &false.into())
    );
    desk.account(&["enable", "r-dev", "anna", "--wait"]).fine();
    assert!(desk.ask(&[ANNA]).starts_with("+OK"));
    desk.account(&["modify", "r-dev", "anna", "--expires-at", "+1s"])
        .fine();
    eventually("her end has come", || {
        desk.ask(&[ANNA]).starts_with("-WRONGPASS")
    });
    let line = desk.account(&[
        "modify",
        "r-dev",
        "anna",
        "--expires-at",
        "2001-01-01T00:00:00Z",
    ]);
    assert!(line.one_line(1).contains("in the past"));
}

fn users_of_somebody_else(desk: &Desk<'_>) {
    desk.create("root", "administrator", "root-pass-12").fine();
    let make = "ACL SETUSER theirs on >their-pass ~* +get";
    desk.ask(&["AUTH root root-pass-12", make]);
    let shown = desk
        .place
        .run(&["instance", "adopt", "r-dev", "--dry-run"])
        .fine();
    assert!(
        shown.contains("theirs") && shown.contains("nothing was done"),
        "{shown}"
    );
    let done = desk.place.run(&["instance", "adopt", "r-dev"]).fine();
    assert!(
        done.contains("1 of 1 users of r-dev are accounts now"),
        "{done}"
    );
    let line = desk
        .place
        .run(&["instance", "adopt", "r-dev", "--user", "nobody"]);
    assert_eq!(line.code, 1);
    let theirs = desk.account(&["show", "r-dev", "theirs", "--json"]).json();
    assert_eq!(theirs["privilege"], "adopted-1");
    assert!(
        desk.ask(&["AUTH theirs their-pass", "GET x"])
            .contains("$-1")
    );

    // Changed by hand: told, and left.
    let hand = "ACL SETUSER theirs +set";
    desk.ask(&["AUTH root root-pass-12", hand]);
    let plan = desk.place.run(&["plan", "r-dev"]).fine();
    assert!(plan.contains("has other rules"), "{plan}");
    desk.set(&["--drift", "repair"]).fine();
    eventually("it is put right", || {
        let plan = desk.place.run(&["plan", "r-dev", "--json"]).json();
        plan["nodes"][0]["steps"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
    let status = desk.place.run(&["status", "r-dev", "--json"]).json();
    let proof = &status["accounts"][1]["proof"][0];
    assert_eq!(proof["address"], desk.node.as_str(), "{status}");
}

fn no_password_at_all(desk: &Desk<'_>) {
    let free = [
        "modify",
        "r-dev",
        "default",
        "--password-free",
        "on",
        "--wait",
    ];
    assert_eq!(desk.account(&free).code, 1);
    desk.set(&["--password-policy", "off"]).fine();
    desk.account(&free).fine();
    assert!(desk.ask(&["GET x"]).starts_with("$-1"));
    let back = [
        "modify",
        "r-dev",
        "default",
        "--password-free",
        "off",
        "--wait",
    ];
    let done = desk.account(&back);
    if done.code == 1 {
        // Its password was never set through the service.
        let line = done.one_line(1);
        assert!(line.contains("a password is needed"), "{line}");
        desk.account(&[
            "modify",
            "r-dev",
            "default",
            "--generate-password",
            "--wait",
        ])
        .fine();
    }
    assert!(desk.ask(&["GET x"]).starts_with("-NOAUTH"));
}
