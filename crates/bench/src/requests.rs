//! Requests as whole byte strings, signed beforehand.

use crate::serve::{KEY, SECRET};
use claviger_core::clock::Timestamp;
use claviger_core::secret::Secret;
use claviger_dialects::native;
use claviger_dialects::sign::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

static NONCE: AtomicU64 = AtomicU64::new(1);

/// A value used once in this process.
fn nonce() -> String {
    let start = jiff::Timestamp::now().as_microsecond();
    format!("{start:016x}{:016x}", NONCE.fetch_add(1, Ordering::Relaxed))
}

/// Header values of an ACS3 request besides its signature.
pub(crate) struct Acs3 {
    pub(crate) query: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// Signs an ACS3 POST without a body. Parameter values must be URL-safe as they are.
pub(crate) fn acs3(action: &str, params: &[(&str, &str)]) -> Acs3 {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let pairs: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = pairs.join("&");
    let payload = Hash::Sha256.hex(b"");
    let date = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let mut headers = vec![
        ("host", "127.0.0.1".to_owned()),
        ("x-acs-action", action.to_owned()),
        ("x-acs-content-sha256", payload.clone()),
        ("x-acs-date", date),
        ("x-acs-signature-nonce", nonce()),
        ("x-acs-version", "2015-01-01".to_owned()),
    ];
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let canonical = format!("POST\n/\n{query}\n{lines}\n{names}\n{payload}");
    let to_sign = format!(
        "ACS3-HMAC-SHA256\n{}",
        Hash::Sha256.hex(canonical.as_bytes())
    );
    let mut mac = Hash::Sha256.hmac(SECRET.as_bytes());
    mac.update(to_sign.as_bytes());
    let signature: String = mac
        .finish()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let authorization =
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={names},Signature={signature}");
    headers.push(("authorization", authorization));
    Acs3 { query, headers }
}

/// The same as bytes on the wire.
pub(crate) fn aliyun(action: &str, params: &[(&str, &str)]) -> Vec<u8> {
    let signed = acs3(action, params);
    let mut text = format!("POST /?{} HTTP/1.1\r\ncontent-length: 0\r\n", signed.query);
    for (name, value) in &signed.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// A request of the native API.
pub(crate) fn native(method: &str, path: &str, body: &str) -> Vec<u8> {
    let request = native::Signed {
        method,
        path,
        query: "",
        body: body.as_bytes(),
    };
    let at = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    let authorization = native::sign(&KEY.into(), &Secret::new(SECRET), request, at, &nonce());
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {authorization}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Creation of the `n`th account of a bench.
pub(crate) fn create(instance: &str, name: &str) -> Vec<u8> {
    let params = [
        ("InstanceId", instance),
        ("AccountName", name),
        ("AccountPassword", "Bench-Pass-2026"),
        ("AccountPrivilege", "RoleReadWrite"),
    ];
    aliyun("CreateAccount", &params)
}
