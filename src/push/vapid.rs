//! The key by which push services know this installation (RFC 8292): who has it can wake browsers up in its name.

use anyhow::anyhow;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::types::Timestamp;

/// How long a signed statement is good, in seconds: at most a day (RFC 8292, section 2).
const GOOD: i64 = 12 * 3_600;
/// Of a second.
const MICROS: i64 = 1_000_000;

/// A pair of keys for ECDSA with P-256 and SHA-256.
pub struct Key {
    pair: EcdsaKeyPair,
    /// Signatures need random numbers, which this library takes from the system alone.
    random: SystemRandom,
}

impl Key {
    /// A new one, as it is stored: PKCS #8 in base64.
    pub fn generate() -> anyhow::Result<Zeroizing<String>> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| anyhow!("the system gives no random numbers"))?;
        Ok(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(document.as_ref())))
    }

    /// The one that was stored so.
    pub fn open(stored: &str) -> anyhow::Result<Self> {
        let random = SystemRandom::new();
        let document = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(stored)?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document, &random)
            .map_err(|rejected| anyhow!("the stored key for push services is damaged: {rejected}"))?;
        Ok(Self { pair, random })
    }

    /// The point, uncompressed, in base64url: what a page gives to `pushManager.subscribe`.
    pub fn public(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The header `Authorization` for the push service at that origin.
    pub fn authorization(&self, origin: &str, subject: &str, now: Timestamp) -> anyhow::Result<String> {
        let claims = serde_json::json!({ "aud": origin, "exp": now.micros() / MICROS + GOOD, "sub": subject });
        let parts = [r#"{"typ":"JWT","alg":"ES256"}"#, &claims.to_string()];
        let signed = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = self.pair.sign(&self.random, signed.as_bytes());
        let signature = signature.map_err(|_| anyhow!("the system gives no random numbers"))?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref());
        Ok(format!("vapid t={signed}.{signature}, k={}", self.public()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_key_is_the_same_key_and_a_damaged_one_is_none() {
        let stored = Key::generate().unwrap();
        let key = Key::open(&stored).unwrap();
        assert_eq!(key.public(), Key::open(&stored).unwrap().public());
        assert_ne!(key.public(), Key::open(&Key::generate().unwrap()).unwrap().public());
        let point = BASE64_URL_SAFE_NO_PAD.decode(key.public()).unwrap();
        assert_eq!((point.len(), point[0]), (65, 4), "uncompressed");
        assert!(Key::open(&stored[1..]).is_err() && Key::open("").is_err());
    }
}
