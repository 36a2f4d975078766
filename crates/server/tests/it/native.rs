//! claviger's own API.

use crate::harness::{
    KEY, Running, SECRET, native_header, native_request, nonce, now, start, with_header,
};
use crate::schema::Document;
use base64::Engine as _;
use claviger_core::clock::Timestamp;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Calls, and holds the answer against the document.
async fn call(
    server: &Running,
    document: &Document,
    name: &str,
    (method, target): (&str, &str),
    body: Value,
) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = server.native(method, target, &body).await;
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let json = if answer.body.is_empty() {
        Value::Null
    } else {
        answer.json()
    };
    document.check(name, answer.status, &json);
    (answer.status, json)
}

async fn document(server: &Running) -> Document {
    let request = "GET /claviger/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = server.ask(request).await;
    assert_eq!(answer.status, 200, "no key is needed");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    Document::new(answer.json())
}

#[tokio::test]
async fn instances() {
    let server = start().await;
    let doc = document(&server).await;
    let ask = async |name, route, body| call(&server, &doc, name, route, body).await;
    let new = json!({"id": "r-1", "nodes": ["redis://h:1"], "name": "One"});
    let (status, added) = ask("instance.add", ("POST", "/instances"), new.clone()).await;
    assert_eq!(
        (status, &added["instance"]["state"]),
        (201, &json!("running"))
    );
    let (status, refused) = ask("instance.add", ("POST", "/instances"), new).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("Exists")));
    let down = json!({"id": "r-2", "nodes": ["redis://down:1"]});
    let (status, refused) = ask("instance.add", ("POST", "/instances"), down).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (422, &json!("CheckFailed"))
    );
    assert_eq!(
        refused["error"]["check"]["nodes"][0]["problems"][0],
        "connection refused"
    );
    let down = json!({"id": "r-2", "nodes": ["redis://down:1"], "force": true});
    let (status, _) = ask("instance.add", ("POST", "/instances"), down).await;
    assert_eq!(status, 201);
    let (_, all) = ask("instance.list", ("GET", "/instances"), Value::Null).await;
    assert_eq!(all["total"], 2);
    let (_, found) = ask(
        "instance.list",
        ("GET", "/instances?search=On%65"),
        Value::Null,
    )
    .await;
    assert_eq!(found["rows"][0]["id"], "r-1");
    let set = json!({"role_profile": "strict", "disabled_commands": ["keys"]});
    let (status, view) = ask("instance.set", ("PATCH", "/instances/r-1"), set).await;
    assert_eq!((status, &view["roles"]["profile"]), (200, &json!("strict")));
    let (status, _) = ask("instance.show", ("GET", "/instances/r-1"), Value::Null).await;
    assert_eq!(status, 200);
    let (status, _) = ask(
        "instance.check",
        ("POST", "/instances/r-1/check"),
        Value::Null,
    )
    .await;
    assert_eq!(status, 200);
    let (status, sight) = ask(
        "instance.status",
        ("GET", "/instances/r-1/status"),
        Value::Null,
    )
    .await;
    assert_eq!((status, &sight["instance"]), (200, &json!("r-1")));
    let (_, all) = ask("status.list", ("GET", "/status"), Value::Null).await;
    assert_eq!(all["total"], 2);
    let (status, _) = ask("instance.remove", ("DELETE", "/instances/r-1"), Value::Null).await;
    assert_eq!(status, 204);
    for (name, route) in [
        ("instance.show", ("GET", "/instances/r-1")),
        ("instance.remove", ("DELETE", "/instances/r-1")),
        ("instance.status", ("GET", "/instances/none/status")),
    ] {
        let (status, _) = ask(name, route, Value::Null).await;
        assert_eq!(status, 404, "{name}");
    }
}

#[tokio::test]
async fn settings_of_an_instance() {
    let server = start().await;
    server.with_instance("r-1").await;
    let doc = document(&server).await;
    let ask = async |name, route, body| call(&server, &doc, name, route, body).await;
    let set = async |body| ask("instance.set", ("PATCH", "/instances/r-1"), body).await;
    let (status, view) = set(json!({
        "custom_roles": {"reporting": ["+@read", "-keys"], "other": ["+get"]},
        "drift": "report", "sessions": {"kill-after": 30}, "replica_reads": true,
        "password_policy": {"enabled": true, "letters_min": 2, "digits_min": 2,
            "specials_min": 1, "length_min": 10},
    }))
    .await;
    assert_eq!(status, 200, "{view}");
    assert_eq!(view["roles"]["custom"].as_array().unwrap().len(), 2);
    assert_eq!(view["policy"]["drift"], "report");
    assert_eq!(view["policy"]["sessions"], json!({"kill-after": 30}));
    assert_eq!(view["policy"]["passwords"]["length_min"], 10);

    let accounts = "/instances/r-1/accounts";
    let one = "/instances/r-1/accounts/app";
    let new = json!({"name": "app", "password": "too-short1", "privilege": "reporting"});
    let (status, refused) = ask("account.create", ("POST", accounts), new).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (400, &json!("PasswordInvalid"))
    );
    let end = now().as_millis() + 60_000;
    let new = json!({"name": "app", "password": "long-enough-22", "privilege": "reporting",
        "expires_at": end});
    let (status, made) = ask("account.create", ("POST", accounts), new).await;
    assert_eq!((status, &made["account"]["expires_at"]), (202, &json!(end)));
    // A role ends when no account has it any more.
    let (status, refused) = set(json!({"custom_roles": {"reporting": null}})).await;
    assert_eq!(status, 400);
    let told = refused["error"]["message"].as_str().unwrap();
    assert_eq!(told, "the account app has the role reporting");
    let (status, view) = set(json!({"custom_roles": {"other": null}})).await;
    assert_eq!(
        (status, &view["roles"]["custom"][0]["name"]),
        (200, &json!("reporting"))
    );

    let modify = async |body| ask("account.modify", ("PATCH", one), body).await;
    let (_, off) = modify(json!({"enabled": false, "expires_at": null})).await;
    assert_eq!(off["account"]["enabled"], false);
    assert_eq!(off["account"]["expires_at"], Value::Null);
    server.store.confirm_all();
    let (_, shown) = ask("account.show", ("GET", one), Value::Null).await;
    assert_eq!(shown["status"], "disabled");
    let (_, on) = modify(json!({"enabled": true})).await;
    assert_eq!(on["account"]["enabled"], true);
    for (bad, code) in [
        (json!({"expires_at": 1}), "Invalid"),
        (json!({"password_free": true}), "PasswordFreeCustom"),
        (json!({"privilege": "other"}), "PrivilegeInvalid"),
    ] {
        let (status, refused) = modify(bad.clone()).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (400, &json!(code)),
            "{bad}"
        );
    }
    let default = ("PATCH", "/instances/r-1/accounts/default");
    let (status, refused) = ask("account.modify", default, json!({"enabled": false})).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (409, &json!("DefaultProtected"))
    );
    // Its policy of passwords forbids to have none.
    let (status, refused) = ask("account.modify", default, json!({"password_free": true})).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (409, &json!("PasswordFreeDenied"))
    );
    for bad in [
        json!({"custom_roles": {"1bad": ["+get"]}}),
        json!({"custom_roles": {"read-only": ["+get"]}}),
        json!({"custom_roles": {"evil": ["nopass"]}}),
        json!({"custom_roles": {"evil": []}}),
        json!({"custom_roles": {"unknown": null}}),
        json!({"sessions": {"kill-after": 0}}),
        json!({"sessions": {"kill-after": 86_401}}),
        json!({"sessions": "end"}),
        json!({"drift": "ignore"}),
        json!({"password_policy": {"enabled": true, "letters_min": 2, "digits_min": 2,
            "specials_min": 1, "length_min": 7}}),
        json!({"password_policy": {"enabled": true}}),
    ] {
        let (status, _) = set(bad.clone()).await;
        assert_eq!(status, 400, "{bad}");
    }
}

/// What the service's own clockwork does.
#[tokio::test]
async fn an_end_that_has_come_disables() {
    let server = start().await;
    server.with_instance("r-1").await;
    let doc = document(&server).await;
    let ask = async |name, route, body| call(&server, &doc, name, route, body).await;
    for name in ["soon", "late"] {
        let end = now().as_millis() + if name == "soon" { 300 } else { 600_000 };
        let new = json!({"name": name, "password": "long enough", "expires_at": end});
        let accounts = ("POST", "/instances/r-1/accounts");
        assert_eq!(ask("account.create", accounts, new).await.0, 202);
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut disabled = 0;
    while disabled == 0 {
        assert!(Instant::now() < deadline, "its end did not come");
        disabled = server.service.expire_due().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(disabled, 1);
    assert_eq!(server.service.expire_due().await.unwrap(), 0, "once");
    let soon = "/instances/r-1/accounts/soon";
    let (_, shown) = ask("account.show", ("GET", soon), Value::Null).await;
    assert_eq!(shown["enabled"], false);
    let (_, late) = ask(
        "account.show",
        ("GET", "/instances/r-1/accounts/late"),
        Value::Null,
    )
    .await;
    assert_eq!(late["enabled"], true);
    let (_, audit) = ask("audit.list", ("GET", "/audit"), Value::Null).await;
    let own = |row: &&Value| row["key"] == "claviger";
    let row = audit["rows"].as_array().unwrap().iter().find(own).unwrap();
    assert_eq!(
        (&row["action"], &row["account"]),
        (&json!("account.expire"), &json!("soon"))
    );
    // Enabled again, it stays: its end is past and lifted.
    let (_, on) = ask("account.modify", ("PATCH", soon), json!({"enabled": true})).await;
    assert_eq!(on["account"]["expires_at"], Value::Null);
    assert_eq!(server.service.expire_due().await.unwrap(), 0);
}

#[tokio::test]
async fn users_that_are_taken_over() {
    let server = start().await;
    server.with_instance("r-1").await;
    let doc = document(&server).await;
    let ask = async |name, route, body| call(&server, &doc, name, route, body).await;
    let adopt = async |body| ask("instance.adopt", ("POST", "/instances/r-1/adopt"), body).await;
    let verdicts = |plan: &Value| -> Vec<String> {
        let users = plan["users"].as_array().unwrap().iter();
        users
            .map(|user| format!("{} {}", user["name"], user["verdict"]).replace('"', ""))
            .collect()
    };
    let (status, plan) = adopt(json!({"dry_run": true})).await;
    assert_eq!(status, 200, "{plan}");
    let all = ["one adopt", "two adopt", "odd refused", "torn conflict"];
    assert_eq!(verdicts(&plan), all);
    assert_eq!(
        plan["roles"],
        json!([{"name": "adopted-1", "rules": ["+get"]}])
    );
    let accounts = ("GET", "/instances/r-1/accounts");
    let (_, none) = ask("account.list", accounts, Value::Null).await;
    assert_eq!(none["total"], 1, "only told");
    let (_, done) = adopt(json!({"users": ["one", "torn"], "from": "h:1"})).await;
    assert_eq!(verdicts(&done), ["one adopt", "torn adopt"]);
    let (_, one) = ask(
        "account.show",
        ("GET", "/instances/r-1/accounts/one"),
        Value::Null,
    )
    .await;
    assert_eq!(one["status"], "available");
    assert_eq!(one["privilege"], "adopted-1");
    let torn = ("GET", "/instances/r-1/accounts/torn");
    let (_, torn) = ask("account.show", torn, Value::Null).await;
    assert_eq!(torn["status"], "changing", "some node does not have it so");
    let (_, again) = adopt(json!({})).await;
    assert_eq!(
        verdicts(&again),
        ["one refused", "two adopt", "odd refused", "torn refused"]
    );
    let (_, view) = ask("instance.show", ("GET", "/instances/r-1"), Value::Null).await;
    assert_eq!(view["roles"]["custom"].as_array().unwrap().len(), 1);
    let (_, audit) = ask("audit.list", ("GET", "/audit"), Value::Null).await;
    let detail = |row: &Value| row["detail"] == "users one, torn";
    assert!(audit["rows"].as_array().unwrap().iter().any(detail));
    for bad in [
        json!({"users": [""]}),
        json!({"users": ["a\n"]}),
        json!({"user": ["a"]}),
    ] {
        let (status, _) = adopt(bad).await;
        assert_eq!(status, 400);
    }
    let nowhere = ("POST", "/instances/r-9/adopt");
    assert_eq!(ask("instance.adopt", nowhere, json!({})).await.0, 404);
    let plan = ("GET", "/instances/r-1/plan");
    let (status, plan) = ask("instance.plan", plan, Value::Null).await;
    assert_eq!(
        (status, &plan["nodes"][0]["steps"][0]["step"]),
        (200, &json!("create"))
    );
}

#[tokio::test]
async fn accounts_and_tasks() {
    let server = start().await;
    server.with_instance("r-1").await;
    let doc = document(&server).await;
    let ask = async |name, route, body| call(&server, &doc, name, route, body).await;
    let accounts = "/instances/r-1/accounts";
    let one = "/instances/r-1/accounts/app";
    let new = json!({"name": "app", "password": "long enough", "privilege": "read-only"});
    let (status, made) = ask("account.create", ("POST", accounts), new.clone()).await;
    assert_eq!(
        (status, &made["account"]["status"]),
        (202, &json!("creating"))
    );
    let (status, refused) = ask("account.create", ("POST", accounts), new).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (409, &json!("AccountExists"))
    );
    let (_, shown) = ask("account.show", ("GET", one), Value::Null).await;
    assert_eq!(shown["privilege"], "read-only");
    let task = format!("/tasks/{}", made["task"]);
    let (_, running) = ask("task.show", ("GET", &task), Value::Null).await;
    assert_eq!(running["state"], "running");

    // Waiting ends when the task does, not when the time is over.
    let wait = format!("{task}?wait=15");
    let waiting = ask("task.show", ("GET", &wait), Value::Null);
    let confirming = async {
        tokio::task::yield_now().await;
        server.store.confirm_all();
    };
    let begun = Instant::now();
    let ((_, done), ()) = tokio::join!(waiting, confirming);
    assert_eq!(done["state"], "succeeded");
    assert!(begun.elapsed() < Duration::from_secs(10));

    let (_, all) = ask("account.list", ("GET", accounts), Value::Null).await;
    assert_eq!(all["total"], 2);
    let change = json!({"privilege": "read-write", "password": "another one"});
    let (status, _) = ask("account.modify", ("PATCH", one), change).await;
    assert_eq!(status, 202);
    let (status, _) = ask("account.delete", ("DELETE", one), Value::Null).await;
    assert_eq!(status, 202);
    let (_, tasks) = ask(
        "task.list",
        ("GET", "/tasks?instance=r-1&limit=2"),
        Value::Null,
    )
    .await;
    assert_eq!(
        (tasks["rows"].as_array().unwrap().len(), &tasks["total"]),
        (2, &json!(3))
    );
    let (_, audit) = ask(
        "audit.list",
        ("GET", "/audit?limit=2&offset=1"),
        Value::Null,
    )
    .await;
    assert_eq!(audit["rows"][0]["action"], "account.modify");
    for (target, status) in [
        ("/tasks/999", 404),
        ("/tasks/x", 404),
        ("/tasks?limit=1001", 400),
        ("/tasks?limit=-1", 400),
        ("/tasks?limit=1&limit=2", 400),
        ("/tasks?other=1", 400),
        ("/tasks?limit=%zz", 400),
        ("/tasks/1?wait=61", 400),
        ("/instances?limit=1", 400),
        ("/instances/r-1/accounts/nobody", 404),
        ("/instances/r-2/accounts", 404),
    ] {
        assert_eq!(
            server.native("GET", target, "").await.status,
            status,
            "{target}"
        );
    }
}

#[tokio::test]
async fn keys_info_and_rules() {
    let server = start().await;
    let doc = document(&server).await;
    let ask = async |name, route, body| call(&server, &doc, name, route, body).await;
    let new = json!({"role": "auditor", "description": "ci"});
    let (status, key) = ask("key.create", ("POST", "/keys"), new).await;
    assert_eq!(status, 201);
    let (id, secret) = (key["id"].as_str().unwrap(), key["secret"].as_str().unwrap());
    let (_, keys) = ask("key.list", ("GET", "/keys"), Value::Null).await;
    assert!(!keys.to_string().contains(secret), "shown once");
    let as_auditor = |method: &str, target: &str, body: &str| {
        server.ask(native_request(id, secret, method, target, body))
    };
    assert_eq!(as_auditor("GET", "/instances", "").await.status, 200);
    let refused = as_auditor("POST", "/keys", r#"{"role":"admin"}"#).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (403, &json!("NotPermitted"))
    );
    let revoke = format!("/keys/{id}");
    let (status, _) = ask("key.revoke", ("DELETE", &revoke), Value::Null).await;
    assert_eq!(status, 204);
    assert_eq!(as_auditor("GET", "/instances", "").await.status, 401);
    let own = format!("/keys/{KEY}");
    let (status, _) = ask("key.revoke", ("DELETE", &own), Value::Null).await;
    assert_eq!(status, 400, "nobody locks themselves out");

    let (_, info) = ask("info", ("GET", "/info"), Value::Null).await;
    assert_eq!(info["project_id"].as_str().unwrap().len(), 32);
    let (_, all) = ask("login-rules", ("GET", "/login-rules"), Value::Null).await;
    assert_eq!(all["total"], 4);
    let route = ("GET", "/login-rules?version=7.0.15&masterauth=false");
    let (_, one) = ask("login-rules", route, Value::Null).await;
    let rule = one["rows"][0]["rule"].as_str().unwrap();
    assert!(
        rule.contains("+acl") && !rule.contains("+config|set"),
        "{rule}"
    );
    for version in ["5.0", "x", ""] {
        let target = format!("/login-rules?version={version}");
        assert_eq!(server.native("GET", &target, "").await.status, 400);
    }
}

#[tokio::test]
async fn who_is_not_believed() {
    let server = start().await;
    let call = ("GET", "/info", "");
    let header = |secret, at, nonce: &str| native_header(KEY, secret, call, at, nonce);
    let shifted = |seconds| Timestamp::from_secs(now().as_secs() + seconds);
    let good = header(SECRET, now(), &nonce());
    let ask = async |header: &str| {
        let answer = server.ask(with_header(header, "GET", "/info", "")).await;
        let json = answer.json();
        if answer.status == 401 {
            assert_eq!(json["request_id"], answer.header("x-request-id").unwrap());
            assert_eq!(
                answer.header("www-authenticate"),
                Some("CLAVIGER-HMAC-SHA256")
            );
        }
        (
            answer.status,
            json["error"]["code"].as_str().unwrap_or("ok").to_owned(),
        )
    };
    for (header, status, code) in [
        (good.clone(), 200, ""),
        (good, 401, "NonceUsed"),
        (header("wrong", now(), &nonce()), 401, "SignatureMismatch"),
        (
            header(SECRET, shifted(-901), &nonce()),
            401,
            "TimestampExpired",
        ),
        (
            header(SECRET, shifted(902), &nonce()),
            401,
            "TimestampExpired",
        ),
        (header(SECRET, shifted(-890), &nonce()), 200, ""),
        (
            native_header("nobody", SECRET, call, now(), &nonce()),
            401,
            "KeyUnknown",
        ),
        ("Bearer x".into(), 401, "SignatureMethodUnsupported"),
        ("CLAVIGER-HMAC-SHA256 x".into(), 401, "SignatureMalformed"),
    ] {
        let (got, word) = ask(&header).await;
        assert_eq!(got, status, "{header}");
        if !code.is_empty() {
            assert_eq!(word, code);
        }
    }
    let unsigned = "GET /claviger/v1/info HTTP/1.1\r\nhost: x\r\n\r\n";
    assert_eq!(
        server.ask(unsigned).await.json()["error"]["code"],
        "Unsigned"
    );

    // A bad signature does not use the nonce up.
    let nonce = nonce();
    let bad = header("wrong", now(), &nonce);
    assert_eq!(ask(&bad).await.0, 401);
    assert_eq!(ask(&header(SECRET, now(), &nonce)).await.0, 200);

    // Another body than the signed one.
    let body = r#"{"role":"auditor"}"#;
    let request = native_request(KEY, SECRET, "POST", "/keys", body);
    let answer = server.ask(request.replace("auditor", "adminis")).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn basic_on_loopback() {
    let server = start().await;
    for (pair, status) in [
        (format!("{KEY}:{SECRET}"), 200),
        (format!("{KEY}:{SECRET}x"), 401),
        (format!("{KEY}:"), 401),
        (format!("nobody:{SECRET}"), 401),
    ] {
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        let header = format!("Basic {pair}");
        let answer = server.ask(with_header(&header, "GET", "/info", "")).await;
        assert_eq!(answer.status, status);
        assert!(!answer.text().contains(SECRET));
    }
}

/// A backslash, not a NUL character.
#[tokio::test]
async fn an_escaped_backslash_is_one() {
    let server = start().await;
    server.with_instance("r-1").await;
    let body = r#"{"name":"a","password":"Passw0rd-12","description":"\\u0000"}"#;
    let answer = server.native("POST", "/instances/r-1/accounts", body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert!(answer.text().contains(r"\\u0000"), "{}", answer.text());
}

#[tokio::test]
async fn bodies_and_methods() {
    let server = start().await;
    server.with_instance("r-1").await;
    for target in ["/instances/r%00", "/tasks?instance=r%00"] {
        let answer = server.native("GET", target, "").await;
        assert!(matches!(answer.status, 400 | 404), "{}", answer.text());
    }
    let post = async |body: &str| {
        let answer = server.native("POST", "/instances/r-1/accounts", body).await;
        (answer.status, answer.text().to_owned())
    };
    for body in [
        "",
        "{}",
        "[]",
        "{",
        "\u{fffd}",
        r#"{"name":"a","password":"12345678","pasword":"x"}"#,
        r#"{"name":"a","name":"b","password":"12345678"}"#,
        r#"{"name":"a","password":12345678}"#,
        r#"{"name":"a","password":"12345678","privilege":["topsecret"]}"#,
        r#"{"name":"a","password":"short"}"#,
        r#"{"name":"default","password":"12345678"}"#,
        r#"{"name":"a","password":"12345678","privilege":"topsecret"}"#,
        r#"{"name":"a","password":"12345678","description":"x\u0000"}"#,
        r#"{"name":"a","password":"12345678","description":"\\\u0000"}"#,
    ] {
        let (status, text) = post(body).await;
        assert_eq!(status, 400, "{body}");
        assert!(
            !text.contains("12345678") && !text.contains("topsecret"),
            "{text}"
        );
    }
    let deep = format!(r#"{{"name":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    assert_eq!(post(&deep).await.0, 400);
    let large = format!(r#"{{"name":"{}"}}"#, "a".repeat(300 * 1024));
    assert_eq!(post(&large).await.0, 413);

    let form = native_request(KEY, SECRET, "POST", "/keys", r#"{"role":"admin"}"#)
        .replace("application/json", "text/plain");
    assert_eq!(server.ask(form).await.status, 415);
    let with_body = server.native("GET", "/info", "{}").await;
    assert_eq!(with_body.status, 400);
    let check = server.native("POST", "/instances/r-1/check", "{}").await;
    assert_eq!(check.status, 400);
    let put = server.native("PUT", "/instances", "{}").await;
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, POST")));
    let nowhere = server.native("GET", "/nowhere", "").await;
    assert_eq!(
        (nowhere.status, &nowhere.json()["error"]["code"]),
        (404, &json!("NoSuchRoute"))
    );
    let mut client = server.client().await;
    client
        .send(native_request(KEY, SECRET, "HEAD", "/info", ""))
        .await;
    assert_eq!(client.next_head().await.unwrap().status, 200);
}
