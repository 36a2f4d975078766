//! What an account may do, as a superset of the four clouds' words.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An account's rights. The rules each one becomes on a node are in [`crate::acl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Reads data.
    ReadOnly,
    /// Reads, writes and deletes data.
    ReadWrite,
    /// Writes data.
    WriteOnly,
    /// Reads and writes data, and may replicate.
    Replication,
    /// Everything but what would endanger the server or the service; see the fence in `acl`.
    Administrator,
    /// Everything outside the server's class of dangerous commands.
    NotDangerous,
    /// What the instance's role of that name grants: rules of the operator's own
    /// ([`crate::instance::CustomRole`]), or of a user that was taken over.
    Custom(RoleName),
}

impl Privilege {
    /// The built-in ones, in the order in which they are documented.
    pub const BUILT_IN: [Privilege; 6] = [
        Privilege::ReadOnly,
        Privilege::ReadWrite,
        Privilege::WriteOnly,
        Privilege::Replication,
        Privilege::Administrator,
        Privilege::NotDangerous,
    ];

    /// The word used by the command line, the native API and the store.
    pub fn as_str(&self) -> &str {
        match self {
            Privilege::ReadOnly => "read-only",
            Privilege::ReadWrite => "read-write",
            Privilege::WriteOnly => "write-only",
            Privilege::Replication => "replication",
            Privilege::Administrator => "administrator",
            Privilege::NotDangerous => "not-dangerous",
            Privilege::Custom(name) => name.as_str(),
        }
    }

    /// The inverse of [`Privilege::as_str`]. Whether a custom role of that name exists is the
    /// instance's affair.
    pub fn parse(word: &str) -> Option<Self> {
        Self::BUILT_IN
            .into_iter()
            .find(|p| p.as_str() == word)
            .or_else(|| RoleName::parse(word).map(Privilege::Custom))
    }
}

impl Serialize for Privilege {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Privilege {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let word = String::deserialize(from)?;
        Self::parse(&word).ok_or_else(|| D::Error::custom("not a privilege"))
    }
}

/// The name of a custom role: 1 to 31 ASCII letters, digits, `_` and `-`, beginning with a
/// letter, and not a built-in privilege's word. Kept inline, so that privileges stay values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName {
    bytes: [u8; Self::LEN_MAX],
    len: u8,
}

impl RoleName {
    /// The longest name, bytes.
    pub const LEN_MAX: usize = 31;

    /// Reads a name; `None` if it is not of the form.
    pub fn parse(text: &str) -> Option<Self> {
        let clean = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let built_in = Privilege::BUILT_IN.iter().any(|p| p.as_str() == text);
        let fine = (1..=Self::LEN_MAX).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphabetic()
            && text.bytes().all(clean)
            && !built_in;
        let mut bytes = [0; Self::LEN_MAX];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).ok()?;
        fine.then_some(Self { bytes, len })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Debug for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleName({})", self.as_str())
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RoleName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not a role name"))
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the account's reads may be served. Kept and returned; Redis itself does not route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Routing {
    /// The primary may serve reads.
    pub primary: bool,
    /// Replicas may serve reads.
    pub replica: bool,
}

impl Routing {
    /// Whether replicas serve reads of this account.
    pub const fn uses_replicas(self) -> bool {
        self.replica
    }

    /// Reads go to the primary: the default in every dialect.
    pub const PRIMARY: Routing = Routing {
        primary: true,
        replica: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for privilege in Privilege::BUILT_IN {
            assert_eq!(Privilege::parse(privilege.as_str()), Some(privilege));
        }
        let own = Privilege::parse("Reporting_2");
        assert!(matches!(own, Some(Privilege::Custom(name)) if name.as_str() == "Reporting_2"));
        let longest = "a".repeat(RoleName::LEN_MAX);
        assert!(Privilege::parse(&longest).is_some());
        for bad in ["", "1a", "-a", "a b", "é", &format!("{longest}a")] {
            assert_eq!(Privilege::parse(bad), None, "{bad}");
        }
    }
}
