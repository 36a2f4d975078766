//! `POST /v3/auth/tokens`: its body names the caller, so it is read before anything is believed.
//! The user is an access key's public half, the password its secret half.

use super::auth::envelope;
use super::request::{BODY, Call};
use crate::raw::RawRequest;
use crate::{Envelope, Proof, Shape};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use serde::Deserialize;

/// The action's name.
pub(super) const ACTION: &str = "KeystoneCreateUserToken";

#[derive(Deserialize)]
struct Request {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    identity: Identity,
    #[serde(default)]
    scope: Option<Scope>,
}

#[derive(Deserialize)]
struct Identity {
    methods: Vec<String>,
    #[serde(default)]
    password: Option<ByPassword>,
    #[serde(default)]
    token: Option<ByToken>,
}

#[derive(Deserialize)]
struct ByPassword {
    user: User,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    password: String,
}

#[derive(Deserialize)]
struct ByToken {
    id: String,
}

#[derive(Deserialize)]
struct Scope {
    #[serde(default)]
    project: Option<Named>,
    #[serde(default)]
    domain: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

/// What the answer repeats: the method, and what the token is for.
pub(super) fn echo(body: &[u8]) -> Vec<(&'static str, String)> {
    let Ok(request) = serde_json::from_slice::<Request>(body) else {
        return Vec::new();
    };
    let method = request.auth.identity.methods.first();
    let mut echo = vec![("method", Shape::bounded(method.map_or("", String::as_str)))];
    if let Some(scope) = request.auth.scope {
        if let Some(name) = scope.project.as_ref().and_then(|p| p.name.as_deref()) {
            echo.push(("name", Shape::bounded(name)));
        }
        if scope.project.is_none() && scope.domain.is_some() {
            echo.push(("scope", "domain".to_owned()));
        }
    }
    echo
}

/// See [`crate::Dialect::open`].
pub(super) fn open(raw: &RawRequest, mut call: Call) -> Result<Envelope, Refusal> {
    if raw.body.is_empty() {
        return Err(Refusal::BodyEmpty);
    }
    let request: Request = serde_json::from_slice(&raw.body)
        .map_err(|_| Refusal::Malformed("the body is not a request for a token"))?;
    // Not needed any more, and it holds a password.
    call.params = call.params.iter().filter(|(name, _)| *name != BODY).fold(
        Default::default(),
        |mut kept, (name, value)| {
            crate::raw::Params::push(&mut kept, name.to_owned(), Secret::new(value));
            kept
        },
    );
    let identity = request.auth.identity;
    let (key, proof) = match identity.methods.first().map(String::as_str) {
        Some("password") => {
            let user = identity.password.map(|by| by.user);
            let user = user.ok_or(Refusal::ParameterMissing { name: "password" })?;
            let key = user.name.or(user.id);
            let key = key.ok_or(Refusal::ParameterMissing { name: "user" })?;
            (key, Proof::Secret(Secret::new(user.password)))
        }
        Some("token") => {
            let token = identity.token.map(|by| Secret::new(by.id));
            let token = token.ok_or(Refusal::ParameterMissing { name: "token" })?;
            (String::new(), Proof::Bearer(token))
        }
        _ => {
            return Err(Refusal::ParameterInvalid {
                name: "methods",
                why: "it is neither password nor token",
            });
        }
    };
    let project = request.auth.scope.and_then(|scope| scope.project);
    Ok(Envelope {
        project: project.and_then(|project| project.id),
        ..envelope(call, &key, proof)
    })
}
