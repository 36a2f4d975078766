//! Rules of a role of one's own, one token a line: whatever is taken neither switches the user on
//! or off nor touches its passwords, and all of it reaches every version of the servers in order.
#![no_main]

use claviger_core::acl::{custom_tokens_ok, rule_tokens};
use claviger_core::engine::{Engine, Family};
use claviger_core::instance::{CustomRole, RolePolicy};
use claviger_core::privilege::{Privilege, RoleName};
use libfuzzer_sys::fuzz_target;

const WORDS: [&str; 6] = [
    "allkeys",
    "resetkeys",
    "allchannels",
    "resetchannels",
    "allcommands",
    "nocommands",
];

fn harmless(word: &str) -> bool {
    word.starts_with(['+', '-', '~', '&', '%'])
        || WORDS.contains(&word.to_ascii_lowercase().as_str())
}

fuzz_target!(|text: &str| {
    let tokens: Vec<String> = text.split('\n').map(str::to_owned).collect();
    if !custom_tokens_ok(&tokens) {
        return;
    }
    for token in &tokens {
        let inner = match token.strip_prefix('(') {
            Some(selector) => selector.strip_suffix(')').expect("it ends"),
            None => token,
        };
        assert!(!token.contains(['\0', '\t', '\u{b}', '\u{c}', '\r']) || token.starts_with('('));
        assert!(!token.contains(['\0', '\u{b}']) && (token.starts_with('(') || !token.contains(' ')));
        assert!(inner.split_ascii_whitespace().all(harmless), "{token}");
    }
    let name = RoleName::parse("own").expect("it is a name");
    let policy = RolePolicy {
        custom: vec![CustomRole { name, rules: tokens.clone() }],
        ..RolePolicy::default()
    };
    for version in ["6.0.16", "6.2.14", "7.0.15", "8.0.2"] {
        let engine = Engine::parse(Family::Redis, version).expect("it is a version");
        let all = rule_tokens(Privilege::Custom(name), &policy, engine);
        assert!(all.ends_with(&tokens));
    }
});
