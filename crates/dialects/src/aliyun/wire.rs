//! The envelope of answers: one tree of members, printed as JSON or as XML.

use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;
use std::io;

/// A member's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(u64),
    /// A truth value.
    Bool(bool),
    /// Members.
    Object(Members),
    /// A list. In XML the element that holds it is repeated, once for each item; this vendor
    /// wraps most lists in an object of one member, which gives the singular inside the plural.
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

    /// A list in the vendor's wrapper: an object of one member.
    pub(super) fn wrapped(singular: &'static str, items: Vec<Value>) -> Self {
        Value::Object(vec![(singular, Value::List(items))])
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Int(number) => serializer.serialize_u64(*number),
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

/// The answer: `root` is the name of the XML element.
pub(super) fn answer(
    xml: bool,
    request_id: RequestId,
    status: u16,
    root: &str,
    members: Members,
) -> RawAnswer {
    let value = Value::Object(members);
    // Both content types to the letter: the new Python client compares the XML one as a whole.
    let (content_type, body) = if xml {
        ("text/xml;charset=utf-8", to_xml(root, &value))
    } else {
        let body = serde_json::to_vec(&value).unwrap_or_default();
        ("application/json;charset=utf-8", body)
    };
    RawAnswer {
        status,
        headers: vec![
            ("content-type", content_type.to_owned()),
            ("x-acs-request-id", request_id.upper()),
        ],
        body,
    }
}

fn to_xml(root: &str, value: &Value) -> Vec<u8> {
    let mut writer = Writer::new(Vec::with_capacity(512));
    // Writing to memory does not fail; were it to, an empty body would tell.
    let written = writer
        .write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))
        .and_then(|()| element(&mut writer, root, value));
    match written {
        Ok(()) => writer.into_inner(),
        Err(_) => Vec::new(),
    }
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str, value: &Value) -> io::Result<()> {
    let text = match value {
        Value::List(items) => {
            return items
                .iter()
                .try_for_each(|item| element(writer, name, item));
        }
        Value::Object(members) => {
            let empty = |(_, v): &(_, Value)| matches!(v, Value::List(items) if items.is_empty());
            if members.iter().all(empty) {
                return writer.write_event(Event::Empty(BytesStart::new(name)));
            }
            writer.write_event(Event::Start(BytesStart::new(name)))?;
            for (name, value) in members {
                element(writer, name, value)?;
            }
            return writer.write_event(Event::End(BytesEnd::new(name)));
        }
        Value::Text(text) => legal(text),
        Value::Int(number) => number.to_string().into(),
        Value::Bool(truth) => if *truth { "true" } else { "false" }.into(),
    };
    if text.is_empty() {
        return writer.write_event(Event::Empty(BytesStart::new(name)));
    }
    writer.write_event(Event::Start(BytesStart::new(name)))?;
    writer.write_event(Event::Text(BytesText::new(&text)))?;
    writer.write_event(Event::End(BytesEnd::new(name)))
}

/// The text with every character that XML 1.0 cannot carry, escaped or not, replaced.
fn legal(text: &str) -> Cow<'_, str> {
    let fine = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    };
    if text.chars().all(fine) {
        return Cow::Borrowed(text);
    }
    let replaced = text.chars().map(|c| if fine(c) { c } else { '\u{fffd}' });
    Cow::Owned(replaced.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(value: &Value) -> String {
        String::from_utf8_lossy(&to_xml("R", value)).into_owned()
    }

    #[test]
    fn lists_and_empties() {
        const DECL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        let list = |items| Value::Object(vec![("Is", Value::wrapped("I", items))]);
        assert_eq!(xml(&list(vec![])), format!("{DECL}<R><Is/></R>"));
        assert_eq!(
            xml(&list(vec![Value::Int(1), Value::Bool(true), "".into()])),
            format!("{DECL}<R><Is><I>1</I><I>true</I><I/></Is></R>")
        );
    }

    #[test]
    fn escapes_and_illegal_characters() {
        let value = Value::Object(vec![("T", "<a & 'b'>\u{0}\u{1b}\u{ffff}\n测".into())]);
        assert!(
            xml(&value)
                .ends_with("<T>&lt;a &amp; &apos;b&apos;&gt;\u{fffd}\u{fffd}\u{fffd}\n测</T></R>")
        );
    }
}
