//! Limits of section 5 of the wire contract (`docs/wire/tencent.md`).

use claviger_core::account::Account;
use claviger_core::password::classes;
use claviger_core::privilege::Privilege;
use claviger_core::rules::{Check, Rules};

/// Tencent Cloud's limits. Their order (state, engine, values, existence, quota) is ours: no
/// source tells the vendor's.
pub static RULES: Rules = Rules {
    order: &[
        Check::Running,
        Check::Engine,
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
    description_ok: |remark| remark.len() <= REMARK_LEN_MAX,
    privileges: &[
        Privilege::ReadOnly,
        Privilege::WriteOnly,
        Privilege::ReadWrite,
    ],
    custom_roles: false,
    quota: QUOTA,
    per_action_max: Some(PER_ACTION_MAX),
    old_password_lockout: None,
    signature_lockout: None,
};

/// The name that the default account has here.
pub(super) const ROOT: &str = "root";

/// Accounts that may be created on one instance. The vendor's number is not known; ours.
const QUOTA: u32 = 100;

/// Requests a second of one action (docs).
const PER_ACTION_MAX: u32 = 20;

/// Length of a remark, bytes.
const REMARK_LEN_MAX: usize = 64;

/// `[A-Za-z0-9_-]{1,32}`; not `root`, and neither of the default account's other names: `default`
/// on the servers, the instance's id in another dialect.
fn name_ok(name: &str, instance: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=32).contains(&name.len())
        && name.bytes().all(clean)
        && name != ROOT
        && name != Account::DEFAULT_NAME
        && name != instance
}

/// The special characters that a password may hold.
const SPECIAL: &str = "()`~!@#$%^&*-+=_|{}[]:;<>,.?/\\";

/// 8 to 64 characters of at least two of the four classes and no others, not beginning with `/`.
/// The actions' own pages differ (8 to 30, 32, 64); this accepts what any of them does.
fn password_ok(password: &str) -> bool {
    let (count, clean) = classes(password, SPECIAL);
    clean && count >= 2 && (8..=64).contains(&password.len()) && !password.starts_with('/')
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
        let longest = "a".repeat(32);
        for good in ["a", "A", "9", "_", "-", "app_1", "Root", "roots", &longest] {
            assert!(name_ok(good, "crs-1"), "{good}");
        }
        let long = "a".repeat(33);
        for bad in [
            "", "root", "default", "crs-1", "a.b", "a b", "a@b", "é", "测", &long,
        ] {
            assert!(!name_ok(bad, "crs-1"), "{bad}");
        }
    }

    #[test]
    fn passwords() {
        let longest = "aB".repeat(32);
        for good in [
            "abcDEF12",
            "abcdefg1",
            "()`~!@#$%^&*-+=_|{}[]:;<>,.?/\\a",
            "1234567/",
            &longest,
        ] {
            assert!(password_ok(good), "{good}");
        }
        let long = "aB".repeat(33);
        for bad in [
            "",
            "abcdE12",
            "abcdefgh",
            "12345678",
            "/abcDEF12",
            "abcDEF1 ",
            "abcDEF1\"",
            "abcDEF1'",
            "abcDEF1é",
            &long,
        ] {
            assert!(!password_ok(bad), "{bad}");
        }
    }

    #[test]
    fn remarks() {
        assert!((RULES.description_ok)(""));
        assert!((RULES.description_ok)(&"测".repeat(21)));
        assert!((RULES.description_ok)(&"a".repeat(64)));
        assert!(!(RULES.description_ok)(&"测".repeat(22)));
        assert!(!(RULES.description_ok)(&"a".repeat(65)));
    }
}
