//! Policies of the operator's own, as they are kept: texts under names. What they mean is known
//! to the judge that is made of them.

use crate::clock::Timestamp;
use crate::ids::KeyId;
use serde::{Deserialize, Serialize};

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// Its name, unique.
    pub name: String,
    /// Its statements, in Cedar.
    pub text: String,
    /// When it was added, or last replaced.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: KeyId,
}

impl AccessPolicy {
    /// Bound on the number of policies.
    pub const COUNT_MAX: usize = 1_000;
    /// Bound on a text, bytes.
    pub const TEXT_LEN_MAX: usize = 16 * 1024;
    /// Bound on a name, bytes.
    pub const NAME_LEN_MAX: usize = 64;

    /// Whether a name is 1 to 64 lower-case letters, digits, `-`, `_` and `.`, a letter or digit
    /// first.
    pub fn name_ok(name: &str) -> bool {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        (1..=Self::NAME_LEN_MAX).contains(&name.len())
            && name.bytes().all(plain)
            && name.as_bytes()[0].is_ascii_alphanumeric()
    }
}
