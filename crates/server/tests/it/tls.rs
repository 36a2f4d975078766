//! TLS: the handshake, its deadline, a new certificate.

use crate::client::{Client, DEADLINE};
use crate::harness::{LIMITS, start_with};
use base64::Engine as _;
use claviger_server::listen::Limits;
use claviger_server::tls::{Tls, TlsError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Writes a new certificate and key into the directory.
fn issue(directory: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(directory.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).unwrap();
    cert.der().clone()
}

fn load(directory: &Path) -> Result<Tls, TlsError> {
    Tls::load(directory.join("cert.pem"), directory.join("key.pem"), None)
}

async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    timeout(DEADLINE, connector.connect(name, stream))
        .await
        .unwrap()
}

/// Connects with a client certificate, and asks; `None` if the server would not.
async fn ask_as(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    client: Option<(&rcgen::Certificate, &rcgen::KeyPair)>,
) -> Option<u16> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some((cert, key)) => {
            let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            config
                .with_client_auth_cert(vec![cert.der().clone()], key)
                .unwrap()
        }
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = timeout(DEADLINE, connector.connect(name, stream))
        .await
        .unwrap();
    let mut client = Client::over(stream.ok()?);
    // With TLS 1.3 the server's no comes after the handshake.
    client.try_send(PLAIN).await.ok()?;
    Some(client.next().await?.status)
}

#[tokio::test]
async fn clients_show_a_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let server_cert = issue(directory.path());
    let authority = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        rcgen::CertifiedIssuer::self_signed(params, key).unwrap()
    };
    let (ours, theirs) = (authority(), authority());
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, ours.pem()).unwrap();
    let signed = |by: &rcgen::CertifiedIssuer<'_, rcgen::KeyPair>| {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["client".to_owned()]).unwrap();
        (params.signed_by(&key, by).unwrap(), key)
    };
    let (good, bad) = (signed(&ours), signed(&theirs));
    let (cert, key) = (
        directory.path().join("cert.pem"),
        directory.path().join("key.pem"),
    );
    let tls = Arc::new(Tls::load(&cert, &key, Some(&ca)).unwrap());
    let server = start_with(LIMITS, Some(Arc::clone(&tls))).await;
    let ask = async |client| ask_as(server.address, &server_cert, client).await;
    assert_eq!(ask(Some((&good.0, &good.1))).await, Some(200));
    assert_eq!(ask(None).await, None);
    assert_eq!(ask(Some((&bad.0, &bad.1))).await, None);
    // Other authorities from now on.
    std::fs::write(&ca, theirs.pem()).unwrap();
    assert!(tls.reload().unwrap());
    assert_eq!(ask(Some((&good.0, &good.1))).await, None);
    assert_eq!(ask(Some((&bad.0, &bad.1))).await, Some(200));
    // A file without one is not taken, and those in use stay.
    std::fs::write(&ca, "nothing").unwrap();
    let told = tls.reload().unwrap_err().to_string();
    assert!(told.contains("ca.pem holds no certificate"), "{told}");
    assert_eq!(ask(Some((&bad.0, &bad.1))).await, Some(200));
}

const PLAIN: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn over_tls_and_after_a_renewal() {
    let directory = tempfile::tempdir().unwrap();
    let first = issue(directory.path());
    let tls = Arc::new(load(directory.path()).unwrap());
    let server = start_with(LIMITS, Some(Arc::clone(&tls))).await;
    let stream = connect(server.address, &first).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut client = Client::over(stream);
    assert_eq!(client.ask(PLAIN).await.status, 200);

    // The peer is on loopback in any case; what Basic needs is tested beside the code.
    let pair = format!("{}:{}", crate::harness::KEY, crate::harness::SECRET);
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let basic =
        format!("GET /claviger/v1/info HTTP/1.1\r\nhost: x\r\nauthorization: Basic {pair}\r\n\r\n");
    assert_eq!(client.ask(basic).await.status, 200);

    assert!(!tls.reload().unwrap(), "nothing has changed");
    let second = issue(directory.path());
    assert!(tls.reload().unwrap());
    assert!(connect(server.address, &first).await.is_err());
    let mut renewed = Client::over(connect(server.address, &second).await.unwrap());
    assert_eq!(renewed.ask(PLAIN).await.status, 200);
    assert_eq!(
        client.ask(PLAIN).await.status,
        200,
        "open connections go on"
    );

    // A key that does not belong to the certificate is not taken.
    let key = std::fs::read(directory.path().join("key.pem")).unwrap();
    issue(directory.path());
    std::fs::write(directory.path().join("key.pem"), key).unwrap();
    assert!(tls.reload().is_err());
    assert!(connect(server.address, &second).await.is_ok());
    assert_eq!(server.stopped().await.cut_off, 0);
}

#[tokio::test]
async fn a_handshake_that_does_not_come() {
    let directory = tempfile::tempdir().unwrap();
    issue(directory.path());
    let limits = Limits {
        handshake_timeout: Duration::from_millis(200),
        ..LIMITS
    };
    let tls = Arc::new(load(directory.path()).unwrap());
    let server = start_with(limits, Some(tls)).await;
    assert!(server.client().await.next().await.is_none());
    // Plain HTTP is not TLS.
    let mut client = server.client().await;
    client.send(PLAIN).await;
    let mut closed = vec![0; 64];
    let mut stream = client.into_inner();
    let read = async {
        while tokio::io::AsyncReadExt::read(&mut stream, &mut closed)
            .await
            .is_ok_and(|n| n > 0)
        {}
    };
    timeout(DEADLINE, read).await.expect("closed");
}

#[test]
fn what_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = load(directory.path()).err().unwrap().to_string();
    assert!(missing.contains("cert.pem"), "{missing}");
    issue(directory.path());
    let cert = directory.path().join("cert.pem");
    let key = directory.path().join("key.pem");
    let swapped = Tls::load(&key, &cert, None).err().unwrap().to_string();
    assert!(
        swapped.contains("key.pem holds no certificate"),
        "{swapped}"
    );
    let no_key = Tls::load(&cert, &cert, None).err().unwrap().to_string();
    assert!(no_key.contains("cert.pem holds no private key"), "{no_key}");
    std::fs::write(
        &key,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    let broken = Tls::load(&cert, &key, None).err().unwrap().to_string();
    assert!(!broken.contains("AAAA"), "{broken}");
}
