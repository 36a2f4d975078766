//! Reading what servers answer, in the shapes of 6.0 to 9.x (`docs/engines.md`, section 2).

use crate::errors::NodeError;
use crate::resp::Value;
use claviger_core::acl_equal::{RuleText, UserSeen};
use claviger_core::engine::AclLevel;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A text or a number, as text.
pub(crate) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(bytes) => Some(String::from_utf8_lossy(bytes)),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Nil | Value::List(_) | Value::Error(..) => None,
    }
}

/// The elements of a list.
pub(crate) fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(items) => Some(items),
        _ => None,
    }
}

/// The texts of an array.
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = list(value)?
        .iter()
        .map(|item| text(item).map(Cow::into_owned));
    texts.collect()
}

/// The texts of an array, taken out of it.
pub(crate) fn into_texts(value: Value) -> Option<Vec<String>> {
    let Value::List(items) = value else {
        return None;
    };
    let texts = items.into_iter().map(|item| match item {
        Value::Text(bytes) => Some(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
        _ => None,
    });
    texts.collect()
}

/// Names and values of a map, which is a list of both in turn.
fn fields(value: &Value) -> Option<Vec<(Cow<'_, str>, &Value)>> {
    let pairs = list(value)?.chunks(2).map(|pair| match pair {
        [name, value] => Some((text(name)?, value)),
        _ => None,
    });
    pairs.collect()
}

/// The value of one field of an answer such as CONFIG GET's.
pub(crate) fn field(value: &Value, name: &str) -> Option<String> {
    let fields = fields(value)?;
    let found = fields.iter().find(|(field, _)| field == name)?;
    text(found.1).map(Cow::into_owned)
}

/// The value of one line `name:value` of INFO.
pub(crate) fn info<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        (field == name).then(|| value.trim())
    })
}

/// How a server says that it runs, in INFO: `redis_mode`, from Valkey 8 on `server_mode`, in
/// Redict `redict_mode`.
pub(crate) fn mode(server: &str) -> Option<&str> {
    let names = ["redis_mode", "server_mode", "redict_mode"];
    names.into_iter().find_map(|name| info(server, name))
}

/// How many ACL commands a server has run, by anyone: INFO commandstats. Before 7.0 there is one
/// counter for all of them, later one for each subcommand.
pub(crate) fn acl_calls(info: &str) -> Option<u64> {
    let mut seen = false;
    let mut total = 0_u64;
    for line in info.lines() {
        seen |= line.starts_with("# Commandstats");
        let Some(rest) = line.strip_prefix("cmdstat_acl") else {
            continue;
        };
        if !rest.starts_with([':', '|']) {
            continue;
        }
        let calls = rest.split_once("calls=")?.1;
        total += calls.split(',').next()?.parse::<u64>().ok()?;
    }
    seen.then_some(total)
}

/// A user as ACL GETUSER tells of it; `None` when there is no such user.
///
/// Keys and channels are arrays on 6.x and one string later; selectors come with 7.0, databases
/// with Valkey 9.1. A field that is not known yet is kept, as text, so that a difference in it
/// is still noticed.
///
/// # Errors
/// [`NodeError::Garbage`] if it is neither.
pub(crate) fn user(value: &Value) -> Result<Option<UserSeen>, NodeError> {
    if *value == Value::Nil {
        return Ok(None);
    }
    parse_user(value)
        .map(Some)
        .ok_or(NodeError::Garbage("ACL GETUSER"))
}

fn parse_user(value: &Value) -> Option<UserSeen> {
    let mut user = UserSeen::default();
    let mut complete = 0;
    for (name, value) in fields(value)? {
        match name.as_ref() {
            "flags" => {
                complete += 1;
                for flag in texts(value)? {
                    match flag.as_str() {
                        "on" => user.on = true,
                        "off" => {}
                        "nopass" => user.nopass = true,
                        // Payloads are checked with it and without; only skip- turns that off.
                        "allkeys" | "allchannels" | "allcommands" | "sanitize-payload" => {}
                        _ => {
                            user.rules.flags.insert(flag);
                        }
                    }
                }
            }
            "passwords" => {
                complete += 1;
                user.digests = texts(value)?.into_iter().collect();
            }
            "commands" => {
                complete += 1;
                user.rules.commands = text(value)?.into_owned();
            }
            "keys" => user.rules.keys = patterns(value)?,
            "channels" => user.rules.channels = patterns(value)?,
            other => {
                let mut shown = String::new();
                show(value, &mut shown);
                user.rules.others.insert(format!("{other}={shown}"));
            }
        }
    }
    (complete == 3).then_some(user)
}

/// The rule tokens that give a user what it has, from its description: first the keys and
/// channels, explicitly also when there are none, then its commands, then its selectors. Whether
/// they really do is for a scratch user to show.
pub(crate) fn rule_tokens(user: &UserSeen, value: &Value, level: AclLevel) -> Vec<String> {
    let mut tokens = vec!["resetkeys".to_owned()];
    let bare = level < AclLevel::Selectors;
    let marked = |mark: &str, pattern: &String| {
        // Before 7.0 patterns come without the mark.
        let mark = if bare { mark } else { "" };
        format!("{mark}{pattern}")
    };
    tokens.extend(user.rules.keys.iter().map(|key| marked("~", key)));
    if level >= AclLevel::Channels {
        tokens.push("resetchannels".to_owned());
        tokens.extend(user.rules.channels.iter().map(|name| marked("&", name)));
    }
    tokens.extend(user.rules.commands.split_whitespace().map(str::to_owned));
    let fields = fields(value).unwrap_or_default();
    let selectors = fields.iter().find(|(name, _)| name == "selectors");
    for selector in selectors
        .and_then(|(_, value)| list(value))
        .unwrap_or_default()
    {
        let part = |name| field(selector, name).unwrap_or_default();
        let words = [part("keys"), part("channels"), part("commands")].join(" ");
        let words: Vec<&str> = words.split_whitespace().collect();
        tokens.push(format!("({})", words.join(" ")));
    }
    tokens
}

fn patterns(value: &Value) -> Option<BTreeSet<String>> {
    match list(value) {
        Some(_) => Some(texts(value)?.into_iter().collect()),
        None => Some(text(value)?.split_whitespace().map(str::to_owned).collect()),
    }
}

fn show(value: &Value, out: &mut String) {
    match (text(value), list(value)) {
        (Some(text), _) => out.push_str(&text),
        (None, Some(items)) => {
            out.push('[');
            for item in items {
                show(item, out);
                out.push(' ');
            }
            out.push(']');
        }
        (None, None) => {}
    }
}

/// Feeds the rules into a hasher, so that renderings are kept as eight bytes.
///
/// Up to 7.0 (`rebuilt`) a server makes the text anew from what the user may do: first the
/// categories, then each command that they do not settle, once, in the order in which its own
/// tables are walked. That order may change within the life of a process, as a table moves to a
/// bigger one, so there single commands are compared without it.
pub(crate) fn hash_rules(rules: &RuleText, rebuilt: bool, hasher: &mut impl std::hash::Hasher) {
    use std::hash::Hash;
    if rebuilt {
        let words = rules.commands.split_whitespace();
        let (categories, mut commands): (Vec<&str>, Vec<&str>) =
            words.partition(|word| word.get(1..2) == Some("@"));
        commands.sort_unstable();
        categories.hash(hasher);
        commands.hash(hasher);
    } else {
        rules.commands.hash(hasher);
    }
    rules.keys.hash(hasher);
    rules.channels.hash(hasher);
    rules.others.hash(hasher);
    rules.flags.hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    fn array(items: &[&str]) -> Value {
        Value::List(items.iter().map(|item| bulk(item)).collect())
    }

    #[test]
    fn reads_both_shapes_of_getuser() {
        let old = Value::List(vec![
            bulk("flags"),
            array(&["on", "allkeys"]),
            bulk("passwords"),
            array(&["aa"]),
            bulk("commands"),
            bulk("+@all"),
            bulk("keys"),
            array(&["*"]),
            bulk("channels"),
            array(&["*"]),
        ]);
        let new = Value::List(vec![
            bulk("flags"),
            array(&["on", "sanitize-payload", "skip-sanitize-payload"]),
            bulk("passwords"),
            array(&["aa"]),
            bulk("commands"),
            bulk("-@all +@read"),
            bulk("keys"),
            bulk("~a* ~b"),
            bulk("channels"),
            bulk("&x"),
            bulk("databases"),
            bulk("alldbs"),
            bulk("selectors"),
            Value::List(Vec::new()),
        ]);
        let old = user(&old).ok().flatten().unwrap_or_default();
        assert!(old.on && !old.nopass && old.digests.contains("aa"));
        assert!(old.rules.flags.is_empty());
        let new = user(&new).ok().flatten().unwrap_or_default();
        assert_eq!(new.rules.keys.len(), 2);
        assert!(new.rules.others.contains("databases=alldbs"));
        let flags: Vec<&str> = new.rules.flags.iter().map(String::as_str).collect();
        assert_eq!(flags, ["skip-sanitize-payload"]);
        assert_eq!(user(&Value::Nil), Ok(None));
        assert!(user(&bulk("OK")).is_err());
        assert!(user(&array(&["flags"])).is_err());
    }

    #[test]
    fn counts_acl_calls() {
        let old = "# Commandstats\r\ncmdstat_acl:calls=3,usec=1\r\ncmdstat_get:calls=9,usec=1\r\n";
        let new = "# Commandstats\r\ncmdstat_acl|list:calls=1,usec=5\r\ncmdstat_acl|setuser:calls=4,usec=2\r\n";
        assert_eq!(acl_calls(old), Some(3));
        assert_eq!(acl_calls(new), Some(5));
        assert_eq!(acl_calls("nonsense"), None);
    }

    #[test]
    fn single_commands_are_compared_without_their_order_where_the_server_has_none() {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let salt = RandomState::new();
        let of = |commands: &str, rebuilt| {
            let rules = RuleText {
                commands: commands.to_owned(),
                ..RuleText::default()
            };
            let mut hasher = salt.build_hasher();
            hash_rules(&rules, rebuilt, &mut hasher);
            hasher.finish()
        };
        let (one, other) = ("-@all +@read +a|x +a|y", "-@all +@read +a|y +a|x");
        assert_eq!(of(one, true), of(other, true));
        assert_ne!(of(one, false), of(other, false));
        let turned = "+@read -@all +a|x +a|y";
        assert_ne!(of(one, true), of(turned, true), "categories overlap");
        assert_ne!(of(one, true), of("-@all +@read +a|x", true));
    }
}
