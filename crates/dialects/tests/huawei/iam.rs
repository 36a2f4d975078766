//! The small part of IAM: who asks for a token, and what the look-ups answer.

use crate::support::{KEY, PROJECT, answered, body, raw, request_id};
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::KeyId;
use claviger_core::outcome::{Answer, Caller, IssuedToken, Region};
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::huawei::Huawei;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, Proof};
use serde_json::{Value, json};

fn tokens(body: &Value) -> RawRequest {
    raw("POST", "/v3/auth/tokens", &[], body.to_string())
}

/// As Terraform and the vendor's pages send it.
fn by_password() -> Value {
    json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "domain": {"name": "acct"}, "name": KEY, "password": "the-secret"}}},
        "scope": {"project": {"domain": {"name": "acct"}, "name": "cn-south-1"}},
    }})
}

fn caller() -> Caller {
    Caller {
        key: KeyId::from(KEY),
        project: PROJECT.to_owned(),
        now: Timestamp::from_millis(1_768_464_000_123),
    }
}

fn issued() -> Answer {
    Answer::Token(IssuedToken {
        caller: caller(),
        token: Secret::new("clvt1.token"),
        expires_at: Timestamp::from_millis(1_768_550_400_123),
    })
}

#[test]
fn a_token_by_password() {
    let request = tokens(&by_password());
    assert!(Huawei.claims(&request));
    let envelope = Huawei.open(&request).unwrap();
    assert_eq!(envelope.key.as_str(), KEY);
    assert!(matches!(&envelope.proof, Proof::Secret(secret) if secret.expose() == "the-secret"));
    assert_eq!(envelope.project, None);
    assert!(envelope.params.is_empty(), "the password is kept");
    assert!(matches!(
        Huawei.decode(&envelope),
        Ok(Ask::Query(Query::IssueToken))
    ));
    let shape = Huawei.shape(&request);
    assert!(!format!("{shape:?}").contains("the-secret"));
    let answer = Huawei.encode(&shape, request_id(), Ok(&issued()));
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("x-subject-token"), Some("clvt1.token"));
    let token = body(&answer)["token"].clone();
    assert_eq!(token["expires_at"], "2026-01-16T08:00:00.123000Z");
    assert_eq!(token["issued_at"], "2026-01-15T08:00:00.123000Z");
    assert_eq!(token["methods"], json!(["password"]));
    assert_eq!(token["catalog"], json!([]));
    assert_eq!(token["project"]["id"], PROJECT);
    assert_eq!(token["project"]["name"], "cn-south-1");
    assert_eq!(token["user"]["name"], KEY);
    assert_eq!(token["user"]["domain"], token["project"]["domain"]);
    assert!(!answer.body.windows(11).any(|w| w == b"clvt1.token"));
}

#[test]
fn a_token_by_identity_or_token_and_for_a_domain() {
    let mut by_id = by_password();
    let user = &mut by_id["auth"]["identity"]["password"]["user"];
    *user = json!({"id": KEY, "password": "x"});
    by_id["auth"]["scope"] = json!({"project": {"id": PROJECT}});
    let envelope = Huawei.open(&tokens(&by_id)).unwrap();
    assert_eq!(envelope.key.as_str(), KEY);
    // Compared by the service with the caller's own.
    assert_eq!(envelope.project.as_deref(), Some(PROJECT));

    let by_token = json!({"auth": {
        "identity": {"methods": ["token"], "token": {"id": "clvt1.old"}},
        "scope": {"domain": {"id": "d"}},
    }});
    let request = tokens(&by_token);
    let envelope = Huawei.open(&request).unwrap();
    assert!(matches!(&envelope.proof, Proof::Bearer(token) if token.expose() == "clvt1.old"));
    let answer = Huawei.encode(&Huawei.shape(&request), request_id(), Ok(&issued()));
    let token = body(&answer)["token"].clone();
    assert_eq!(token["methods"], json!(["token"]));
    assert_eq!(token["domain"]["name"], "claviger");
    assert!(token.get("project").is_none());
}

#[test]
fn requests_for_a_token_refused() {
    let open = |body: &str| Huawei.open(&raw("POST", "/v3/auth/tokens", &[], body));
    assert_eq!(open("").unwrap_err(), Refusal::BodyEmpty);
    for bad in [
        "x",
        "[]",
        "{}",
        r#"{"auth":1}"#,
        r#"{"auth":{"identity":{}}}"#,
    ] {
        let refusal = open(bad).unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed(_)), "{bad}");
    }
    let identity = |identity: Value| {
        let body = json!({"auth": {"identity": identity}});
        open(&body.to_string()).unwrap_err()
    };
    for (given, wanted) in [
        (json!({"methods": ["password"]}), "password"),
        (json!({"methods": ["token"]}), "token"),
        (
            json!({"methods": ["password"], "password": {"user": {"password": "x"}}}),
            "user",
        ),
    ] {
        assert_eq!(identity(given), Refusal::ParameterMissing { name: wanted });
    }
    for methods in [json!([]), json!(["totp"]), json!(["totp", "password"])] {
        let refusal = identity(json!({"methods": methods}));
        assert!(matches!(
            refusal,
            Refusal::ParameterInvalid {
                name: "methods",
                ..
            }
        ));
    }
    // Neither the name nor the password is told to be the wrong one.
    let shape = Huawei.shape(&tokens(&by_password()));
    let mismatch = Refusal::SignatureMismatch {
        string_to_sign: String::new(),
    };
    for refusal in [Refusal::KeyUnknown, Refusal::KeyRevoked, mismatch] {
        let answer = Huawei.encode(&shape, request_id(), Err(&refusal));
        assert_eq!(answer.status, 401);
        let told = body(&answer);
        assert_eq!(told["error_msg"], "The username or password is wrong.");
        assert_eq!(
            told["error"],
            json!({
                "code": 401,
                "message": "The username or password is wrong.",
                "title": "Unauthorized",
            })
        );
        assert!(told["error_code"].is_string());
    }
}

#[test]
fn look_ups() {
    let caller = Answer::Caller(caller());
    let named = [("name", "cn-north-9")];
    let projects = body(&answered("KeystoneListProjects", &named, &caller));
    let all = projects["projects"].as_array().unwrap();
    assert_eq!(all.len(), 1, "SDKs give up over two");
    assert_eq!(all[0]["id"], PROJECT);
    assert_eq!(all[0]["name"], "cn-north-9");
    let plain = body(&answered("KeystoneListProjects", &[], &caller));
    assert_eq!(plain["projects"][0]["name"], "cn-north-4");
    let domains = body(&answered("KeystoneListAuthDomains", &[], &caller));
    assert_eq!(domains["domains"][0]["id"], all[0]["domain_id"]);
    assert_eq!(domains["domains"][0]["name"], "claviger");
    let users = body(&answered("KeystoneListUsers", &[("name", KEY)], &caller));
    assert_eq!(users["users"][0]["id"], KEY);
    let none = body(&answered("KeystoneListUsers", &[("name", "x")], &caller));
    assert_eq!(none["users"], json!([]));
    let regions = Answer::Regions(vec![Region { id: "r1".into() }, Region { id: "r2".into() }]);
    let regions = body(&answered("KeystoneListRegions", &[], &regions));
    let ids: Vec<_> = regions["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["id"])
        .collect();
    assert_eq!(ids, ["r1", "r2"]);
}
