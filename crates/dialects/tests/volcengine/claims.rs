//! Whose request it is.

use crate::support::raw;
use claviger_dialects::Dialect;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::volcengine::Volcengine;

fn claims(raw: &RawRequest) -> bool {
    let claimed = Volcengine.claims(raw);
    let others = claviger_dialects::ALL
        .iter()
        .filter(|other| other.name() != Volcengine.name())
        .any(|other| other.claims(raw));
    assert!(!(claimed && others), "two dialects claim one request");
    claimed
}

#[test]
fn ours() {
    for (query, headers) in [
        ("", &[("authorization", "HMAC-SHA256 Credential=a")][..]),
        ("", &[("authorization", "HMAC-SHA256 nonsense")]),
        ("Version=2020-12-07", &[]),
        ("Version=2020%2D12-07", &[]),
        ("%56ersion=2020-12-07", &[]),
        ("Version=2020-12-07", &[("authorization", "Basic x")]),
        ("Action=X&X-Algorithm=HMAC-SHA256", &[]),
        // Another version is not known, and that is for this vendor to say.
        (
            "Version=1999-01-01",
            &[("authorization", "HMAC-SHA256 Credential=a")],
        ),
    ] {
        assert!(
            claims(&raw("POST", query, headers, "")),
            "{query} {headers:?}"
        );
    }
    let mut elsewhere = raw("POST", "Version=2020-12-07", &[], "");
    "/api/Redis".clone_into(&mut elsewhere.path);
    assert!(claims(&elsewhere));
}

#[test]
fn not_ours() {
    for (query, headers) in [
        ("", &[][..]),
        ("Action=CreateDBAccount", &[]),
        ("Version=2015-01-01", &[]),
        ("", &[("x-acs-action", "CreateAccount")]),
        (
            "Version=2020-12-07",
            &[("authorization", "ACS3-HMAC-SHA256 Credential=a")],
        ),
        (
            "Version=2020-12-07",
            &[("authorization", "TC3-HMAC-SHA256 Credential=a")],
        ),
        (
            "Version=2020-12-07",
            &[("authorization", "SDK-HMAC-SHA256 Access=a")],
        ),
        ("Version=2020-12-07&SecretId=k", &[]),
        (
            "",
            &[
                ("x-tc-action", "X"),
                ("authorization", "HMAC-SHA256 Credential=a"),
            ],
        ),
        ("Version=2020-12-07", &[("x-auth-token", "t")]),
        ("", &[("authorization", "HMAC-SHA256Credential=a")]),
    ] {
        assert!(
            !claims(&raw("POST", query, headers, "")),
            "{query} {headers:?}"
        );
    }
    for path in ["/v2/p/instances", "/v3/p/instances"] {
        let mut request = raw("POST", "Version=2020-12-07", &[], "");
        path.clone_into(&mut request.path);
        assert!(!claims(&request), "{path}");
    }
    // The version counts in the query only, where the clients have it.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert!(!claims(&raw(
        "POST",
        "",
        &form,
        "Action=X&Version=2020-12-07"
    )));
}
