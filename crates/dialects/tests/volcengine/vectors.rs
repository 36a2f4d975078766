//! Signatures that the vendor's own signers made for fixed input (`docs/wire/volcengine.md`,
//! section 8), and one byte of each flipped.

use crate::support::{INSTANCE, raw, received};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::raw::{Params, RawRequest};
use claviger_dialects::volcengine::Volcengine;
use claviger_dialects::volcengine::client::{Call, sign};

const KEY: &str = "AKLTEXAMPLE0000000000";
const SECRET: &str = "TmV2ZXJVc2VUaGlzU2VjcmV0S2V5==";
const DATE: &str = "20201103T104027Z";
/// [`DATE`] in seconds.
const DATE_S: i64 = 1_604_400_027;
const HOST: &str = "redis.cn-beijing.volcengineapi.com";
const BODY: &str = r#"{"InstanceId": "redis-cn0212gzmh2xs0000", "AccountName": "test1"}"#;
const COMPACT: &str = r#"{"InstanceId":"redis-cn0212gzmh2xs0000","AccountName":"test1"}"#;
const SHA_BODY: &str = "1ad2b90702922ccae678fe14ad1a030c9c0669f336d49f45bfc7ba5d93751815";
const SHA_COMPACT: &str = "a667eea26d5738b6c792d215552c7c147585f982d9bb4d21894f4cfd0476fe3e";
const DELETE: &str = "Action=DeleteDBAccount&Version=2020-12-07";
const JSON: (&str, &str) = ("content-type", "application/json");

fn authorized(
    query: &str,
    headers: &[(&str, &str)],
    names: &str,
    signature: &str,
    body: &str,
) -> RawRequest {
    let mut request = raw("POST", query, headers, body);
    let value = format!(
        "HMAC-SHA256 Credential={KEY}/20201103/cn-beijing/redis/request, SignedHeaders={names}, \
         Signature={signature}"
    );
    request
        .headers
        .push(("authorization".into(), value.into_bytes()));
    request
}

fn verified(request: &RawRequest) -> Result<(), Refusal> {
    let envelope = Volcengine.open(request)?;
    Volcengine.verify(request, &envelope, &Secret::new(SECRET))
}

/// The vector holds, and no longer when its signature, its query or its body has another byte.
fn holds(name: &str, request: &RawRequest) {
    assert!(Volcengine.claims(request), "{name}");
    assert_eq!(verified(request), Ok(()), "{name}");
    let envelope = Volcengine.open(request).unwrap();
    assert_eq!(envelope.key.as_str(), KEY);
    assert_eq!(envelope.signed_at, Some(Timestamp::from_secs(DATE_S)));
    for at in 0..request.body.len() {
        let mut other = request.clone();
        other.body[at] ^= 1;
        assert!(verified(&other).is_err(), "{name}: byte {at} of the body");
    }
    for at in 0..request.query_str().len() {
        let mut query = request.query_str().as_bytes().to_vec();
        query[at] ^= 1;
        let Ok(query) = String::from_utf8(query) else {
            continue;
        };
        let token = request.query_str().find("X-Security-Token=");
        let listed = request.query_str().contains("Security-Token%3B")
            || request.query_str().contains("Security-Token;");
        // Signed by some clients only; a request with one is refused in any case.
        if token.is_some_and(|from| at >= from) && !listed {
            continue;
        }
        let mut other = request.clone();
        other.query = Some(Secret::new(query));
        assert!(verified(&other).is_err(), "{name}: byte {at} of the query");
    }
    let mut other = request.clone();
    other.method = "GET".into();
    if request.method != "GET" {
        assert!(verified(&other).is_err(), "{name}: the method");
    }
}

#[test]
fn v1_python() {
    let headers = [
        JSON,
        ("host", HOST),
        ("x-date", DATE),
        ("x-content-sha256", SHA_BODY),
    ];
    let names = "content-type;host;x-content-sha256;x-date";
    let signature = "e4431f3a90902fa218f2b3533c1bdedb10e510222b3f661c3a68084b42410da4";
    holds("V1", &authorized(DELETE, &headers, names, signature, BODY));
}

#[test]
fn v2_python_with_a_token() {
    let headers = [
        JSON,
        ("host", "127.0.0.1:80"),
        ("x-date", DATE),
        ("x-content-sha256", SHA_BODY),
        (
            "x-sdk-invocation-id",
            "2625d519-a9c0-44e4-a086-c27cac7c4195",
        ),
        ("x-sdk-request", "attempt=1; max=4"),
        ("x-security-token", "STSeyJBY2NvdW50SWQiOjB9"),
    ];
    let names = "content-type;host;x-content-sha256;x-date;x-sdk-invocation-id;x-sdk-request;\
                 x-security-token";
    let signature = "e2c92cdfdd9dff7fcc815e96bfb16132c39cf0de19f9e942f69c87137e14ebba";
    let request = authorized(DELETE, &headers, names, signature, BODY);
    holds("V2", &request);
    let envelope = Volcengine.open(&request).unwrap();
    assert!(envelope.token.is_some(), "the service refuses it");
}

#[test]
fn v3_python_with_escapes() {
    let body = r#"{"InstanceId": "i"}"#;
    let digest = claviger_dialects::sign::Hash::Sha256.hex(body.as_bytes());
    let headers = [
        JSON,
        ("host", "127.0.0.1:8080"),
        ("x-date", DATE),
        ("x-content-sha256", &digest),
    ];
    let names = "content-type;host;x-content-sha256;x-date";
    let signature = "9bedde1852a9a64d9350a4429424556925ba76d809c0d2bc83a0fe3998bf9fd0";
    for query in [
        "Action=ListDBAccount&Version=2020-12-07&k+y=a%2Bb%2A~%2F%C3%A9",
        "Version=2020-12-07&k%20y=a%2bb*%7E/%c3%a9&Action=ListDBAccount",
    ] {
        let request = authorized(query, &headers, names, signature, body);
        assert_eq!(verified(&request), Ok(()), "{query}");
    }
}

#[test]
fn v4_v5_node() {
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("host", HOST),
        ("x-date", DATE),
        ("x-content-sha256", SHA_COMPACT),
    ];
    for (name, names, signature) in [
        (
            "V4",
            "x-content-sha256;x-date",
            "641c530cbc8702e22b50b9bd565233f99cd4d15692e2b5f1b3fdfc48391a70aa",
        ),
        (
            "V5",
            "host;x-content-sha256;x-date",
            "b4344dc5254bac177c93ca0401500ab593f40f4a48e1d302bd8eb5d85dc82cb6",
        ),
    ] {
        holds(
            name,
            &authorized(DELETE, &headers, names, signature, COMPACT),
        );
    }
}

const LIST: &str = "Action=ListDBAccount&InstanceId=redis-cn0212gzmh2xs0000&Version=2020-12-07\
                    &X-Algorithm=HMAC-SHA256&X-Date=20201103T104027Z&X-NotSignBody=\
                    &X-Credential=AKLTEXAMPLE0000000000%2F20201103%2Fcn-beijing%2Fredis%2Frequest";
/// As Python lists them.
const LISTED: &str = "Action;InstanceId;Version;X-Algorithm;X-Credential;X-Date;X-NotSignBody;\
                      X-SignedHeaders;X-SignedQueries";

fn presigned(more: &str, headers: &str, listed: &str, signature: &str) -> RawRequest {
    let listed = listed.replace(';', "%3B");
    let query = format!(
        "{LIST}&X-SignedHeaders={headers}&X-SignedQueries={listed}&X-Signature={signature}{more}"
    );
    raw("GET", &query, &[("host", "127.0.0.1:8080")], "")
}

const V6: &str = "0c442dda028145972557c0ca3ded55284e088bebe975f6348d484c4d5f8b65ce";

#[test]
fn v6_to_v9_presigned() {
    let v6 = presigned("", "", LISTED, V6);
    holds("V6", &v6);
    assert_eq!(Volcengine.open(&v6).unwrap().age_s_max, 900);

    let expiring = LISTED.replace("X-Date;", "X-Date;X-Expires;");
    let v7 = presigned(
        "&X-Expires=900&X-Security-Token=STStok",
        "host",
        &expiring,
        "49583e9697e06d84537ae8541a70b27d633533a0999ec59c8144a3fe75bde60d",
    );
    assert_eq!(verified(&v7), Ok(()));
    assert!(Volcengine.open(&v7).unwrap().token.is_some());

    let short = LISTED.replace(";X-SignedQueries", "");
    let v8 = presigned(
        "",
        "",
        &short,
        "d0507e38062a7407c65d0d22f1a1abd6682f44ab9165df33bf08fb676a59b10c",
    );
    holds("V8", &v8);

    let with_token = short.replace("X-NotSignBody;", "X-NotSignBody;X-Security-Token;");
    let v9 = presigned(
        "&X-Security-Token=STStok",
        "",
        &with_token,
        "3ab830f9cd9a191901f51047e45ed0b892543affdd6d5ac2f07e3118d51a2ce6",
    );
    holds("V9", &v9);
}

/// What is not signed cannot be added, and an unsigned body cannot either.
#[test]
fn presigned_additions() {
    for more in ["&AccountName=other", "&X-Expires=604800", "&Extra="] {
        let refusal = verified(&presigned(more, "", LISTED, V6));
        assert!(
            matches!(refusal, Err(Refusal::SignatureMalformed(_))),
            "{more}: {refusal:?}"
        );
    }
    let mut request = presigned("", "", LISTED, V6);
    request.body = br#"{"AccountName":"other"}"#.to_vec();
    assert!(matches!(
        verified(&request),
        Err(Refusal::SignatureMalformed(_))
    ));
}

#[test]
fn another_secret() {
    let request = presigned("", "", LISTED, V6);
    let envelope = Volcengine.open(&request).unwrap();
    for other in ["", "TmV2ZXJVc2VUaGlzU2VjcmV0S2V5=", "VOLCTmV2ZXJVc2VUaGlz"] {
        let refusal = Volcengine.verify(&request, &envelope, &Secret::new(other));
        assert!(matches!(refusal, Err(Refusal::SignatureMismatch { .. })));
    }
}

/// Our own client makes what the vendor's Go client makes of the same input: the vector of the
/// signing steps with its content type.
#[test]
fn our_client_signs_alike() {
    let mut list = Params::default();
    list.push("InstanceId".into(), Secret::new(INSTANCE));
    list.push("AccountName".into(), Secret::new("test1"));
    let signed = sign(&Call {
        action: "DeleteDBAccount",
        params: &list,
        host: HOST,
        region: "cn-beijing",
        key: &KeyId::from(KEY),
        secret: &Secret::new(SECRET),
        token: None,
        at: Timestamp::from_secs(DATE_S),
    });
    assert_eq!(signed.body.expose(), COMPACT);
    assert_eq!(
        signed.target.expose(),
        "/?Action=DeleteDBAccount&Version=2020-12-07"
    );
    assert_eq!(verified(&received(&signed)), Ok(()));
}
