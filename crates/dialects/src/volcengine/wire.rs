//! The envelope of answers: `ResponseMetadata`, and `Result` beside it when there is one.

use crate::Shape;
use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

/// A member's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// The answer of an action that says nothing.
    Null,
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(u64),
    /// A number with a fraction, also where it has none: some clients insist.
    Double(f64),
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
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Int(number) => serializer.serialize_u64(*number),
            Value::Double(number) => serializer.serialize_f64(*number),
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

/// What every answer says of its request: the sample's five members, in its order. The service
/// is capitalised in every sample, however the client wrote it.
fn metadata(shape: &Shape, request_id: RequestId) -> Members {
    vec![
        ("RequestId", request_id.to_string().into()),
        ("Action", Value::text(&shape.action)),
        ("Version", Value::text(&shape.version)),
        ("Service", "Redis".into()),
        ("Region", Value::text(&shape.region)),
    ]
}

/// A success.
pub(super) fn success(shape: &Shape, request_id: RequestId, result: Value) -> RawAnswer {
    let metadata = Value::Object(metadata(shape, request_id));
    let members = vec![("ResponseMetadata", metadata), ("Result", result)];
    answer(200, request_id, members)
}

/// A failure: there is no `Result` then.
pub(super) fn failure(
    shape: &Shape,
    request_id: RequestId,
    status: u16,
    error: Members,
) -> RawAnswer {
    let mut metadata = metadata(shape, request_id);
    metadata.push(("Error", Value::Object(error)));
    let members = vec![("ResponseMetadata", Value::Object(metadata))];
    answer(status, request_id, members)
}

fn answer(status: u16, request_id: RequestId, members: Members) -> RawAnswer {
    RawAnswer {
        status,
        headers: vec![
            ("content-type", "application/json; charset=utf-8".to_owned()),
            // The Python client logs it.
            ("x-tt-logid", request_id.to_string()),
        ],
        body: serde_json::to_vec(&Value::Object(members)).unwrap_or_default(),
    }
}
