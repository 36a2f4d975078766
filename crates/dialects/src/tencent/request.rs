//! The first look at a request: whose it is, and what its answer needs to know of it.

use super::json::{self, Value};
use super::{VERSION, actions, multipart};
use crate::Shape;
use crate::encoding::{self, pairs};
use crate::raw::RawRequest;
use claviger_core::refusal::{Refusal, Why};
use std::borrow::Cow;

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// By the `Authorization` header; the common parameters are headers.
    Tc3,
    /// By fields among the parameters.
    V1,
}

/// TC3 if there is an `Authorization`; a call that lost its headers is one of version 1 that
/// lacks parameters, as at the cloud (issue). `x-tc-action` alone lacks its `Authorization`.
pub(super) fn scheme(raw: &RawRequest) -> Scheme {
    let has = |name: &str| raw.headers.iter().any(|(n, _)| n == name);
    if has("authorization") || has("x-tc-action") {
        Scheme::Tc3
    } else {
        Scheme::V1
    }
}

/// The type of the body, without parameters; empty if it is not said.
pub(super) fn content_type(raw: &RawRequest) -> &str {
    let value = raw.header("content-type").unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// The body, if it is said to be a form.
pub(super) fn form(raw: &RawRequest) -> Option<&[u8]> {
    content_type(raw)
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        .then_some(raw.body.as_slice())
}

/// Query and form body as text, as far as they are text.
fn texts(raw: &RawRequest) -> [&str; 2] {
    let body = form(raw).and_then(|body| std::str::from_utf8(body).ok());
    [raw.query_str(), body.unwrap_or_default()]
}

fn peek<'a>(raw: &'a RawRequest, name: &str) -> Option<Cow<'a, str>> {
    texts(raw)
        .into_iter()
        .find_map(|text| encoding::peek(text, name))
}

/// The marks of this vendor, and none of another's. A header `x-tc-*` or the scheme `TC3-` is
/// ours alone; so is the field `SecretId` or version 2018-04-12, unless a header or a field of
/// another vendor stands beside it.
pub(super) fn claims(raw: &RawRequest) -> bool {
    let authorization = raw.header("authorization").unwrap_or_default();
    let foreign_scheme = ["ACS3-", "HMAC-SHA256", "SDK-HMAC-"];
    if raw.path.starts_with("/v2/")
        || raw.path.starts_with("/v3/")
        || foreign_scheme.iter().any(|s| authorization.starts_with(s))
    {
        return false;
    }
    let has_header = |prefix: &str| raw.headers.iter().any(|(n, _)| n.starts_with(prefix));
    if authorization.starts_with("TC3-") || has_header("x-tc-") {
        return true;
    }
    let (mut ours, mut foreign) = (false, has_header("x-acs-"));
    for (name, value) in texts(raw).into_iter().flat_map(pairs) {
        let is = |wanted: &str| encoding::names(name, wanted);
        ours |= is("SecretId");
        foreign |= is("X-Algorithm") || is("AccessKeyId");
        if is("Version") {
            match encoding::decode(value).as_deref() {
                Ok(VERSION) => ours = true,
                Ok("2020-12-07") => foreign = true,
                _ => {}
            }
        }
    }
    ours && !foreign
}

/// Methods are GET and POST, the path is always `/` (docs). Neither signature holds a path.
pub(super) fn check_line(raw: &RawRequest) -> Result<(), Refusal> {
    if raw.method != "GET" && raw.method != "POST" {
        return Err(Refusal::MethodUnsupported);
    }
    if raw.path != "/" {
        return Err(Refusal::PathUnknown);
    }
    Ok(())
}

/// A form in which some field has no `=`: the text is the gateway's own (issue), typo included.
pub(super) const NO_EQUALS: Why = "Url key and value should be splited by `=`.";

/// Every field of a query or form has a value, if an empty one.
pub(super) fn check_form(text: &str) -> Result<(), Refusal> {
    let bare = |field: &str| !field.is_empty() && !field.contains('=');
    if text.split('&').any(bare) {
        Err(Refusal::Malformed(NO_EQUALS))
    } else {
        Ok(())
    }
}

/// Header of the trace id that some clients send and Node prints in its errors.
pub(super) const TRACE_ID: &str = "X-TC-TraceId";

/// See [`crate::Dialect::shape`].
pub(super) fn shape(raw: &RawRequest) -> Shape {
    let common = |field: &str, header: &str| match scheme(raw) {
        Scheme::Tc3 => Shape::bounded(raw.header(header).unwrap_or_default().trim()),
        Scheme::V1 => Shape::bounded(&peek(raw, field).unwrap_or_default()),
    };
    let action = common("Action", "x-tc-action");
    let names = actions::find(&action).map_or(&[][..], |known| known.echo);
    let mut echo = if names.is_empty() {
        Vec::new()
    } else {
        echo(raw, names)
    };
    let trace = raw.header("x-tc-traceid").map(Shape::bounded);
    if let Some(trace) = trace.filter(|t| t.bytes().all(|b| b.is_ascii_graphic())) {
        echo.push((TRACE_ID, trace));
    }
    Shape {
        version: common("Version", "x-tc-version"),
        region: common("Region", "x-tc-region"),
        xml: false,
        host: String::new(),
        echo,
        action,
    }
}

/// The values by which an answer is narrowed; a list as its items with commas between.
fn echo(raw: &RawRequest, names: &[&'static str]) -> Vec<(&'static str, String)> {
    let text = std::str::from_utf8(&raw.body).unwrap_or_default();
    if scheme(raw) == Scheme::Tc3 && raw.method == "POST" {
        if multipart::is_multipart(raw.header("content-type").unwrap_or_default()) {
            let mut params = crate::raw::Params::default();
            let kind = raw.header("content-type").unwrap_or_default();
            // What cannot be read is refused, and a refusal needs none of this.
            let _ = multipart::read(kind, &raw.body, &mut params);
            return flat(params.iter(), names);
        }
        let members = json::members(text).unwrap_or_default();
        return names
            .iter()
            .filter_map(|name| {
                let (_, value) = members.iter().find(|(n, _)| n == name)?;
                Some((*name, Shape::bounded(&printed(value)?)))
            })
            .collect();
    }
    let fields: Vec<_> = texts(raw)
        .into_iter()
        .flat_map(pairs)
        .filter_map(|(n, v)| Some((encoding::decode(n).ok()?, encoding::decode(v).ok()?)))
        .collect();
    flat(fields.iter().map(|(n, v)| (n.as_ref(), v.as_ref())), names)
}

fn printed(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.expose().to_owned()),
        Value::Int(number) => Some(number.to_string()),
        Value::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(printed).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

fn flat<'a>(
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    names: &[&'static str],
) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for (field, value) in fields {
        let stem = field.split('.').next().unwrap_or_default();
        let Some(name) = names.iter().find(|name| **name == stem) else {
            continue;
        };
        match found.iter_mut().find(|(n, _)| n == name) {
            Some((_, text)) => {
                text.push(',');
                text.push_str(value);
            }
            None => found.push((name, value.to_owned())),
        }
    }
    for (_, text) in &mut found {
        *text = Shape::bounded(text);
    }
    found.sort_by_key(|(n, _)| names.iter().position(|name| name == n));
    found
}
