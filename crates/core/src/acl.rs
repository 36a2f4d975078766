//! Privilege × engine → the rules of the user, as data. The strings are those of
//! `docs/engines.md`, section 7, accepted by every server version named there.

use crate::engine::{AclLevel, Engine};
use crate::instance::{AdministratorReach, RolePolicy, RoleProfile};
use crate::privilege::Privilege;

/// What cluster-aware and tracking clients need and 6.x hides in dangerous categories.
/// `+client|setinfo` must stay out: 7.0 rejects it, later versions grant it by @connection.
const DISCOVERY: &str = "+select +readonly +readwrite +asking +wait +time +info +role \
    +client|setname +client|getname +client|id +client|info +client|reply +client|tracking \
    +client|trackinginfo +client|caching +client|getredir +cluster|slots +cluster|shards \
    +cluster|nodes +cluster|info +cluster|keyslot +cluster|myid";

const READ_ONLY: &str = "-@all +@read +@connection +@transaction -@dangerous -memory \
    +memory|usage +subscribe +psubscribe +unsubscribe +punsubscribe +pubsub";
const READ_ONLY_7: &str = "+eval_ro +evalsha_ro +fcall_ro +ssubscribe +sunsubscribe";

const READ_WRITE_CATEGORIES: &str = "-@all +@read +@write +@connection +@transaction +@pubsub";
const READ_WRITE_STRICT: &str = "-@scripting -@dangerous -memory +memory|usage +eval +evalsha \
    +script|load +script|exists";
const READ_WRITE_FAITHFUL: &str = "+@scripting -@dangerous -memory +memory|usage";
const READ_WRITE_7: &str = "+eval_ro +evalsha_ro +fcall +fcall_ro +function|list +function|stats";
const READ_WRITE_FAITHFUL_MORE: &str = "+keys +sort +flushdb +flushall +swapdb";

const WRITE_ONLY: &str =
    "-@all +@write +@connection +@transaction -@scripting -@dangerous +publish";

const ADMINISTRATOR_FENCED: &str = "+@all -acl +acl|whoami +acl|cat +acl|genpass -config \
    +config|resetstat -cluster +cluster|slots +cluster|shards +cluster|nodes +cluster|info \
    +cluster|keyslot +cluster|myid -shutdown -debug -module -migrate -replicaof -slaveof -psync \
    -sync -replconf -pfdebug -pfselftest -restore-asking";

const REPLICATION_MORE: &str = "+psync +sync +replconf +restore +keys";

/// The rule tokens of a user, in order, to be sent after `reset on #<digest>`. Empty below 6.0,
/// where there are no users.
pub fn rule_tokens(privilege: Privilege, policy: &RolePolicy, engine: Engine) -> Vec<String> {
    let level = engine.acl_level();
    if level == AclLevel::None {
        return Vec::new();
    }
    let mut rule = Rule {
        tokens: Vec::new(),
        level,
    };
    match privilege {
        Privilege::ReadOnly => rule.read_only(policy.profile),
        Privilege::ReadWrite => rule.read_write(policy.profile),
        Privilege::WriteOnly => rule.write_only(policy.profile),
        Privilege::Replication => {
            rule.read_write(policy.profile);
            rule.words(REPLICATION_MORE);
        }
        Privilege::Administrator => rule.administrator(policy.administrator),
        Privilege::NotDangerous => {
            rule.words("~* +@all -@dangerous");
            rule.words(DISCOVERY);
            rule.since(AclLevel::Channels, "allchannels");
        }
    }
    for command in &policy.disabled_commands {
        rule.tokens.push(format!("-{command}"));
    }
    rule.tokens
}

struct Rule {
    tokens: Vec<String>,
    level: AclLevel,
}

impl Rule {
    fn words(&mut self, words: &str) {
        self.tokens
            .extend(words.split_whitespace().map(str::to_owned));
    }

    fn since(&mut self, level: AclLevel, words: &str) {
        if self.level >= level {
            self.words(words);
        }
    }

    fn read_only(&mut self, profile: RoleProfile) {
        // The key permission is a second lock beside the commands.
        self.words(if self.level >= AclLevel::Selectors {
            "%R~*"
        } else {
            "~*"
        });
        self.words(READ_ONLY);
        self.words(DISCOVERY);
        self.since(AclLevel::Channels, "allchannels");
        self.since(AclLevel::Selectors, READ_ONLY_7);
        if profile == RoleProfile::Faithful {
            self.words("+keys");
            self.since(AclLevel::Selectors, "+sort_ro");
        }
    }

    fn read_write(&mut self, profile: RoleProfile) {
        self.words("~*");
        self.words(READ_WRITE_CATEGORIES);
        self.words(match profile {
            RoleProfile::Faithful => READ_WRITE_FAITHFUL,
            RoleProfile::Strict => READ_WRITE_STRICT,
        });
        self.words(DISCOVERY);
        self.since(AclLevel::Channels, "allchannels");
        self.since(AclLevel::Selectors, READ_WRITE_7);
        if profile == RoleProfile::Faithful {
            self.words(READ_WRITE_FAITHFUL_MORE);
            self.since(AclLevel::Selectors, "+sort_ro");
        }
    }

    fn write_only(&mut self, profile: RoleProfile) {
        let write_keys = profile == RoleProfile::Strict && self.level >= AclLevel::Selectors;
        self.words(if write_keys { "%W~*" } else { "~*" });
        self.words(WRITE_ONLY);
        self.words(DISCOVERY);
        self.since(AclLevel::Channels, "allchannels");
        self.since(AclLevel::Selectors, "+spublish");
    }

    fn administrator(&mut self, reach: AdministratorReach) {
        self.words("~*");
        match reach {
            AdministratorReach::Fenced => {
                self.words(ADMINISTRATOR_FENCED);
                self.since(AclLevel::Channels, "allchannels -failover");
            }
            AdministratorReach::Full => {
                self.words("+@all");
                self.since(AclLevel::Channels, "allchannels");
            }
        }
    }
}

/// The least rights that claviger's own login needs on a node; `masterauth` tells whether it
/// also rotates the password that replicas use.
pub fn own_login_tokens(level: AclLevel, masterauth: bool) -> Vec<String> {
    let mut rule = Rule {
        tokens: Vec::new(),
        level,
    };
    rule.words(
        "resetkeys -@all +acl +auth +hello +ping +info +role +command +client|setname \
         +client|id +client|list +client|kill +config|get +config|rewrite +cluster|nodes \
         +cluster|slots +cluster|info +cluster|myid",
    );
    rule.since(AclLevel::Channels, "resetchannels");
    if masterauth {
        rule.words("+config|set");
    }
    rule.tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Family;

    fn text(privilege: Privilege, profile: RoleProfile, version: &str) -> String {
        let engine = Engine::parse(Family::Redis, version).unwrap_or(Engine {
            family: Family::Redis,
            major: 0,
            minor: 0,
            patch: 0,
        });
        let policy = RolePolicy {
            profile,
            ..RolePolicy::default()
        };
        rule_tokens(privilege, &policy, engine).join(" ")
    }

    #[test]
    fn gates_by_version() {
        for privilege in Privilege::ALL {
            for profile in [RoleProfile::Faithful, RoleProfile::Strict] {
                let v60 = text(privilege, profile, "6.0.16");
                assert!(
                    !v60.contains("allchannels") && !v60.contains("fcall"),
                    "{v60}"
                );
                let v62 = text(privilege, profile, "6.2.14");
                assert!(v62.contains("allchannels") && !v62.contains("_ro"), "{v62}");
                assert!(!v62.contains('%'), "{v62}");
                assert!(text(privilege, profile, "5.0.14").is_empty());
            }
        }
        assert!(text(Privilege::ReadOnly, RoleProfile::Strict, "7.0.15").starts_with("%R~* -@all"));
        assert!(text(Privilege::WriteOnly, RoleProfile::Strict, "7.0.15").starts_with("%W~*"));
        assert!(text(Privilege::WriteOnly, RoleProfile::Faithful, "7.0.15").starts_with("~*"));
    }

    #[test]
    fn disabled_commands_come_last() {
        let policy = RolePolicy {
            disabled_commands: vec!["keys".into()],
            ..RolePolicy::default()
        };
        let engine = Engine {
            family: Family::Valkey,
            major: 9,
            minor: 1,
            patch: 2,
        };
        for privilege in Privilege::ALL {
            let tokens = rule_tokens(privilege, &policy, engine);
            assert_eq!(tokens.last().map(String::as_str), Some("-keys"));
        }
    }
}
