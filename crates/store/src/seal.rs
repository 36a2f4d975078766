//! Secrets at rest: XChaCha20-Poly1305 under the installation's master key.
//!
//! A blob is bound to its place (table, row, column) by the associated data, so it opens nowhere
//! else: swapping two rows' blobs in the file gives an error, not another account's password.
//!
//! Form of a blob: version (1 byte) ‖ key id (8) ‖ nonce (24) ‖ ciphertext with tag (n + 16).
//! Nonces are random: 24 bytes leave no practical chance of a repeat.

use crate::memo::Memo;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use claviger_core::ports::Entropy;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Version of the blob's form.
const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 24;
const TAG: usize = 16;
const HEADER: usize = 1 + KEY_ID + NONCE;

/// Where a sealed value stands. Two values never share a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// Table.
    pub(crate) table: &'static str,
    /// Identity of the row: one or two parts; the second may be empty.
    pub(crate) row: [&'a str; 2],
    /// Column.
    pub(crate) column: &'static str,
}

impl Place<'_> {
    /// Each part with its length before it, so that no two places read the same.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(128);
        data.extend_from_slice(b"claviger seal 1");
        for part in [self.table, self.row[0], self.row[1], self.column] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// Why a blob does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum SealError {
    /// Too short, or of a form that this version does not know.
    #[error("a sealed value is malformed")]
    Malformed,
    /// Sealed under another master key.
    #[error("a sealed value belongs to another master key")]
    OtherKey,
    /// Altered, or moved here from another place.
    #[error("a sealed value is damaged or not in its place")]
    Damaged,
    /// The value could not be sealed: larger than the cipher takes.
    #[error("a value could not be sealed")]
    TooLarge,
}

/// One master key.
struct Keyed {
    cipher: XChaCha20Poly1305,
    id: [u8; KEY_ID],
}

impl Keyed {
    fn new(master: &Zeroizing<[u8; Sealer::KEY_LEN]>) -> Self {
        let mut key = Key::from(**master);
        let cipher = XChaCha20Poly1305::new(&key);
        key.zeroize();
        let digest = Sha256::new()
            .chain_update(b"claviger master key id 1")
            .chain_update(**master)
            .finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Self { cipher, id }
    }
}

/// Seals secrets under the current master key; opens what was sealed under it or a former one.
pub struct Sealer {
    /// The current one first; never empty.
    keys: RwLock<Vec<Arc<Keyed>>>,
    entropy: Arc<dyn Entropy>,
    /// Digests that were opened already.
    pub(crate) memo: Memo,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// Length of the master key, bytes.
    pub const KEY_LEN: usize = 32;

    /// Takes the master key: 32 unpredictable bytes. Whoever holds it can open the store; the
    /// store is of no use without it.
    pub fn new(master: &Zeroizing<[u8; Self::KEY_LEN]>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            keys: RwLock::new(vec![Arc::new(Keyed::new(master))]),
            entropy,
            memo: Memo::default(),
        }
    }

    /// Opens also what was sealed under this former key.
    #[must_use]
    pub fn with_former(self, master: &Zeroizing<[u8; Self::KEY_LEN]>) -> Self {
        self.write().push(Arc::new(Keyed::new(master)));
        self
    }

    /// Seals under this key from now on; the one before becomes a former one.
    pub fn renew(&self, master: &Zeroizing<[u8; Self::KEY_LEN]>) {
        self.write().insert(0, Arc::new(Keyed::new(master)));
    }

    /// The identities of the keys, 16 hexadecimal digits, the current one first. They tell
    /// nothing of the keys.
    pub fn key_ids(&self) -> Vec<String> {
        let digits = |id: [u8; KEY_ID]| id.iter().map(|byte| format!("{byte:02x}")).collect();
        self.read().iter().map(|key| digits(key.id)).collect()
    }

    /// The current key's identity, as it stands in blobs.
    pub(crate) fn current_id(&self) -> [u8; KEY_ID] {
        self.read().first().map(|key| key.id).unwrap_or_default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Keyed>>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Arc<Keyed>>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals `clear` for `place`.
    pub(crate) fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.read().first().cloned().ok_or(SealError::OtherKey)?;
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce);
        let mut blob = Vec::with_capacity(HEADER + clear.len() + TAG);
        blob.push(VERSION);
        blob.extend_from_slice(&key.id);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(clear);
        let tag = key
            .cipher
            .encrypt_inout_detached(
                &XNonce::from(nonce),
                &place.associated_data(),
                (&mut blob[HEADER..]).into(),
            )
            .map_err(|_| SealError::TooLarge)?;
        blob.extend_from_slice(&tag);
        Ok(blob)
    }

    /// The blob says that it was sealed under one of the master keys.
    pub(crate) fn has_sealed(&self, blob: &[u8]) -> bool {
        let ours = |key: &Arc<Keyed>| blob[1..=KEY_ID] == key.id;
        blob.len() >= HEADER + TAG && blob[0] == VERSION && self.read().iter().any(ours)
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(
        &self,
        place: Place<'_>,
        blob: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (header, body) = blob.split_at_checked(HEADER).ok_or(SealError::Malformed)?;
        if header[0] != VERSION || body.len() < TAG {
            return Err(SealError::Malformed);
        }
        let key = {
            let keys = self.read();
            let fitting = keys.iter().find(|key| header[1..=KEY_ID] == key.id);
            fitting.cloned().ok_or(SealError::OtherKey)?
        };
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&header[1 + KEY_ID..]);
        let mut clear = Zeroizing::new(body.to_vec());
        key.cipher
            .decrypt_in_place(&XNonce::from(nonce), &place.associated_data(), &mut *clear)
            .map_err(|_| SealError::Damaged)?;
        Ok(clear)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Counting(AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn sealer(key: u8) -> Sealer {
        Sealer::new(
            &Zeroizing::new([key; 32]),
            Arc::new(Counting(AtomicU8::new(0))),
        )
    }

    fn place<'a>(a: &'a str, b: &'a str) -> Place<'a> {
        Place {
            table: "account",
            row: [a, b],
            column: "sealed_password",
        }
    }

    #[test]
    fn opens_in_its_place_only() {
        let sealer = sealer(7);
        let blob = sealer.seal(place("r-1", "a"), b"secret").unwrap();
        assert_eq!(blob.len(), HEADER + 6 + TAG);
        assert!(!blob.windows(6).any(|w| w == b"secret"));
        assert_eq!(&**sealer.open(place("r-1", "a"), &blob).unwrap(), b"secret");
        let elsewhere = [
            place("r-2", "a"),
            place("r-1", "b"),
            place("r-", "1a"),
            place("r-1a", ""),
            Place {
                column: "other",
                ..place("r-1", "a")
            },
            Place {
                table: "other",
                ..place("r-1", "a")
            },
        ];
        for other in elsewhere {
            let opened = sealer.open(other, &blob);
            assert_eq!(opened.unwrap_err(), SealError::Damaged, "{other:?}");
        }
    }

    #[test]
    fn every_bit_counts() {
        let sealer = sealer(7);
        let blob = sealer.seal(place("r-1", "a"), b"secret").unwrap();
        for index in 0..blob.len() {
            let mut bad = blob.clone();
            bad[index] ^= 1;
            let expected = match index {
                0 => SealError::Malformed,
                1..=KEY_ID => SealError::OtherKey,
                _ => SealError::Damaged,
            };
            assert_eq!(sealer.open(place("r-1", "a"), &bad).unwrap_err(), expected);
        }
        for length in 0..HEADER + TAG {
            let opened = sealer.open(place("r-1", "a"), &blob[..length]);
            assert_eq!(opened.unwrap_err(), SealError::Malformed);
        }
    }

    #[test]
    fn another_key_is_told_apart_and_nonces_differ() {
        let one = sealer(1);
        let blob = one.seal(place("r-1", "a"), b"secret").unwrap();
        assert_ne!(blob, one.seal(place("r-1", "a"), b"secret").unwrap());
        let opened = sealer(2).open(place("r-1", "a"), &blob);
        assert_eq!(opened.unwrap_err(), SealError::OtherKey);
        assert_eq!(format!("{one:?}"), "Sealer(..)");
    }

    #[test]
    fn former_keys_open_and_do_not_seal() {
        let one = sealer(1);
        let old = one.seal(place("r-1", "a"), b"secret").unwrap();
        one.renew(&Zeroizing::new([2; 32]));
        assert_eq!(&**one.open(place("r-1", "a"), &old).unwrap(), b"secret");
        let new = one.seal(place("r-1", "a"), b"secret").unwrap();
        assert_eq!(
            sealer(1).open(place("r-1", "a"), &new).unwrap_err(),
            SealError::OtherKey
        );
        let later = sealer(2).with_former(&Zeroizing::new([1; 32]));
        assert_eq!(later.key_ids(), one.key_ids());
        for blob in [old, new] {
            assert_eq!(&**later.open(place("r-1", "a"), &blob).unwrap(), b"secret");
        }
    }
}
