//! Volcengine's own decoders: an `Authorization` header or a presigned query in the first line, a
//! body behind it, for every action that reads one. Read or refused, never a panic; and what is
//! read of a body is read the same when its signature is looked at again.
#![no_main]

use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::volcengine::Volcengine;
use libfuzzer_sys::fuzz_target;

const ACTIONS: [&str; 4] =
    ["CreateDBAccount", "ModifyDBAccount", "DescribeDBInstances", "DescribeTasks"];

/// One that is well formed, so that the body is reached.
const GOOD: &str = "HMAC-SHA256 Credential=AK/20260102/r/redis/request, SignedHeaders=x-date, \
                    Signature=ab";

fn request(action: &str, more: &str, authorization: Option<&str>, body: &[u8]) -> RawRequest {
    let mut headers = vec![("x-date".to_owned(), b"20260102T030405Z".to_vec())];
    if let Some(value) = authorization {
        headers.push(("authorization".to_owned(), value.as_bytes().to_vec()));
    }
    RawRequest {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: Some(Secret::new(format!("Action={action}&Version=2020-12-07{more}"))),
        headers,
        body: body.to_vec(),
    }
}

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let first = String::from_utf8_lossy(&data[..at]);
    let body = data.get(at + 1..).unwrap_or_default();
    for action in ACTIONS {
        for raw in [
            request(action, "", Some(&first), body),
            request(action, &format!("&{first}"), None, body),
            request(action, "", Some(GOOD), body),
        ] {
            let shape = Volcengine.shape(&raw);
            assert!(shape.echo.iter().all(|(_, value)| value.len() <= 128));
            let Ok(envelope) = Volcengine.open(&raw) else {
                continue;
            };
            let _ = Volcengine.decode(&envelope);
            assert!(Volcengine.verify(&raw, &envelope, &Secret::new("fuzz")).is_err());
        }
    }
});
