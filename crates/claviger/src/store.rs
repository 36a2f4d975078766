//! Opening the store that the settings name, under the installation's master key.

use crate::config::{Config, MasterKey};
use crate::entropy;
use crate::failure::Failure;
use crate::master_key;
use claviger_core::ports::Entropy;
use claviger_store::{OpenError, Opened, Place, Sealer};
use std::sync::Arc;

/// Length of the name of a process on a shared store: no two will have the same.
const NAME_LEN: usize = 20;

/// A name that no other process has.
pub(crate) fn process_name(entropy: &dyn Entropy) -> String {
    entropy::token(entropy, NAME_LEN)
}

/// The sealer under the installation's master key, which is made if there is neither a key nor a
/// store yet.
///
/// # Errors
/// One line.
pub(crate) fn sealer(config: &Config, entropy: &Arc<dyn Entropy>) -> Result<Sealer, Failure> {
    let master = master_key::load(config, &**entropy)?;
    if let Some(warning) = &master.warning {
        tracing::warn!("{warning}");
    }
    Ok(master_key::sealer(&master, Arc::clone(entropy)))
}

/// The same, of a key that is there already: content that is moved is sealed under it.
///
/// # Errors
/// One line.
pub(crate) fn sealer_in_use(
    config: &Config,
    entropy: &Arc<dyn Entropy>,
) -> Result<Sealer, Failure> {
    match &config.master_key {
        MasterKey::File(path) if !path.exists() => Err(Failure::refused(format!(
            "the master key file {} is missing: what is sealed in a store is of no use without \
             the key that it was made with",
            path.display()
        ))),
        _ => sealer(config, entropy),
    }
}

/// Opens the store.
///
/// # Errors
/// One line, with what to do where that can be told.
pub(crate) async fn open(
    config: &Config,
    entropy: &Arc<dyn Entropy>,
    me: &str,
) -> Result<(Opened, Arc<Sealer>), Failure> {
    let had_key = match &config.master_key {
        MasterKey::File(path) => path.exists(),
        MasterKey::Given(_) => true,
    };
    let sealer = Arc::new(sealer(config, entropy)?);
    let opened = claviger_store::open(&config.store, Arc::clone(&sealer), me).await;
    let opened = opened.map_err(|error| match (&error, &config.master_key) {
        // A shared store that was made elsewhere, and a key that was made here just now.
        (OpenError::WrongMasterKey, MasterKey::File(path)) if !had_key => {
            let _ = std::fs::remove_file(path);
            Failure::refused(format!(
                "the store {} was made with another master key: put that key into {}",
                config.store,
                path.display()
            ))
        }
        _ => failure(&config.store, error, &config.master_key),
    })?;
    Ok((opened, sealer))
}

/// Why a store does not open, in one line.
pub(crate) fn failure(place: &Place, error: OpenError, key: &MasterKey) -> Failure {
    let hint = match (&error, key) {
        (OpenError::WrongMasterKey, MasterKey::File(path)) => {
            format!(" (read from {})", path.display())
        }
        (OpenError::WrongMasterKey, MasterKey::Given(_)) => {
            " (given by CLAVIGER_MASTER_KEY)".to_owned()
        }
        _ => String::new(),
    };
    let error = anyhow::Error::new(error);
    Failure::refused(format!("cannot open the store {place}: {error:#}{hint}"))
}
