//! The common layer: what is missing, malformed or unknown there, in the order of checks.

use crate::support::{DUMPS, INSTANCE, KEY, accept, golden, raw, secret, signed};
use claviger_core::refusal::Refusal;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::volcengine::Volcengine;
use claviger_dialects::{Dialect, Shape};

const SCOPE: &str = "20260102/cn-beijing/redis/request";

fn set(request: &mut RawRequest, name: &str, value: Option<&str>) {
    request.headers.retain(|(n, _)| n != name);
    if let Some(value) = value {
        request
            .headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
    }
}

/// A good request with one header set to something else, or taken away.
fn with(name: &str, value: Option<&str>) -> RawRequest {
    let mut request = signed("ListDBAccount", &[("InstanceId", INSTANCE)]);
    set(&mut request, name, value);
    request
}

/// A good request with another `Authorization`.
fn authorized(value: &str) -> RawRequest {
    with("authorization", Some(value))
}

fn refusal(request: &RawRequest) -> Refusal {
    Volcengine.open(request).unwrap_err()
}

fn code(request: &RawRequest) -> &'static str {
    Volcengine.code(&refusal(request))
}

#[test]
fn the_route_comes_first() {
    let unsigned = |query| raw("POST", query, &[], "");
    for (query, expected) in [
        ("Version=2020-12-07", "MissingParameter"),
        ("Action=&Version=2020-12-07", "MissingParameter"),
        ("Action=ListDBAccount", "MissingParameter"),
        ("Action=ListDBAccount&Version=", "MissingParameter"),
        (
            "Action=ListDBAccount&Version=2015-01-01",
            "InvalidActionOrVersion",
        ),
        (
            "Action=listdbaccount&Version=2020-12-07",
            "InvalidActionOrVersion",
        ),
        (
            "Action=ListDBAccount&Version=2020-12-07",
            "MissingAuthenticationToken",
        ),
        ("Action=%zz&Version=2020-12-07", "ParamError"),
        (
            "Action=ListDBAccount&Version=2020-12-07&Version=2020-12-07",
            "ParamError",
        ),
    ] {
        assert_eq!(code(&unsigned(query)), expected, "{query}");
    }
    for method in ["PUT", "DELETE", "HEAD", "post", ""] {
        let mut request = unsigned("");
        method.clone_into(&mut request.method);
        assert_eq!(refusal(&request), Refusal::MethodUnsupported, "{method}");
    }
    // The version may not come in the body alone.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let request = raw("POST", "Action=X", &form, "Version=2020-12-07");
    assert_eq!(code(&request), "MissingParameter");
}

#[test]
fn authorizations() {
    let good = format!("Credential={KEY}/{SCOPE}, SignedHeaders=x-date, Signature=ab");
    for (value, expected) in [
        ("HMAC-SHA256".to_owned(), "InvalidAuthorization"),
        ("HMAC-SHA256 nonsense".into(), "InvalidAuthorization"),
        ("Basic dXNlcjpwYXNz".into(), "InvalidAuthorization"),
        (format!("HMAC-SHA512 {good}"), "InvalidAuthorization"),
        (format!("hmac-sha256 {good}"), "InvalidAuthorization"),
        (format!("HMAC-SHA256 {good},"), "InvalidAuthorization"),
        (
            format!("HMAC-SHA256 {good}, Extra=1"),
            "InvalidAuthorization",
        ),
        (
            format!("HMAC-SHA256 {good}, Signature=cd"),
            "InvalidAuthorization",
        ),
        (
            format!("HMAC-SHA256 Credential={KEY}/{SCOPE}, Signature=ab"),
            "InvalidAuthorization",
        ),
        (
            "HMAC-SHA256 SignedHeaders=x-date, Signature=ab".into(),
            "InvalidCredential",
        ),
        (
            format!("HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=x-date"),
            "MissingSignature",
        ),
        (
            format!("HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=x-date, Signature="),
            "MissingSignature",
        ),
    ] {
        assert_eq!(code(&authorized(&value)), expected, "{value}");
    }
    let mut twice = authorized(&format!("HMAC-SHA256 {good}"));
    let again = twice.headers.last().unwrap().clone();
    twice.headers.push(again);
    assert_eq!(code(&twice), "InvalidAuthorization");
}

#[test]
fn scopes() {
    let today = "20260102";
    for (credential, expected) in [
        (KEY.to_owned(), "InvalidCredential"),
        (String::new(), "InvalidCredential"),
        (
            format!("{KEY}/{today}/cn-beijing/redis"),
            "InvalidCredential",
        ),
        (
            format!("{KEY}/{today}/cn-beijing/redis/aws4_request"),
            "InvalidCredential",
        ),
        (
            format!("{KEY}/{today}/cn-beijing/redis/request/"),
            "InvalidCredential",
        ),
        (
            format!("{KEY}/2026010/cn-beijing/redis/request"),
            "InvalidCredential",
        ),
        (
            format!("{KEY}/2026010x/cn-beijing/redis/request"),
            "InvalidCredential",
        ),
        // Another day than that of X-Date.
        (
            format!("{KEY}/20260103/cn-beijing/redis/request"),
            "InvalidCredential",
        ),
        (
            format!("/{today}/cn-beijing/redis/request"),
            "MissingRequestInfo",
        ),
        (
            format!("{KEY}/{today}//redis/request"),
            "MissingRequestInfo",
        ),
        (
            format!("{KEY}/{today}/cn-beijing//request"),
            "MissingRequestInfo",
        ),
        (
            format!("{KEY}/{today}/cn-beijing/ecs/request"),
            "ServiceNotFound",
        ),
        (
            format!("{}/{today}/cn-beijing/redis/request", "k".repeat(129)),
            "InvalidAccessKey",
        ),
    ] {
        let value =
            format!("HMAC-SHA256 Credential={credential}, SignedHeaders=x-date, Signature=ab");
        assert_eq!(code(&authorized(&value)), expected, "{credential}");
    }
}

#[test]
fn dates() {
    assert_eq!(code(&with("x-date", None)), "MissingParameter");
    for date in [
        "",
        "20260102",
        "20260102T030405",
        "2026-01-02T03:04:05Z",
        "20260102T030405+08:00",
        "20260132T030405Z",
        "Fri, 02 Jan 2026 03:04:05 GMT",
    ] {
        assert_eq!(
            refusal(&with("x-date", Some(date))),
            Refusal::TimestampMalformed,
            "{date}"
        );
    }
    let envelope = Volcengine.open(&with("accept", None)).unwrap();
    assert_eq!((envelope.age_s_max, envelope.lead_s_max), (900, 900));
    assert!(envelope.nonce.is_none());
}

#[test]
fn signed_headers() {
    let of = |names: &str| {
        format!("HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders={names}, Signature=ab")
    };
    for names in [
        "",
        "host",
        "X-Date",
        "host;x-date;host",
        "x-date;x-none",
        "x-date; host",
    ] {
        assert_eq!(
            code(&authorized(&of(names))),
            "InvalidAuthorization",
            "{names}"
        );
    }
    let many = format!("x-date{}", ";h".repeat(64));
    assert_eq!(code(&authorized(&of(&many))), "InvalidAuthorization");
    let mut repeated = authorized(&of("host;x-date"));
    let date = repeated.header("x-date").unwrap().as_bytes().to_vec();
    repeated.headers.push(("x-date".into(), date));
    assert_eq!(code(&repeated), "InvalidAuthorization");
    let mut bytes = authorized(&of("accept;x-date"));
    set(&mut bytes, "accept", None);
    bytes.headers.push(("accept".into(), vec![0xff]));
    assert_eq!(code(&bytes), "InvalidAuthorization");
}

/// The body's digest need not be sent; if it is, it must be right, signed or not.
#[test]
fn digests() {
    let good = golden("node-openapi");
    let mut request = good.clone();
    set(&mut request, "x-content-sha256", Some(&"0".repeat(64)));
    assert!(matches!(
        accept(&request),
        Err(Refusal::SignatureMismatch { .. })
    ));
    let mut request = good.clone();
    request.body.push(b' ');
    assert!(matches!(
        accept(&request),
        Err(Refusal::SignatureMismatch { .. })
    ));
    assert!(accept(&good).is_ok());
}

#[test]
fn tokens_are_handed_on() {
    let mut request = golden("node-openapi");
    set(&mut request, "x-security-token", Some("STS"));
    let envelope = Volcengine.open(&request).unwrap();
    assert_eq!(envelope.token.unwrap().expose(), "STS");
}

/// A presigned request: what is missing or wrong there.
#[test]
fn presigned() {
    let base = format!(
        "Action=ListDBAccount&Version=2020-12-07&InstanceId={INSTANCE}&X-Credential={KEY}/{SCOPE}"
    );
    for (more, expected) in [
        (
            "&X-Date=20260102T030405Z&X-Signature=ab",
            "InvalidAuthorization",
        ),
        (
            "&X-Algorithm=HMAC-SHA512&X-Date=20260102T030405Z&X-Signature=ab",
            "InvalidAuthorization",
        ),
        (
            "&X-Algorithm=HMAC-SHA256&X-Signature=ab",
            "MissingParameter",
        ),
        (
            "&X-Algorithm=HMAC-SHA256&X-Date=today&X-Signature=ab",
            "InvalidTimestamp",
        ),
        (
            "&X-Algorithm=HMAC-SHA256&X-Date=20260102T030405Z",
            "MissingSignature",
        ),
        (
            "&X-Algorithm=HMAC-SHA256&X-Date=20260102T030405Z&X-Signature=ab&X-Expires=x",
            "ParamError",
        ),
        (
            "&X-Algorithm=HMAC-SHA256&X-Date=20260102T030405Z&X-Signature=ab&X-SignedHeaders=none",
            "InvalidAuthorization",
        ),
    ] {
        let request = raw("GET", &format!("{base}{more}"), &[], "");
        assert_eq!(code(&request), expected, "{more}");
    }
    let good = format!("{base}&X-Algorithm=HMAC-SHA256&X-Date=20260102T030405Z&X-Signature=ab");
    for (more, seconds) in [
        ("", 900),
        ("&X-Expires=60", 60),
        ("&X-Expires=999999999", 604_800),
    ] {
        let request = raw("GET", &format!("{good}{more}"), &[], "");
        assert_eq!(Volcengine.open(&request).unwrap().age_s_max, seconds);
    }
    assert_eq!(
        code(&raw(
            "GET",
            "Action=ListDBAccount&Version=2020-12-07&X-Signature=ab",
            &[],
            ""
        )),
        "InvalidAuthorization"
    );
}

/// The sample request of the seed page: no digest, the service capitalised, no blanks after the
/// commas, the body over several lines.
#[test]
fn seed_request() {
    let body = "{\n    \"InstanceId\": \"redis-cn0212gzmh2xs****\",\n    \"AccountName\": \
                \"test1\"\n}";
    let scope = ["20201103", "cn-beijing", "Redis"];
    let head = [
        ("host", "redis.cn-beijing.volcengineapi.com"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-date", "20201103T104027Z"),
    ];
    let signature = crate::support::independent(
        "POST\n/\nAction=DeleteDBAccount&Version=2020-12-07\n\
         content-type:application/json; charset=utf-8\n\
         host:redis.cn-beijing.volcengineapi.com\n\
         x-date:20201103T104027Z\n\n\
         content-type;host;x-date\n",
        body,
        "20201103T104027Z",
        scope,
    );
    let mut request = raw(
        "POST",
        "Action=DeleteDBAccount&Version=2020-12-07",
        &head,
        body,
    );
    let value = format!(
        "HMAC-SHA256 Credential={KEY}/20201103/cn-beijing/Redis/request,\
         SignedHeaders=content-type;host;x-date,Signature={signature}"
    );
    set(&mut request, "authorization", Some(&value));
    assert!(Volcengine.claims(&request));
    let (_, ask) = accept(&request).unwrap();
    assert_eq!(ask.instance().unwrap().as_str(), "redis-cn0212gzmh2xs****");
    // A digest that is there must be right though it is not signed.
    let digest = claviger_dialects::sign::Hash::Sha256.hex(body.as_bytes());
    for (sent, good) in [(digest, true), ("0".repeat(64), false)] {
        set(&mut request, "x-content-sha256", Some(&sent));
        assert_eq!(accept(&request).is_ok(), good, "{sent}");
    }
    set(&mut request, "x-content-sha256", None);
    // The other spelling is another scope.
    set(
        &mut request,
        "authorization",
        Some(&value.replace("/Redis/", "/redis/")),
    );
    assert!(matches!(
        accept(&request),
        Err(Refusal::SignatureMismatch { .. })
    ));
}

/// The path is signed as it came, each segment in its one form.
#[test]
fn paths() {
    for (path, canonical) in [
        ("/api/Redis", "/api/Redis"),
        ("/a%20b/%7Ec", "/a%20b/~c"),
        ("/a+b*", "/a%2Bb%2A"),
    ] {
        let signature = crate::support::independent(
            &format!(
                "POST\n{canonical}\nAction=DescribeRegions&Version=2020-12-07\n\
                 x-date:20201103T104027Z\n\nx-date\n"
            ),
            "{}",
            "20201103T104027Z",
            ["20201103", "cn-beijing", "redis"],
        );
        let value = format!(
            "HMAC-SHA256 Credential={KEY}/20201103/cn-beijing/redis/request, \
             SignedHeaders=x-date, Signature={signature}"
        );
        let headers = [("x-date", "20201103T104027Z"), ("authorization", &value)];
        let query = "Action=DescribeRegions&Version=2020-12-07";
        let mut request = raw("POST", query, &headers, "{}");
        path.clone_into(&mut request.path);
        assert!(accept(&request).is_ok(), "{path}");
        "/".clone_into(&mut request.path);
        assert!(accept(&request).is_err());
    }
}

#[test]
fn shapes() {
    let shape = Volcengine.shape(&golden("python"));
    assert_eq!(shape.action, "CreateDBAccount");
    assert_eq!(
        (&*shape.version, &*shape.region),
        ("2020-12-07", "cn-beijing")
    );
    assert!(
        !shape
            .echo
            .iter()
            .any(|(_, value)| value.contains("Pwd@1234"))
    );
    let long = "x".repeat(Shape::ACTION_LEN_MAX + 1);
    let request = raw(
        "POST",
        &format!("Action={long}&Version=2020-12-07"),
        &[],
        "",
    );
    assert_eq!(Volcengine.shape(&request).action, "");
    for name in DUMPS {
        let envelope = Volcengine.open(&golden(name)).unwrap();
        assert!(
            Volcengine
                .verify(&golden(name), &envelope, &secret())
                .is_ok()
        );
    }
}
