//! The clouds' entrance, spoken to in Huawei Cloud's dialect: projects, tokens, lock-outs.

use crate::client::Answer;
use crate::harness::{KEY, Running, SECRET, now, start};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use claviger_dialects::huawei::client::{Call, Signer, sign};
use claviger_dialects::raw::Params;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Who calls, and how.
#[derive(Clone, Copy)]
struct By<'a> {
    key: &'a str,
    secret: &'a str,
    signer: Signer,
    at: Timestamp,
}

fn root() -> By<'static> {
    By {
        key: KEY,
        secret: SECRET,
        signer: Signer::HmacSha256,
        at: now(),
    }
}

fn bytes(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        write!(bytes, "{name}: {value}\r\n").unwrap();
    }
    write!(bytes, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    bytes
}

async fn call(server: &Running, by: By<'_>, action: &str, params: &[(&str, &str)]) -> Answer {
    let mut given = Params::default();
    for (name, value) in params {
        given.push((*name).into(), Secret::new(*value));
    }
    let signed = sign(&Call {
        action,
        params: &given,
        host: "127.0.0.1",
        key: &KeyId::from(by.key),
        secret: &Secret::new(by.secret),
        token: None,
        at: by.at,
        signer: by.signer,
    })
    .unwrap();
    let headers: Vec<_> = signed
        .headers
        .iter()
        .map(|(n, v)| (*n, v.as_str()))
        .collect();
    let (target, body) = (signed.target.expose(), signed.body.expose());
    let answer = server
        .ask(bytes(signed.method, target, &headers, body))
        .await;
    assert!(answer.header("x-request-id").is_some(), "{}", answer.text());
    answer
}

async fn project(server: &Running) -> String {
    let found = call(server, root(), "KeystoneListProjects", &[]).await;
    found.json()["projects"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn refused(answer: &Answer, status: u16, code: &str) {
    let body = answer.json();
    assert_eq!(
        (answer.status, &body["error_code"]),
        (status, &json!(code)),
        "{body}"
    );
    assert!(body["error_msg"].is_string() && body["error_ext_msg"] == Value::Null);
}

#[tokio::test]
async fn an_account_by_every_signature() {
    let server = start().await;
    server.with_instance("r-1").await;
    let project = project(&server).await;
    let place = [("project_id", project.as_str()), ("instance_id", "r-1")];
    for (number, signer) in Signer::ALL.into_iter().enumerate() {
        let by = By { signer, ..root() };
        let name = format!("by-{number}");
        let mut account = place.to_vec();
        account.extend([
            ("account_name", name.as_str()),
            ("account_role", "read"),
            ("account_password", "Passw0rd+%&="),
        ]);
        let made = call(&server, by, "CreateAclAccount", &account).await;
        assert_eq!((made.status, made.text()), (200, "{}"), "{signer:?}");
        let listed = call(&server, by, "ListAclAccounts", &place).await.json();
        let rows = listed["accounts"].as_array().unwrap().clone();
        let row = rows.iter().find(|row| row["account_name"] == name.as_str());
        let id = row.unwrap()["account_id"].as_str().unwrap().to_owned();
        let mut remark = place.to_vec();
        remark.extend([("account_id", id.as_str()), ("description", "demo")]);
        let changed = call(&server, by, "UpdateAclAccountRemark", &remark).await;
        assert_eq!((changed.status, changed.text()), (204, ""));
        let mut gone = place.to_vec();
        gone.push(("account_id", &id));
        assert_eq!(
            call(&server, by, "DeleteAclAccount", &gone).await.status,
            200
        );
        let tasks = call(&server, by, "ListBackgroundTask", &place).await.json();
        assert_eq!(tasks["tasks"][0]["name"], "DeleteAcl");
        assert_eq!(
            tasks["tasks"][0]["status"], "EXECUTING",
            "no node has confirmed"
        );
    }
}

#[tokio::test]
async fn another_project_learns_nothing() {
    let server = start().await;
    server.with_instance("r-1").await;
    let foreign = "f".repeat(32);
    let mut texts = Vec::new();
    for instance in ["r-1", "r-none", "a b"] {
        let place = [("project_id", foreign.as_str()), ("instance_id", instance)];
        for (action, more) in [
            ("ListAclAccounts", &[][..]),
            ("ShowInstance", &[]),
            ("CreateAclAccount", &[("body", "x")]),
            ("DeleteAclAccount", &[("account_id", "x")]),
        ] {
            let all = [&place[..], more].concat();
            let answer = call(&server, root(), action, &all).await;
            refused(&answer, 401, "DCS.1004");
            texts.push(answer.text().to_owned());
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "the answers differ: {texts:?}");
    let wrong = By {
        secret: "other",
        ..root()
    };
    let place = [("project_id", foreign.as_str()), ("instance_id", "r-1")];
    let unsigned = call(&server, wrong, "ListAclAccounts", &place).await;
    refused(&unsigned, 401, "APIGW.0301");
}

fn password_login(key: &str, secret: &str) -> String {
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {
        "user": {"name": key, "password": secret, "domain": {"name": "d"}}}}}});
    bytes("POST", "/v3/auth/tokens", &[], &body.to_string())
}

#[tokio::test]
async fn tokens() {
    let server = start().await;
    server.with_instance("r-1").await;
    let project = project(&server).await;
    let made = server
        .native("POST", "/keys", r#"{"role":"operator"}"#)
        .await;
    let made = made.json();
    let (key, secret) = (
        made["id"].as_str().unwrap(),
        made["secret"].as_str().unwrap(),
    );
    let issued = server.ask(password_login(key, secret)).await;
    assert_eq!(issued.status, 201, "{}", issued.text());
    let token = issued.header("x-subject-token").unwrap().to_owned();
    assert_eq!(issued.json()["token"]["project"]["id"], project.as_str());
    let list = format!("/v2/{project}/instances/r-1/accounts");
    let by = |token: &str| bytes("GET", &list, &[("x-auth-token", token)], "");
    let listed = server.ask(by(&token)).await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    refused(
        &server.ask(by(&token[..token.len() - 6])).await,
        401,
        "APIGW.0301",
    );
    refused(
        &server.ask(bytes("GET", &list, &[], "")).await,
        401,
        "APIGW.0301",
    );
    for (key, secret) in [(key, "wrong"), ("nobody", secret)] {
        let answer = server.ask(password_login(key, secret)).await;
        refused(&answer, 401, "APIGW.0301");
        assert_eq!(
            answer.json()["error_msg"],
            "The username or password is wrong."
        );
    }
    let foreign = list.replace(&project, &"f".repeat(32));
    let answer = server
        .ask(bytes("GET", &foreign, &[("x-auth-token", &token)], ""))
        .await;
    refused(&answer, 401, "DCS.1004");
    // A token dies with its key.
    let revoked = server.native("DELETE", &format!("/keys/{key}"), "").await;
    assert!(revoked.status < 300, "{}", revoked.text());
    refused(&server.ask(by(&token)).await, 401, "APIGW.0301");
}

#[tokio::test]
async fn six_bad_signatures_in_a_row_lock_a_key() {
    let server = start().await;
    let bad = By {
        secret: "other",
        ..root()
    };
    let locked = "AK access failed to reach the limit";
    for _ in 0..5 {
        let answer = call(&server, bad, "KeystoneListProjects", &[]).await;
        assert!(!answer.text().contains(locked));
    }
    let good = call(&server, root(), "KeystoneListProjects", &[]).await;
    assert_eq!(good.status, 200);
    for _ in 0..6 {
        call(&server, bad, "KeystoneListProjects", &[]).await;
    }
    let answer = call(&server, root(), "KeystoneListProjects", &[]).await;
    refused(&answer, 401, "APIGW.0301");
    assert!(answer.text().contains(locked), "{}", answer.text());
}

#[tokio::test]
async fn five_wrong_passwords_lock_a_password() {
    let server = start().await;
    server.with_instance("r-1").await;
    let project = project(&server).await;
    let place = [("project_id", project.as_str()), ("instance_id", "r-1")];
    let account = [
        ("account_name", "app"),
        ("account_role", "read"),
        ("account_password", "Passw0rd!1"),
    ];
    call(
        &server,
        root(),
        "CreateAclAccount",
        &[&place[..], &account[..]].concat(),
    )
    .await;
    let listed = call(&server, root(), "ListAclAccounts", &place)
        .await
        .json();
    let id = listed["accounts"][1]["account_id"]
        .as_str()
        .unwrap()
        .to_owned();
    // Whatever the spelling of the identity.
    let spellings = [id.clone(), id.to_uppercase(), id.replace('-', "")];
    let mut results = Vec::new();
    for number in 0..6 {
        let old = if number == 5 {
            "Passw0rd!1"
        } else {
            "Passw0rd!2"
        };
        let change = [
            ("account_id", spellings[number % 3].as_str()),
            ("old_password", old),
            ("new_password", "Passw0rd!3"),
        ];
        let all = [&place[..], &change[..]].concat();
        let told = call(&server, root(), "UpdateAclAccountPassWord", &all).await;
        assert_eq!(told.status, 200);
        let told = told.json();
        results.push(format!("{} {}", told["result"], told["retry_times_left"]));
    }
    assert_eq!(
        results,
        [
            r#""passwordFailed" "4""#,
            r#""passwordFailed" "3""#,
            r#""passwordFailed" "2""#,
            r#""passwordFailed" "1""#,
            r#""locked" "0""#,
            r#""locked" "0""#,
        ]
    );
}

#[tokio::test]
async fn a_body_without_end_is_refused_in_the_vendors_form() {
    let server = start().await;
    let list = format!("/v2/{}/instances/r-1/accounts", "0".repeat(32));
    let answer = server
        .ask(bytes("POST", &list, &[], &"x".repeat(1_100_000)))
        .await;
    refused(&answer, 413, "APIGW.0201");
}
