//! One change of an instance at a time within this process: the others would only wait for the
//! same row, each with a connection that somebody else could use.

use crate::postgres::pool::WORK_MAX;
use claviger_core::ids::InstanceId;
use claviger_core::ports::StoreError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

/// For a turn; as long as one piece of work may take.
const WAIT_MAX: Duration = WORK_MAX;

/// Beyond this, turns that nobody waits for are forgotten.
const KEPT_MAX: usize = 1_024;

/// Whose turn it is, by instance.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<InstanceId, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits in line; the turn ends when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the line does not move.
    pub(crate) async fn take(&self, id: &InstanceId) -> Result<OwnedMutexGuard<()>, StoreError> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= KEPT_MAX {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(id.clone()).or_default())
        };
        let late = |_| StoreError::Unavailable("too many changes of this instance wait".into());
        timeout(WAIT_MAX, turn.lock_owned()).await.map_err(late)
    }
}
