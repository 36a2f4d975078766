//! Requests for tests: read from dumps, or built and signed.

use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::encoding::escape_into;
use claviger_dialects::raw::{Params, RawAnswer, RawRequest, SignedRequest};
use claviger_dialects::tencent::Tencent;
use claviger_dialects::tencent::client::{Call, Signer, sign};
use claviger_dialects::{Dialect, Envelope, Shape};

pub(crate) const KEY: &str = "AKIDclavigerTESTid0000000000000EXAMPLE";
pub(crate) const SECRET: &str = "clavigerTESTsecretkey00000EXAMPLE";
pub(crate) const HOST: &str = "redis.tencentcloudapi.com";
pub(crate) const TIME_S: i64 = 1_700_000_000;
pub(crate) const INSTANCE: &str = "crs-5a4py64p";
pub(crate) const NONCE: &str = "11886";
pub(crate) const REQUEST_ID: &str = "abababab-abab-4bab-abab-abababababab";
/// Every kind of value: punctuation, spaces, non-ASCII, a list, a truth value.
pub(crate) const P1: [(&str, &str); 8] = [
    ("InstanceId", INSTANCE),
    ("AccountName", "app_1"),
    ("AccountPassword", "P@ss w0rd+/=&"),
    ("Remark", "备注"),
    ("ReadonlyPolicy.0", "master"),
    ("ReadonlyPolicy.1", "replication"),
    ("Privilege", "rw"),
    ("NoAuth", "false"),
];
pub(crate) const MODIFY: &str = "ModifyInstanceAccount";
pub(crate) const SIGNERS: [Signer; 5] = [
    Signer::Tc3,
    Signer::Tc3Get,
    Signer::V1Sha256,
    Signer::V1Sha1,
    Signer::V1Sha1Get,
];

pub(crate) fn secret() -> Secret {
    Secret::new(SECRET)
}

pub(crate) fn request_id() -> RequestId {
    RequestId::from_random([0xab; 16])
}

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
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(&str, &str)> = signed.headers.iter().map(|(n, v)| (*n, &**v)).collect();
    let mut raw = raw(signed.method, query, &headers, signed.body.expose());
    path.clone_into(&mut raw.path);
    raw
}

/// A request, signed by our own client.
pub(crate) fn signed(signer: Signer, action: &str, list: &[(&str, &str)]) -> RawRequest {
    received(&sign(&Call {
        action,
        params: &params(list),
        region: "ap-guangzhou",
        host: HOST,
        key: &KeyId::from(KEY),
        secret: &secret(),
        token: None,
        at: Timestamp::from_secs(TIME_S),
        nonce: NONCE,
        signer,
    }))
}

/// A TC3 request with this JSON body.
pub(crate) fn signed_json(action: &str, body: &str) -> RawRequest {
    signed_body(action, "application/json", body.as_bytes())
}

/// A TC3 request with this body, signed as the documentation tells it and not by our own client.
pub(crate) fn signed_body(action: &str, kind: &str, body: &[u8]) -> RawRequest {
    use claviger_dialects::sign::Hash;
    let hmac = |key: &[u8], text: &str| {
        let mut mac = Hash::Sha256.hmac(key);
        mac.update(text.as_bytes());
        mac.finish()
    };
    let payload = Hash::Sha256.hex(body);
    let canonical =
        format!("POST\n/\n\ncontent-type:{kind}\nhost:{HOST}\n\ncontent-type;host\n{payload}");
    let hash = Hash::Sha256.hex(canonical.as_bytes());
    let scope = "2023-11-14/redis/tc3_request";
    let text = format!("TC3-HMAC-SHA256\n{TIME_S}\n{scope}\n{hash}");
    let key = ["2023-11-14", "redis", "tc3_request"]
        .iter()
        .fold(format!("TC3{SECRET}").into_bytes(), |key, part| {
            hmac(&key, part)
        });
    let signature = hex::encode(hmac(&key, &text));
    let authorization = format!(
        "TC3-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders=content-type;host, \
         Signature={signature}"
    );
    let headers = [
        ("content-type", kind),
        ("host", HOST),
        ("x-tc-action", action),
        ("x-tc-version", "2018-04-12"),
        ("x-tc-region", "ap-guangzhou"),
        ("x-tc-timestamp", "1700000000"),
        ("authorization", &authorization),
    ];
    raw("POST", "", &headers, body)
}

/// Sets a header's value, or takes the header away.
pub(crate) fn with_header(mut raw: RawRequest, name: &str, value: Option<&str>) -> RawRequest {
    raw.headers.retain(|(n, _)| n != name);
    if let Some(value) = value {
        raw.headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
    }
    raw
}

/// Opened, verified, decoded, as a service does it that knows one key.
pub(crate) fn accept(raw: &RawRequest) -> Result<(Envelope, Ask), Refusal> {
    let envelope = Tencent.open(raw)?;
    if envelope.key.as_str() != KEY {
        return Err(Refusal::KeyUnknown);
    }
    Tencent.verify(raw, &envelope, &secret())?;
    let ask = Tencent.decode(&envelope)?;
    Ok((envelope, ask))
}

/// What an action with these parameters asks, by every signature alike.
pub(crate) fn ask(action: &str, list: &[(&str, &str)]) -> Result<Ask, Refusal> {
    let first = accept(&signed(SIGNERS[0], action, list)).map(|(_, ask)| ask);
    for signer in &SIGNERS[1..] {
        let other = accept(&signed(*signer, action, list)).map(|(_, ask)| ask);
        assert_eq!(format!("{first:?}"), format!("{other:?}"), "{signer:?}");
    }
    first
}

/// What an action with this JSON body asks.
pub(crate) fn ask_json(action: &str, body: &str) -> Result<Ask, Refusal> {
    accept(&signed_json(action, body)).map(|(_, ask)| ask)
}

/// The body of the answer, after checks of what every answer has.
pub(crate) fn body(answer: &RawAnswer) -> serde_json::Value {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-tc-requestid"), Some(REQUEST_ID));
    serde_json::from_slice(&answer.body).unwrap()
}

/// The shape of a call.
pub(crate) fn shape(action: &str, list: &[(&str, &str)]) -> Shape {
    Tencent.shape(&signed(Signer::Tc3, action, list))
}

/// The body of a successful answer to this action.
pub(crate) fn answered(action: &str, list: &[(&str, &str)], answer: &Answer) -> serde_json::Value {
    let first = shape(action, list);
    for signer in SIGNERS {
        assert_eq!(Tencent.shape(&signed(signer, action, list)), first);
    }
    body(&Tencent.encode(&first, request_id(), Ok(answer)))
}

/// The `Error` of a refused call.
pub(crate) fn refused(action: &str, refusal: &Refusal) -> (String, String) {
    let shape = shape(action, &[]);
    let answer = body(&Tencent.encode(&shape, request_id(), Err(refusal)));
    let response = &answer["Response"];
    assert_eq!(response["RequestId"], REQUEST_ID);
    assert_eq!(response.as_object().unwrap().len(), 2);
    let text = |name: &str| response["Error"][name].as_str().unwrap().to_owned();
    (text("Code"), text("Message"))
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
