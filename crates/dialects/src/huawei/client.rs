//! The other side: signing a request to this API, for `claviger call huawei`. Pure; time is
//! given, and there is no nonce.

use super::actions::{self, Action};
use super::auth::{self, SCHEMES};
use super::request::{self, BODY};
use super::time;
use crate::encoding::escape_into;
use crate::raw::{Params, RawRequest, SignedRequest};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use std::fmt;

/// How to sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signer {
    /// SDK-HMAC-SHA256, as everyone does.
    #[default]
    HmacSha256,
    /// V11-HMAC-SHA256.
    Derived,
    /// SDK-HMAC-SM3.
    HmacSm3,
    /// SDK-ECDSA-P256-SHA256.
    EcdsaP256,
    /// SDK-SM2-SM3.
    Sm2,
}

impl Signer {
    /// All of them.
    pub const ALL: [Signer; 5] = [
        Signer::HmacSha256,
        Signer::Derived,
        Signer::HmacSm3,
        Signer::EcdsaP256,
        Signer::Sm2,
    ];
}

/// What to call, and as whom.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The action, as the vendor's SDKs name it.
    pub action: &'a str,
    /// Its parameters, for the places of its path, its query, or members of its body; one named
    /// `body` is the whole body. May hold passwords.
    pub params: &'a Params,
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
    /// How to sign.
    pub signer: Signer,
}

/// Why a call cannot be formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unformed {
    /// No such action.
    Action,
    /// A value for the action's path is missing.
    Missing(&'static str),
    /// The action reads no such parameter.
    Parameter(String),
}

impl fmt::Display for Unformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unformed::Action => {
                let names: Vec<_> = actions::ALL.iter().map(|action| action.name).collect();
                write!(f, "no such action; there are {}", names.join(", "))
            }
            Unformed::Missing(name) => write!(f, "the action needs {name}=..."),
            Unformed::Parameter(name) => write!(f, "the action has no parameter {name}"),
        }
    }
}

/// Whether the action's path names a project.
pub fn needs_project(action: &str) -> bool {
    actions::named(action).is_some_and(|action| action.path.contains("{project_id}"))
}

/// Region and service of the derived scheme.
const DERIVED_FOR: &str = "cn-north-4/dcs";

/// Signs.
///
/// # Errors
/// See [`Unformed`].
pub fn sign(call: &Call<'_>) -> Result<SignedRequest, Unformed> {
    let action = actions::named(call.action).ok_or(Unformed::Action)?;
    let (path, query, body) = parts(action, call.params)?;
    let text = str::to_owned;
    let mut headers = vec![
        ("content-type", text("application/json")),
        ("host", text(call.host)),
        ("x-sdk-date", time::format_signed(call.at)),
    ];
    if let Some(token) = call.token {
        headers.push(("x-security-token", text(token.expose())));
    }
    let raw = RawRequest {
        method: text(action.method),
        path: path.clone(),
        query: (!query.is_empty()).then(|| Secret::new(query.as_str())),
        headers: headers
            .iter()
            .map(|(name, value)| (text(name), value.as_bytes().to_vec()))
            .collect(),
        body: body.expose().as_bytes().to_vec(),
    };
    let named = SCHEMES[call.signer as usize];
    let day = &headers[2].1[..8];
    let info = match call.signer {
        Signer::Derived => format!("{day}/{DERIVED_FOR}"),
        _ => String::new(),
    };
    let key = call.key.as_str();
    let list: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let list = list.join(";");
    // Every secret gives a scalar on every curve, short of a chance that does not come.
    let signature = auth::signature(&raw, named, (key, &info), &list, call.secret);
    let signature = signature.unwrap_or_default();
    let holder = match call.signer {
        Signer::Derived => format!("Credential={key}/{info}"),
        _ => format!("Access={key}"),
    };
    headers.push((
        "authorization",
        format!(
            "{} {holder}, SignedHeaders={list}, Signature={signature}",
            named.0
        ),
    ));
    let target = match query.as_str() {
        "" => path,
        query => format!("{path}?{query}"),
    };
    Ok(SignedRequest {
        method: action.method,
        target: Secret::new(target),
        headers,
        body,
    })
}

/// Path, query and body of a call.
fn parts(action: &'static Action, params: &Params) -> Result<(String, String, Secret), Unformed> {
    let mut path = String::new();
    let mut places = Vec::new();
    for segment in action.path.split('/').skip(1) {
        path.push('/');
        match request::place(segment) {
            None => path.push_str(segment),
            Some(name) => {
                let value = params.get(name).filter(|value| !value.is_empty());
                escape_into(value.ok_or(Unformed::Missing(name))?, &mut path);
                places.push(name);
            }
        }
    }
    let mut query = String::new();
    let mut members = serde_json::Map::new();
    let mut whole = None;
    for (name, value) in params.iter() {
        if places.contains(&name) {
            continue;
        }
        if action.query.contains(&name) {
            query.push_str(if query.is_empty() { "" } else { "&" });
            escape_into(name, &mut query);
            query.push('=');
            escape_into(value, &mut query);
        } else if !action.takes_body {
            return Err(Unformed::Parameter(name.to_owned()));
        } else if name == BODY {
            whole = Some(Secret::new(value));
        } else {
            members.insert(name.to_owned(), member(name, value));
        }
    }
    let object = || Secret::new(serde_json::Value::Object(members).to_string());
    let body = match whole {
        Some(body) => body,
        None if action.takes_body => object(),
        None => Secret::new(""),
    };
    Ok((path, query, body))
}

/// A member of the body: text, but for the one truth value that there is.
fn member(name: &str, value: &str) -> serde_json::Value {
    match (name, value) {
        ("no_password_access", "true") => true.into(),
        ("no_password_access", "false") => false.into(),
        _ => value.into(),
    }
}
