//! TLS towards the nodes.

use crate::errors::NodeError;
use crate::wire::Socket;
use claviger_core::instance::NodeTls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where systems keep the authorities that they trust.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Opens a TLS session over a connection.
///
/// # Errors
/// [`NodeError::Tls`] if the files cannot be used or the peer is not who it should be.
pub(crate) async fn open(
    stream: Socket,
    host: &str,
    material: &NodeTls,
) -> Result<TlsStream<Socket>, NodeError> {
    let material = material.clone();
    // Files and parsing: off the threads that serve others.
    let config = tokio::task::spawn_blocking(move || config(&material))
        .await
        .map_err(|_| NodeError::Tls("the files could not be read".into()))??;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| NodeError::Tls("the host is no valid server name".into()))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| NodeError::Tls(error.to_string()))
}

fn config(material: &NodeTls) -> Result<ClientConfig, NodeError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NodeError::Tls(error.to_string()))?
        .with_root_certificates(roots(material.ca.as_deref())?);
    match (&material.cert, &material.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|_| NodeError::Tls(format!("{key} holds no usable private key")))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| NodeError::Tls(error.to_string()))
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(NodeError::Tls(
            "a client certificate and its key are only of use together".into(),
        )),
    }
}

fn roots(ca: Option<&str>) -> Result<RootCertStore, NodeError> {
    let path = match ca {
        Some(path) => path,
        None => SYSTEM_BUNDLES
            .into_iter()
            .find(|path| std::path::Path::new(path).exists())
            .ok_or_else(|| NodeError::Tls("the system has no list of authorities".into()))?,
    };
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates(path)?);
    if added == 0 {
        return Err(NodeError::Tls(format!("{path} holds no usable authority")));
    }
    Ok(store)
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, NodeError> {
    let unusable = || NodeError::Tls(format!("{path} cannot be read as PEM certificates"));
    CertificateDer::pem_file_iter(path)
        .map_err(|_| unusable())?
        .collect::<Result<_, _>>()
        .map_err(|_| unusable())
}
