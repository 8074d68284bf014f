//! Keyed hashes of what the server hands out: tokens are stored, and cookies checked, by these alone.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::types::random_bytes;

/// Holds a key that depends on the database and on SECRET_KEY: who changes either ends all sessions.
pub struct Signer(Zeroizing<[u8; 32]>);

impl Signer {
    pub fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The keyed hash of `value`; `purpose` keeps a hash made for one thing from being good for another.
    pub fn hash(&self, purpose: &str, value: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// `random.signature`: shows that it came from here and was made for `value`.
    pub fn stamp(&self, purpose: &str, value: &str) -> String {
        let random = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<16>());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.hash(purpose, &format!("{random}|{value}")));
        format!("{random}.{signature}")
    }

    /// The random part of a stamp that was made for `value`.
    pub fn check_stamp<'a>(&self, purpose: &str, value: &str, stamp: &'a str) -> Option<&'a str> {
        let (random, signature) = stamp.split_once('.')?;
        let expected = BASE64_URL_SAFE_NO_PAD.encode(self.hash(purpose, &format!("{random}|{value}")));
        bool::from(expected.as_bytes().ct_eq(signature.as_bytes())).then_some(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_good_for_what_it_was_made_for() {
        let signer = Signer::new(Zeroizing::new([7; 32]));
        let stamp = signer.stamp("device", "ann");
        assert!(signer.check_stamp("device", "ann", &stamp).is_some());
        assert!(signer.check_stamp("device", "bob", &stamp).is_none());
        assert!(signer.check_stamp("csrf", "ann", &stamp).is_none());
        assert!(Signer::new(Zeroizing::new([8; 32])).check_stamp("device", "ann", &stamp).is_none());
    }
}
