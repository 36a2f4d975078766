//! The listener's certificate: loaded from PEM files, and loaded again when they change.

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How often the files are looked at. Certificates change every few weeks; ten seconds is soon
/// enough for whoever has just replaced one and looks.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Bound on a PEM file, bytes: a long chain has some tens of KiB.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Why the certificate cannot be used. Paths are shown, contents never.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not PEM, or lacks what is needed.
    #[error("{path} holds no {what} in PEM form")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate and key cannot be used, or do not belong together.
    #[error("the certificate or its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The certificate in use. Connections that are open keep the one they began with.
pub struct Tls {
    paths: Paths,
    current: RwLock<Arc<ServerConfig>>,
    /// Digest of the files as last loaded, to notice a change.
    loaded: Mutex<[u8; 32]>,
}

impl Tls {
    /// Loads a certificate chain and its private key from PEM files; with `client_ca`, clients
    /// must show a certificate of one of the authorities in it.
    ///
    /// # Errors
    /// [`TlsError`], with the path concerned.
    pub fn load(
        cert: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        client_ca: Option<&Path>,
    ) -> Result<Self, TlsError> {
        let paths = Paths {
            cert: cert.into(),
            key: key.into(),
            client_ca: client_ca.map(Path::to_owned),
        };
        let files = Files::read(&paths)?;
        Ok(Self {
            current: RwLock::new(files.config(&paths)?),
            loaded: Mutex::new(files.digest()),
            paths,
        })
    }

    /// Loads the files again if they differ from what was loaded; tells whether they did. When
    /// they cannot be used, the certificate in use stays.
    ///
    /// # Errors
    /// [`TlsError`], with the path concerned.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.paths)?;
        let digest = files.digest();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if *loaded == digest {
            return Ok(false);
        }
        let config = files.config(&self.paths)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        *loaded = digest;
        Ok(true)
    }

    /// Looks at the files until `stop`; a change is logged and used for new connections, a
    /// fault is logged once until it changes.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut last_fault = None;
        while stop
            .run_until_cancelled(tokio::time::sleep(RELOAD_INTERVAL))
            .await
            .is_some()
        {
            let tls = Arc::clone(&self);
            // File reads may block.
            let Ok(outcome) = tokio::task::spawn_blocking(move || tls.reload()).await else {
                continue;
            };
            let fault = match outcome {
                Ok(false) => None,
                Ok(true) => {
                    tracing::info!(path = %self.paths.cert.display(), "certificate loaded again");
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            if fault != last_fault
                && let Some(fault) = &fault
            {
                tracing::warn!(error = %fault, "the new certificate is not used");
            }
            last_fault = fault;
        }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

/// Where the files are.
struct Paths {
    cert: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

/// The files, as read together.
struct Files {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl Files {
    fn read(paths: &Paths) -> Result<Self, TlsError> {
        Ok(Self {
            cert: read(&paths.cert)?,
            key: read(&paths.key)?.into(),
            client_ca: paths.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(Sha256::digest(&self.cert));
        digest.update(Sha256::digest(&self.key));
        digest.update(Sha256::digest(
            self.client_ca.as_deref().unwrap_or_default(),
        ));
        digest.finalize().into()
    }

    fn config(&self, paths: &Paths) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&self.cert, &paths.cert)?;
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::Content {
            path: paths.key.clone(),
            what: "private key",
        })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match (&self.client_ca, &paths.client_ca) {
            (Some(pem), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(pem, path)? {
                    roots.add(authority)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|_| TlsError::Content {
                    path: path.clone(),
                    what: "usable authority",
                })?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, private)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// All certificates of a PEM text: at least one.
fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|all| !all.is_empty())
        .ok_or(TlsError::Content {
            path: path.to_owned(),
            what: "certificate",
        })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let fault = |source| TlsError::Read {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(fault)?.len();
    if size > PEM_BYTES_MAX {
        return Err(fault(std::io::ErrorKind::FileTooLarge.into()));
    }
    std::fs::read(path).map_err(fault)
}
