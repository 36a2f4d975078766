//! JSON bodies: flat objects. What a member must be is said when it is read, so that a value of
//! another type is the refusal of that member and not of the whole body.

use super::params::invalid;
use super::request::BODY;
use crate::encoding::{NUL, has_nul};
use crate::raw::Params;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Bound on members of a body; the longest that is read has 5.
const MEMBERS_MAX: usize = 64;

/// A member's value.
enum Value {
    Text(Secret),
    Bool(bool),
    Null,
    /// A number, list or object, which no call has.
    Other,
}

/// The members of a body, each of them once.
pub(super) struct Body(Vec<(String, Value)>);

impl Body {
    /// Reads the request's body.
    ///
    /// # Errors
    /// [`Refusal::BodyEmpty`]; [`Refusal::Malformed`] if it is not a JSON object, or has a member
    /// twice: two readers could take different ones.
    pub(super) fn read(params: &Params) -> Result<Self, Refusal> {
        let text = params.get(BODY).unwrap_or_default();
        if text.trim_ascii().is_empty() {
            return Err(Refusal::BodyEmpty);
        }
        serde_json::from_str(text).map_err(|_| Refusal::Malformed("the body is not a JSON object"))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// A text, if it is there and not null.
    pub(super) fn optional(&self, name: &'static str) -> Result<Option<&Secret>, Refusal> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) if has_nul(text.expose()) => Err(invalid(name, NUL)),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Bool(_) | Value::Other) => Err(invalid(name, "it is not a text")),
        }
    }

    /// A text that must be there; it may be empty.
    pub(super) fn required(&self, name: &'static str) -> Result<&Secret, Refusal> {
        let missing = Refusal::ParameterMissing { name };
        self.optional(name)?.ok_or(missing)
    }

    /// A truth value, if it is there and not null.
    pub(super) fn truth(&self, name: &'static str) -> Result<Option<bool>, Refusal> {
        match self.value(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(*truth)),
            Some(Value::Text(_) | Value::Other) => Err(invalid(name, "it is not true or false")),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let again = members.iter().any(|(known, _)| *known == name);
            if again || members.len() == MEMBERS_MAX {
                return Err(A::Error::custom("repeated, or too many"));
            }
            members.push((name, value));
        }
        Ok(Body(members))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Secret::new(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(Secret::new(text)))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}
