//! Huawei Cloud: the paths need the caller's project, which is looked up if it is not given.

use super::{Way, exchange};
use crate::clock::SystemClock;
use crate::failure::Failure;
use claviger_core::ports::Clock;
use claviger_core::secret::Secret;
use claviger_dialects::huawei::client::{self, Signer};
use claviger_dialects::raw::{Params, SignedRequest};
use serde_json::Value;

/// The parameter that names the project.
const PROJECT: &str = "project_id";

/// The signed request.
///
/// # Errors
/// An action or parameter that does not exist, or a project that cannot be looked up.
pub(super) fn request(
    action: &str,
    mut params: Params,
    way: &Way<'_>,
) -> Result<SignedRequest, Failure> {
    if client::needs_project(action) && params.get(PROJECT).is_none() {
        params.push(PROJECT.to_owned(), Secret::new(project(way)?));
    }
    sign(action, &params, way)
}

fn sign(action: &str, params: &Params, way: &Way<'_>) -> Result<SignedRequest, Failure> {
    let signed = client::sign(&client::Call {
        action,
        params,
        host: way.endpoint.authority(),
        key: &way.credentials.key,
        secret: &way.credentials.secret,
        token: way.credentials.token.as_ref(),
        at: SystemClock.now(),
        signer: Signer::default(),
    });
    signed.map_err(|unformed| Failure::usage(unformed.to_string()))
}

/// The caller's project, asked for where the call goes: claviger has both services at one
/// address. The cloud does not, so `project_id` must be given there.
fn project(way: &Way<'_>) -> Result<String, Failure> {
    let request = sign("KeystoneListProjects", &Params::default(), way)?;
    let (status, body) = exchange(way, &request)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match body.pointer("/projects/0/id").and_then(Value::as_str) {
        Some(id) => Ok(id.to_owned()),
        None => {
            let why = body.pointer("/error_msg").and_then(Value::as_str);
            Err(Failure::refused(format!(
                "the project cannot be looked up (status {status}{}{}); give {PROJECT}=...",
                if why.is_some() { ": " } else { "" },
                why.unwrap_or_default()
            )))
        }
    }
}
