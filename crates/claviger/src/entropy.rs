//! The system's randomness: the only place that reads it.

use claviger_core::ports::Entropy;
use claviger_core::secret::Secret;

/// The system's random source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter; everything else is given an Entropy"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        // Without randomness every key, nonce and password would be guessable: there is no safe
        // way on, and no caller that could do better than stop.
        if let Err(error) = getrandom::fill(buffer) {
            tracing::error!(%error, "the system gives no randomness");
            std::process::abort();
        }
    }
}

/// That many random bytes in hexadecimal.
pub(crate) fn hex(entropy: &dyn Entropy, bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    entropy.fill(&mut buffer);
    hex::encode(buffer)
}

/// Letters and digits that are not mistaken for one another when read aloud.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
const SMALL: &[u8] = b"abcdefghijkmnopqrstuvwxyz";
const DIGITS: &[u8] = b"23456789";

/// A random text of `length` letters and digits, each class in it at least once (the clouds'
/// password rules ask for three of four classes).
pub(crate) fn password(entropy: &dyn Entropy, length: usize) -> Secret {
    loop {
        let text = token(entropy, length);
        let has = |class: &[u8]| text.bytes().any(|b| class.contains(&b));
        if length < 3 || (has(LETTERS) && has(SMALL) && has(DIGITS)) {
            return Secret::new(text);
        }
    }
}

/// A random text of `length` letters and digits.
pub(crate) fn token(entropy: &dyn Entropy, length: usize) -> String {
    let alphabet: Vec<u8> = [LETTERS, SMALL, DIGITS].concat();
    // Bytes from here on are thrown away, so that every character is equally likely.
    let limit = 256 / alphabet.len() * alphabet.len();
    let mut text = String::with_capacity(length);
    let mut buffer = [0; 64];
    while text.len() < length {
        entropy.fill(&mut buffer);
        let usable = buffer.iter().map(|&b| usize::from(b));
        for value in usable.filter(|&value| value < limit) {
            if text.len() == length {
                break;
            }
            text.push(char::from(alphabet[value % alphabet.len()]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_form() {
        let one = password(&SystemEntropy, 24);
        let two = password(&SystemEntropy, 24);
        assert_eq!(one.expose().len(), 24);
        assert!(!one.same_as(&two));
        assert!(one.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(hex(&SystemEntropy, 16).len(), 32);
        assert_eq!(token(&SystemEntropy, 0), "");
    }
}
