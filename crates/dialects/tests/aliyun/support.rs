//! Requests for tests: read from dumps, or built and signed.

use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::aliyun::Aliyun;
use claviger_dialects::aliyun::client::{Call, Signer, sign};
use claviger_dialects::encoding::escape_into;
use claviger_dialects::raw::{Params, RawAnswer, RawRequest, SignedRequest};
use claviger_dialects::{Dialect, Envelope, Shape};

pub(crate) const KEY: &str = "LTAI5tExampleKeyId";
pub(crate) const SECRET: &str = "ExampleAccessKeySecret123456";
pub(crate) const NONCE: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const TIME: &str = "2026-01-02T03:04:05Z";
/// [`TIME`] in seconds.
pub(crate) const TIME_S: i64 = 1_767_323_045;
pub(crate) const INSTANCE: &str = "r-bp1zxszhcgatnx01";
pub(crate) const P1: [(&str, &str); 5] = [
    ("InstanceId", INSTANCE),
    ("AccountName", "demoaccount"),
    ("AccountPassword", "uWonno21!@#$%^&*()_+-="),
    ("AccountPrivilege", "RoleReadOnly"),
    ("AccountDescription", "测试 a~b*c"),
];

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET)
}

pub(crate) fn request_id() -> RequestId {
    RequestId::from_random([0xab; 16])
}

/// [`request_id`], printed.
pub(crate) const REQUEST_ID: &str = "ABABABAB-ABAB-4BAB-ABAB-ABABABABABAB";

pub(crate) fn params(list: &[(&str, &str)]) -> Params {
    let mut params = Params::default();
    for (name, value) in list {
        params.push((*name).to_owned(), Secret::new(*value));
    }
    params
}

pub(crate) fn form(list: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in list {
        if !form.is_empty() {
            form.push('&');
        }
        escape_into(name, &mut form);
        form.push('=');
        escape_into(value, &mut form);
    }
    form
}

/// A request to `/`.
pub(crate) fn raw(
    method: &str,
    query: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> RawRequest {
    RawRequest {
        method: method.to_owned(),
        path: "/".to_owned(),
        query: Some(Secret::new(query)),
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
            .collect(),
        body: body.into(),
    }
}

pub(crate) fn received(signed: &SignedRequest) -> RawRequest {
    let target = signed.target.expose();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(Secret::new(query))),
        None => (target, None),
    };
    RawRequest {
        method: signed.method.to_owned(),
        path: path.to_owned(),
        query,
        headers: signed
            .headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
            .collect(),
        body: signed.body.expose().as_bytes().to_vec(),
    }
}

/// A request, signed by our own client.
pub(crate) fn signed(signer: Signer, action: &str, list: &[(&str, &str)]) -> RawRequest {
    received(&sign(&Call {
        action,
        params: &params(list),
        host: "127.0.0.1:8379",
        key: &KeyId::from(KEY),
        secret: &secret(),
        token: None,
        at: Timestamp::from_secs(TIME_S),
        nonce: NONCE,
        signer,
    }))
}

/// Opened, verified, decoded, as a service does it that knows one key.
pub(crate) fn accept(raw: &RawRequest) -> Result<(Envelope, Ask), Refusal> {
    let envelope = Aliyun.open(raw)?;
    if envelope.key.as_str() != KEY {
        return Err(Refusal::KeyUnknown);
    }
    Aliyun.verify(raw, &envelope, &secret())?;
    let ask = Aliyun.decode(&envelope)?;
    Ok((envelope, ask))
}

/// What an action with these parameters asks.
pub(crate) fn ask(action: &str, list: &[(&str, &str)]) -> Result<Ask, Refusal> {
    accept(&signed(Signer::Acs3Sha256, action, list)).map(|(_, ask)| ask)
}

/// A shape as [`Dialect::shape`] makes it for this action.
pub(crate) fn shape(action: &str, list: &[(&str, &str)], xml: bool) -> Shape {
    let mut query = vec![("Action", action), ("Version", "2015-01-01")];
    query.push(("Format", if xml { "XML" } else { "JSON" }));
    query.extend_from_slice(list);
    Aliyun.shape(&raw(
        "GET",
        &form(&query),
        &[("host", "127.0.0.1:8379")],
        "",
    ))
}

/// The body of the answer, after checks of what every answer has.
pub(crate) fn body(answer: &RawAnswer, xml: bool) -> String {
    let kind = if xml {
        "text/xml;charset=utf-8"
    } else {
        "application/json;charset=utf-8"
    };
    assert_eq!(answer.header("content-type"), Some(kind));
    assert_eq!(answer.header("x-acs-request-id"), Some(REQUEST_ID));
    String::from_utf8(answer.body.clone()).unwrap()
}

/// The body of a successful answer to this action.
pub(crate) fn answered(action: &str, list: &[(&str, &str)], xml: bool, answer: &Answer) -> String {
    let shape = shape(action, list, xml);
    let answer = Aliyun.encode(&shape, request_id(), Ok(answer));
    assert_eq!(answer.status, 200);
    body(&answer, xml)
}

/// Params, sorted, for comparisons.
pub(crate) fn sorted(params: &Params) -> Vec<(String, String)> {
    let mut all: Vec<_> = params
        .iter()
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    all.sort();
    all
}

/// A dump: request line, headers, empty line, body.
pub(crate) fn dumped(text: &str) -> RawRequest {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let method = first.next().unwrap();
    let target = first.next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut raw = raw(method, query, &[], body);
    path.clone_into(&mut raw.path);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        raw.headers
            .push((name.to_ascii_lowercase(), value.trim().as_bytes().to_vec()));
    }
    raw
}
