//! The words of policies: entity types, actions with their groups, circumstances; as Cedar's
//! schema, made of the table of actions so that the two cannot part.

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Schema};
use claviger_core::access::Action;
use claviger_core::action::On;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::LazyLock;

/// What there is besides the actions.
const TYPES: &str = r#"// What a key's role says: "admin", "operator", "auditor", "none"; all but the last are in "any".
entity Role;
// What a key is limited to: "all", or the key's own.
entity Scope;
// The installation as a whole; there is one, "claviger". What is asked for on it is a list, or
// concerns no instance.
entity Service in [Scope];
// An access key. Temporary credentials count as the key that they were made of.
entity Key in [Role] = {
    role: String,
    scope: Scope,
    temporary: Bool,
} tags String;
// A fleet member.
entity Instance in [Scope] = {
    name: String,
    region: String,
} tags String;
// An account; its identity is that of its instance, a slash and its name.
entity Account in [Instance] = {
    instance: Instance,
    name: String,
    // Its privilege's word, such as "read-only"; of one that is being made, the one asked for.
    privilege: String,
    // It is the server's default user.
    is_default: Bool,
};

type Circumstances = {
    // The client's address.
    source: ipaddr,
    tls: Bool,
    // The API that is spoken, such as "native".
    dialect: String,
    // The privilege that an account is to get, if it is to get one.
    asked_privilege?: String,
};

"#;

/// The groups that an action is in: all of its kind, such as `account:*`, and `read`.
pub(crate) fn groups(action: Action) -> Vec<String> {
    let (kind, verb) = action.as_str().split_once(':').unwrap_or_default();
    let mut groups = vec![format!("{kind}:*")];
    if verb == "read" {
        groups.push("read".to_owned());
    }
    groups
}

fn text() -> String {
    let mut text = TYPES.to_owned();
    let mut known = vec!["read".to_owned()];
    let mut actions = String::new();
    for action in Action::ALL {
        let groups = groups(action);
        known.extend(groups.iter().cloned());
        let groups: Vec<_> = groups.iter().map(|group| format!("\"{group}\"")).collect();
        let resources = match action.on() {
            On::Accounts => "Account, Instance, Service",
            On::Instances => "Instance, Service",
            On::Service => "Service",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            actions,
            "action \"{action}\" in [{}] appliesTo {{\n    principal: [Key],\n    resource: \
             [{resources}],\n    context: Circumstances,\n}};",
            groups.join(", ")
        );
    }
    known.sort();
    known.dedup();
    for group in known {
        let _ = writeln!(text, "action \"{group}\";");
    }
    text.push('\n');
    text.push_str(&actions);
    text
}

/// The schema as Cedar's own text, for people and their editors.
pub static TEXT: LazyLock<String> = LazyLock::new(text);

/// The schema.
#[expect(clippy::expect_used, reason = "a fixed text, read by a test")]
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let read = Schema::from_cedarschema_str(&TEXT);
    read.expect("the schema is read by a test").0
});

/// Each action's identity and its entity, which knows its groups.
pub(crate) static ACTIONS: LazyLock<HashMap<Action, (EntityUid, Option<Entity>)>> =
    LazyLock::new(|| {
        let entities = SCHEMA.action_entities().ok();
        let of = |action: Action| {
            let uid = ACTION.uid(action.as_str());
            let entity = entities.as_ref().and_then(|e| e.get(&uid)).cloned();
            (action, (uid, entity))
        };
        Action::ALL.into_iter().map(of).collect()
    });

/// An entity type.
pub(crate) struct Type(LazyLock<EntityTypeName>);

impl Type {
    /// The identity of the one of that name.
    pub(crate) fn uid(&self, name: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.0.clone(), EntityId::new(name))
    }
}

#[expect(clippy::expect_used, reason = "plain identifiers, read by every test")]
fn named(name: &str) -> EntityTypeName {
    EntityTypeName::from_str(name).expect("a plain identifier")
}

macro_rules! types {
    ($($constant:ident = $name:literal),+ $(,)?) => { $(
        #[doc = concat!("The entity type ", $name, ".")]
        pub(crate) static $constant: Type = Type(LazyLock::new(|| {
            named($name)
        }));
    )+ };
}

types! {
    ACTION = "Action",
    ROLE = "Role",
    SCOPE = "Scope",
    SERVICE = "Service",
    KEY = "Key",
    INSTANCE = "Instance",
    ACCOUNT = "Account",
}
