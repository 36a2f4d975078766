//! Tencent Cloud's four ways to write parameters: a JSON body, a query, a form, a multipart body.
//! Input: a byte that chooses the way, a byte that chooses the action, then what is written.
#![no_main]

use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::tencent::Tencent;
use libfuzzer_sys::fuzz_target;

const ACTIONS: [&str; 13] = [
    "CreateInstanceAccount",
    "ModifyInstanceAccount",
    "DeleteInstanceAccount",
    "DescribeInstanceAccount",
    "ResetPassword",
    "ModifyInstancePassword",
    "ModfiyInstancePassword",
    "DescribeTaskInfo",
    "DescribeTaskList",
    "DescribeInstances",
    "DescribeInstancePasswordPolicy",
    "ModifyInstancePasswordPolicy",
    "DescribeInstanceSupportFeature",
];

const FORM: &str = "application/x-www-form-urlencoded";

fn tc3(method: &str, action: &str, kind: &str, query: &str, body: &[u8]) -> RawRequest {
    let headers = [
        ("content-type", kind),
        ("host", "h"),
        ("x-tc-action", action),
        ("x-tc-version", "2018-04-12"),
        ("x-tc-region", "ap-guangzhou"),
        ("x-tc-timestamp", "1700000000"),
        (
            "authorization",
            "TC3-HMAC-SHA256 Credential=k/2023-11-14/redis/tc3_request, \
             SignedHeaders=content-type;host, Signature=s",
        ),
    ];
    request(method, query, &headers, body)
}

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> RawRequest {
    RawRequest {
        method: method.to_owned(),
        path: "/".to_owned(),
        query: Some(Secret::new(query)),
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
            .collect(),
        body: body.to_vec(),
    }
}

fuzz_target!(|data: &[u8]| {
    let [way, action, rest @ ..] = data else {
        return;
    };
    let action = ACTIONS[usize::from(*action) % ACTIONS.len()];
    let raw = match way % 4 {
        0 => tc3("POST", action, "application/json", "", rest),
        1 => tc3("GET", action, FORM, &String::from_utf8_lossy(rest), b""),
        2 => {
            let mut form = format!(
                "Action={action}&Version=2018-04-12&Region=ap-guangzhou&Timestamp=1700000000&\
                 Nonce=1&SecretId=k&Signature=s&"
            )
            .into_bytes();
            form.extend_from_slice(rest);
            request("POST", "", &[("host", "h"), ("content-type", FORM)], &form)
        }
        _ => tc3("POST", action, "multipart/form-data; boundary=b", "", rest),
    };
    let shape = Tencent.shape(&raw);
    let Ok(envelope) = Tencent.open(&raw) else {
        return;
    };
    assert_eq!(envelope.action, shape.action);
    let _ = Tencent.decode(&envelope);
    assert!(Tencent.verify(&raw, &envelope, &Secret::new("fuzz")).is_err());
});
