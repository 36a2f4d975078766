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
        Privilege::Custom(name) => match policy.custom(&name) {
            Some(role) => rule.custom(&role.rules),
            // The role was removed under the account: it may do nothing.
            None => rule.words("resetkeys -@all"),
        },
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

/// Tokens that one custom role may have.
pub const CUSTOM_TOKENS_MAX: usize = 512;

/// Bytes that one token of a custom role may have.
const CUSTOM_TOKEN_LEN_MAX: usize = 256;

/// Whether these are rules that a custom role may have: commands, categories, keys and channels,
/// and nothing that would touch passwords or switch the user on or off.
pub fn custom_tokens_ok(tokens: &[String]) -> bool {
    let word = |text: &str| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'|' | b'.');
        !text.is_empty() && text.bytes().all(fine)
    };
    // What C's isspace() takes for one, which the servers refuse: the vertical tab as well.
    let blank = |b: u8| b.is_ascii_whitespace() || b == b'\x0b' || b == 0;
    let pattern = |text: &str| !text.bytes().any(blank);
    let one = |token: &str| match token.as_bytes() {
        [b'+' | b'-', b'@', ..] => word(&token[2..]),
        [b'+' | b'-', ..] => word(&token[1..]),
        [b'~' | b'&' | b'%', ..] => pattern(token),
        _ => [
            "allkeys",
            "resetkeys",
            "allchannels",
            "resetchannels",
            "allcommands",
            "nocommands",
        ]
        .contains(&token.to_ascii_lowercase().as_str()),
    };
    // A selector is one token that holds others; the servers nest them no deeper.
    let selector = |token: &str| {
        let inner = token.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
        inner.is_some_and(|inner| inner.split_ascii_whitespace().all(one))
    };
    (1..=CUSTOM_TOKENS_MAX).contains(&tokens.len())
        && tokens
            .iter()
            .all(|t| t.len() <= CUSTOM_TOKEN_LEN_MAX && (one(t) || selector(t)))
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

    fn custom(&mut self, tokens: &[String]) {
        let lower = |token: &String| token.to_ascii_lowercase();
        let keys = |token: String| {
            token.starts_with(['~', '%']) || matches!(token.as_str(), "allkeys" | "resetkeys")
        };
        let channels = |token: String| {
            token.starts_with('&') || matches!(token.as_str(), "allchannels" | "resetchannels")
        };
        if !tokens.iter().map(lower).any(keys) {
            self.words("~*");
        }
        if !tokens.iter().map(lower).any(channels) {
            self.since(AclLevel::Channels, "allchannels");
        }
        self.tokens.extend(tokens.iter().cloned());
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
        // A stale requirepass is emptied in one transaction with the user that it would open.
        rule.words("+config|set +multi +exec +discard");
    }
    rule.tokens
}

/// The least login that claviger needs on a Sentinel that has users: to ask what it watches, to
/// hear of switches, and to tell it a new password of the default user, if it logs in as that.
pub fn sentinel_login_tokens(level: AclLevel) -> Vec<String> {
    let mut rule = Rule {
        tokens: Vec::new(),
        level,
    };
    rule.words(
        "-@all +auth +hello +ping +info +client|setname +subscribe +sentinel|masters \
         +sentinel|master +sentinel|replicas +sentinel|sentinels +sentinel|myid +sentinel|set",
    );
    rule.since(AclLevel::Channels, "allchannels");
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
        for privilege in Privilege::BUILT_IN {
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
        for privilege in Privilege::BUILT_IN {
            let tokens = rule_tokens(privilege, &policy, engine);
            assert_eq!(tokens.last().map(String::as_str), Some("-keys"));
        }
    }

    #[test]
    fn custom_roles() {
        let role = |rules: &[&str]| {
            let rules: Vec<String> = rules.iter().map(|r| (*r).to_owned()).collect();
            (custom_tokens_ok(&rules), rules)
        };
        for good in [
            &["+@read", "-keys"][..],
            &["%R~app:*", "&news.*", "+config|get"],
            &["RESETKEYS", "+get", "(~x +set)"],
        ] {
            assert!(role(good).0, "{good:?}");
        }
        for bad in [
            &[][..],
            &["on"],
            &["nopass"],
            &[">secret"],
            &["#00"],
            &["reset"],
            &["resetpass"],
            &["+get set"],
            &["+"],
            &["+@"],
            &["~a b"],
            &["~a\u{b}b"],
            &["(~a\u{b}b)"],
            &["(on)"],
        ] {
            assert!(!role(bad).0, "{bad:?}");
        }
        let Some(name) = crate::privilege::RoleName::parse("mine") else {
            return;
        };
        let policy = RolePolicy {
            custom: vec![crate::instance::CustomRole {
                name,
                rules: role(&["+@read"]).1,
            }],
            ..RolePolicy::default()
        };
        let Some(engine) = Engine::parse(Family::Redis, "7.0.15") else {
            return;
        };
        let tokens = |policy| rule_tokens(Privilege::Custom(name), policy, engine).join(" ");
        assert_eq!(tokens(&policy), "~* allchannels +@read");
        assert_eq!(tokens(&RolePolicy::default()), "resetkeys -@all");
    }
}
