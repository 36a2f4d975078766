//! The master key while the service runs: another one is made, kept in the key file before it is
//! used, and what is sealed is sealed again in the background.

use crate::config::{Config, MasterKey};
use crate::master_key;
use async_trait::async_trait;
use claviger_core::ports::{Entropy, Store, Vault};
use claviger_store::Sealer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Secrets sealed again in one step: some milliseconds of the store's writer.
const STEP: u64 = 256;
/// Pause between two steps, so that no one waits long behind them.
const PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_secs(1);

/// The master key's keeper.
pub(crate) struct KeyFile {
    sealer: Arc<Sealer>,
    entropy: Arc<dyn Entropy>,
    /// `None`: the key came from the environment, which is not ours to change.
    path: Option<PathBuf>,
    changing: Mutex<()>,
}

impl KeyFile {
    /// Of this installation.
    pub(crate) fn of(config: &Config, sealer: Arc<Sealer>, entropy: Arc<dyn Entropy>) -> Self {
        let path = match &config.master_key {
            MasterKey::File(path) => Some(path.clone()),
            MasterKey::Given(_) => None,
        };
        Self {
            sealer,
            entropy,
            path,
            changing: Mutex::default(),
        }
    }
}

#[async_trait]
impl Vault for KeyFile {
    fn key_ids(&self) -> Vec<String> {
        self.sealer.key_ids()
    }

    async fn rotate(&self) -> Result<String, String> {
        let _one_at_a_time = self.changing.lock().await;
        let Some(path) = &self.path else {
            return Err(
                "the master key is given by CLAVIGER_MASTER_KEY: set it to the new key, a comma, \
                 and the one before, and start claviger again"
                    .to_owned(),
            );
        };
        // The file first: nothing may be sealed under a key that could be lost.
        let key = master_key::add(path, &*self.entropy).map_err(|failure| failure.to_string())?;
        self.sealer.renew(&key);
        Ok(self.sealer.key_ids().into_iter().next().unwrap_or_default())
    }
}

/// Seals again what is sealed under a former key, whenever there is one, until `stop`.
pub(crate) async fn reseal(store: Arc<dyn Store>, sealer: Arc<Sealer>, stop: CancellationToken) {
    let mut done = None;
    let mut complained = false;
    while stop
        .run_until_cancelled(tokio::time::sleep(LOOK))
        .await
        .is_some()
    {
        let ids = sealer.key_ids();
        if ids.len() < 2 || done == ids.first().cloned() {
            continue;
        }
        loop {
            match store.reseal(STEP).await {
                Ok(0) => {
                    tracing::info!(
                        key = ids[0],
                        "everything is sealed under the current master key; former ones are \
                         needed for older backups only"
                    );
                    done = ids.first().cloned();
                    complained = false;
                    break;
                }
                Ok(_) => {}
                Err(error) => {
                    if !complained {
                        tracing::error!(%error, "sealing again under the new master key failed");
                    }
                    complained = true;
                    break;
                }
            }
            if stop
                .run_until_cancelled(tokio::time::sleep(PAUSE))
                .await
                .is_none()
            {
                return;
            }
        }
    }
}
