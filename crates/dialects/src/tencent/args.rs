//! The parameters of an action, whichever way they came, read by the action's own list of them.

use super::json::{Members, Value};
use crate::encoding::{self, NUL, PARAMS_MAX};
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text; an empty one counts as absent, since Go sends those.
    Text,
    /// Text whose emptiness is judged with the action.
    Password,
    /// Text that may be empty on purpose.
    Free,
    /// A whole number, 0 or more.
    Uint,
    /// A truth value.
    Bool,
    /// A list of texts.
    Texts,
    /// A list of whole numbers.
    Ints,
    /// An object of these parameters.
    Object(&'static [Parameter]),
    /// A list of objects whose members are texts.
    Objects,
}

/// A parameter of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    name: &'static str,
    kind: Kind,
    required: bool,
}

impl Parameter {
    /// Whether this is its name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// What it holds.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

/// One that may be absent.
pub(super) const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: false,
    }
}

/// One that must be there.
pub(super) const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        required: true,
    }
}

/// A value is not of its parameter's type: `InvalidParameter`, where a value that is not allowed
/// is `InvalidParameterValue`.
pub(super) const WRONG_TYPE: Why = "its type is not valid";

/// The refusal of a value.
pub(super) fn not_allowed(name: &'static str, why: Why) -> Refusal {
    Refusal::ParameterInvalid { name, why }
}

fn wrong_type(name: &'static str) -> Refusal {
    not_allowed(name, WRONG_TYPE)
}

/// Bound on the name of an unknown parameter that is told back, bytes.
const NAME_LEN_MAX: usize = 64;

fn unknown(name: &str) -> Refusal {
    let end = name.floor_char_boundary(NAME_LEN_MAX);
    Refusal::ParameterUnknown {
        name: name[..end].to_owned(),
    }
}

/// An action's parameters.
#[derive(Debug, Default)]
pub(super) struct Args(Members);

impl Args {
    /// Of a JSON object.
    pub(super) fn of_members(mut members: Members) -> Self {
        members.retain(|(_, value)| !matches!(value, Value::Null));
        Self(members)
    }

    /// Of a query or form: `Name`, `Name.0`, `Name.Member`, `Name.0.Member`.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for a name that comes twice, or is both a value and a list.
    pub(super) fn of_pairs<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Refusal> {
        let mut members = Members::new();
        for (name, value) in pairs {
            insert(&mut members, name, value)?;
        }
        Ok(Self(members))
    }

    /// Every parameter is one of the list's, what must be there is there, and every value is of
    /// its type: in this order.
    pub(super) fn check(&self, parameters: &'static [Parameter]) -> Result<(), Refusal> {
        check(&self.0, parameters)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        find(&self.0, name)
    }

    /// The text, unless it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.free(name).filter(|text| !text.is_empty())
    }

    /// The text, also if it is empty.
    pub(super) fn free(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Plain(text) | Value::Text(text) => Some(text.expose()),
            _ => None,
        }
    }

    /// The text, which must be there and not be empty.
    pub(super) fn must(&self, name: &'static str) -> Result<&str, Refusal> {
        self.text(name).ok_or(Refusal::ParameterMissing { name })
    }

    /// A password, unless it is absent or empty.
    pub(super) fn password(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// A whole number.
    pub(super) fn uint(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(uint)
    }

    /// A truth value.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(truth)
    }

    /// A list of texts; none if it is absent.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let items = self.get(name).map(items).unwrap_or_default();
        let texts = items.into_iter().filter_map(|item| match item {
            Value::Plain(text) | Value::Text(text) => Some(text.expose()),
            _ => None,
        });
        texts.collect()
    }

    /// A list of whole numbers; none if it is absent.
    pub(super) fn ints(&self, name: &str) -> Vec<i64> {
        let items = self.get(name).map(items).unwrap_or_default();
        items.into_iter().filter_map(int).collect()
    }

    /// Whether there is a list with something in it.
    pub(super) fn has_items(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !items(value).is_empty())
    }

    /// An object.
    pub(super) fn object(&self, name: &str) -> Option<Args> {
        match self.get(name)? {
            Value::Object(members) => Some(Args::of_members(members.clone())),
            _ => None,
        }
    }
}

fn find<'a>(members: &'a Members, name: &str) -> Option<&'a Value> {
    members.iter().find(|(n, _)| n == name).map(|(_, v)| v)
}

const TWICE: Why = "a parameter is given twice";

/// Levels of `A.0.B`: none of this API's has more.
const DEPTH_MAX: usize = 4;

fn insert(members: &mut Members, name: &str, value: &str) -> Result<(), Refusal> {
    let (mut members, mut rest) = (members, name);
    for _ in 0..DEPTH_MAX {
        let (first, after) = match rest.split_once('.') {
            Some((first, after)) => (first, Some(after)),
            None => (rest, None),
        };
        let at = members.iter().position(|(n, _)| n == first);
        let Some(after) = after else {
            if at.is_some() {
                return Err(Refusal::Malformed(TWICE));
            }
            members.push((first.to_owned(), Value::Plain(Secret::new(value))));
            return Ok(());
        };
        let at = at.unwrap_or_else(|| {
            members.push((first.to_owned(), Value::Object(Members::new())));
            members.len() - 1
        });
        let Value::Object(inner) = &mut members[at].1 else {
            return Err(Refusal::Malformed(TWICE));
        };
        (members, rest) = (inner, after);
    }
    Err(unknown(name))
}

fn check(members: &Members, parameters: &'static [Parameter]) -> Result<(), Refusal> {
    for (name, _) in members {
        if !parameters.iter().any(|p| p.name == name) {
            return Err(unknown(name));
        }
    }
    for parameter in parameters.iter().filter(|p| p.required) {
        let name = parameter.name;
        if find(members, name).is_none_or(|value| is_absent(value, parameter.kind)) {
            return Err(Refusal::ParameterMissing { name });
        }
    }
    for (name, value) in members {
        if let Some(parameter) = parameters.iter().find(|p| p.name == name) {
            check_type(value, parameter)?;
        }
    }
    Ok(())
}

/// Whether a value counts as none where one must be.
fn is_absent(value: &Value, kind: Kind) -> bool {
    match (value, kind) {
        (Value::Null, _) => true,
        (Value::Plain(text) | Value::Text(text), kind) => {
            kind != Kind::Password && text.expose().is_empty()
        }
        (Value::List(items), _) => items.is_empty(),
        _ => false,
    }
}

fn check_type(value: &Value, parameter: &Parameter) -> Result<(), Refusal> {
    let name = parameter.name;
    let is_text = |value: &Value| matches!(value, Value::Plain(_) | Value::Text(_));
    // An empty value of a query or form is an absent one, whatever its type.
    let empty = matches!(value, Value::Plain(text) if text.expose().is_empty());
    let fine = match parameter.kind {
        _ if empty || matches!(value, Value::Null) => true,
        Kind::Text | Kind::Password | Kind::Free => is_text(value),
        Kind::Uint => uint(value).is_some(),
        Kind::Bool => truth(value).is_some(),
        Kind::Texts => is_list(value) && items(value).into_iter().all(is_text),
        Kind::Ints => is_list(value) && items(value).into_iter().all(|i| int(i).is_some()),
        Kind::Object(inner) => match value {
            Value::Object(members) => return check(members, inner),
            _ => false,
        },
        Kind::Objects => {
            let object = |item: &Value| matches!(item, Value::Object(_));
            is_list(value) && items(value).into_iter().all(object)
        }
    };
    match fine {
        true if has_nul(value) => Err(not_allowed(name, NUL)),
        true => Ok(()),
        false => Err(wrong_type(name)),
    }
}

/// Whether a text in it has a NUL byte.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::Plain(text) | Value::Text(text) => encoding::has_nul(text.expose()),
        Value::List(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(_, value)| has_nul(value)),
        Value::Int(_) | Value::Fraction | Value::Bool(_) | Value::Null => false,
    }
}

/// A JSON list; or the members `0`, `1` ... of a query or form.
fn is_list(value: &Value) -> bool {
    match value {
        Value::List(_) => true,
        Value::Object(members) => members.iter().all(|(name, _)| index(name).is_some()),
        _ => false,
    }
}

fn index(name: &str) -> Option<usize> {
    let plain = (1..=3).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_digit());
    let number = if plain { name.parse().ok() } else { None };
    number.filter(|n| *n < PARAMS_MAX)
}

/// The items of a list, in the order of their numbers.
fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::List(items) => items.iter().collect(),
        Value::Object(members) => {
            let mut items: Vec<_> = members.iter().collect();
            items.sort_by_key(|(name, _)| index(name));
            items.into_iter().map(|(_, value)| value).collect()
        }
        _ => Vec::new(),
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => i64::try_from(*number).ok(),
        Value::Plain(text) => plain_int(text.expose()),
        _ => None,
    }
}

/// A whole number as a query or form has it: decimal, without a plus.
pub(super) fn plain_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty();
    if plain { text.parse().ok() } else { None }
}

fn uint(value: &Value) -> Option<u64> {
    int(value).and_then(|n| u64::try_from(n).ok())
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Plain(text) => plain_truth(text.expose()),
        _ => None,
    }
}

/// A truth value as a query or form has it: in any case, since Python sends `True`, and as the
/// `1` and `0` of PHP.
pub(super) fn plain_truth(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
