//! Alibaba Cloud behind the common layer, in both generations of signatures. Input: a byte that
//! chooses the action, an `Authorization` header or further common parameters in the first line,
//! the action's parameters as a form behind it.
#![no_main]

use claviger_core::ids::RequestId;
use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::aliyun::Aliyun;
use claviger_dialects::raw::RawRequest;
use libfuzzer_sys::fuzz_target;

const ACTIONS: [&str; 14] = [
    "CreateAccount",
    "DeleteAccount",
    "DescribeAccounts",
    "DescribeHistoryTasks",
    "DescribeInstanceAttribute",
    "DescribeInstances",
    "DescribeRegions",
    "DescribeZones",
    "GrantAccountPrivilege",
    "ModifyAccountDescription",
    "ModifyAccountParameter",
    "ModifyAccountPassword",
    "ResetAccountPassword",
    "Nothing",
];

/// One that is well formed, so that the parameters are reached.
const GOOD: &str = "ACS3-HMAC-SHA256 Credential=k,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
                    x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=ab";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const FORM: &str = "application/x-www-form-urlencoded";

fn acs3(action: &str, authorization: &str, query: &str) -> RawRequest {
    let headers = [
        ("host", "h"),
        ("x-acs-action", action),
        ("x-acs-version", "2015-01-01"),
        ("x-acs-date", "2026-01-02T03:04:05Z"),
        ("x-acs-signature-nonce", "n"),
        ("x-acs-content-sha256", EMPTY),
        ("authorization", authorization),
    ];
    request("GET", query, &headers, b"")
}

fn v1(action: &str, more: &str, form: &[u8]) -> RawRequest {
    let query = format!(
        "Action={action}&Version=2015-01-01&Format=JSON&AccessKeyId=k&SignatureMethod=HMAC-SHA1&\
         SignatureVersion=1.0&SignatureNonce=n&Timestamp=2026-01-02T03%3A04%3A05Z&Signature=s&{more}"
    );
    request("POST", &query, &[("host", "h"), ("content-type", FORM)], form)
}

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: &[u8]) -> RawRequest {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    RawRequest {
        method: method.to_owned(),
        path: "/".to_owned(),
        query: Some(Secret::new(query)),
        headers: headers.iter().map(own).collect(),
        body: body.to_vec(),
    }
}

fuzz_target!(|data: &[u8]| {
    let [action, rest @ ..] = data else {
        return;
    };
    let action = ACTIONS[usize::from(*action) % ACTIONS.len()];
    let at = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let first = String::from_utf8_lossy(&rest[..at]);
    let form = rest.get(at + 1..).unwrap_or_default();
    let query = String::from_utf8_lossy(form);
    for raw in [
        acs3(action, &first, &query),
        acs3(action, GOOD, &query),
        v1(action, &first, form),
        v1(action, "", form),
    ] {
        let shape = Aliyun.shape(&raw);
        let result = Aliyun.open(&raw).and_then(|envelope| {
            let ask = Aliyun.decode(&envelope);
            let verified = Aliyun.verify(&raw, &envelope, &Secret::new("fuzz"));
            assert!(verified.is_err(), "noise is a good signature");
            ask
        });
        if let Err(refusal) = result {
            let answer = Aliyun.encode(&shape, RequestId::from_random([7; 16]), Err(&refusal));
            assert!(answer.status >= 400 && !answer.body.is_empty());
        }
    }
});
