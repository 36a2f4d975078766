//! Doors to the parsers of what servers answer, for `fuzz/` alone: built with `cfg(fuzzing)` only.

use crate::errors::NodeError;
use crate::resp::{self, Value};
use crate::{cluster, observe, reply, sentinel};
use claviger_core::engine::AclLevel;
use std::hash::{DefaultHasher, Hasher};

/// Reads bytes as a reply, and what is read as everything that a reply may be.
///
/// # Panics
/// When more is taken than there was, when a reply is read before it is whole, or when a part of
/// a reply is refused whose whole is taken.
pub fn replies(input: &[u8]) {
    let Ok(Some((value, used))) = resp::decode(input) else {
        return;
    };
    assert!(used <= input.len());
    assert_eq!(
        resp::decode(&input[..used]),
        Ok(Some((value.clone(), used)))
    );
    for part in [0, 1, used / 2, used - 1] {
        assert_eq!(resp::decode(&input[..part.min(used - 1)]), Ok(None));
    }
    read(&value);
}

fn read(value: &Value) {
    user(value);
    for name in ["aclfile", "ip", "name"] {
        let _ = reply::field(value, name);
    }
    let items = reply::list(value).unwrap_or_default();
    let at = |n: usize| items.get(n).unwrap_or(&Value::Nil);
    let view = sentinel::read(at(0), [at(1), at(2)], at(3), items.get(4));
    assert!(
        view.is_ok_and(|view| view.peers.len() <= 1 + reply::list(at(1)).map_or(0, <[_]>::len))
            || reply::text(at(3)).is_none()
    );
    let _ = sentinel::concerns(value, Some("mymaster"));
    if let Value::Error(code, rest) = value {
        let shown = NodeError::from_reply("ACL SETUSER", code, rest).to_string();
        let hex = |part: &&str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let mut words = shown.split(|c: char| !c.is_ascii_alphanumeric());
        assert!(words.find(hex).is_none(), "a digest is shown");
    }
    if let Some(text) = reply::text(value) {
        texts(&text);
    }
    if let Some(texts) = reply::into_texts(value.clone()) {
        assert_eq!(texts.len(), items.len());
    }
}

/// A description of a user, and the rule that is made of it.
fn user(value: &Value) {
    let Ok(Some(user)) = reply::user(value) else {
        return;
    };
    for level in [AclLevel::Users, AclLevel::Channels, AclLevel::Selectors] {
        let tokens = reply::rule_tokens(&user, value, level);
        assert!(tokens.iter().all(|token| !token.is_empty()));
    }
    for rebuilt in [false, true] {
        let mut hasher = DefaultHasher::new();
        reply::hash_rules(&user.rules, rebuilt, &mut hasher);
        let _ = hasher.finish();
    }
}

/// Reads a text as INFO and as CLUSTER NODES.
///
/// # Panics
/// When an address is found that has no port.
pub fn texts(text: &str) {
    let _ = observe::engine(text);
    let _ = reply::mode(text);
    let _ = reply::acl_calls(text);
    let _ = observe::primary(text);
    let _ = observe::replicas(text);
    for tls in [false, true] {
        if let Some(view) = cluster::parse(text, tls) {
            let port = |address: &str| {
                address
                    .rsplit_once(':')
                    .map(|(_, port)| port.parse::<u16>())
            };
            let mut places = view.peers.iter().map(|peer| peer.address.as_str());
            assert!(places.all(|place| matches!(port(place), Some(Ok(1..)))));
        }
    }
}
