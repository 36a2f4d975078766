//! Room for connections that are being opened. There is little of it, and after an outage
//! thousands of nodes wait in the order in which they were lost. Nodes that a change or a caller
//! waits for have room of their own beside that.

use crate::hurry::HURRIES_MAX;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{AcquireError, Notify, Semaphore, SemaphorePermit};

/// What may be opened at once.
pub(crate) struct Connects {
    ordinary: Semaphore,
    urgent: Semaphore,
}

impl Connects {
    /// So many in their turn, and as many again for those in a hurry. Instances that hurry for
    /// long do so since a node is silent, which takes room for the whole deadline: each of the
    /// few has one more, so that they are not in the way of a change that was just made.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            ordinary: Semaphore::new(most),
            urgent: Semaphore::new(most + HURRIES_MAX),
        }
    }

    /// For a node that someone waits for: any room.
    pub(crate) async fn urgent(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        tokio::select! {
            biased;
            room = self.ordinary.acquire() => room,
            room = self.urgent.acquire() => room,
        }
    }

    /// In its turn; if the call becomes urgent meanwhile, any room.
    pub(crate) async fn in_turn(&self, call: &Call) -> Result<SemaphorePermit<'_>, AcquireError> {
        let overtaking = async {
            call.urged().await;
            self.urgent.acquire().await
        };
        tokio::select! {
            biased;
            room = self.ordinary.acquire() => room,
            room = overtaking => room,
        }
    }
}

/// What a driver has to say to a keeper that is not connected.
#[derive(Default)]
pub(crate) struct Call {
    now: Notify,
    urgent: AtomicBool,
    raised: Notify,
}

impl Call {
    /// Do not wait for the next attempt.
    pub(crate) fn now(&self) {
        self.now.notify_one();
    }

    /// A change waits: the next attempt overtakes.
    pub(crate) fn urge(&self) {
        self.urgent.store(true, Ordering::Release);
        self.raised.notify_one();
    }

    /// Waits for [`Call::now`].
    pub(crate) async fn heard(&self) {
        self.now.notified().await;
    }

    /// An attempt begins; true if it is an urgent one.
    pub(crate) fn answer(&self) -> bool {
        self.urgent.swap(false, Ordering::AcqRel)
    }

    async fn urged(&self) {
        while !self.urgent.load(Ordering::Acquire) {
            self.raised.notified().await;
        }
    }
}
