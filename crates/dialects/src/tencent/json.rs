//! JSON as strictly as it is signed: no member twice, no more values than a request may carry,
//! and every text a [`Secret`], since it may be a password.

use crate::encoding::PARAMS_MAX;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value of a request.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Text of a query or form: of what type it is, its parameter decides.
    Plain(Secret),
    /// A JSON string.
    Text(Secret),
    /// A JSON number that is whole.
    Int(i128),
    /// A JSON number that is not.
    Fraction,
    /// A JSON truth value.
    Bool(bool),
    /// JSON null: SDKs that do not drop it mean an absent parameter.
    Null,
    /// A list.
    List(Vec<Value>),
    /// An object; or `Name.Member` and `Name.0` of a query or form.
    Object(Members),
}

/// Members in order of arrival.
pub(super) type Members = Vec<(String, Value)>;

const UNREADABLE: Why = "the body is not a JSON object, has a member twice, or too many values";

/// Reads a body: an object of parameters.
///
/// # Errors
/// [`Refusal::Malformed`].
pub(super) fn members(body: &str) -> Result<Members, Refusal> {
    match value(body) {
        Some(Value::Object(members)) => Ok(members),
        _ => Err(Refusal::Malformed(UNREADABLE)),
    }
}

/// Reads one value, and nothing after it.
pub(super) fn value(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (count(&value) <= PARAMS_MAX).then_some(value)
}

/// Values within a value, itself included.
fn count(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(members) => 1 + members.iter().map(|(_, v)| count(v)).sum::<usize>(),
        _ => 1,
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Secret::new(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(Secret::new(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Int(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number.into()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Fraction)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            if items.len() == PARAMS_MAX {
                return Err(A::Error::custom("too many values"));
            }
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members: Members = Vec::new();
        while let Some((name, value)) = from.next_entry::<String, Value>()? {
            if members.len() == PARAMS_MAX || members.iter().any(|(n, _)| *n == name) {
                // Two readers could take different ones.
                return Err(A::Error::custom("a member twice, or too many"));
            }
            members.push((name, value));
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_not() {
        for good in [
            "{}",
            r#"{"a":"b","c":[1,true,null,{"d":-1.5}]}"#,
            " { } ",
            r#"{"a":1,"b":{"a":1}}"#,
        ] {
            assert!(members(good).is_ok(), "{good}");
        }
        let many = format!("[{}1]", "1,".repeat(PARAMS_MAX));
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for bad in [
            "",
            "[]",
            "null",
            "{",
            "{}x",
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{'a':1}"#,
            r#"{"a":01}"#,
            r#"{"a":NaN}"#,
            &format!(r#"{{"a":{many}}}"#),
            &format!(r#"{{"a":{deep}}}"#),
        ] {
            assert!(members(bad).is_err(), "{bad}");
        }
    }
}
