//! A JSON body as parameters. Strict: one object, no member twice, nothing behind it. Members
//! that nobody reads are passed over without being kept, however deep they are.

use super::params::Kind;
use crate::encoding::PARAMS_MAX;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// The members of a body that are read: name and value.
pub(super) type Fields = Vec<(&'static str, Secret)>;

/// Reads a body; `known` tells the name and kind of those members that matter. `null` is the same
/// as absent.
pub(super) fn read(
    body: &str,
    known: fn(&str) -> Option<(&'static str, Kind)>,
) -> Result<Fields, Refusal> {
    let mut parser = serde_json::Deserializer::from_str(body);
    let fields = parser
        .deserialize_map(Top { known })
        .map_err(|_| Refusal::Malformed("the body is not a JSON object"))?;
    parser
        .end()
        .map_err(|_| Refusal::Malformed("the body is more than one JSON object"))?;
    fields
}

struct Top {
    known: fn(&str) -> Option<(&'static str, Kind)>,
}

impl<'de> Visitor<'de> for Top {
    /// A refusal is a value too: the body is read to its end in any case, so that the same fault
    /// is reported wherever it stands.
    type Value = Result<Fields, Refusal>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::new();
        let mut names = HashSet::new();
        let mut refused = None;
        while let Some(name) = map.next_key::<String>()? {
            if refused.is_some() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let field = (self.known)(&name);
            if !names.insert(name) {
                refused = Some(Refusal::Malformed("a member of the body comes twice"));
            } else if names.len() > PARAMS_MAX {
                refused = Some(Refusal::Malformed("the body has too many members"));
            }
            match field {
                Some((name, kind)) => match map.next_value::<Json>()?.fit(kind) {
                    Ok(Some(value)) => fields.push((name, value)),
                    Ok(None) => {}
                    Err(why) => {
                        refused.get_or_insert(Refusal::ParameterInvalid { name, why });
                    }
                },
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(refused.map_or(Ok(fields), Err))
    }
}

/// A value, as far as any member needs it.
enum Json {
    Null,
    Bool,
    /// A whole number that is not negative.
    Int(u64),
    /// Any other number.
    Number,
    Text(Secret),
    /// With so many items.
    List(usize),
    Object,
}

impl Json {
    /// The value as a parameter of that kind. A number may come as text: form and query have
    /// nothing else.
    fn fit(self, kind: Kind) -> Result<Option<Secret>, &'static str> {
        match (kind, self) {
            (_, Json::Null) => Ok(None),
            (Kind::Text | Kind::Int, Json::Text(text)) => Ok(Some(text)),
            (Kind::Int, Json::Int(number)) => Ok(Some(Secret::new(number.to_string()))),
            (Kind::List, Json::List(0)) => Ok(None),
            (Kind::List, Json::List(_)) => Ok(Some(Secret::new("given"))),
            (Kind::Text, _) => Err("it is not text"),
            (Kind::Int, _) => Err("it is not a whole number"),
            (Kind::List, _) => Err("it is not a list"),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Int(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Secret::new(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut count = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Json::List(count))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Json::Object)
    }
}
