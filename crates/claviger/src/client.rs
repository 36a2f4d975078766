//! Claviger's own JSON API, called with a signature.

use crate::cli::ClientArgs;
use crate::clock::SystemClock;
use crate::credentials::Credentials;
use crate::entropy::{self, SystemEntropy};
use crate::env::Env;
use crate::failure::Failure;
use crate::http_client::{self, ANSWER_LEN_MAX, Endpoint};
use claviger_core::ports::Clock;
use claviger_dialects::native::{self, Signed};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the API lives.
const PREFIX: &str = "/claviger/v1";
/// How long a call may take, beyond any waiting that it asks for.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of a nonce.
const NONCE_LEN: usize = 16;

/// Everything but the unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A text as one segment of a path, or one value of a query.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// An answer: the text as sent, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// As sent.
    pub(crate) text: String,
    /// What it says.
    pub(crate) value: Value,
}

/// One service and one key pair.
pub(crate) struct Client {
    endpoint: Endpoint,
    agent: ureq::Agent,
    credentials: Credentials,
}

/// One call.
pub(crate) struct Call<'a> {
    /// Method, upper case.
    pub(crate) method: &'a str,
    /// Path below the API's prefix, escaped.
    pub(crate) path: String,
    /// Query, escaped, without the question mark; may be empty.
    pub(crate) query: String,
    /// Body, if any.
    pub(crate) body: Option<Value>,
    /// How long the service is asked to wait.
    pub(crate) waits: Duration,
}

impl<'a> Call<'a> {
    /// Without query, body or waiting.
    pub(crate) fn new(method: &'a str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: String::new(),
            body: None,
            waits: Duration::ZERO,
        }
    }

    /// With a JSON body.
    pub(crate) fn with_body(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// With a query.
    pub(crate) fn with_query(self, query: impl Into<String>) -> Self {
        Self {
            query: query.into(),
            ..self
        }
    }
}

impl Client {
    /// As flags and environment say.
    ///
    /// # Errors
    /// No key pair, or a malformed endpoint.
    pub(crate) fn from_args(args: &ClientArgs, env: &dyn Env) -> Result<Self, Failure> {
        let credentials = Credentials::find(args.endpoint.as_deref(), env)?;
        let ca = match &args.endpoint_ca {
            Some(path) => Some(path.clone()),
            None => env.get("CLAVIGER_CA")?.map(PathBuf::from),
        };
        Self::new(credentials, ca.as_deref(), env)
    }

    /// With these credentials.
    ///
    /// # Errors
    /// A malformed endpoint, or no authorities to trust.
    pub(crate) fn new(
        credentials: Credentials,
        ca: Option<&Path>,
        env: &dyn Env,
    ) -> Result<Self, Failure> {
        let endpoint = Endpoint::parse(&credentials.endpoint)?;
        Ok(Self {
            agent: http_client::agent(&endpoint, ca, env, DEADLINE)?,
            endpoint,
            credentials,
        })
    }

    /// The key that signs.
    pub(crate) fn key(&self) -> &str {
        self.credentials.key.as_str()
    }

    /// The service's URL.
    pub(crate) fn base(&self) -> &str {
        self.endpoint.base()
    }

    /// Reads.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) fn get(&self, path: impl Into<String>) -> Result<Answer, Failure> {
        self.call(Call::new("GET", path))
    }

    /// Signs, sends, and reads the answer.
    ///
    /// # Errors
    /// The service cannot be reached, or it refuses: its own words and its request id.
    pub(crate) fn call(&self, call: Call<'_>) -> Result<Answer, Failure> {
        let path = format!("{PREFIX}{}", call.path);
        let body = call.body.map(|body| body.to_string());
        let body = body.as_deref().unwrap_or_default().as_bytes();
        let header = native::sign(
            &self.credentials.key,
            &self.credentials.secret,
            Signed {
                method: call.method,
                path: &path,
                query: &call.query,
                body,
            },
            SystemClock.now(),
            &entropy::hex(&SystemEntropy, NONCE_LEN),
        );
        let question = if call.query.is_empty() { "" } else { "?" };
        let mut request = ureq::http::Request::builder()
            .method(call.method)
            .uri(format!(
                "{}{path}{question}{}",
                self.endpoint.base(),
                call.query
            ))
            .header("authorization", header)
            .header("accept", "application/json");
        if let Some(token) = &self.credentials.token {
            request = request.header("x-claviger-security-token", token.expose());
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .body(body)
            .map_err(|error| Failure::refused(format!("cannot form the request: {error}")))?;
        let deadline = Some(DEADLINE + call.waits);
        let request = self.agent.configure_request(request);
        let request = request.timeout_global(deadline).build();
        let mut answer = self
            .agent
            .run(request)
            .map_err(|error| http_client::failed(&self.endpoint, &error))?;
        let status = answer.status().as_u16();
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_LEN_MAX)
            .read_to_string()
            .map_err(|error| http_client::failed(&self.endpoint, &error))?;
        self.read(status, text)
    }

    fn read(&self, status: u16, text: String) -> Result<Answer, Failure> {
        let value = if text.trim().is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_str::<Value>(&text)
        };
        match value {
            Ok(value) if (200..300).contains(&status) => Ok(Answer { text, value }),
            Ok(value) if value.get("error").is_some() => Err(refusal(&value)),
            _ => Err(Failure::refused(format!(
                "{} answered with status {status} and not as claviger does",
                self.endpoint.base()
            ))),
        }
    }
}

/// The service's refusal in one line.
fn refusal(value: &Value) -> Failure {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let message = text("/error/message").unwrap_or("refused");
    let code = text("/error/code").unwrap_or("unknown");
    let request = text("/request_id").unwrap_or("unknown");
    let message = crate::output::printable(message);
    Failure::refused(format!("{message} ({code}, request {request})"))
}
