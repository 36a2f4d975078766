//! Nodes behind TLS, with a private authority and a client certificate.

use crate::common::{World, instance, quick};
use claviger_core::instance::NodeTls;
use claviger_core::ports::Fleet as _;
use claviger_core::privilege::Privilege;
use claviger_testkit::server::free_port;
use claviger_testkit::{Server, ServerOptions, found_engines};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};

/// An authority, and a certificate that it has signed for 127.0.0.1.
pub(crate) struct Material {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

pub(crate) fn material(directory: &Path) -> Material {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "claviger test authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(params, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "claviger test node");
    let cert = params.signed_by(&key, &issuer).unwrap();
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    Material {
        ca: write("ca.pem", ca.pem()),
        cert: write("cert.pem", cert.pem()),
        key: write("key.pem", key.serialize_pem()),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped engine must not go unnoticed"
)]
pub(crate) fn skipped(engine: &str) {
    eprintln!("SKIPPED TLS on {engine}: this build has none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_over_tls() {
    for binary in found_engines() {
        let directory = tempfile::tempdir().unwrap();
        let Material { ca, cert, key } = material(directory.path());
        let port = free_port().unwrap();
        let options = ServerOptions {
            lines: vec![
                format!("tls-port {port}"),
                format!("tls-cert-file {}", cert.display()),
                format!("tls-key-file {}", key.display()),
                format!("tls-ca-cert-file {}", ca.display()),
                "tls-auth-clients yes".to_owned(),
            ],
            ..ServerOptions::default()
        };
        let Ok(server) = Server::start(binary, &options) else {
            skipped(&binary.engine.to_string());
            continue;
        };
        let text = |path: &Path| Some(path.display().to_string());
        let mut own = instance("r-test", &[format!("127.0.0.1:{port}")]);
        own.seeds[0].tls = true;
        own.tls = NodeTls {
            ca: text(&ca),
            cert: text(&cert),
            key: text(&key),
        };
        let world = World::new(own.clone(), quick());
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        assert!(crate::common::logs_in(&server, "ape", "first-Password1"));
        world.in_sync(1).await;

        // Without the client's certificate, and without the authority.
        own.tls.cert = None;
        own.tls.key = None;
        assert!(!world.fleet.check(&own).await.is_fine());
        own.tls.ca = None;
        let report = world.fleet.check(&own).await;
        assert!(
            report.nodes[0].problems[0].starts_with("TLS: "),
            "{report:?}"
        );
    }
}
