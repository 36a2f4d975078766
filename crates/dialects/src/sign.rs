//! Digests and message authentication codes behind one small type each, for algorithms that are
//! chosen at run time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use sm3::Sm3;
use subtle::ConstantTimeEq;

/// A hash function that some cloud signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1; only ever within HMAC.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SM3, GB/T 32905.
    Sm3,
}

impl Hash {
    /// Starts a digest.
    pub fn digest(self) -> Digest {
        Digest(match self {
            Hash::Sha1 => DigestOf::Sha1(Sha1::new()),
            Hash::Sha256 => DigestOf::Sha256(Sha256::new()),
            Hash::Sm3 => DigestOf::Sm3(Sm3::new()),
        })
    }

    /// The digest of `data` in lower-case hexadecimal.
    pub fn hex(self, data: &[u8]) -> String {
        let mut digest = self.digest();
        digest.update(data);
        hex::encode(digest.finish())
    }

    /// Starts an HMAC. Keys of any length are fine.
    pub fn hmac(self, key: &[u8]) -> Mac {
        Mac(match self {
            Hash::Sha1 => MacOf::Sha1(Hmac::new(&block(self, key).into())),
            Hash::Sha256 => MacOf::Sha256(Hmac::new(&block(self, key).into())),
            Hash::Sm3 => MacOf::Sm3(Hmac::new(&block(self, key).into())),
        })
    }
}

/// Block size of SHA-1, SHA-256 and SM3 alike, bytes.
const BLOCK_LEN: usize = 64;

/// HMAC's own rule for keys: shorter than a block, padded with zeros; longer, replaced by their
/// digest. It leaves no length that could be refused.
fn block(hash: Hash, key: &[u8]) -> [u8; BLOCK_LEN] {
    let mut block = [0; BLOCK_LEN];
    if key.len() > BLOCK_LEN {
        let mut digest = hash.digest();
        digest.update(key);
        let digest = digest.finish();
        block[..digest.len()].copy_from_slice(&digest);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    block
}

/// A digest under way.
pub struct Digest(DigestOf);

enum DigestOf {
    Sha1(Sha1),
    Sha256(Sha256),
    Sm3(Sm3),
}

impl Digest {
    /// Takes in more.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            DigestOf::Sha1(digest) => digest.update(data),
            DigestOf::Sha256(digest) => digest.update(data),
            DigestOf::Sm3(digest) => digest.update(data),
        }
    }

    /// The digest, 20 or 32 bytes.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            DigestOf::Sha1(digest) => digest.finalize().to_vec(),
            DigestOf::Sha256(digest) => digest.finalize().to_vec(),
            DigestOf::Sm3(digest) => digest.finalize().to_vec(),
        }
    }
}

/// An HMAC under way.
pub struct Mac(MacOf);

enum MacOf {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sm3(Hmac<Sm3>),
}

impl Mac {
    /// Takes in more.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            MacOf::Sha1(mac) => mac.update(data),
            MacOf::Sha256(mac) => mac.update(data),
            MacOf::Sm3(mac) => mac.update(data),
        }
    }

    /// The code, 20 or 32 bytes.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            MacOf::Sha1(mac) => mac.finalize().into_bytes().to_vec(),
            MacOf::Sha256(mac) => mac.finalize().into_bytes().to_vec(),
            MacOf::Sm3(mac) => mac.finalize().into_bytes().to_vec(),
        }
    }
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Equal, in time that depends on the lengths only. Signatures are compared in their printed
/// form, so that no second spelling of a good one is accepted.
pub fn same(ours: &str, theirs: &str) -> bool {
    ours.as_bytes().ct_eq(theirs.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hmac(hash: Hash, key: &[u8], data: &[u8]) -> String {
        let mut mac = hash.hmac(key);
        mac.update(data);
        hex::encode(mac.finish())
    }

    /// RFC 2202 and RFC 4231, test cases 2 and 6; GB/T 32905 appendix A.1.
    #[test]
    fn published_vectors() {
        let what = b"what do ya want for nothing?";
        assert_eq!(
            hmac(Hash::Sha1, b"Jefe", what),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            hmac(Hash::Sha256, b"Jefe", what),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let large = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hmac(Hash::Sha1, &[0xaa; 80], large),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
        assert_eq!(
            hmac(Hash::Sha256, &[0xaa; 131], large),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
        assert_eq!(
            Hash::Sm3.hex(b"abc"),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
    }

    #[test]
    fn comparison() {
        assert!(same("abc", "abc"));
        assert!(!same("abc", "abd"));
        assert!(!same("abc", "ab"));
        assert!(!same("", "a"));
    }
}
