#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use std::collections::BTreeMap;
use std::io::Write;

fn load(args: &ServeArgs, env: &[(&'static str, &'static str)]) -> Result<Config, Failure> {
    let env: BTreeMap<&str, &str> = env.iter().copied().collect();
    Config::load(args, &env)
}

fn with_file(text: &str) -> (tempfile::NamedTempFile, ServeArgs) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let args = ServeArgs {
        config: Some(file.path().to_owned()),
        ..ServeArgs::default()
    };
    (file, args)
}

#[test]
fn defaults_are_those_of_the_promise() {
    let config = load(&ServeArgs::default(), &[]).unwrap();
    assert_eq!(config.data_dir, Path::new("claviger-data"));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8379");
    assert_eq!(config.store.to_string(), "claviger-data/claviger.db");
    assert_eq!(config.sweep_interval, Duration::from_secs(30));
    assert_eq!(config.rate_limit_per_s, Some(100));
    assert_eq!(config.log_level, tracing::Level::INFO);
    assert!(config.tls.is_none() && config.root.is_none() && config.project_id.is_none());
    assert!(
        matches!(config.master_key, MasterKey::File(p) if p == Path::new("claviger-data/master.key"))
    );
}

#[test]
fn flag_over_environment_over_file() {
    let (_file, mut args) =
        with_file("listen = '127.0.0.1:1'\nrate-limit = 7\nsweep-interval = '5m'\n");
    let config = load(&args, &[]).unwrap();
    assert_eq!(config.listen.port(), 1);
    assert_eq!(config.rate_limit_per_s, Some(7));
    assert_eq!(config.sweep_interval, Duration::from_secs(300));
    let env = [
        ("CLAVIGER_LISTEN", "127.0.0.1:2"),
        ("CLAVIGER_RATE_LIMIT", "0"),
        ("CLAVIGER_DATA_DIR", ""),
    ];
    let config = load(&args, &env).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.rate_limit_per_s, None);
    args.listen = Some("127.0.0.1:3".to_owned());
    assert_eq!(load(&args, &env).unwrap().listen.port(), 3);
}

#[test]
fn each_fault_is_named_in_one_line() {
    let cases: [(&[(&str, &str)], &str); 14] = [
        (
            &[("CLAVIGER_LISTEN", "nowhere")],
            "CLAVIGER_LISTEN: \"nowhere\" is not an address",
        ),
        (
            &[("CLAVIGER_LISTEN", "0.0.0.0:8379")],
            "plain HTTP on 0.0.0.0:8379 would be readable",
        ),
        (
            &[("CLAVIGER_STORE", "postgres://u:topsecret@h/d?sslmode=maybe")],
            "sslmode is neither",
        ),
        (
            &[("CLAVIGER_STORE", "mysql://u:topsecret@h")],
            "CLAVIGER_STORE: unknown store",
        ),
        (
            &[("CLAVIGER_TLS_CERT", "c")],
            "--tls-cert is given without --tls-key",
        ),
        (
            &[("CLAVIGER_TLS_KEY", "c")],
            "--tls-key is given without --tls-cert",
        ),
        (
            &[("CLAVIGER_PROJECT_ID", "abc")],
            "CLAVIGER_PROJECT_ID: \"abc\" is not 32 hex",
        ),
        (
            &[("CLAVIGER_SWEEP_INTERVAL", "30")],
            "CLAVIGER_SWEEP_INTERVAL: \"30\" is not a duration",
        ),
        (
            &[("CLAVIGER_SWEEP_INTERVAL", "10ms")],
            "not between 1s and 24h",
        ),
        (
            &[("CLAVIGER_RATE_LIMIT", "-1")],
            "CLAVIGER_RATE_LIMIT: \"-1\" is not a number",
        ),
        (&[("CLAVIGER_LOG_LEVEL", "loud")], "CLAVIGER_LOG_LEVEL"),
        (
            &[("CLAVIGER_ROOT_ACCESS_KEY", "root")],
            "without CLAVIGER_ROOT_SECRET_KEY",
        ),
        (
            &[
                ("CLAVIGER_ROOT_ACCESS_KEY", "root"),
                ("CLAVIGER_ROOT_SECRET_KEY", "topsecret 1"),
            ],
            "CLAVIGER_ROOT_SECRET_KEY: it must be",
        ),
        (
            &[("CLAVIGER_CONFIG", "/nowhere/c.toml")],
            "cannot read the settings file /nowhere/c.toml",
        ),
    ];
    for (env, expected) in cases {
        let error = load(&ServeArgs::default(), env).unwrap_err();
        let text = error.text().unwrap();
        assert!(text.contains(expected), "{text}");
        assert!(
            !text.contains('\n') && !text.contains("topsecret"),
            "{text}"
        );
    }
}

#[test]
fn unknown_and_wrong_file_keys_are_refused() {
    for (text, expected) in [
        ("listne = '1'", "line 1: unknown field `listne`"),
        ("\nlisten = ", "line 2:"),
        ("listen = ['a']", "line 1:"),
        ("log-level = 'loud'", "log-level in "),
        ("root-secret-key = 'x'", "unknown field"),
    ] {
        let (_file, args) = with_file(text);
        let error = load(&args, &[]).unwrap_err();
        let text = error.text().unwrap();
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn tls_or_consent_opens_other_addresses() {
    let open = ServeArgs {
        listen: Some(":8379".to_owned()),
        ..ServeArgs::default()
    };
    let consent = ServeArgs {
        insecure_http: true,
        ..open.clone()
    };
    let config = load(&consent, &[]).unwrap();
    assert_eq!(config.endpoint(), "http://127.0.0.1:8379");
    assert!(load(&open, &[("CLAVIGER_INSECURE_HTTP", "true")]).is_ok());
    let tls = [
        ("CLAVIGER_TLS_CERT", "c.pem"),
        ("CLAVIGER_TLS_KEY", "k.pem"),
    ];
    assert_eq!(
        load(&open, &tls).unwrap().endpoint(),
        "https://127.0.0.1:8379"
    );
}

#[test]
fn durations() {
    for (text, millis) in [
        ("500ms", 500),
        ("30s", 30_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("5d", 432_000_000),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
    }
    for text in [
        "",
        "s",
        "5",
        "5w",
        "-5s",
        "1.5s",
        "99999999999999999999s",
        "18446744073709551615h",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let env = [
        ("CLAVIGER_ROOT_ACCESS_KEY", "root"),
        ("CLAVIGER_ROOT_SECRET_KEY", "topsecret1"),
        ("CLAVIGER_MASTER_KEY", "topsecret2"),
    ];
    let config = load(&ServeArgs::default(), &env).unwrap();
    assert!(!format!("{config:?}").contains("topsecret"));
}
