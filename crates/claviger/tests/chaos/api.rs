//! The service as its callers see it: the native API and Alibaba Cloud's.

use claviger_core::ids::KeyId;
use claviger_core::ports::Clock;
use claviger_core::secret::Secret;
use claviger_dialects::aliyun::client::{self, Signer};
use claviger_dialects::raw::Params;
use claviger_testkit::SystemClock;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const KEY: &str = "CHAOSROOTKEY0001";
pub(crate) const SECRET: &str = "chaos-root-secret-0123456789abcdef";

/// Far above what any answer takes: calls do not wait for nodes.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Accepted; durable.
    Done,
    /// Refused, with its code.
    Refused(String),
    /// No answer: it may have happened or not.
    Nothing(String),
}

/// One caller.
#[derive(Clone)]
pub(crate) struct Api {
    authority: String,
    agent: ureq::Agent,
}

impl Api {
    pub(crate) fn new(port: u16) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(ANSWER_MAX))
            .build()
            .into();
        Self {
            authority: format!("127.0.0.1:{port}"),
            agent,
        }
    }

    fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Result<(u16, Value), String> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{target}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(body.as_bytes().to_vec()).unwrap();
        let mut answer = self.agent.run(request).map_err(|e| e.to_string())?;
        let text = answer
            .body_mut()
            .read_to_string()
            .map_err(|e| e.to_string())?;
        let value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?
        };
        Ok((answer.status().as_u16(), value))
    }

    /// A call of the native API.
    pub(crate) fn native(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), String> {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{KEY}:{SECRET}"));
        let mut headers = vec![("authorization", format!("Basic {pair}"))];
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        self.send(method, &format!("/claviger/v1{path}"), &headers, &body)
    }

    /// Reads what must be there.
    pub(crate) fn read(&self, path: &str) -> Result<Value, String> {
        match self.native("GET", path, None)? {
            (200, value) => Ok(value),
            (status, value) => Err(format!("GET {path}: {status} {value}")),
        }
    }

    /// A change by the native API.
    pub(crate) fn change(&self, method: &str, path: &str, body: Option<&Value>) -> Answered {
        match self.native(method, path, body) {
            Ok((status, _)) if status / 100 == 2 => Answered::Done,
            Ok((status, value)) => {
                let code = value.pointer("/error/code").and_then(Value::as_str);
                Answered::Refused(code.map_or_else(|| format!("{status}"), str::to_owned))
            }
            Err(error) => Answered::Nothing(error),
        }
    }

    /// A change by Alibaba Cloud's API, signed as its SDKs do, old and new.
    pub(crate) fn aliyun(&self, action: &str, params: &[(&str, &str)], old: bool) -> Answered {
        static NONCE: AtomicU64 = AtomicU64::new(0);
        let now = SystemClock.now();
        let count = NONCE.fetch_add(1, Ordering::Relaxed);
        let mut given = Params::default();
        for (name, value) in params {
            given.push((*name).to_owned(), Secret::new(*value));
        }
        let request = client::sign(&client::Call {
            action,
            params: &given,
            host: &self.authority,
            key: &KeyId::from(KEY),
            secret: &Secret::new(SECRET),
            token: None,
            at: now,
            nonce: &format!("{:016x}{count:016x}", now.as_millis()),
            signer: if old {
                Signer::RpcV1
            } else {
                Signer::Acs3Sha256
            },
        });
        let headers: Vec<(&str, String)> = request
            .headers
            .iter()
            .filter(|(name, _)| *name != "host")
            .map(|(name, value)| (*name, value.clone()))
            .collect();
        let target = request.target.expose();
        match self.send(request.method, target, &headers, request.body.expose()) {
            Ok((200, _)) => Answered::Done,
            Ok((status, value)) => {
                let code = value.get("Code").and_then(Value::as_str);
                Answered::Refused(code.map_or_else(|| format!("{status}"), str::to_owned))
            }
            Err(error) => Answered::Nothing(error),
        }
    }
}
