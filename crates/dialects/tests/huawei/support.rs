//! Requests for tests: read from dumps, or built and signed.

use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::huawei::Huawei;
use claviger_dialects::huawei::client::{Call, Signer, sign};
use claviger_dialects::raw::{Params, RawAnswer, RawRequest, SignedRequest};
use claviger_dialects::{Dialect, Envelope, Shape};
use serde_json::Value;

pub(crate) const KEY: &str = "AKEXAMPLE0000000001";
pub(crate) const SECRET: &str = "SKexampleSecretKey0000000000000000000001";
pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const INSTANCE: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const ACCOUNT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
pub(crate) const DATE: &str = "20260115T080000Z";
/// [`DATE`] in seconds.
pub(crate) const DATE_S: i64 = 1_768_464_000;

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

/// A request, unsigned.
pub(crate) fn raw(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Vec<u8>>,
) -> RawRequest {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(Secret::new(query))),
        None => (target, None),
    };
    RawRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
            .collect(),
        body: body.into(),
    }
}

pub(crate) fn received(signed: &SignedRequest) -> RawRequest {
    let headers: Vec<_> = signed
        .headers
        .iter()
        .map(|(n, v)| (*n, v.as_str()))
        .collect();
    raw(
        signed.method,
        signed.target.expose(),
        &headers,
        signed.body.expose(),
    )
}

/// The path's values for every action, and those of the list.
pub(crate) fn with_places(action: &str, list: &[(&str, &str)]) -> Vec<(String, String)> {
    let given = |name: &str| list.iter().any(|(n, _)| *n == name);
    let places = [
        ("project_id", PROJECT),
        ("instance_id", INSTANCE),
        ("account_id", ACCOUNT),
        ("task_id", "7"),
        ("job_id", "7"),
    ];
    let wanted = |name: &str| {
        let of_instance = !matches!(
            action,
            "ListInstances"
                | "ListCenterTask"
                | "ShowCenterTask"
                | "DeleteCenterTask"
                | "ShowJobInfo"
        ) && !action.starts_with("Keystone");
        match name {
            "project_id" => !action.starts_with("Keystone"),
            "instance_id" => of_instance,
            "account_id" => matches!(
                action,
                "DeleteAclAccount"
                    | "UpdateAclAccount"
                    | "UpdateAclAccountPassWord"
                    | "ResetAclAccountPassWord"
                    | "UpdateAclAccountRemark"
            ),
            "task_id" => matches!(
                action,
                "ShowBackgroundTask"
                    | "ShowBackgroundTaskProgress"
                    | "DeleteBackgroundTask"
                    | "ShowCenterTask"
                    | "DeleteCenterTask"
            ),
            _ => action == "ShowJobInfo",
        }
    };
    let mut all: Vec<_> = places
        .iter()
        .filter(|(name, _)| wanted(name) && !given(name))
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    all.extend(list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    all
}

/// A request, signed by our own client.
pub(crate) fn signed(signer: Signer, action: &str, list: &[(&str, &str)]) -> RawRequest {
    let list = with_places(action, list);
    let list: Vec<_> = list.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let signed = sign(&Call {
        action,
        params: &params(&list),
        host: "127.0.0.1:8379",
        key: &KeyId::from(KEY),
        secret: &secret(),
        token: None,
        at: Timestamp::from_secs(DATE_S),
        signer,
    });
    received(&signed.unwrap())
}

/// Opened, verified, decoded, as a service does it that knows one key and one project.
pub(crate) fn accept(raw: &RawRequest) -> Result<(Envelope, Ask), Refusal> {
    let envelope = Huawei.open(raw)?;
    if envelope.key.as_str() != KEY {
        return Err(Refusal::KeyUnknown);
    }
    Huawei.verify(raw, &envelope, &secret())?;
    if envelope.project.as_deref().is_some_and(|p| p != PROJECT) {
        return Err(Refusal::ProjectForeign);
    }
    let ask = Huawei.decode(&envelope)?;
    Ok((envelope, ask))
}

/// What an action with these parameters asks.
pub(crate) fn ask(action: &str, list: &[(&str, &str)]) -> Result<Ask, Refusal> {
    accept(&signed(Signer::HmacSha256, action, list)).map(|(_, ask)| ask)
}

/// A shape as [`Dialect::shape`] makes it for this action.
pub(crate) fn shape(action: &str, list: &[(&str, &str)]) -> Shape {
    Huawei.shape(&signed(Signer::HmacSha256, action, list))
}

/// The JSON of an answer, after checks of what every answer with one has.
pub(crate) fn body(answer: &RawAnswer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-request-id"), Some(REQUEST_ID));
    serde_json::from_slice(&answer.body).unwrap()
}

/// A successful answer to this action.
pub(crate) fn answered(action: &str, list: &[(&str, &str)], answer: &Answer) -> RawAnswer {
    Huawei.encode(&shape(action, list), request_id(), Ok(answer))
}

/// A dump: request line, headers, empty line, body.
pub(crate) fn dumped(text: &str) -> RawRequest {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let method = first.next().unwrap();
    let mut raw = raw(method, first.next().unwrap(), &[], body);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        raw.headers
            .push((name.to_ascii_lowercase(), value.trim().as_bytes().to_vec()));
    }
    raw
}
