//! Limits of section 5 of the wire contract (`docs/wire/huawei.md`).

use claviger_core::account::Account;
use claviger_core::password::classes;
use claviger_core::privilege::Privilege;
use claviger_core::rules::{Check, Lockout, NewPassword, Rules};

/// Huawei Cloud's limits. The order of checks is not documented; this one is ours, and that of
/// the contract: state, engine, account, protection, fields, name, quota.
pub static RULES: Rules = Rules {
    order: &[
        Check::Running,
        Check::Engine,
        Check::Exists,
        Check::DefaultProtected,
        Check::Idle,
        Check::Name,
        Check::Privilege,
        Check::Password,
        Check::Description,
        Check::Routing,
        Check::PasswordFree,
        Check::OldPassword,
        Check::Free,
        Check::Quota,
    ],
    name_ok,
    password_ok,
    password_must_change: true,
    description_ok,
    privileges: &[Privilege::ReadOnly, Privilege::ReadWrite],
    custom_roles: false,
    quota: QUOTA,
    per_action_max: None,
    old_password_lockout: Some(Lockout {
        tries_max: 5,
        lock_s: 300,
    }),
    // More than five in a row, so the sixth is one too many.
    signature_lockout: Some(Lockout {
        tries_max: 6,
        lock_s: 300,
    }),
};

/// Normal accounts on one instance. Whether the default one counts is not documented: it does
/// not here.
const QUOTA: u32 = 18;

/// Characters of a name.
const NAME_LEN_MAX: usize = 64;

/// Characters of a description.
const DESCRIPTION_LEN_MAX: usize = 1024;

/// Special characters of passwords: the largest set that any page of the vendor's has. A colon is
/// never in it, since the vendor's own login of an account is `AUTH name:password`.
const SPECIAL: &str = "`~!@#$%^&*()-_=+\\|{}'\",<.>/?";

/// Special characters of the default account's password, which is the instance's.
const SPECIAL_DEFAULT: &str = "`~!@#$%^&*()-_=+\\|{}'\",<.>/?:";

/// `^[A-Za-z][A-Za-z0-9_-]{0,63}$`. The instance's id is the name of the default account in
/// another dialect, and `default` is taken everywhere.
fn name_ok(name: &str, instance: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=NAME_LEN_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(clean)
        && name != instance
        && name != Account::DEFAULT_NAME
}

/// Three of the four classes; not the account's name, nor its reverse.
fn password_ok(asked: &NewPassword<'_>) -> bool {
    let (special, length_max) = if asked.of_default {
        (SPECIAL_DEFAULT, 32)
    } else {
        (SPECIAL, 64)
    };
    let (count, clean) = classes(asked.password, special);
    let reversed: String = asked.account.chars().rev().collect();
    clean
        && count >= 3
        && (8..=length_max).contains(&asked.password.len())
        && asked.password != asked.account
        && asked.password != reversed
}

/// Anything printable; empty means none.
fn description_ok(text: &str) -> bool {
    let fine = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().count() <= DESCRIPTION_LEN_MAX && text.chars().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_in_the_order() {
        for check in Check::ALL {
            let times = RULES.order.iter().filter(|c| **c == check).count();
            assert_eq!(times, 1, "{check:?}");
        }
    }

    #[test]
    fn names() {
        for good in ["a", "Z", "app-1", "a_B-9", &"a".repeat(64)] {
            assert!(name_ok(good, "inst1"), "{good}");
        }
        for bad in [
            "",
            "1a",
            "-a",
            "_a",
            "a b",
            "a.b",
            "a:b",
            "é",
            "default",
            "inst1",
            &"a".repeat(65),
        ] {
            assert!(!name_ok(bad, "inst1"), "{bad}");
        }
    }

    fn password(password: &str, account: &str, of_default: bool) -> bool {
        password_ok(&NewPassword {
            password,
            account,
            of_default,
        })
    }

    #[test]
    fn passwords() {
        let longest = "aB1!".repeat(16);
        for good in [
            "Passw0rd!1",
            "abcABC12",
            "abcdef1!",
            "ABCDEF1!",
            "`~!@#$%^&*()-_=+\\|{}'\",<.>/?aA",
            &longest,
        ] {
            assert!(password(good, "app", false), "{good}");
        }
        for bad in [
            "",
            "aB1!aB1",
            "abcdefgh",
            "abcd1234",
            "abcABC12:",
            "abcABC12;",
            "abcABC12 ",
            "abcABC12é",
            &format!("{longest}a"),
        ] {
            assert!(!password(bad, "app", false), "{bad}");
        }
        assert!(!password("Abcdefg1", "Abcdefg1", false));
        assert!(!password("Abcdefg1", "1gfedcbA", false));
        assert!(password("Abcdefg12", "Abcdefg1", false));
        assert!(password("abcABC12:", "default", true));
        assert!(password(&"aB1!".repeat(8), "default", true));
        assert!(!password(&"aB1!".repeat(9), "default", true));
    }

    #[test]
    fn descriptions() {
        for good in ["", "x", "演示 <>&'\" http://x", &"测".repeat(1024), "a\nb"] {
            assert!(description_ok(good), "{good}");
        }
        for bad in ["a\u{0}b", "a\u{1b}b", &"测".repeat(1025)] {
            assert!(!description_ok(bad), "{bad}");
        }
    }
}
