//! The limits of claviger's own API: what the servers can take, not what one vendor allows.

use claviger_core::account::Account;
use claviger_core::privilege::Privilege;
use claviger_core::rules::{Check, Rules};

/// Accounts an instance may have: every decision reads all of them.
const QUOTA: u32 = 1_000;

/// The limits.
pub static RULES: Rules = Rules {
    order: &Check::ALL,
    name_ok,
    password_ok: |asked| password_ok(asked.password),
    password_must_change: false,
    description_ok,
    privileges: &Privilege::BUILT_IN,
    custom_roles: true,
    quota: QUOTA,
    per_action_max: None,
    old_password_lockout: None,
    signature_lockout: None,
};

/// 1 to 100 of letters, digits, `_`, `-`, `.`, beginning with a letter or digit; not the
/// server's default user, not the instance's id (the default account's second name), not one of
/// claviger's own.
fn name_ok(name: &str, instance: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=100).contains(&name.len())
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name != Account::DEFAULT_NAME
        && name != instance
        && !name.starts_with("claviger")
}

/// 8 to 128 printable ASCII characters: every client can send them, every server takes them.
fn password_ok(password: &str) -> bool {
    (8..=128).contains(&password.len())
        && password.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

fn description_ok(description: &str) -> bool {
    description.chars().count() <= 1024 && !description.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "App-1", "x.y_z", "9lives"] {
            assert!(name_ok(good, "r-1"), "{good}");
        }
        for bad in [
            "",
            "default",
            "r-1",
            "claviger-x",
            "a b",
            "-a",
            "é",
            "a\n",
            "a:b",
        ] {
            assert!(!name_ok(bad, "r-1"), "{bad}");
        }
        assert!(name_ok(&"a".repeat(100), "r-1") && !name_ok(&"a".repeat(101), "r-1"));
    }

    #[test]
    fn passwords() {
        assert!(password_ok("12345678") && password_ok("with space"));
        assert!(
            !password_ok("1234567") && !password_ok("tab\tinside") && !password_ok("päss-word")
        );
    }
}
