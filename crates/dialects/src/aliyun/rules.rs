//! Limits of section 5 of the wire contract (`docs/wire/aliyun.md`).

use claviger_core::password::classes;
use claviger_core::privilege::Privilege;
use claviger_core::rules::{Check, Rules};

/// Alibaba Cloud's limits, in the order in which they are checked: engine, state, formats,
/// existence, quota, status. Only gateway checks before all of these are documented; the order
/// among them is ours.
pub static RULES: Rules = Rules {
    order: &[
        Check::Engine,
        Check::Running,
        Check::Name,
        Check::Password,
        Check::Privilege,
        Check::Routing,
        Check::Description,
        Check::Exists,
        Check::Free,
        Check::DefaultProtected,
        Check::PasswordFree,
        Check::OldPassword,
        Check::Quota,
        Check::Idle,
    ],
    name_ok,
    password_ok: |asked| password_ok(asked.password),
    password_must_change: false,
    description_ok,
    privileges: &[
        Privilege::ReadOnly,
        Privilege::ReadWrite,
        Privilege::Replication,
    ],
    custom_roles: false,
    quota: QUOTA,
    per_action_max: None,
    old_password_lockout: None,
    signature_lockout: None,
};

/// Accounts that may be created on one instance, besides the default ones.
const QUOTA: u32 = 18;

/// Length of a name, bytes. Pages of 2021 say 16, the console 35, the API since 2024 100.
const NAME_LEN_MAX: usize = 100;

/// The vendor has a list of reserved words and does not publish it; this one is ours.
const RESERVED: [&str; 6] = [
    "default",
    "admin",
    "root",
    "replication",
    "replicator",
    "sentinel",
];

/// Reserved beginnings; ours as well.
const RESERVED_PREFIXES: [&str; 2] = ["aliyun_", "alibaba_"];

/// `^[a-z][a-z0-9_]{0,99}$`, not reserved, and not the instance's id, which is the name of a
/// default account.
fn name_ok(name: &str, instance: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_LEN_MAX).contains(&name.len())
        && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && name.bytes().all(clean)
        && name != instance
        && !RESERVED.contains(&name)
        && !RESERVED_PREFIXES.iter().any(|p| name.starts_with(p))
}

/// The special characters that a password may hold.
const SPECIAL: &str = "!@#$%^&*()_+-=";

/// 8 to 32 characters of at least three of the four classes, and no others.
fn password_ok(password: &str) -> bool {
    let (count, clean) = classes(password, SPECIAL);
    clean && count >= 3 && (8..=32).contains(&password.len())
}

/// Empty, or 2 to 256 characters: begins with a letter or Chinese character; letters, Chinese
/// characters, digits, underscores and hyphens. Spaces are allowed too, since an older sample
/// has them; the vendor's strictness is unknown. `http://` cannot pass: it has a colon.
fn description_ok(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || is_chinese(c);
    let clean = |c: char| letter(c) || c.is_ascii_digit() || matches!(c, '_' | '-' | ' ');
    text.is_empty()
        || (text.chars().next().is_some_and(letter)
            && text.chars().all(clean)
            && (2..=256).contains(&text.chars().count()))
}

/// The ideograph blocks of Unicode.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_a_permutation() {
        assert_eq!(RULES.order.len(), Check::ALL.len());
        for check in Check::ALL {
            assert!(RULES.order.contains(&check), "{check:?}");
        }
    }

    #[test]
    fn names() {
        for good in [
            "a",
            "demoaccount",
            "a_1",
            &"a".repeat(100),
            "defaults",
            "aliyun",
        ] {
            assert!(name_ok(good, "r-1"), "{good}");
        }
        for bad in [
            "",
            "1a",
            "_a",
            "A",
            "aB",
            "a-b",
            "a b",
            "é",
            "default",
            "admin",
            "root",
            "sentinel",
            "replication",
            "replicator",
            "aliyun_x",
            "alibaba_x",
            "inst1",
            &"a".repeat(101),
        ] {
            assert!(!name_ok(bad, "inst1"), "{bad}");
        }
    }

    #[test]
    fn passwords() {
        for good in [
            "uWonno21!@#$%^&*()_+-=",
            "abcABC12",
            "abcdef1!",
            &"aB1!".repeat(8),
        ] {
            assert!(password_ok(good), "{good}");
        }
        for bad in [
            "",
            "aB1!aB1",
            "abcdefgh",
            "abcdefG!".trim_end_matches('!'),
            "abcd1234",
            "abcABC12 ",
            "abcABC12?",
            "abcABC12é",
            &"aB1!".repeat(9),
        ] {
            assert!(!password_ok(bad), "{bad}");
        }
    }

    #[test]
    fn descriptions() {
        for good in [
            "",
            "te",
            "test account-1_b",
            "测试",
            "测a",
            &"测".repeat(256),
        ] {
            assert!(description_ok(good), "{good}");
        }
        for bad in [
            "t",
            "1a",
            "_ab",
            "-ab",
            " ab",
            "a~b",
            "http://x",
            "https://x",
            "a\nb",
            "a\u{0}b",
            "a，b",
            &"a".repeat(257),
        ] {
            assert!(!description_ok(bad), "{bad}");
        }
    }
}
