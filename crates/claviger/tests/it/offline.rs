//! What needs no service: version, help, usage errors, completions, settings.

use crate::harness::Place;

#[test]
fn version_help_and_completions() {
    let place = Place::new();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        place.run(&["version"]).fine(),
        format!("claviger {version}\n")
    );
    assert_eq!(
        place.run(&["--version"]).fine(),
        format!("claviger {version}\n")
    );
    assert_eq!(place.run(&["version", "--json"]).json()["version"], version);
    let help = place.run(&["--help"]).fine();
    assert!(help.contains("serve") && !help.contains('\u{1b}'), "{help}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            place
                .run(&["completions", shell])
                .fine()
                .contains("login-rules")
        );
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    let place = Place::new();
    for args in [
        &[][..],
        &["nonsense"],
        &["serve", "--nonsense"],
        &["instance", "add", "r-1"],
        &["instance", "set", "r-1"],
        &["instance", "set", "r-1", "--role", "reporting"],
        &["instance", "set", "r-1", "--role", "evil=nopass"],
        &["instance", "set", "r-1", "--remove-role", "read-only"],
        &["instance", "set", "r-1", "--sessions", "end"],
        &["instance", "set", "r-1", "--password-policy", "length=7"],
        &["instance", "adopt"],
        &["plan"],
        &["account", "create", "r-1", "app", "--privilege", "1bad"],
        &[
            "account",
            "modify",
            "r-1",
            "app",
            "--expires-at",
            "tomorrow",
        ],
        &["account", "disable", "r-1"],
        &["account", "create", "r-1", "app", "--password", "x"],
        &[
            "account",
            "create",
            "r-1",
            "app",
            "--password-stdin",
            "--generate-password",
        ],
        &["key", "create"],
        &["key", "create", "--role", "god"],
        &["task", "show", "x"],
        &["call", "nowhere", "X"],
    ] {
        let done = place.run(args);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{args:?} {done:?}");
        assert!(!done.err.is_empty() && !done.err.contains('\u{1b}'));
    }
    let line = place.run(&["account", "create", "r-1", "app"]).one_line(2);
    assert!(line.starts_with("a password is needed"), "{line}");
    let keys = [("CLAVIGER_ACCESS_KEY", "a"), ("CLAVIGER_SECRET_KEY", "b")];
    let line = place
        .run_with(&["account", "modify", "r-1", "app"], &keys)
        .one_line(2);
    assert!(line.starts_with("nothing to change"), "{line}");
    let line = place
        .run_with(&["call", "aliyun", "X", "topsecret"], &keys)
        .one_line(2);
    assert!(!line.contains("topsecret"), "{line}");
}

#[test]
fn settings_are_refused_in_one_line() {
    let place = Place::new();
    std::fs::write(
        place.path("c.toml"),
        "listen = '127.0.0.1:0'\nlisten-on = 1\n",
    )
    .unwrap();
    let line = place.run(&["serve", "--config", "c.toml"]).one_line(2);
    assert!(
        line.starts_with("c.toml: line 2: unknown field `listen-on`"),
        "{line}"
    );
    let line = place.run(&["serve", "--listen", "0.0.0.0:0"]).one_line(2);
    assert!(line.contains("--insecure-http"), "{line}");
    let half = [("CLAVIGER_ROOT_ACCESS_KEY", "root")];
    place.run_with(&["serve"], &half).one_line(2);
    let line = place
        .run(&["serve", "--store", "postgres://u:topsecret@h/d"])
        .one_line(2);
    assert!(!line.contains("topsecret"), "{line}");
    assert!(!place.path("claviger-data").exists(), "nothing was made");
}

#[test]
fn without_a_key_or_a_service_it_says_so() {
    let place = Place::new();
    let line = place.run(&["status"]).one_line(1);
    assert!(
        line.starts_with("no key pair: set CLAVIGER_ACCESS_KEY"),
        "{line}"
    );
    let env = [
        ("CLAVIGER_ACCESS_KEY", "a"),
        ("CLAVIGER_SECRET_KEY", "b"),
        // Port 9 is the discard service, which nobody runs.
        ("CLAVIGER_ENDPOINT", "http://127.0.0.1:9"),
    ];
    let line = place.run_with(&["status"], &env).one_line(1);
    assert!(
        line.starts_with("nothing answers at http://127.0.0.1:9"),
        "{line}"
    );
    let line = place
        .run_with(&["status", "--endpoint", "nonsense"], &env)
        .one_line(2);
    assert!(line.contains("is not an endpoint"), "{line}");
}

#[test]
fn the_least_login_is_told_without_a_service() {
    let place = Place::new();
    let text = place.run(&["instance", "login-rules"]).fine();
    assert!(text.contains("# Redis 6.0\nuser claviger on #"), "{text}");
    let list = place.run(&["instance", "login-rules", "--json"]).json();
    let rule = |version: &str| {
        let list = list.as_array().unwrap();
        let found = list.iter().find(|rule| rule["version"] == version).unwrap();
        found["rule"].as_str().unwrap().to_owned()
    };
    assert!(!rule("6.0").contains("resetchannels") && rule("6.2").contains("resetchannels"));
}

#[test]
fn a_signed_request_is_printed_for_curl() {
    let place = Place::new();
    let env = [
        ("CLAVIGER_ACCESS_KEY", "AKID"),
        ("CLAVIGER_SECRET_KEY", "topsecret"),
    ];
    let args = [
        "call",
        "aliyun",
        "DescribeAccounts",
        "InstanceId=r-1",
        "--curl",
        "--endpoint",
    ];
    let args: Vec<_> = args
        .into_iter()
        .chain(["https://r-kvstore.aliyuncs.com"])
        .collect();
    let text = place.run_with(&args, &env).fine();
    assert!(text.starts_with("curl --request POST"), "{text}");
    assert!(
        text.ends_with("'https://r-kvstore.aliyuncs.com/'\n"),
        "{text}"
    );
    assert!(
        text.contains("Credential=AKID") && !text.contains("topsecret"),
        "{text}"
    );
    let args = "call tencent ModifyInstanceAccount InstanceId=crs-1 AccountName=app \
                ReadonlyPolicy.0=master NoAuth=false Region=ap-shanghai --curl --endpoint \
                https://redis.tencentcloudapi.com";
    let args: Vec<_> = args.split_whitespace().collect();
    let text = place.run_with(&args, &env).fine();
    assert!(
        text.contains("Credential=AKID/") && !text.contains("topsecret"),
        "{text}"
    );
    assert!(text.contains("'x-tc-region: ap-shanghai'"), "{text}");
    for member in [
        r#""AccountName":"app""#,
        r#""NoAuth":false"#,
        r#""ReadonlyPolicy":["master"]"#,
    ] {
        assert!(text.contains(member), "{text}");
    }
    let args = "call volcengine ListDBAccount InstanceId=redis-1 --curl --endpoint \
                https://redis.cn-shanghai.volcengineapi.com";
    let args: Vec<_> = args.split_whitespace().collect();
    let text = place.run_with(&args, &env).fine();
    assert!(
        text.contains("Credential=AKID/") && text.contains("/cn-shanghai/redis/request"),
        "{text}"
    );
    assert!(
        text.contains(r#"--data-raw '{"InstanceId":"redis-1"}'"#) && !text.contains("topsecret"),
        "{text}"
    );
    let args = [
        "call",
        "huawei",
        "CreateAclAccount",
        "project_id=p",
        "instance_id=r-1",
        "account_name=it's",
        "--curl",
        "--endpoint",
        "https://dcs.cn-north-4.myhuaweicloud.com",
    ];
    let text = place.run_with(&args, &env).fine();
    assert!(text.starts_with("curl --request POST"), "{text}");
    assert!(
        text.contains("SDK-HMAC-SHA256 Access=AKID, SignedHeaders=content-type;host;x-sdk-date")
    );
    assert!(
        text.contains(r#" --data-raw '{"account_name":"it'\''s"}' "#),
        "{text}"
    );
    assert!(
        text.ends_with("'https://dcs.cn-north-4.myhuaweicloud.com/v2/p/instances/r-1/accounts'\n")
            && !text.contains("topsecret"),
        "{text}"
    );
    for (wrong, told) in [
        (&["X"][..], "there are ListAclAccounts"),
        (&["ListAclAccounts", "project_id=p"], "needs instance_id"),
        (
            &["DeleteCenterTask", "project_id=p", "task_id=1", "limit=1"],
            "no parameter limit",
        ),
    ] {
        let args: Vec<_> = ["call", "huawei"].iter().chain(wrong).copied().collect();
        let line = place.run_with(&args, &env).one_line(2);
        assert!(line.contains(told), "{line}");
    }
}
