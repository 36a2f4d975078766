//! Requests for tests: read from dumps, or built and signed.

use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::encoding::escape_into;
use claviger_dialects::raw::{Params, RawAnswer, RawRequest, SignedRequest};
use claviger_dialects::volcengine::Volcengine;
use claviger_dialects::volcengine::client::{Call, sign};
use claviger_dialects::{Dialect, Envelope, Shape};

/// Of the dumps.
pub(crate) const KEY: &str = "AKLTtestaccesskeyid";
/// Of the dumps.
pub(crate) const SECRET: &str = "dGVzdHNlY3JldGtleQ==";
pub(crate) const TIME_S: i64 = 1_767_323_045;
pub(crate) const INSTANCE: &str = "redis-cn0212gzmh2xs0000";
pub(crate) const REGION: &str = "cn-beijing";
pub(crate) const P1: [(&str, &str); 5] = [
    ("InstanceId", INSTANCE),
    ("AccountName", "test1"),
    ("RoleName", "ReadWrite"),
    ("Password", "Pwd@1234"),
    ("Description", "测试 a+b<>&"),
];

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET)
}

pub(crate) fn request_id() -> RequestId {
    RequestId::from_random([0xab; 16])
}

/// [`request_id`], printed.
pub(crate) const REQUEST_ID: &str = "abababab-abab-4bab-abab-abababababab";

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
    let (path, query) = target.split_once('?').unwrap();
    let mut raw = raw(signed.method, query, &[], signed.body.expose());
    path.clone_into(&mut raw.path);
    raw.headers = signed
        .headers
        .iter()
        .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
        .collect();
    raw
}

/// A request, signed by our own client.
pub(crate) fn signed(action: &str, list: &[(&str, &str)]) -> RawRequest {
    received(&sign(&Call {
        action,
        params: &params(list),
        host: "127.0.0.1:8379",
        region: REGION,
        key: &KeyId::from(KEY),
        secret: &secret(),
        token: None,
        at: Timestamp::from_secs(TIME_S),
    }))
}

/// Opened, verified, decoded, as a service does it that knows one key.
pub(crate) fn accept(raw: &RawRequest) -> Result<(Envelope, Ask), Refusal> {
    let envelope = Volcengine.open(raw)?;
    if envelope.key.as_str() != KEY {
        return Err(Refusal::KeyUnknown);
    }
    Volcengine.verify(raw, &envelope, &secret())?;
    let ask = Volcengine.decode(&envelope)?;
    Ok((envelope, ask))
}

/// What an action with these parameters asks.
pub(crate) fn ask(action: &str, list: &[(&str, &str)]) -> Result<Ask, Refusal> {
    accept(&signed(action, list)).map(|(_, ask)| ask)
}

/// What an action with this body asks; the signature is left out.
pub(crate) fn ask_json(action: &str, body: impl Into<Vec<u8>>) -> Result<Ask, Refusal> {
    let mut raw = signed(action, &[]);
    raw.body = body.into();
    Volcengine.decode(&Volcengine.open(&raw)?)
}

/// A shape as [`Dialect::shape`] makes it for this action.
pub(crate) fn shape(action: &str, list: &[(&str, &str)]) -> Shape {
    Volcengine.shape(&signed(action, list))
}

/// The body of the answer, after checks of what every answer has.
pub(crate) fn body(answer: &RawAnswer) -> String {
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.header("x-tt-logid"), Some(REQUEST_ID));
    String::from_utf8(answer.body.clone()).unwrap()
}

/// The body of a successful answer to this action.
pub(crate) fn answered(action: &str, list: &[(&str, &str)], answer: &Answer) -> String {
    let answer = Volcengine.encode(&shape(action, list), request_id(), Ok(answer));
    assert_eq!(answer.status, 200);
    body(&answer)
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

/// A dump by its name.
pub(crate) fn golden(name: &str) -> RawRequest {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/volcengine");
    dumped(&std::fs::read_to_string(format!("{folder}/{name}.http")).unwrap())
}

/// The dumps that there are.
pub(crate) const DUMPS: [&str; 7] = [
    "go",
    "node-openapi",
    "node-sdk-core",
    "old-python",
    "python",
    "terraform",
    "ve",
];

/// The signature by other means than the crate's own: the hash functions alone. `head` is the
/// canonical request up to the body's digest.
pub(crate) fn independent(head: &str, body: &str, date: &str, scope: [&str; 3]) -> String {
    use claviger_dialects::sign::Hash;
    let code = |key: &[u8], text: &str| {
        let mut mac = Hash::Sha256.hmac(key);
        mac.update(text.as_bytes());
        mac.finish()
    };
    let digest =
        Hash::Sha256.hex(format!("{head}{}", Hash::Sha256.hex(body.as_bytes())).as_bytes());
    let [day, region, service] = scope;
    let text = format!("HMAC-SHA256\n{date}\n{day}/{region}/{service}/request\n{digest}");
    let mut key = SECRET.as_bytes().to_vec();
    for part in [day, region, service, "request"] {
        key = code(&key, part);
    }
    code(&key, &text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
