//! Which server a node runs, and what its ACLs can express.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The server's family, by the version fields that its INFO carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `redis_version` alone.
    Redis,
    /// `valkey_version` beside it.
    Valkey,
    /// `redict_version` beside it: a fork of Redis 7.2.
    Redict,
}

/// Family and version of a node's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Engine {
    /// Who makes it.
    pub family: Family,
    /// Major version.
    pub major: u16,
    /// Minor version.
    pub minor: u16,
    /// Patch version.
    pub patch: u16,
}

/// What a server's ACLs can express; later levels include the earlier ones.
/// Source: `docs/engines.md`, section 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AclLevel {
    /// Before Redis 6: one password, no users.
    None,
    /// Redis 6.0: users, no channel rules.
    Users,
    /// Redis 6.2: channel rules.
    Channels,
    /// Redis 7.0: selectors, read and write key permissions, DRYRUN.
    Selectors,
    /// Redis 7.2, all of Valkey: rule order is kept.
    Ordered,
}

impl Engine {
    /// Reads `7.0.15`, `8.0.6-rc1` or `9.1`; `None` if it does not start with two numbers.
    pub fn parse(family: Family, version: &str) -> Option<Self> {
        let mut parts = version.split(['.', '-']).map(|part| part.parse::<u16>());
        let major = parts.next()?.ok()?;
        let minor = parts.next()?.ok()?;
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Self {
            family,
            major,
            minor,
            patch,
        })
    }

    /// What this server's ACLs can express.
    pub fn acl_level(self) -> AclLevel {
        match (self.family, self.major, self.minor) {
            (Family::Valkey | Family::Redict, ..) => AclLevel::Ordered,
            (Family::Redis, ..=5, _) => AclLevel::None,
            (Family::Redis, 6, ..=1) => AclLevel::Users,
            (Family::Redis, 6, _) => AclLevel::Channels,
            (Family::Redis, 7, ..=1) => AclLevel::Selectors,
            (Family::Redis, ..) => AclLevel::Ordered,
        }
    }

    /// `7.0`: the form in which clouds show an engine version.
    pub fn short(self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
            Family::Redict => "redict",
        };
        write!(f, "{family} {}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_levels() {
        let level = |family, text| Engine::parse(family, text).map(Engine::acl_level);
        assert_eq!(level(Family::Redis, "5.0.14"), Some(AclLevel::None));
        assert_eq!(level(Family::Redis, "6.0.16"), Some(AclLevel::Users));
        assert_eq!(level(Family::Redis, "6.2.14"), Some(AclLevel::Channels));
        assert_eq!(level(Family::Redis, "7.0.15"), Some(AclLevel::Selectors));
        assert_eq!(level(Family::Redis, "8.0-rc1"), Some(AclLevel::Ordered));
        assert_eq!(level(Family::Valkey, "9.1.2"), Some(AclLevel::Ordered));
        assert_eq!(level(Family::Redis, "x"), None);
        assert_eq!(
            Engine::parse(Family::Redis, "7.0.15").map(|e| e.to_string()),
            Some("redis 7.0.15".into())
        );
    }
}
