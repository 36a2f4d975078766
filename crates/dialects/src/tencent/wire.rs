//! The envelope of answers: `{"Response":{..., "RequestId":"..."}}`.

use super::request::TRACE_ID;
use crate::Shape;
use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

/// A member's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(i64),
    /// A number that need not be whole.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Members.
    Object(Members),
    /// A list.
    List(Vec<Value>),
}

/// Members in the order of the wire.
pub(super) type Members = Vec<(&'static str, Value)>;

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl Value {
    /// Text that is copied.
    pub(super) fn text(text: &str) -> Self {
        text.to_owned().into()
    }

    /// A count.
    pub(super) fn count(number: u64) -> Self {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Value::List(items) => serializer.collect_seq(items),
        }
    }
}

/// The answer, a refusal's too: always 200, since Python and Node take anything else for a broken
/// network and drop the code. The content type has no charset: Python compares it as a whole, and
/// would read a refusal as an empty success.
pub(super) fn answer(shape: &Shape, request_id: RequestId, mut members: Members) -> RawAnswer {
    members.push(("RequestId", request_id.to_string().into()));
    let value = Value::Object(vec![("Response", Value::Object(members))]);
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-tc-requestid", request_id.to_string()),
    ];
    // Node prints it in its errors.
    if let Some(trace) = shape.echoed(TRACE_ID) {
        headers.push(("x-tc-traceid", trace.to_owned()));
    }
    RawAnswer {
        status: 200,
        headers,
        body: serde_json::to_vec(&value).unwrap_or_default(),
    }
}
