//! Plain HTTP from a command: one agent with deadlines and bounds, and the authorities to trust.

use crate::env::Env;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The largest answer that is read, bytes.
pub(crate) const ANSWER_LEN_MAX: u64 = 32 * 1024 * 1024;

/// Where Linux distributions and BSDs keep the authorities that they trust.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// A service's address: scheme and authority.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base: String,
    authority: String,
    https: bool,
    loopback: bool,
}

impl Endpoint {
    /// Reads `http://host:port` or `https://host`.
    ///
    /// # Errors
    /// Anything else.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!(
                "{text:?} is not an endpoint such as http://127.0.0.1:8379"
            ))
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        let host = authority.host().trim_matches(['[', ']']);
        let address = host.parse::<std::net::IpAddr>();
        Ok(Self {
            base: text.trim_end_matches('/').to_owned(),
            authority: authority.as_str().to_owned(),
            https,
            loopback: host == "localhost" || address.is_ok_and(|ip| ip.is_loopback()),
        })
    }

    /// Scheme and authority, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Host and port as they go into the Host header.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

/// An agent for this endpoint: it waits at most `deadline` for a whole call, follows no
/// redirects (a signature holds for one address), and takes every status as an answer.
///
/// # Errors
/// The authorities to trust cannot be read.
pub(crate) fn agent(
    endpoint: &Endpoint,
    ca: Option<&Path>,
    env: &dyn Env,
    deadline: Duration,
) -> Result<ureq::Agent, Failure> {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(deadline))
        .timeout_connect(Some(CONNECT))
        .user_agent(concat!("claviger/", env!("CARGO_PKG_VERSION")));
    if endpoint.loopback {
        // A proxy of the environment could not reach this machine's own loopback.
        config = config.proxy(None);
    }
    if endpoint.https {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(roots(ca, env)?)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        config = config.tls_config(tls);
    }
    Ok(config.build().new_agent())
}

/// What went wrong, in plain words.
pub(crate) fn failed(endpoint: &Endpoint, error: &ureq::Error) -> Failure {
    let base = endpoint.base();
    match error {
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            Failure::refused(format!(
                "nothing answers at {base}: connection refused (is `claviger serve` or `claviger \
                 dev` running?)"
            ))
        }
        ureq::Error::Timeout(_) => Failure::refused(format!("{base} did not answer in time")),
        other => Failure::refused(format!("cannot reach {base}: {other}")),
    }
}

/// The file given, else the one that `SSL_CERT_FILE` names (as for curl and OpenSSL), else the
/// system's.
fn roots(ca: Option<&Path>, env: &dyn Env) -> Result<RootCerts, Failure> {
    let path = match ca {
        Some(path) => Some(path.to_owned()),
        None => env.get("SSL_CERT_FILE")?.map(PathBuf::from),
    };
    let system = || {
        SYSTEM_BUNDLES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
    };
    let path = path.or_else(system).ok_or_else(|| {
        Failure::refused("this system has no bundle of authorities to trust; give --endpoint-ca")
    })?;
    let shown = path.display();
    let pem = std::fs::read(&path)
        .map_err(|error| Failure::refused(format!("cannot read {shown}: {error}")))?;
    let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Failure::refused(format!("{shown} holds no certificate")));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn endpoints() {
        let endpoint = Endpoint::parse("http://127.0.0.1:8379/").unwrap();
        assert_eq!(endpoint.base(), "http://127.0.0.1:8379");
        assert_eq!(endpoint.authority(), "127.0.0.1:8379");
        assert!(endpoint.loopback && !endpoint.https);
        assert!(Endpoint::parse("http://[::1]:1").unwrap().loopback);
        let endpoint = Endpoint::parse("https://r-kvstore.aliyuncs.com").unwrap();
        assert!(endpoint.https && !endpoint.loopback);
        for wrong in [
            "",
            "127.0.0.1:8379",
            "ftp://h",
            "http://u:p@h",
            "http://h/p",
            "http://h/?q",
        ] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }
}
