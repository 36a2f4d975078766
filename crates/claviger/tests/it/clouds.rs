//! One call, signed as each cloud's clients sign it.

use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use claviger_dialects::raw::{Params, SignedRequest};
use claviger_dialects::{aliyun, huawei, tencent, volcengine};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long one call may take; a client would try again then, and so do the tests.
const CALL_MAX: Duration = Duration::from_secs(20);

const HOST: &str = "claviger.test";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cloud {
    Aliyun,
    Tencent,
    Volcengine,
    Huawei,
}

impl Cloud {
    pub(crate) const ALL: [Cloud; 4] = [
        Cloud::Aliyun,
        Cloud::Tencent,
        Cloud::Volcengine,
        Cloud::Huawei,
    ];
}

fn now() -> Timestamp {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    Timestamp::from_millis(i64::try_from(now).unwrap())
}

fn nonce() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    format!("{now:016x}{:016x}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// A call of that cloud's action by that key.
pub(crate) fn signed(
    cloud: Cloud,
    action: &str,
    params: &[(&str, &str)],
    (key, secret): (&str, &str),
) -> SignedRequest {
    let mut all = Params::default();
    for (name, value) in params {
        all.push((*name).to_owned(), Secret::new(*value));
    }
    let (params, host, at) = (&all, HOST, now());
    let (key, secret) = (&KeyId::from(key), &Secret::new(secret));
    match cloud {
        Cloud::Aliyun => aliyun::client::sign(&aliyun::client::Call {
            action,
            params,
            host,
            key,
            secret,
            token: None,
            at,
            nonce: &nonce(),
            signer: aliyun::client::Signer::default(),
        }),
        Cloud::Tencent => tencent::client::sign(&tencent::client::Call {
            action,
            params,
            region: "ap-guangzhou",
            host,
            key,
            secret,
            token: None,
            at,
            nonce: "",
            signer: tencent::client::Signer::default(),
        }),
        Cloud::Volcengine => volcengine::client::sign(&volcengine::client::Call {
            action,
            params,
            host,
            region: "cn-beijing",
            key,
            secret,
            token: None,
            at,
        }),
        Cloud::Huawei => huawei::client::sign(&huawei::client::Call {
            action,
            params,
            host,
            key,
            secret,
            token: None,
            at,
            signer: huawei::client::Signer::default(),
        })
        .unwrap(),
    }
}

/// Status and text; no answer is status 0.
pub(crate) fn send(endpoint: &str, request: &SignedRequest) -> (u16, String) {
    let mut built = ureq::http::Request::builder()
        .method(request.method)
        .uri(format!("{endpoint}{}", request.target.expose()));
    for (name, value) in &request.headers {
        built = built.header(*name, value);
    }
    let built = built.body(request.body.expose().as_bytes()).unwrap();
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(CALL_MAX))
        .build();
    let agent = ureq::Agent::new_with_config(agent);
    match agent.run(built) {
        Ok(mut answer) => {
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            (answer.status().as_u16(), text)
        }
        Err(_) => (0, String::new()),
    }
}

/// Huawei Cloud's project of the caller.
pub(crate) fn project(endpoint: &str, key: (&str, &str)) -> String {
    let request = signed(Cloud::Huawei, "KeystoneListProjects", &[], key);
    let (status, text) = send(endpoint, &request);
    assert_eq!(status, 200, "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    let id = body.pointer("/projects/0/id").and_then(Value::as_str);
    id.unwrap().to_owned()
}

/// What came of a creation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// It was acknowledged.
    Done,
    /// One is there already: an answer was lost.
    Before,
    /// No answer, or one that says to try again.
    Again,
    /// Anything else.
    Refused(u16, String),
}

/// Who creates, and what.
pub(crate) struct Creation<'a> {
    pub(crate) cloud: Cloud,
    pub(crate) key: (&'a str, &'a str),
    pub(crate) project: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) name: &'a str,
}

const PASSWORD: &str = "Scale-Out-2026";

impl Creation<'_> {
    fn request(&self) -> SignedRequest {
        let (instance, name) = (self.instance, self.name);
        let token = format!("token-{instance}-{name}");
        let (action, params) = match self.cloud {
            Cloud::Aliyun => (
                "CreateAccount",
                vec![
                    ("InstanceId", instance),
                    ("AccountName", name),
                    ("AccountPassword", PASSWORD),
                    ("AccountPrivilege", "RoleReadWrite"),
                ],
            ),
            Cloud::Tencent => (
                "CreateInstanceAccount",
                vec![
                    ("InstanceId", instance),
                    ("AccountName", name),
                    ("AccountPassword", PASSWORD),
                    ("ReadonlyPolicy.0", "master"),
                    ("Privilege", "rw"),
                ],
            ),
            // The same token each time: a lost answer is given again.
            Cloud::Volcengine => (
                "CreateDBAccount",
                vec![
                    ("InstanceId", instance),
                    ("AccountName", name),
                    ("Password", PASSWORD),
                    ("RoleName", "ReadWrite"),
                    ("ClientToken", &token),
                ],
            ),
            Cloud::Huawei => (
                "CreateAclAccount",
                vec![
                    ("project_id", self.project),
                    ("instance_id", instance),
                    ("account_name", name),
                    ("account_password", PASSWORD),
                    ("account_role", "write"),
                ],
            ),
        };
        signed(self.cloud, action, &params, self.key)
    }

    /// Creates, and reads the answer as that cloud's clients do.
    pub(crate) fn send(&self, endpoint: &str) -> Made {
        let (status, text) = send(endpoint, &self.request());
        match (self.cloud, status) {
            (_, 0 | 429 | 500..) => Made::Again,
            // Every answer of this cloud has status 200.
            (Cloud::Tencent, 200) => match error_of_tencent(&text) {
                None => Made::Done,
                Some((_, message)) if message.contains("already exists") => Made::Before,
                Some((code, _)) if code == "InternalError.DbOperationFailed" => Made::Again,
                Some(_) => Made::Refused(status, text),
            },
            (_, 200..300) => Made::Done,
            (Cloud::Aliyun, _) if text.contains("InvalidAccountName.Duplicate") => Made::Before,
            (Cloud::Volcengine, _) if text.contains("\"AccountExist\"") => Made::Before,
            // A name that is taken and one that is malformed have one code here.
            (Cloud::Huawei, 400) => match self.listed_by_huawei(endpoint) {
                Some(true) => Made::Before,
                Some(false) => Made::Refused(status, text),
                None => Made::Again,
            },
            _ => Made::Refused(status, text),
        }
    }

    /// Whether it is listed; `None` without an answer.
    fn listed_by_huawei(&self, endpoint: &str) -> Option<bool> {
        let place = [("project_id", self.project), ("instance_id", self.instance)];
        let request = signed(Cloud::Huawei, "ListAclAccounts", &place, self.key);
        let (status, text) = send(endpoint, &request);
        match status {
            200 => {}
            400 | 404 => return Some(false),
            _ => return None,
        }
        let body: Value = serde_json::from_str(&text).ok()?;
        let list = body["accounts"].as_array()?;
        Some(list.iter().any(|one| one["account_name"] == self.name))
    }
}

/// Code and message of a refusal.
fn error_of_tencent(text: &str) -> Option<(String, String)> {
    let body: Value = serde_json::from_str(text).unwrap();
    let error = body.pointer("/Response/Error")?;
    let part = |name: &str| error[name].as_str().unwrap().to_owned();
    Some((part("Code"), part("Message")))
}
