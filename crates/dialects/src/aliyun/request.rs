//! The first look at a request: whose it is, in what form it wants its answer, its parameters.

use super::{VERSION, actions, params};
use crate::Shape;
use crate::encoding::{self, pairs};
use crate::raw::{Params, RawRequest};
use claviger_core::refusal::Refusal;
use std::borrow::Cow;

/// How a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// By parameters.
    V1,
    /// By the `Authorization` header.
    Acs3,
}

/// ACS3 if there is such a header; or any other `Authorization` and no signature among the
/// parameters, to be refused there.
pub(super) fn scheme(raw: &RawRequest) -> Scheme {
    let Some((_, value)) = raw.headers.iter().find(|(n, _)| n == "authorization") else {
        return Scheme::V1;
    };
    if value.starts_with(b"ACS3-") || peek(raw, "Signature").is_none() {
        Scheme::Acs3
    } else {
        Scheme::V1
    }
}

/// The body, if it is said to be a form. A type that is missing says nothing.
fn form(raw: &RawRequest) -> Option<&[u8]> {
    let kind = raw.header("content-type")?.split(';').next()?.trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
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

/// The marks of this vendor, and none of another's. `SecretId` and `X-TC-*` are Tencent Cloud's;
/// version 2020-12-07, `X-Algorithm` and the bare `HMAC-SHA256` scheme Volcengine's; the paths
/// `/v2/` and `/v3/` and `SDK-HMAC-` Huawei Cloud's.
pub(super) fn claims(raw: &RawRequest) -> bool {
    let authorization = raw.header("authorization").unwrap_or_default();
    let foreign_scheme = ["TC3-", "HMAC-SHA256", "SDK-HMAC-"];
    if raw.path.starts_with("/v2/")
        || raw.path.starts_with("/v3/")
        || foreign_scheme.iter().any(|s| authorization.starts_with(s))
        || raw
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("x-tc-"))
    {
        return false;
    }
    let mut marks = Marks::default();
    for text in texts(raw) {
        for (name, value) in pairs(text) {
            marks.see(name, value);
        }
    }
    let ours = authorization.starts_with("ACS3-")
        || raw.headers.iter().any(|(name, _)| name == "x-acs-action")
        || marks.version
        || (marks.action && marks.signer && marks.signature_form);
    ours && !marks.foreign
}

#[derive(Default)]
struct Marks {
    version: bool,
    action: bool,
    signer: bool,
    signature_form: bool,
    foreign: bool,
}

impl Marks {
    fn see(&mut self, name: &str, value: &str) {
        // Names are escaped only by those who try what happens.
        let name = if name.contains('%') {
            encoding::decode(name).unwrap_or_default()
        } else {
            Cow::Borrowed(name)
        };
        match &*name {
            "Version" => match encoding::decode(value).as_deref() {
                Ok(VERSION) => self.version = true,
                Ok("2020-12-07" | "2018-04-12") => self.foreign = true,
                _ => {}
            },
            "Action" => self.action = true,
            "Signature" | "AccessKeyId" => self.signer = true,
            "SignatureMethod" | "SignatureVersion" => self.signature_form = true,
            "SecretId" | "X-Algorithm" => self.foreign = true,
            _ => {}
        }
    }
}

/// Action and version as the scheme carries them. V1 does not sign its headers, so they count
/// there only if the parameters are silent, which `auth_v1` refuses anyway.
fn spoken<'a>(raw: &'a RawRequest, param: &str, header: &str) -> Cow<'a, str> {
    let in_header = || raw.header(header).map(Cow::Borrowed);
    let spoken = match scheme(raw) {
        Scheme::Acs3 => in_header(),
        Scheme::V1 => peek(raw, param).or_else(in_header),
    };
    spoken.unwrap_or_default()
}

/// See [`crate::Dialect::shape`].
pub(super) fn shape(raw: &RawRequest) -> Shape {
    let action = Shape::bounded(&spoken(raw, "Action", "x-acs-action"));
    let echo = actions::find(&action).map_or(&[][..], |known| known.echo);
    let given = |name: &&'static str| {
        let value = peek(raw, name)?;
        Some((*name, Shape::bounded(&value)))
    };
    Shape {
        version: Shape::bounded(&spoken(raw, "Version", "x-acs-version")),
        region: Shape::bounded(&peek(raw, "RegionId").unwrap_or_default()),
        xml: wants_xml(raw),
        host: Shape::bounded(raw.header("host").unwrap_or_default()),
        echo: echo.iter().filter_map(given).collect(),
        action,
    }
}

/// JSON for ACS3; else as `Format` says; else JSON if the client accepts it by name; else XML,
/// the documented default.
fn wants_xml(raw: &RawRequest) -> bool {
    if scheme(raw) == Scheme::Acs3 {
        return false;
    }
    match peek(raw, "Format") {
        Some(format) if format.eq_ignore_ascii_case("json") => false,
        Some(format) if format.eq_ignore_ascii_case("xml") => true,
        _ => !raw
            .header("accept")
            .is_some_and(|accept| accept.contains("application/json")),
    }
}

/// Method, path and parameters: query first, then the form body. A parameter that comes twice is
/// refused, whatever its name: two readers could take different ones.
pub(super) fn read(raw: &RawRequest) -> Result<Params, Refusal> {
    if raw.method != "GET" && raw.method != "POST" {
        return Err(Refusal::MethodUnsupported);
    }
    if raw.path != "/" {
        return Err(Refusal::ActionUnknown);
    }
    let mut params = Params::default();
    encoding::parse_form(raw.query_str(), &mut params)?;
    match form(raw) {
        Some(body) => {
            encoding::parse_form_bytes(body, &mut params)?;
        }
        None if raw.body.is_empty() => {}
        None => return Err(Refusal::Malformed("the body is not a form")),
    }
    let mut sorted: Vec<&str> = params.iter().map(|(name, _)| name).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(params::repeated(pair[0])),
        None => Ok(params),
    }
}

/// The action, if it and the version are known.
pub(super) fn known(
    action: Option<&str>,
    version: Option<&str>,
) -> Result<&'static actions::Action, Refusal> {
    let given = |value: Option<&'_ str>| value.is_some_and(|text| !text.is_empty());
    if !given(action) {
        return Err(Refusal::ParameterMissing { name: "Action" });
    }
    if !given(version) {
        return Err(Refusal::ParameterMissing { name: "Version" });
    }
    if version != Some(VERSION) {
        return Err(Refusal::VersionUnknown);
    }
    action.and_then(actions::find).ok_or(Refusal::ActionUnknown)
}
