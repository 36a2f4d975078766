//! Other processes on the same store: what they do to keys and policies is learnt here, their nonces count,
//! and the bounds on requests are divided among all.

use crate::Service;
use crate::execute::store_refusal;
use claviger_core::clock::Timestamp;
use claviger_core::ports::{Ears, Hint, NonceMark, StoreError};
use claviger_core::refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// A key that was revoked through another process is refused after this time at the latest, if
/// the message of it is lost; else within moments.
const KEYS_READ_EVERY: Duration = Duration::from_secs(1);

/// The pause before the keys are read again that changed while they were read.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

struct Ear(Arc<Notify>);

impl Ears for Ear {
    fn hear(&self, hint: &Hint) {
        if matches!(hint, Hint::Keys | Hint::Anything) {
            self.0.notify_one();
        }
    }
}

impl Service {
    /// Keeps the keys in memory what they are in the store, for ever; to be run beside the
    /// service. Ends at once if nobody else writes the store.
    pub async fn follow_keys(&self) {
        if !self.store.is_shared() {
            return;
        }
        let changed = Arc::new(Notify::new());
        self.store.tell(Arc::new(Ear(Arc::clone(&changed))));
        let mut known = None;
        loop {
            match self.read_keys(known).await {
                Ok(version) => known = Some(version),
                // Nothing is answered from memory alone: calls fail on the store as well.
                Err(error) => tracing::warn!(%error, "the keys could not be read"),
            }
            let _ = timeout(KEYS_READ_EVERY, changed.notified()).await;
        }
    }

    /// Reads the keys unless they are of the version that is known; their version.
    async fn read_keys(&self, known: Option<i64>) -> Result<i64, StoreError> {
        loop {
            let since = self.keys.changes();
            // Before the keys: what changes in between is found the next time.
            let version = self.store.keys_version().await?;
            if known == Some(version) {
                return Ok(version);
            }
            if self.keys.replace(self.store.keys().await?, since) {
                self.read_rights().await?;
                return Ok(version);
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    /// What else decisions on permissions go by: policies, and what instances are.
    async fn read_rights(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.changing_policies.lock().await;
        let policies = self.store.access_policies().await?;
        self.judge.put(&policies).map_err(StoreError::Unreadable)?;
        self.directory.read_again(&*self.store).await
    }

    /// Remembers a nonce for all processes. A change does so in its own commit; this is for what
    /// changes nothing.
    ///
    /// # Errors
    /// [`Refusal::NonceUsed`], or the store's.
    pub(crate) async fn share_nonce(
        &self,
        nonce: Option<NonceMark>,
        at: Timestamp,
        request_id: &str,
    ) -> Result<(), Refusal> {
        let Some(nonce) = nonce.filter(|_| self.store.is_shared()) else {
            return Ok(());
        };
        match self.store.use_nonce(nonce, at).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::NonceUsed),
            Err(failure) => Err(store_refusal(&failure, request_id)),
        }
    }

    /// This process's part of a bound on requests: callers are taken to reach all processes
    /// alike, as a load balancer sees to.
    pub(crate) fn part_of(&self, limit: u32) -> u32 {
        limit.div_ceil(self.store.sharers().max(1))
    }
}
