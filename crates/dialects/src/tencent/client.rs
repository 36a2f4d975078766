//! The other side: signing a request to this API, for `claviger call tencent`. Pure; time and
//! nonce are given.

use super::auth_tc3::{ALGORITHM, AS_SENT, canonical_hash, signature};
use super::{VERSION, actions, auth_v1, time};
use crate::encoding::escape_into;
use crate::raw::{Params, RawRequest, SignedRequest};
use crate::sign::Hash;
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use serde_json::{Map, Value};

/// How to sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signer {
    /// TC3-HMAC-SHA256 over a JSON body, as most SDKs do.
    #[default]
    Tc3,
    /// TC3-HMAC-SHA256 over a query.
    Tc3Get,
    /// Version 1 with HmacSHA256 over a form, as the international Node SDK does.
    V1Sha256,
    /// Version 1 with HmacSHA1 over a form.
    V1Sha1,
    /// Version 1 with HmacSHA1 over a query.
    V1Sha1Get,
}

/// What to call, and as whom.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The action.
    pub action: &'a str,
    /// Its parameters as a query has them (`ReadonlyPolicy.0`). May hold passwords.
    pub params: &'a Params,
    /// The region; any one is served.
    pub region: &'a str,
    /// The host as it goes into the `host` header, with the port unless it is the default.
    pub host: &'a str,
    /// The key's public half.
    pub key: &'a KeyId,
    /// The key's secret half.
    pub secret: &'a Secret,
    /// The session token, of temporary credentials.
    pub token: Option<&'a Secret>,
    /// Now.
    pub at: Timestamp,
    /// A new one for each request of version 1: a number, as text.
    pub nonce: &'a str,
    /// How to sign.
    pub signer: Signer,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const SERVICE: &str = "redis";

/// Signs. By default the parameters go into a body, so that passwords stay out of addresses.
pub fn sign(call: &Call<'_>) -> SignedRequest {
    match call.signer {
        Signer::Tc3 => tc3(call, "POST"),
        Signer::Tc3Get => tc3(call, "GET"),
        Signer::V1Sha256 => v1(call, "POST", "HmacSHA256"),
        Signer::V1Sha1 => v1(call, "POST", "HmacSHA1"),
        Signer::V1Sha1Get => v1(call, "GET", "HmacSHA1"),
    }
}

fn form(params: &Params) -> String {
    let mut form = String::new();
    for (name, value) in params.iter() {
        if !form.is_empty() {
            form.push('&');
        }
        escape_into(name, &mut form);
        form.push('=');
        escape_into(value, &mut form);
    }
    form
}

/// The parameters as JSON, each of the type that the action gives it; text where the action or
/// the parameter is not known, for the server to judge.
fn json(action: &str, params: &Params) -> String {
    let mut object = Map::new();
    for (name, value) in params.iter() {
        let path: Vec<&str> = name.split('.').collect();
        let value = actions::json_value(action, &path, value);
        insert(&mut object, &path, value);
    }
    Value::Object(object).to_string()
}

fn insert(object: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [name] => {
            object.insert((*name).to_owned(), value);
        }
        [name, rest @ ..] => {
            let is_list = rest[0].parse::<usize>().is_ok();
            let empty = if is_list {
                Value::Array(Vec::new())
            } else {
                Value::Object(Map::new())
            };
            let entry = object.entry((*name).to_owned()).or_insert(empty);
            match (entry, rest) {
                (Value::Object(inner), rest) => insert(inner, rest, value),
                (Value::Array(items), [_]) => items.push(value),
                (Value::Array(items), [_, rest @ ..]) => {
                    let mut inner = Map::new();
                    insert(&mut inner, rest, value);
                    items.push(Value::Object(inner));
                }
                _ => {}
            }
        }
    }
}

fn tc3(call: &Call<'_>, method: &'static str) -> SignedRequest {
    let text = str::to_owned;
    let (kind, query, body) = if method == "GET" {
        (FORM, form(call.params), String::new())
    } else {
        (JSON, String::new(), json(call.action, call.params))
    };
    let timestamp = call.at.as_secs().to_string();
    let mut headers = vec![
        ("content-type", text(kind)),
        ("host", text(call.host)),
        ("x-tc-action", text(call.action)),
        ("x-tc-version", text(VERSION)),
        ("x-tc-region", text(call.region)),
        ("x-tc-timestamp", timestamp.clone()),
    ];
    if let Some(token) = call.token {
        headers.push(("x-tc-token", text(token.expose())));
    }
    let payload = Hash::Sha256.hex(body.as_bytes());
    let raw = RawRequest {
        method: text(method),
        path: text("/"),
        query: Some(Secret::new(query)),
        headers: headers
            .iter()
            .map(|(name, value)| (text(name), value.as_bytes().to_vec()))
            .collect(),
        body: Vec::new(),
    };
    let signed = "content-type;host";
    let date = time::day(call.at.as_secs());
    let hash = canonical_hash(&raw, signed, &payload, AS_SENT);
    let signature = signature(&hash, &timestamp, (&date, SERVICE), call.secret);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{date}/{SERVICE}/tc3_request, SignedHeaders={signed}, \
         Signature={signature}",
        call.key
    );
    headers.push(("authorization", authorization));
    let target = match raw.query_str() {
        "" => text("/"),
        query => format!("/?{query}"),
    };
    SignedRequest {
        method,
        target: Secret::new(target),
        headers,
        body: Secret::new(body),
    }
}

fn v1(call: &Call<'_>, method: &'static str, signature_method: &str) -> SignedRequest {
    let mut fields = call.params.clone();
    let timestamp = call.at.as_secs().to_string();
    for (name, value) in [
        ("Action", call.action),
        ("Version", VERSION),
        ("Region", call.region),
        ("Timestamp", &timestamp),
        ("Nonce", call.nonce),
        ("SecretId", call.key.as_str()),
        ("SignatureMethod", signature_method),
    ] {
        fields.push(name.to_owned(), Secret::new(value));
    }
    if let Some(token) = call.token {
        fields.push("Token".to_owned(), token.clone());
    }
    let signature = auth_v1::signature(method, call.host, fields.iter(), call.secret);
    fields.push("Signature".to_owned(), Secret::new(signature));
    let form = form(&fields);
    let get = method == "GET";
    SignedRequest {
        method,
        target: Secret::new(if get {
            format!("/?{form}")
        } else {
            "/".to_owned()
        }),
        headers: vec![
            ("content-type", FORM.to_owned()),
            ("host", call.host.to_owned()),
        ],
        body: Secret::new(if get { String::new() } else { form }),
    }
}
