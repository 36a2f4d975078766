//! Huawei Cloud's decoders behind the common layer: bodies, queries, places in paths, and the
//! curves' signatures, none of which plain noise would reach. The first byte chooses the call,
//! the rest is its query, a line feed, and its body.
#![no_main]

use claviger_core::ids::RequestId;
use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::huawei::Huawei;
use claviger_dialects::raw::RawRequest;
use libfuzzer_sys::fuzz_target;

const CALLS: [(&str, &str); 14] = [
    ("POST", "/v2/00000000000000000000000000000000/instances/r/accounts"),
    ("GET", "/v2/00000000000000000000000000000000/instances/r/accounts"),
    ("PUT", "/v2/00000000000000000000000000000000/instances/r/accounts/a/role"),
    ("PUT", "/v2/00000000000000000000000000000000/instances/r/accounts/a/password/modify"),
    ("PUT", "/v2/00000000000000000000000000000000/instances/r/accounts/a/password/reset"),
    ("PUT", "/v2/00000000000000000000000000000000/instances/r/accounts/a"),
    ("GET", "/v2/00000000000000000000000000000000/instances/r/tasks"),
    ("GET", "/v2/00000000000000000000000000000000/tasks"),
    ("GET", "/v2/00000000000000000000000000000000/instances"),
    ("POST", "/v2/00000000000000000000000000000000/instances/r/password/reset"),
    ("PUT", "/v2/00000000000000000000000000000000/instances/r/password"),
    ("POST", "/v3/auth/tokens"),
    ("GET", "/v3/projects"),
    ("GET", "/v2/"),
];

const SCHEMES: [&str; 4] =
    ["SDK-HMAC-SHA256", "SDK-HMAC-SM3", "SDK-ECDSA-P256-SHA256", "SDK-SM2-SM3"];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else {
        return;
    };
    let at = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (query, body) = rest.split_at(at);
    let body = body.get(1..).unwrap_or_default();
    let query = String::from_utf8_lossy(query).into_owned();
    let (method, path) = CALLS[usize::from(*choice) % CALLS.len()];
    // The last call's place is the input's own.
    let path = if path == "/v2/" { format!("/v2/{query}") } else { path.to_owned() };
    let scheme = SCHEMES[usize::from(*choice / 64)];
    let signature = hex(&body[..body.len().min(80)]);
    let authorization =
        format!("{scheme} Access=a, SignedHeaders=x-sdk-date, Signature={signature}");
    let raw = RawRequest {
        method: method.to_owned(),
        path,
        query: Some(Secret::new(query)),
        headers: vec![
            ("authorization".to_owned(), authorization.into_bytes()),
            ("x-sdk-date".to_owned(), b"20260115T080000Z".to_vec()),
        ],
        body: body.to_vec(),
    };
    let shape = Huawei.shape(&raw);
    let result = Huawei.open(&raw).and_then(|envelope| {
        assert_eq!(envelope.action, shape.action);
        let ask = Huawei.decode(&envelope);
        if shape.action != "KeystoneCreateUserToken" {
            let verified = Huawei.verify(&raw, &envelope, &Secret::new("fuzz"));
            assert!(verified.is_err(), "noise is a good signature");
        }
        ask
    });
    if let Err(refusal) = result {
        let answer = Huawei.encode(&shape, RequestId::from_random([7; 16]), Err(&refusal));
        let body = String::from_utf8(answer.body).unwrap_or_default();
        assert!(answer.status == 200 || body.contains("\"error_code\":\""), "{body}");
    }
});
