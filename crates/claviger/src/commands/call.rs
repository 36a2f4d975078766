//! `claviger call`: signs and sends one call of a cloud's API, to claviger or to the cloud.

use crate::cli::{CallArgs, CloudArg};
use crate::clock::SystemClock;
use crate::credentials::Credentials;
use crate::entropy::{self, SystemEntropy};
use crate::env::Env;
use crate::failure::Failure;
use crate::http_client::{self, ANSWER_LEN_MAX, Endpoint};
use crate::output::Out;
use crate::secret_input;
use claviger_core::ports::Clock;
use claviger_core::secret::Secret;
use claviger_dialects::raw::{Params, SignedRequest};
use claviger_dialects::{aliyun, tencent};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::http::StatusCode;

mod huawei;
mod volcengine;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of a nonce.
const NONCE_LEN: usize = 16;

/// Where a call goes, and as whom.
struct Way<'a> {
    endpoint: &'a Endpoint,
    credentials: &'a Credentials,
    ca: Option<&'a Path>,
    env: &'a dyn Env,
}

/// Does it.
///
/// # Errors
/// Wrong usage, or an answer that is a refusal (it is printed all the same).
pub(super) fn run(args: &CallArgs, env: &dyn Env) -> Result<(), Failure> {
    let params = params(&args.params)?;
    let credentials = Credentials::find(args.endpoint.as_deref(), env)?;
    let endpoint = Endpoint::parse(&credentials.endpoint)?;
    let ca = match &args.endpoint_ca {
        Some(path) => Some(path.clone()),
        None => env.get("CLAVIGER_CA")?.map(PathBuf::from),
    };
    let way = Way {
        endpoint: &endpoint,
        credentials: &credentials,
        ca: ca.as_deref(),
        env,
    };
    let request = signed(args, params, &way)?;
    let out = Out::new(false);
    if args.curl {
        return out.line(&curl(&endpoint, &request));
    }
    let body = send(&way, &request, out)?;
    match args.cloud {
        CloudArg::Tencent => tencent_refusal(&body),
        CloudArg::Aliyun | CloudArg::Volcengine | CloudArg::Huawei => Ok(()),
    }
}

/// The call in its cloud's own form.
fn signed(args: &CallArgs, params: Params, way: &Way<'_>) -> Result<SignedRequest, Failure> {
    let (action, at) = (args.action.as_str(), SystemClock.now());
    let (key, secret) = (&way.credentials.key, &way.credentials.secret);
    let token = way.credentials.token.as_ref();
    let host = way.endpoint.authority();
    let nonce = entropy::hex(&SystemEntropy, NONCE_LEN);
    match args.cloud {
        CloudArg::Aliyun => Ok(aliyun::client::sign(&aliyun::client::Call {
            action,
            params: &params,
            host,
            key,
            secret,
            token,
            at,
            nonce: &nonce,
            signer: aliyun::client::Signer::default(),
        })),
        CloudArg::Tencent => {
            let (params, region) = without_region(&params);
            Ok(tencent::client::sign(&tencent::client::Call {
                action,
                params: &params,
                region: region.as_ref().map_or(TENCENT_REGION, Secret::expose),
                host,
                key,
                secret,
                token,
                at,
                // This signature has no nonce.
                nonce: "",
                signer: tencent::client::Signer::default(),
            }))
        }
        CloudArg::Volcengine => Ok(volcengine::signed(action, &params, way.credentials, host)),
        CloudArg::Huawei => huawei::request(action, params, way),
    }
}

/// Any one is served here; the cloud wants the instance's own, as `Region=...`.
const TENCENT_REGION: &str = "ap-guangzhou";

/// Tencent Cloud's region is a common parameter, and travels apart from the others.
fn without_region(params: &Params) -> (Params, Option<Secret>) {
    let mut own = Params::default();
    for (name, value) in params.iter().filter(|(name, _)| *name != "Region") {
        own.push(name.to_owned(), Secret::new(value));
    }
    (own, params.secret("Region").cloned())
}

/// Tencent Cloud answers a refusal with status 200.
fn tencent_refusal(body: &[u8]) -> Result<(), Failure> {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(error) = answer.pointer("/Response/Error") else {
        return Ok(());
    };
    let code = error.get("Code").and_then(serde_json::Value::as_str);
    Err(Failure::refused(format!(
        "refused with {}",
        code.unwrap_or("an error")
    )))
}

/// Sends a request; status and body of the answer.
fn exchange(way: &Way<'_>, request: &SignedRequest) -> Result<(StatusCode, Vec<u8>), Failure> {
    let endpoint = way.endpoint;
    let uri = format!("{}{}", endpoint.base(), request.target.expose());
    let mut built = ureq::http::Request::builder()
        .method(request.method)
        .uri(uri);
    for (name, value) in &request.headers {
        built = built.header(*name, value);
    }
    let built = built
        .body(request.body.expose().as_bytes())
        .map_err(|error| Failure::refused(format!("cannot form the request: {error}")))?;
    let agent = http_client::agent(endpoint, way.ca, way.env, DEADLINE)?;
    let failed = |error| http_client::failed(endpoint, &error);
    let mut answer = agent.run(built).map_err(failed)?;
    let body = answer.body_mut().with_config().limit(ANSWER_LEN_MAX);
    let body = body.read_to_vec().map_err(failed)?;
    Ok((answer.status(), body))
}

fn send(way: &Way<'_>, request: &SignedRequest, out: Out) -> Result<Vec<u8>, Failure> {
    let (status, body) = exchange(way, request)?;
    out.bytes(&body)?;
    if !body.ends_with(b"\n") && !body.is_empty() {
        out.line("")?;
    }
    if status.is_success() {
        Ok(body)
    } else {
        Err(Failure::refused(format!("refused with status {status}")))
    }
}

/// Reads `Name=Value`, `Name=@FILE` and `Name=@-`.
fn params(texts: &[String]) -> Result<Params, Failure> {
    let mut params = Params::default();
    for text in texts {
        let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::usage(
                "a parameter is not of the form Name=Value (it is not repeated here: it may be a \
                 secret)",
            ));
        };
        let value = match value.strip_prefix('@') {
            Some(path) => secret_input::first_line(Path::new(path))?,
            None => Secret::new(value),
        };
        params.push(name.to_owned(), value);
    }
    Ok(params)
}

/// The request as a command for a shell.
fn curl(endpoint: &Endpoint, request: &SignedRequest) -> String {
    let mut text = format!("curl --request {}", request.method);
    for (name, value) in &request.headers {
        text.push_str(&format!(
            " --header {}",
            quoted(&format!("{name}: {value}"))
        ));
    }
    if !request.body.expose().is_empty() {
        text.push_str(&format!(" --data-raw {}", quoted(request.body.expose())));
    }
    let url = format!("{}{}", endpoint.base(), request.target.expose());
    text.push_str(&format!(" {}", quoted(&url)));
    text
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn refusals_of_status_200() {
        assert!(tencent_refusal(br#"{"Response":{"TaskId":1}}"#).is_ok());
        let body = br#"{"Response":{"Error":{"Code":"A.B","Message":"m"}}}"#;
        let failure = tencent_refusal(body).err().unwrap();
        assert_eq!(failure.to_string(), "refused with A.B");
    }

    #[test]
    fn parameters() {
        let texts = ["A=1", "B=", "C=x=y"].map(str::to_owned);
        let found = params(&texts).unwrap();
        assert_eq!(
            (found.get("A"), found.get("B"), found.get("C")),
            (Some("1"), Some(""), Some("x=y"))
        );
        for wrong in ["topsecret", "=topsecret"] {
            let error = params(&[wrong.to_owned()]).err().unwrap();
            assert!(!error.to_string().contains("topsecret"));
        }
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
