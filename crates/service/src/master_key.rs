//! The master key: which there is, what is still sealed under a former one, and making another.

use crate::Service;
use crate::native::{NativeContext, NativeError, store_error};
use claviger_core::access::Action;
use serde::{Deserialize, Serialize};

/// The master keys, by their identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKeyStatus {
    /// The one that everything is sealed under from now on.
    pub current: String,
    /// Those before it, the newest first, as long as they are kept.
    pub former: Vec<String>,
    /// Secrets that are sealed under a former one; 0 when those are needed only for backups.
    pub sealed_under_former: u64,
}

impl Service {
    /// Which master keys there are, and how far sealing again is.
    ///
    /// # Errors
    /// Permission, or the store.
    pub async fn master_key(&self, cx: &NativeContext) -> Result<MasterKeyStatus, NativeError> {
        self.permit(
            &cx.principal,
            Action::ReadMasterKey,
            None,
            &cx.request_id,
            (),
        )
        .await?;
        self.master_key_status(cx).await
    }

    /// Makes another master key; what is sealed is sealed again in the background.
    ///
    /// # Errors
    /// Permission, a master key that is not the service's to change, or the store.
    pub async fn rotate_master_key(
        &self,
        cx: &NativeContext,
    ) -> Result<MasterKeyStatus, NativeError> {
        self.permit(
            &cx.principal,
            Action::RotateMasterKey,
            None,
            &cx.request_id,
            (),
        )
        .await?;
        let vault = self.vault.as_ref().ok_or_else(none)?;
        // Each holds its own file: what one sealed under a key of its own the others could not open.
        if self.store.sharers() > 1 {
            return Err(NativeError::Invalid(
                "several services share this store, and each has its own master key file: give \
                 all of them the new key first, as docs/operations.md says (\"Master key\")"
                    .into(),
            ));
        }
        let made = vault.rotate().await.map_err(NativeError::Invalid)?;
        let mut audit = cx
            .call("master-key.rotate")
            .audit(&cx.principal, self.now(), "", "");
        audit.detail = format!("master key {made}");
        // Should this fail, the new key is in use all the same, and the log says so.
        tracing::info!(
            key = made,
            request_id = cx.request_id,
            "another master key is in use"
        );
        let written = self.store.apply(Vec::new(), Some(audit)).await;
        written.map_err(|failure| store_error(&failure, &cx.request_id))?;
        self.master_key_status(cx).await
    }

    async fn master_key_status(&self, cx: &NativeContext) -> Result<MasterKeyStatus, NativeError> {
        let vault = self.vault.as_ref().ok_or_else(none)?;
        let mut ids = vault.key_ids().into_iter();
        let left = self.store.reseal(0).await;
        Ok(MasterKeyStatus {
            current: ids.next().unwrap_or_default(),
            former: ids.collect(),
            sealed_under_former: left.map_err(|f| store_error(&f, &cx.request_id))?,
        })
    }
}

fn none() -> NativeError {
    NativeError::Invalid("this service does not hold a master key".into())
}
