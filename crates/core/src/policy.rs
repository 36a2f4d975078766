//! How one instance treats its accounts: rules of the operator's own that hold in every dialect.

use serde::{Deserialize, Serialize};

/// What every new password of an instance must have besides the vendor's own rules. The numbers
/// are those of Tencent Cloud's password policy (`docs/wire/tencent.md`, section 4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PasswordPolicy {
    /// It is enforced.
    pub enabled: bool,
    /// Letters at least; 1 to 16.
    pub letters_min: u8,
    /// Digits at least; 1 to 16.
    pub digits_min: u8,
    /// Other characters at least; 1 to 16.
    pub specials_min: u8,
    /// Characters at least; 8 to 64, and no less than the three together.
    pub length_min: u8,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            letters_min: 1,
            digits_min: 1,
            specials_min: 1,
            length_min: 8,
        }
    }
}

impl PasswordPolicy {
    /// The numbers are within their limits.
    pub fn is_sound(&self) -> bool {
        let each = [self.letters_min, self.digits_min, self.specials_min];
        let sum: u16 = each.iter().map(|n| u16::from(*n)).sum();
        each.iter().all(|n| (1..=16).contains(n))
            && (8..=64).contains(&self.length_min)
            && u16::from(self.length_min) >= sum
    }

    /// Whether a password meets it. One that is not enforced is met by all.
    pub fn admits(&self, password: &str) -> bool {
        let (mut letters, mut digits, mut others) = (0_usize, 0_usize, 0_usize);
        for c in password.chars() {
            match c {
                c if c.is_ascii_alphabetic() => letters += 1,
                c if c.is_ascii_digit() => digits += 1,
                _ => others += 1,
            }
        }
        !self.enabled
            || (letters >= usize::from(self.letters_min)
                && digits >= usize::from(self.digits_min)
                && others >= usize::from(self.specials_min)
                && letters + digits + others >= usize::from(self.length_min))
    }
}

/// What is done about users on a node that differ from what they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftPolicy {
    /// They are put right.
    #[default]
    Repair,
    /// They are shown, and left as they are.
    Report,
}

/// What happens to live sessions of an account that is disabled, loses rights or gets another
/// password; servers keep them (`docs/engines.md`, section 4). Deleting always ends them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionPolicy {
    /// Nothing: they stay.
    #[default]
    Keep,
    /// They are ended as soon as a node has the change.
    Kill,
    /// They are ended so many seconds later.
    KillAfter(u32),
}

/// All of it; stored as JSON, so fields may be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstancePolicy {
    /// What every new password must have.
    pub passwords: PasswordPolicy,
    /// Replicas serve reads: accounts may be routed there. Kept for whatever routes; Redis does
    /// not.
    pub replica_reads: bool,
    /// What is done about drift.
    pub drift: DriftPolicy,
    /// What happens to live sessions.
    pub sessions: SessionPolicy,
}

/// A change of it; absent fields stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// As [`InstancePolicy::passwords`].
    pub passwords: Option<PasswordPolicy>,
    /// As [`InstancePolicy::replica_reads`].
    pub replica_reads: Option<bool>,
    /// As [`InstancePolicy::drift`].
    pub drift: Option<DriftPolicy>,
    /// As [`InstancePolicy::sessions`].
    pub sessions: Option<SessionPolicy>,
}

impl InstancePolicy {
    /// The policy after the change.
    #[must_use]
    pub fn with(self, change: &PolicyChange) -> Self {
        Self {
            passwords: change.passwords.unwrap_or(self.passwords),
            replica_reads: change.replica_reads.unwrap_or(self.replica_reads),
            drift: change.drift.unwrap_or(self.drift),
            sessions: change.sessions.unwrap_or(self.sessions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_counted() {
        let policy = PasswordPolicy {
            enabled: true,
            letters_min: 2,
            digits_min: 2,
            specials_min: 2,
            length_min: 8,
        };
        assert!(policy.is_sound());
        assert!(policy.admits("ab12!?xx"));
        for bad in ["ab12!?x", "a12345!?", "abcdef1!?", "ab12!xxx"] {
            assert!(!policy.admits(bad), "{bad}");
        }
        let off = PasswordPolicy {
            enabled: false,
            ..policy
        };
        assert!(off.admits("x"));
        let short = PasswordPolicy {
            length_min: 7,
            ..policy
        };
        let narrow = PasswordPolicy {
            letters_min: 7,
            ..policy
        };
        assert!(!short.is_sound() && !narrow.is_sound());
    }
}
