//! Who may do what, over the wire: every route by every kind of key; policies, temporary
//! credentials, rotation; what the audit trail tells of it.

use crate::client::Answer;
use crate::harness::{KEY, Running, SECRET, native_header, native_request, nonce, now, start};
use claviger_dialects::aliyun::client::Signer;
use serde_json::{Value, json};

struct Pair {
    id: String,
    secret: String,
    token: Option<String>,
}

impl Pair {
    fn of(made: &Value) -> Self {
        let text = |name: &str| made[name].as_str().map(str::to_owned);
        Self {
            id: text("id").unwrap(),
            secret: text("secret").unwrap(),
            token: text("token"),
        }
    }

    async fn ask(&self, server: &Running, method: &str, target: &str, body: &str) -> Answer {
        let request = native_request(&self.id, &self.secret, method, target, body);
        let token = self.token.as_ref();
        let token = token.map(|token| format!("x-claviger-security-token: {token}\r\n"));
        let head = "host: x\r\n";
        let with = format!("{head}{}", token.unwrap_or_default());
        server.ask(request.replacen(head, &with, 1)).await
    }

    async fn code(&self, server: &Running, method: &str, target: &str, body: &str) -> String {
        let answer = self.ask(server, method, target, body).await;
        match answer.body.is_empty() {
            true => "ok".to_owned(),
            false => {
                let json = answer.json();
                json["error"]["code"].as_str().unwrap_or("ok").to_owned()
            }
        }
    }
}

async fn done(server: &Running, method: &str, target: &str, body: Value) -> Value {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = server.native(method, target, &body).await;
    assert!(answer.status < 300, "{target}: {}", answer.text());
    if answer.body.is_empty() {
        Value::Null
    } else {
        answer.json()
    }
}

async fn key(server: &Running, new: Value) -> Pair {
    Pair::of(&done(server, "POST", "/keys", new).await)
}

/// A key's rights, and on which instances it has them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rights {
    /// What the service as a whole is asked for.
    Service,
    /// What one instance is asked for.
    Instance,
    /// A list, of what may be seen.
    List,
    /// Anyone with a key.
    Anyone,
}

/// Every route with a request that would do something, what it needs, and which roles have that:
/// admin, operator, auditor.
const ROUTES: &[(&str, &str, &str, Rights, [bool; 3])] = {
    use Rights::{Anyone, Instance, List, Service};
    const ALL: [bool; 3] = [true; 3];
    const CHANGES: [bool; 3] = [true, true, false];
    const ADMIN: [bool; 3] = [true, false, false];
    const AUDITS: [bool; 3] = [true, false, true];
    &[
        ("GET", "/instances", "", List, ALL),
        (
            "POST",
            "/instances",
            r#"{"id":"ID-new","nodes":["redis://h:1"]}"#,
            Instance,
            ADMIN,
        ),
        ("GET", "/instances/ID", "", Instance, ALL),
        ("PATCH", "/instances/ID", r#"{"name":"x"}"#, Instance, ADMIN),
        ("POST", "/instances/ID/check", "", Instance, ALL),
        ("GET", "/instances/ID/plan", "", Instance, ALL),
        (
            "POST",
            "/instances/ID/adopt",
            r#"{"dry_run":true}"#,
            Instance,
            ADMIN,
        ),
        ("GET", "/instances/ID/status", "", Instance, ALL),
        ("GET", "/status", "", List, ALL),
        ("GET", "/instances/ID/accounts", "", Instance, ALL),
        (
            "POST",
            "/instances/ID/accounts",
            r#"{"name":"KEY","password":"p4ssword!"}"#,
            Instance,
            CHANGES,
        ),
        ("GET", "/instances/ID/accounts/default", "", Instance, ALL),
        (
            "PATCH",
            "/instances/ID/accounts/default",
            r#"{"description":"x"}"#,
            Instance,
            CHANGES,
        ),
        (
            "PATCH",
            "/instances/ID/accounts/app",
            r#"{"password":"another1!"}"#,
            Instance,
            CHANGES,
        ),
        (
            "PATCH",
            "/instances/ID/accounts/app",
            r#"{"privilege":"read-only"}"#,
            Instance,
            CHANGES,
        ),
        (
            "DELETE",
            "/instances/ID/accounts/nobody",
            "",
            Instance,
            CHANGES,
        ),
        ("GET", "/tasks", "", List, ALL),
        ("GET", "/tasks/1", "", List, ALL),
        ("GET", "/keys", "", Service, AUDITS),
        ("POST", "/keys", r#"{"role":"auditor"}"#, Service, ADMIN),
        ("POST", "/keys/nobody/rotate", "", Service, ADMIN),
        ("POST", "/keys/nobody/sessions", "", Service, ADMIN),
        ("DELETE", "/keys/nobody", "", Service, ADMIN),
        ("GET", "/policies", "", Service, AUDITS),
        ("GET", "/policies/nothing", "", Service, AUDITS),
        (
            "PUT",
            "/policies/x",
            r#"{"text":"forbid(principal == Key::\"x\", action, resource);"}"#,
            Service,
            ADMIN,
        ),
        ("DELETE", "/policies/nothing", "", Service, ADMIN),
        (
            "POST",
            "/policy-test",
            r#"{"key":"nobody","action":"key:read"}"#,
            Service,
            AUDITS,
        ),
        ("GET", "/audit", "", Service, AUDITS),
        ("GET", "/audit/verify", "", Service, AUDITS),
        ("GET", "/master-key", "", Service, AUDITS),
        ("POST", "/master-key/rotate", "", Service, ADMIN),
        ("GET", "/info", "", Anyone, ALL),
        // Removing is last: the others need something to ask for.
        ("DELETE", "/instances/ID", "", Instance, ADMIN),
    ]
};

#[tokio::test]
async fn every_route_by_every_kind_of_key() {
    let server = start().await;
    let document = server
        .ask("GET /claviger/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let mut told: Vec<String> = Vec::new();
    for (path, item) in document.json()["paths"].as_object().unwrap() {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "parameters");
        told.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    for (role, name) in ["admin", "operator", "auditor", "none"]
        .into_iter()
        .enumerate()
    {
        for limited in [false, true] {
            // New ones each time: some of the calls take them away.
            let (own, foreign) = (
                format!("own-{name}-{limited}"),
                format!("other-{name}-{limited}"),
            );
            for id in [&own, &foreign] {
                server.with_instance(id).await;
                let app = json!({"name": "app", "password": "p4ssword!"});
                done(&server, "POST", &format!("/instances/{id}/accounts"), app).await;
            }
            let mut new = json!({ "role": name });
            if limited {
                new["instances"] = json!([own, format!("{own}-new")]);
            }
            let pair = key(&server, new).await;
            for (method, path, body, rights, roles) in ROUTES {
                let by_role = roles.get(role).copied().unwrap_or(false);
                for (id, is_own) in [(&own, true), (&foreign, false)] {
                    let may = match rights {
                        Rights::Anyone => name != "none",
                        Rights::List => by_role,
                        Rights::Service => by_role && !limited,
                        Rights::Instance => by_role && (is_own || !limited),
                    };
                    let (target, body) = (path.replace("ID", id), body.replace("ID", id));
                    let body = body.replace("KEY", &pair.id.to_lowercase());
                    let code = pair.code(&server, method, &target, &body).await;
                    assert_eq!(
                        code != "NotPermitted",
                        may,
                        "{name} limited {limited} {method} {target}: {code}"
                    );
                    if !path.contains("ID") {
                        break;
                    }
                }
            }
        }
    }
    // The table has every route that the document has.
    let form = |path: &str| {
        let path = path
            .replace("/ID", "/{id}")
            .replace("accounts/default", "accounts/{name}");
        let path = path
            .replace("tasks/1", "tasks/{id}")
            .replace("keys/nobody", "keys/{id}");
        path.replace("policies/nothing", "policies/{name}")
    };
    let checked: Vec<_> = ROUTES
        .iter()
        .map(|r| format!("{} {}", r.0, form(r.1)))
        .collect();
    told.retain(|route| !checked.contains(route));
    let aliased = [
        "DELETE /instances/{id}/accounts/{name}",
        "PUT /policies/{name}",
        // These tell nothing of this installation.
        "GET /login-rules",
        "GET /openapi.json",
    ];
    told.retain(|route| !aliased.contains(&route.as_str()));
    assert!(told.is_empty(), "not in the table: {told:?}");
}

/// A list has what its caller may see, and nothing more.
#[tokio::test]
async fn lists_are_filtered() {
    let server = start().await;
    for (id, team) in [("r-a", "orders"), ("r-b", "billing"), ("r-c", "orders")] {
        let new = json!({"id": id, "nodes": ["redis://h:1"], "tags": {"team": team}});
        done(&server, "POST", "/instances", new).await;
        for name in ["app", "ops"] {
            let app = json!({"name": name, "password": "p4ssword!"});
            done(&server, "POST", &format!("/instances/{id}/accounts"), app).await;
        }
    }
    let member = json!({"role": "none", "tags": {"team": "orders"}});
    let member = key(&server, member).await;
    assert_eq!(
        member.code(&server, "GET", "/instances", "").await,
        "NotPermitted"
    );
    let text = r#"
        permit (principal, action in [Action::"instance:read", Action::"task:read"], resource is Instance)
        when { principal.hasTag("team") && resource.hasTag("team") && principal.getTag("team") == resource.getTag("team") };
        permit (principal, action == Action::"account:read", resource is Account)
        when { resource.instance.hasTag("team") && resource.instance.getTag("team") == "orders" && resource.name == "app" };
    "#;
    done(&server, "PUT", "/policies/team", json!({ "text": text })).await;
    let ids = async |pair: &Pair| -> Vec<String> {
        let answer = pair.ask(&server, "GET", "/instances", "").await.json();
        let rows = answer["rows"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&member).await, ["r-a", "r-c"]);
    let accounts = member
        .ask(&server, "GET", "/instances/r-a/accounts", "")
        .await
        .json();
    assert_eq!(
        (&accounts["total"], &accounts["rows"][0]["name"]),
        (&json!(1), &json!("app"))
    );
    assert_eq!(
        member
            .code(&server, "GET", "/instances/r-b/accounts", "")
            .await,
        "NotPermitted"
    );
    assert_eq!(
        member.code(&server, "GET", "/instances/r-b", "").await,
        "NotPermitted"
    );
    let account = "/instances/r-a/accounts/ops";
    assert_eq!(
        member.code(&server, "GET", account, "").await,
        "AccountNotFound"
    );
    let status = member.ask(&server, "GET", "/status", "").await.json();
    assert_eq!(status["total"], 2);
    // A tag more, and it is seen at once; a policy less, and nothing is.
    done(
        &server,
        "PATCH",
        "/instances/r-b",
        json!({"tags": {"team": "orders"}}),
    )
    .await;
    assert_eq!(ids(&member).await, ["r-a", "r-b", "r-c"]);
    done(
        &server,
        "PATCH",
        "/instances/r-a",
        json!({"tags": {"team": null}}),
    )
    .await;
    assert_eq!(ids(&member).await, ["r-b", "r-c"]);
    done(&server, "DELETE", "/policies/team", Value::Null).await;
    assert_eq!(
        member.code(&server, "GET", "/instances", "").await,
        "NotPermitted"
    );
}

/// Whoever may set some instances cannot make others into such.
#[tokio::test]
async fn tags_are_no_way_to_more_rights() {
    let server = start().await;
    for (id, team) in [("r-a", "orders"), ("r-b", "billing")] {
        let new = json!({"id": id, "nodes": ["redis://h:1"], "tags": {"team": team}});
        done(&server, "POST", "/instances", new).await;
    }
    let text = r#"
        permit (principal == Key::"PAIR", action == Action::"instance:set", resource is Instance)
        when { resource.hasTag("team") && resource.getTag("team") == "orders" };
    "#;
    let pair = key(&server, json!({"role": "none"})).await;
    let text = text.replace("PAIR", &pair.id);
    done(&server, "PUT", "/policies/set", json!({ "text": text })).await;
    let set = async |id: &str, body: &str| {
        pair.code(&server, "PATCH", &format!("/instances/{id}"), body)
            .await
    };
    assert_eq!(set("r-a", r#"{"name":"x"}"#).await, "ok");
    assert_eq!(
        set("r-b", r#"{"tags":{"team":"orders"}}"#).await,
        "NotPermitted"
    );
    assert_eq!(
        set("r-a", r#"{"tags":{"team":"billing"}}"#).await,
        "NotPermitted"
    );
    assert_eq!(set("r-a", r#"{"tags":{"env":"dev"}}"#).await, "ok");
}

#[tokio::test]
async fn policies_are_tried_and_told() {
    let server = start().await;
    server.with_instance("r-1").await;
    let pair = key(&server, json!({"role": "operator"})).await;
    let try_it = async |more: Value| {
        let mut test = json!({"key": pair.id, "action": "account:delete", "instance": "r-1", "account": "app"});
        test.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        done(&server, "POST", "/policy-test", test).await
    };
    let told = try_it(json!({})).await;
    assert_eq!(
        (&told["allowed"], &told["reason"]),
        (&json!(true), &json!("permitted by role:operator"))
    );
    let told = try_it(json!({"action": "key:create"})).await;
    assert_eq!(told["reason"], "denied: no policy permits it");
    let night = r#"forbid (principal, action == Action::"account:delete", resource) unless { context.tls };"#;
    let with = json!([{"name": "tls-only", "text": night}]);
    let told = try_it(json!({ "policies": with })).await;
    assert_eq!(told["reason"], "denied: forbidden by tls-only");
    assert_eq!(
        try_it(json!({ "policies": with, "tls": true })).await["allowed"],
        true
    );
    let session = "permit (principal, action == Action::\"account:read\", resource);";
    let told = try_it(json!({ "session": session })).await;
    assert_eq!(
        told["reason"],
        "denied: the policy of the temporary credentials does not permit it"
    );
    // It was only tried.
    let delete = async || {
        pair.code(&server, "DELETE", "/instances/r-1/accounts/app", "")
            .await
    };
    assert_eq!(delete().await, "AccountNotFound");
    done(
        &server,
        "PUT",
        "/policies/tls-only",
        json!({ "text": night }),
    )
    .await;
    assert_eq!(delete().await, "NotPermitted");
    for (name, text, told) in [
        ("x", "permit (", "not Cedar: line 1"),
        (
            "x",
            "permit (principal, action == Action::\"x\", resource);",
            "does not fit the schema",
        ),
        ("X", "permit (principal, action, resource);", "lower-case"),
    ] {
        let body = json!({ "text": text }).to_string();
        let answer = server
            .native("PUT", &format!("/policies/{name}"), &body)
            .await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(told), "{}", answer.text());
    }
    let kept = done(&server, "GET", "/policies", Value::Null).await;
    assert_eq!(kept["total"], 1);
}

#[tokio::test]
async fn rotation_overlaps() {
    let server = start().await;
    let old = key(&server, json!({"role": "auditor"})).await;
    let rotate = format!("/keys/{}/rotate", old.id);
    let made = done(&server, "POST", &rotate, json!({"overlap_s": 3600})).await;
    let new = Pair::of(&made);
    assert_eq!(new.id, old.id);
    assert_ne!(new.secret, old.secret);
    let ask = async |pair: &Pair| pair.code(&server, "GET", "/info", "").await;
    assert_eq!(
        (ask(&old).await, ask(&new).await),
        ("ok".into(), "ok".into())
    );
    // The next one ends the first at once, and without an overlap both.
    let third = Pair::of(&done(&server, "POST", &rotate, Value::Null).await);
    assert_eq!(ask(&old).await, "SignatureMismatch");
    assert_eq!(
        (ask(&new).await, ask(&third).await),
        ("ok".into(), "ok".into())
    );
    let last = Pair::of(&done(&server, "POST", &rotate, json!({"overlap_s": 0})).await);
    assert_eq!(
        (ask(&third).await, ask(&last).await),
        ("SignatureMismatch".into(), "ok".into())
    );
    server.service.write_counts(true).await;
    let keys = done(&server, "GET", "/keys", Value::Null).await;
    let row = keys["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == last.id.as_str());
    assert!(row.unwrap()["last_used_at"].as_i64().unwrap() > 0);
    let past = json!({"role": "auditor", "expires_at": 1}).to_string();
    assert_eq!(server.native("POST", "/keys", &past).await.status, 400);
    let soon = now().as_millis() + 1_500;
    let ending = key(&server, json!({"role": "auditor", "expires_at": soon})).await;
    assert_eq!(ask(&ending).await, "ok");
    while now().as_millis() < soon {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&ending).await, "KeyUnknown");
}

#[tokio::test]
async fn temporary_credentials() {
    let server = start().await;
    server.with_instance("r-1").await;
    let owner = key(&server, json!({"role": "operator"})).await;
    let sessions = format!("/keys/{}/sessions", owner.id);
    let reads = r#"permit (principal, action in Action::"read", resource);"#;
    let body = json!({"duration_s": 600, "policy": reads}).to_string();
    // Of one's own key, without any permission.
    let temp = Pair::of(&owner.ask(&server, "POST", &sessions, &body).await.json());
    assert!(temp.id.starts_with("CLVS"));
    let create = r#"{"name":"app","password":"p4ssword!"}"#;
    let accounts = "/instances/r-1/accounts";
    assert_eq!(temp.code(&server, "GET", accounts, "").await, "ok");
    assert_eq!(
        temp.code(&server, "POST", accounts, create).await,
        "NotPermitted"
    );
    assert_eq!(owner.code(&server, "POST", accounts, create).await, "ok");
    assert_eq!(
        temp.code(&server, "POST", &sessions, "").await,
        "Invalid",
        "none of their own"
    );
    let code = async |id: &str, secret: &str, token: Option<&str>| {
        let pair = Pair {
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
        };
        pair.code(&server, "GET", "/info", "").await
    };
    let token = temp.token.as_deref();
    let broken = token.map(|token| token.replace("clvs1.", "clvs1.A"));
    for (id, secret, token, told) in [
        (temp.id.as_str(), temp.secret.as_str(), None, "TokenInvalid"),
        (&temp.id, &temp.secret, Some(""), "TokenInvalid"),
        (&temp.id, &temp.secret, broken.as_deref(), "TokenInvalid"),
        (&temp.id, &owner.secret, token, "SignatureMismatch"),
        (&owner.id, &owner.secret, token, "TokenInvalid"),
        (&owner.id, &temp.secret, token, "TokenInvalid"),
    ] {
        assert_eq!(code(id, secret, token).await, told);
    }
    let other = key(&server, json!({"role": "operator"})).await;
    assert_eq!(
        other.code(&server, "POST", &sessions, "").await,
        "NotPermitted"
    );
    let by_root = Pair::of(&done(&server, "POST", &sessions, Value::Null).await);
    let more = r#"{"name":"web","password":"p4ssword!"}"#;
    assert_eq!(by_root.code(&server, "POST", accounts, more).await, "ok");
    assert_eq!(
        by_root.code(&server, "GET", "/keys", "").await,
        "NotPermitted"
    );
    for bad in [
        r#"{"duration_s":59}"#,
        r#"{"duration_s":43201}"#,
        r#"{"policy":"permit ("}"#,
    ] {
        assert_eq!(
            owner.ask(&server, "POST", &sessions, bad).await.status,
            400,
            "{bad}"
        );
    }
    // They are told in the audit trail with their key.
    let rows = done(
        &server,
        "GET",
        &format!("/audit?key={}", owner.id),
        Value::Null,
    )
    .await;
    let made = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["account"] == "web");
    assert_eq!(made.unwrap()["session"], by_root.id.as_str());
    // They end with the secret that made them.
    let rotate = format!("/keys/{}/rotate", owner.id);
    done(&server, "POST", &rotate, json!({"overlap_s": 60})).await;
    assert_eq!(temp.code(&server, "GET", accounts, "").await, "ok");
    done(&server, "POST", &rotate, json!({"overlap_s": 0})).await;
    assert_eq!(
        temp.code(&server, "GET", accounts, "").await,
        "TokenInvalid"
    );
}

#[tokio::test]
async fn the_audit_trail_tells_and_verifies() {
    let server = start().await;
    server.with_instance("r-1").await;
    let pair = key(&server, json!({"role": "auditor"})).await;
    let create = r#"{"name":"app","password":"S3cret-word"}"#;
    let accounts = "/instances/r-1/accounts";
    for _ in 0..5 {
        assert_eq!(
            pair.code(&server, "POST", accounts, create).await,
            "NotPermitted"
        );
    }
    let forged = native_header(&pair.id, "wrong", ("GET", "/info", ""), now(), &nonce());
    let forged = crate::harness::with_header(&forged, "GET", "/info", "");
    assert_eq!(server.ask(forged).await.status, 401);
    done(
        &server,
        "POST",
        accounts,
        json!({"name": "app", "password": "S3cret-word"}),
    )
    .await;
    let change = json!({"privilege": "read-only", "password": "0ther-S3cret"});
    done(&server, "PATCH", "/instances/r-1/accounts/app", change).await;
    assert_eq!(
        server
            .native("DELETE", "/instances/r-1/accounts/no", "")
            .await
            .status,
        404
    );
    server.service.write_counts(true).await;
    let find = async |query: &str| {
        let found = done(&server, "GET", &format!("/audit?{query}"), Value::Null).await;
        found["rows"].as_array().unwrap().clone()
    };
    let refused = find(&format!("outcome=NotPermitted&key={}", pair.id)).await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["detail"], "5 times");
    assert_eq!(
        (&refused[0]["instance"], &refused[0]["action"]),
        (&json!("r-1"), &json!("account.create"))
    );
    let forged = find("outcome=SignatureMismatch").await;
    assert_eq!(forged[0]["key"], pair.id.as_str());
    assert_eq!(find("outcome=AccountNotFound").await[0]["account"], "no");
    let changed = &find("account=app&action=account.modify").await[0];
    assert_eq!(changed["before"]["privilege"], "read-write");
    assert_eq!(changed["after"]["privilege"], "read-only");
    assert!(changed["after"]["password_set_at"].is_string());
    assert!(find("since=1").await.len() > 4 && find("until=1").await.is_empty());
    let all = find("order=oldest&limit=1000").await;
    assert!(!serde_json::to_string(&all).unwrap().contains("S3cret"));
    let seqs: Vec<_> = all.iter().map(|row| row["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let page = find(&format!("order=oldest&after={}&limit=1", seqs[1])).await;
    assert_eq!(page[0]["seq"], seqs[2]);
    let verdict = done(&server, "GET", "/audit/verify", Value::Null).await;
    assert_eq!(
        (&verdict["holds"], &verdict["rows"]),
        (&json!(true), &json!(all.len()))
    );
    server
        .store
        .tamper(2, |entry| entry.key = "someone-else".into());
    let verdict = done(&server, "GET", "/audit/verify", Value::Null).await;
    assert_eq!(verdict["holds"], false);
    assert!(
        verdict["broken"]
            .as_str()
            .unwrap()
            .contains("row 3 was changed"),
        "{verdict}"
    );
    for bad in ["order=x", "since=x", "since=-1", "nothing=1"] {
        assert_eq!(
            server
                .native("GET", &format!("/audit?{bad}"), "")
                .await
                .status,
            400
        );
    }
}

/// The same by a cloud's API: temporary credentials, their errors, and what is not permitted.
#[tokio::test]
async fn a_cloud_takes_temporary_credentials() {
    let server = start().await;
    server.with_instance("r-1").await;
    let sessions = format!("/keys/{KEY}/sessions");
    let reads = r#"permit (principal, action in Action::"read", resource);"#;
    let temp = Pair::of(&done(&server, "POST", &sessions, json!({ "policy": reads })).await);
    let ask = async |id: &str, secret: &str, token: Option<&str>, action: &str| {
        let mut params = vec![("InstanceId", "r-1")];
        if action == "CreateAccount" {
            params.extend([("AccountName", "app"), ("AccountPassword", "P4ssword!")]);
        }
        params.extend(token.map(|token| ("SecurityToken", token)));
        let request = crate::cloud::signed((id, secret), Signer::RpcV1, action, &params);
        let answer = server.ask(request).await;
        let json = answer.json();
        (
            answer.status,
            json["Code"].as_str().unwrap_or("ok").to_owned(),
        )
    };
    let token = temp.token.as_deref();
    let describe = "DescribeAccounts";
    assert_eq!(
        ask(&temp.id, &temp.secret, token, describe).await,
        (200, "ok".into())
    );
    assert_eq!(
        ask(&temp.id, &temp.secret, token, "CreateAccount").await.0,
        403
    );
    assert_eq!(ask(KEY, SECRET, None, describe).await, (200, "ok".into()));
    let bad = ask(&temp.id, &temp.secret, None, describe).await;
    assert!(bad.0 >= 400 && bad.1.contains("SecurityToken"), "{bad:?}");
    let bad = ask(KEY, SECRET, token, describe).await;
    assert!(bad.0 >= 400 && bad.1.contains("SecurityToken"), "{bad:?}");
}
