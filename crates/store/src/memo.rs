//! Digests that were opened already.
//!
//! A decision is made on all accounts of an instance, and opening their digests would cost more
//! than all the rest of reading them. One that was opened before is taken from here if the very same blob
//! still stands in the very same place; anything else goes through the sealer.

use claviger_core::ids::{AccountId, InstanceId};
use claviger_core::password::PasswordDigest;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Digests that are kept; about 5 MiB when full. A full memo starts anew.
const DIGESTS_MAX: usize = 20_000;

struct Known {
    instance: InstanceId,
    blob: Box<[u8]>,
    digest: PasswordDigest,
}

/// Opened digests, by account.
#[derive(Default)]
pub(crate) struct Memo(Mutex<HashMap<AccountId, Known>>);

impl Memo {
    /// The digest, if this blob was opened in this place before.
    pub(crate) fn find(
        &self,
        instance: &str,
        account: AccountId,
        blob: &[u8],
    ) -> Option<PasswordDigest> {
        let known = self.known();
        let known = known.get(&account)?;
        (known.instance.as_str() == instance && *known.blob == *blob).then(|| known.digest.clone())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<AccountId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what the sealer has opened.
    pub(crate) fn keep(
        &self,
        instance: &str,
        account: AccountId,
        blob: &[u8],
        digest: &PasswordDigest,
    ) {
        let mut known = self.known();
        if known.len() >= DIGESTS_MAX {
            known.clear();
        }
        let entry = Known {
            instance: InstanceId::from(instance),
            blob: blob.into(),
            digest: digest.clone(),
        };
        known.insert(account, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_core::clock::Timestamp;

    fn account(n: u8) -> AccountId {
        AccountId::from_parts(Timestamp::from_millis(1), [n; 10])
    }

    #[test]
    fn only_the_same_blob_in_the_same_place() {
        let memo = Memo::default();
        let digest = PasswordDigest::from_bytes([7; 32]);
        memo.keep("r-1", account(1), b"blob", &digest);
        let found = |instance, n, blob| memo.find(instance, account(n), blob).is_some();
        assert!(found("r-1", 1, b"blob"));
        assert!(!found("r-2", 1, b"blob"));
        assert!(!found("r-1", 2, b"blob"));
        assert!(!found("r-1", 1, b"blub"));
        memo.keep("r-1", account(1), b"blub", &digest);
        assert!(!found("r-1", 1, b"blob"));
        assert!(found("r-1", 1, b"blub"));
    }

    #[test]
    fn it_is_bounded() {
        let memo = Memo::default();
        let digest = PasswordDigest::from_bytes([7; 32]);
        for n in 0..=DIGESTS_MAX as u64 {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&n.to_be_bytes());
            let account = AccountId::from_parts(Timestamp::from_millis(1), random);
            memo.keep("r-1", account, b"blob", &digest);
        }
        assert!(memo.known().len() <= DIGESTS_MAX);
    }
}
