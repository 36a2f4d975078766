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
use std::sync::Arc;
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

/// Seals and opens secrets under one master key.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    key_id: [u8; KEY_ID],
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
        let mut key = Key::from(**master);
        let cipher = XChaCha20Poly1305::new(&key);
        key.zeroize();
        let digest = Sha256::new()
            .chain_update(b"claviger master key id 1")
            .chain_update(**master)
            .finalize();
        let mut key_id = [0; KEY_ID];
        key_id.copy_from_slice(&digest[..KEY_ID]);
        Self {
            cipher,
            key_id,
            entropy,
            memo: Memo::default(),
        }
    }

    /// Seals `clear` for `place`.
    pub(crate) fn seal(&self, place: Place<'_>, clear: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce);
        let mut blob = Vec::with_capacity(HEADER + clear.len() + TAG);
        blob.push(VERSION);
        blob.extend_from_slice(&self.key_id);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(clear);
        let tag = self
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

    /// The blob says that it was sealed under this master key.
    pub(crate) fn has_sealed(&self, blob: &[u8]) -> bool {
        blob.len() >= HEADER + TAG && blob[0] == VERSION && blob[1..=KEY_ID] == self.key_id
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
        if header[1..=KEY_ID] != self.key_id {
            return Err(SealError::OtherKey);
        }
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&header[1 + KEY_ID..]);
        let mut clear = Zeroizing::new(body.to_vec());
        self.cipher
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
}
