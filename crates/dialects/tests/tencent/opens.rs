//! The common layer: what is missing, malformed or unknown there, and in which order.

use crate::support::{
    HOST, INSTANCE, KEY, P1, SIGNERS, accept, form, raw, secret, signed, signed_body, signed_json,
    with_header,
};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::tencent::Tencent;
use claviger_dialects::tencent::client::Signer;

const LIST: &str = "DescribeInstanceAccount";

fn code(raw: &RawRequest) -> &'static str {
    accept(raw)
        .err()
        .map_or("ok", |refusal| Tencent.code(&refusal))
}

fn tc3() -> RawRequest {
    signed(Signer::Tc3, LIST, &[("InstanceId", INSTANCE)])
}

/// A request of version 1 with these fields and whatever signature it has.
fn fields(list: &[(&str, &str)]) -> RawRequest {
    raw("GET", &form(list), &[("host", HOST)], "")
}

#[test]
fn envelope() {
    for signer in SIGNERS {
        let raw = signed(signer, "ModifyInstanceAccount", &P1);
        let (envelope, _) = accept(&raw).unwrap();
        assert_eq!(envelope.action, "ModifyInstanceAccount");
        assert_eq!(envelope.key.as_str(), KEY);
        assert_eq!(envelope.signed_at.unwrap().as_secs(), 1_700_000_000);
        assert_eq!((envelope.age_s_max, envelope.lead_s_max), (300, 300));
        // Repeats are taken: clients send the same bytes again.
        assert!(envelope.nonce.is_none());
    }
}

#[test]
fn missing_common_headers() {
    for (name, parameter) in [
        ("x-tc-action", "Action"),
        ("x-tc-version", "Version"),
        ("x-tc-region", "Region"),
        ("x-tc-timestamp", "Timestamp"),
    ] {
        for value in [None, Some(""), Some("  ")] {
            let raw = with_header(tc3(), name, value);
            let missing = Refusal::ParameterMissing { name: parameter };
            assert_eq!(accept(&raw).unwrap_err(), missing, "{name}");
        }
    }
}

#[test]
fn missing_common_fields() {
    let all = [
        ("Action", LIST),
        ("Version", "2018-04-12"),
        ("Region", "ap-guangzhou"),
        ("Timestamp", "1700000000"),
        ("Nonce", "1"),
        ("SecretId", KEY),
        ("Signature", "x"),
        ("InstanceId", INSTANCE),
    ];
    assert_eq!(code(&fields(&all)), "AuthFailure.SignatureFailure");
    for (name, _) in &all[..7] {
        let less: Vec<_> = all.iter().copied().filter(|(n, _)| n != name).collect();
        let empty: Vec<_> = all
            .iter()
            .map(|(n, v)| (*n, if n == name { "" } else { *v }))
            .collect();
        for list in [less, empty] {
            let refusal = accept(&fields(&list)).unwrap_err();
            assert_eq!(refusal, Refusal::ParameterMissing { name });
        }
    }
}

#[test]
fn lines_and_bodies() {
    let mut put = tc3();
    put.method = "PUT".to_owned();
    assert_eq!(code(&put), "UnsupportedProtocol");
    let mut elsewhere = tc3();
    elsewhere.path = "/redis".to_owned();
    assert_eq!(code(&elsewhere), "InvalidRequest");
    // What the signature would not cover.
    let mut query = tc3();
    query.query = Some(Secret::new("Limit=1"));
    assert_eq!(code(&query), "InvalidParameter");
    let mut body = signed(Signer::Tc3Get, LIST, &[("InstanceId", INSTANCE)]);
    body.body = b"{}".to_vec();
    assert_eq!(code(&body), "InvalidParameter");

    for text in [
        "{",
        "[]",
        "null",
        r#"{"InstanceId":"a","InstanceId":"a"}"#,
        "a=b",
        "\u{feff}{}",
    ] {
        assert_eq!(code(&signed_json(LIST, text)), "InvalidParameter", "{text}");
    }
    assert_eq!(
        code(&signed_body(
            LIST,
            "application/json",
            b"{\"InstanceId\":\"\xff\"}"
        )),
        "InvalidParameter"
    );
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let raw = signed_body(LIST, kind, b"InstanceId=a");
        assert_eq!(code(&raw), "InvalidParameter", "{kind}");
    }
    // Java's content type; a body that is empty has no parameters.
    let java = "application/json; charset=utf-8";
    let body = format!(r#"{{"InstanceId":"{INSTANCE}"}}"#);
    assert_eq!(code(&signed_body(LIST, java, body.as_bytes())), "ok");
    assert_eq!(code(&signed_json("DescribeInstances", "")), "ok");
}

#[test]
fn forms() {
    let headers = [
        ("host", HOST),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let bare = raw("POST", "", &headers, "SecretId=a&Action");
    let refusal = accept(&bare).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::Malformed("Url key and value should be splited by `=`.")
    );
    for body in [
        &b"SecretId=%zz"[..],
        b"SecretId=\xff",
        b"SecretId=a&SecretId=a",
        b"SecretId=a&=b",
    ] {
        assert_eq!(code(&raw("POST", "", &headers, body)), "InvalidParameter");
    }
    let many = format!("SecretId=a&{}", "a=1&".repeat(128));
    assert_eq!(code(&raw("POST", "", &headers, many)), "InvalidParameter");
    // A body that is not said to be a form.
    let kind = [("host", HOST), ("content-type", "application/json")];
    let mixed = raw("POST", "SecretId=a", &kind, "{}");
    assert_eq!(code(&mixed), "InvalidParameter");
    // A TC3 call whose headers got lost misses its fields.
    assert_eq!(code(&raw("POST", "", &kind, "{}")), "MissingParameter");
}

#[test]
fn multipart_bodies() {
    let good =
        "--b\r\nContent-Disposition: form-data; name=\"InstanceId\"\r\n\r\ncrs-1\r\n--b--\r\n";
    let kind = "multipart/form-data; boundary=b";
    let run = |kind: &str, body: &[u8]| code(&signed_body(LIST, kind, body));
    assert_eq!(run(kind, good.as_bytes()), "ok");
    assert_eq!(
        run("multipart/form-data; boundary=\"b\"", good.as_bytes()),
        "ok"
    );
    assert_eq!(run(kind, good.trim_end().as_bytes()), "ok");
    assert_eq!(run(kind, b"--b--\r\n"), "MissingParameter");
    for kind in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=b; boundary=b",
        "multipart/form-data; boundary=\"b",
        "multipart/form-data; boundary=B",
        &format!("multipart/form-data; boundary={}", "b".repeat(71)),
    ] {
        assert_eq!(run(kind, good.as_bytes()), "InvalidRequest", "{kind}");
    }
    let json = |value: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"A\"\r\nContent-Type: \
             application/json\r\n\r\n{value}\r\n--b--\r\n"
        )
    };
    let part = "--b\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\n1\r\n";
    for body in [
        "".to_owned(),
        "--b".to_owned(),
        "--b\r\n".to_owned(),
        good.replace("\r\n", "\n"),
        good.replace("--b--", "--b"),
        good.replace("form-data; name=\"InstanceId\"", "form-data"),
        good.replace("form-data; name=\"InstanceId\"", "form-data; name=\"\""),
        good.replace("form-data; name=\"InstanceId\"", "attachment; name=\"A\""),
        good.replace("Content-Disposition: ", "Content-Disposition "),
        format!("x{good}"),
        format!("{good}x"),
        json("["),
        json("1.5"),
        part.repeat(129) + "--b--\r\n",
        format!("--b\r\nA: {}\r\n\r\n1\r\n--b--\r\n", "a".repeat(2000)),
    ] {
        assert_eq!(run(kind, body.as_bytes()), "InvalidRequest", "{body}");
    }
    assert_eq!(
        run(
            kind,
            &good
                .replace("crs-1", "\u{1}")
                .into_bytes()
                .iter()
                .map(|b| if *b == 1 { 0xff } else { *b })
                .collect::<Vec<_>>()
        ),
        "InvalidRequest"
    );
    // Twice the same name, once it was read.
    let twice = format!("{}{good}", &good[..good.len() - "--b--\r\n".len()]);
    assert_eq!(run(kind, twice.as_bytes()), "InvalidParameter");
}

#[test]
fn broken_authorization() {
    let good = tc3().header("authorization").unwrap().to_owned();
    let with = |text: &str| with_header(tc3(), "authorization", Some(text));
    assert_eq!(code(&with(&good)), "ok");
    assert_eq!(code(&with(&good.replace(", ", ","))), "ok");
    for text in [
        "SKIP",
        "",
        "TC3-HMAC-SHA256",
        "TC3-HMAC-SHA256 ",
        "TC3-HMAC-SHA1 Credential=a",
        &good.replace("TC3-HMAC-SHA256 ", "TC3-HMAC-SHA256"),
        &good.replace("Credential=", "Credentials="),
        &good.replace("tc3_request", "tc4_request"),
        &good.replace("/redis/", "/"),
        &good.replace("/redis/", "/re/dis/"),
        &good.replace("/redis/", "//"),
        &good.replace(KEY, ""),
        &good.replace("content-type;host", "host"),
        &good.replace("content-type;host", "content-type"),
        &good.replace("content-type;host", "Content-Type;Host"),
        &good.replace("content-type;host", "content-type;host;x-tc-none"),
        &good.replace("content-type;host", "content-type;host;"),
        &format!("{good}, Signature=a"),
        &format!("{good},"),
        &good[..good.find("Signature=").unwrap()],
        &good[..good.find("Signature=").unwrap() + "Signature=".len()],
    ] {
        assert_eq!(
            code(&with(text)),
            "AuthFailure.InvalidAuthorization",
            "{text}"
        );
    }
    assert_eq!(
        code(&with_header(tc3(), "authorization", None)),
        "AuthFailure.InvalidAuthorization"
    );
    let mut twice = tc3();
    let header = twice.headers.last().unwrap().clone();
    twice.headers.push(header);
    assert_eq!(code(&twice), "InvalidParameter");
    let stranger = with(&good.replace(KEY, "AKIDstranger"));
    assert_eq!(code(&stranger), "AuthFailure.SecretIdNotFound");
    let long = with(&good.replace(KEY, &"a".repeat(129)));
    assert_eq!(code(&long), "AuthFailure.SecretIdNotFound");
}

#[test]
fn times() {
    for text in ["-1", "1.7e9", "soon", "170000000000"] {
        let raw = with_header(tc3(), "x-tc-timestamp", Some(text));
        assert_eq!(accept(&raw).unwrap_err(), Refusal::TimestampMalformed);
    }
    // The scope's date must be the day of the time, in UTC.
    let raw = with_header(tc3(), "x-tc-timestamp", Some("1700006400"));
    assert_eq!(code(&raw), "AuthFailure.SignatureFailure");
}

/// A key that is unknown, a signature that is wrong, then version, action, region,
/// parameters: each fault hides the later ones.
#[test]
fn order() {
    let mut raw = signed_json("NoSuchAction", r#"{"Nonsense":1}"#);
    raw = with_header(raw, "x-tc-version", Some("2000-01-01"));
    raw = with_header(raw, "x-tc-region", Some("nowhere"));
    let token = with_header(raw.clone(), "x-tc-token", Some("t"));
    let token = Tencent.open(&token).unwrap().token;
    assert!(token.is_some_and(|token| token.expose() == "t"));
    let good = raw.header("authorization").unwrap().to_owned();
    let stranger = with_header(
        raw.clone(),
        "authorization",
        Some(&good.replace(KEY, "AKIDstranger")),
    );
    assert_eq!(code(&stranger), "AuthFailure.SecretIdNotFound");
    let mut forged = raw.clone();
    forged.body.push(b' ');
    assert_eq!(code(&forged), "AuthFailure.SignatureFailure");
    assert_eq!(code(&raw), "NoSuchVersion");
    raw = with_header(raw, "x-tc-version", Some("2018-04-12"));
    assert_eq!(code(&raw), "InvalidAction");
    assert_eq!(Tencent.open(&raw).unwrap().action, "unknown");
    raw = with_header(raw, "x-tc-action", Some(LIST));
    assert_eq!(code(&raw), "UnsupportedRegion");
    raw = with_header(raw, "x-tc-region", Some("ap-shanghai-fsi"));
    assert_eq!(code(&raw), "UnknownParameter");
}

/// The third spelling stands in a sample of the documentation only.
#[test]
fn spellings() {
    for (action, code_) in [
        ("ModifyInstancePassword", "MissingParameter"),
        ("ModfiyInstancePassword", "MissingParameter"),
        ("ModifiyInstancePassword", "InvalidAction"),
        ("modifyInstancePassword", "InvalidAction"),
    ] {
        for signer in SIGNERS {
            assert_eq!(code(&signed(signer, action, &[])), code_, "{action}");
        }
    }
}

#[test]
fn regions() {
    for (region, good) in [
        ("ap-guangzhou", true),
        ("na-siliconvalley", true),
        ("ap-shanghai-fsi", true),
        ("nowhere", false),
        ("ap--x", false),
        ("ap-", false),
        ("ap-guang zhou", false),
    ] {
        let raw = with_header(tc3(), "x-tc-region", Some(region));
        assert_eq!(code(&raw) == "ok", good, "{region}");
    }
}

/// `tccli` sends a whole address as its host, and signs it so.
#[test]
fn odd_hosts() {
    use claviger_core::clock::Timestamp;
    use claviger_core::ids::KeyId;
    use claviger_dialects::tencent::client::{Call, sign};
    for host in ["http://127.0.0.1:27431", "[::1]:8379", "localhost", "a:b"] {
        for signer in SIGNERS {
            let raw = crate::support::received(&sign(&Call {
                action: LIST,
                params: &crate::support::params(&[("InstanceId", INSTANCE)]),
                region: "ap-guangzhou",
                host,
                key: &KeyId::from(KEY),
                secret: &secret(),
                token: None,
                at: Timestamp::from_secs(1_700_000_000),
                nonce: "1",
                signer,
            }));
            accept(&raw).unwrap();
        }
    }
}
