//! Limits of section 5 of the wire contract (`docs/wire/volcengine.md`).

use claviger_core::password::classes;
use claviger_core::privilege::Privilege;
use claviger_core::rules::{Check, Rules};

/// Volcengine's limits, in the order in which they are checked. Formats come first, and are
/// checked by the decoder already, since a malformed request is refused before its instance is
/// looked for; here they stand for the instance's own policy of passwords. The order is ours.
pub static RULES: Rules = Rules {
    order: &[
        Check::Name,
        Check::Password,
        Check::Description,
        Check::Running,
        Check::Engine,
        Check::DefaultProtected,
        Check::Exists,
        Check::Free,
        Check::Privilege,
        Check::Routing,
        Check::PasswordFree,
        Check::OldPassword,
        Check::Idle,
        Check::Quota,
    ],
    name_ok: |name, _| name_ok(name),
    password_ok: |asked| password_ok(asked.password),
    password_must_change: false,
    description_ok,
    privileges: &[
        Privilege::Administrator,
        Privilege::ReadWrite,
        Privilege::ReadOnly,
        Privilege::NotDangerous,
    ],
    custom_roles: true,
    quota: QUOTA,
    per_action_max: None,
    old_password_lockout: None,
    signature_lockout: None,
};

/// Accounts that may be created on one instance: 100 (docs), of which the default one is taken
/// to be one (ours).
const QUOTA: u32 = 99;

/// `^[a-z][a-z0-9_]{0,14}[a-z0-9]$`.
pub(super) fn name_ok(name: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (2..=16).contains(&name.len())
        && name.bytes().all(clean)
        && name.as_bytes()[0].is_ascii_lowercase()
        && !name.ends_with('_')
}

/// The special characters that a password may hold: no colon, slash, quote, backslash or blank.
const SPECIAL: &str = "()`~!@#$%^&*-+=_|{}[];<>,.?";

/// 8 to 32 characters of at least two of the four classes, and no others.
pub(super) fn password_ok(password: &str) -> bool {
    let (count, clean) = classes(password, SPECIAL);
    clean && count >= 2 && (8..=32).contains(&password.len())
}

/// Up to 256 characters.
pub(super) fn description_ok(text: &str) -> bool {
    text.chars().count() <= 256
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
        let longest = "a".repeat(16);
        for good in ["ab", "test1", "a_1", "a__b", "default", &longest] {
            assert!(name_ok(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "1a",
            "_a",
            "a_",
            "A1",
            "aB",
            "a-b",
            "a b",
            "aé",
            "ab\n",
            &"a".repeat(17),
        ] {
            assert!(!name_ok(bad), "{bad}");
        }
    }

    #[test]
    fn passwords() {
        for good in [
            "Pwd@1234",
            "abcdefg1",
            "ABCDEFG_",
            "aaaaaaa()`~!@#$%^&*-+=_|{}[];<>,",
            "1234567.",
            "abcdefg?",
        ] {
            assert!(password_ok(good), "{good}");
        }
        for bad in [
            "",
            "Pwd@123",
            "abcdefgh",
            "12345678",
            "()()()()",
            "abcd:123",
            "abcd/123",
            "abcd'123",
            "abcd\"123",
            "abcd\\123",
            "abcd 123",
            "abcdé123",
            "abcd123\n",
            &"aB1!".repeat(9),
        ] {
            assert!(!password_ok(bad), "{bad}");
        }
    }

    #[test]
    fn descriptions() {
        assert!(
            description_ok("") && description_ok("a\nb<>&'\"") && description_ok(&"测".repeat(256))
        );
        assert!(!description_ok(&"a".repeat(257)));
    }
}
