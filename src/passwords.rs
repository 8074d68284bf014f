//! Password hashes in Werkzeug's spelling (`pbkdf2:sha256:600000$salt$hex`), made and checked on a small pool of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::types::{Password, random_bytes};

/// Rounds of PBKDF2-HMAC-SHA256 (OWASP Password Storage Cheat Sheet, 2023).
const ROUNDS: u32 = 600_000;
const SALT_LENGTH: usize = 16;
/// Each waits for about 0.1 s of a core; past that people are told to come back.
const QUEUE: usize = 64;

/// Derives keys, few at a time, so that chat goes on while many people log in.
pub struct Passwords {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Passwords {
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { permits: Arc::new(Semaphore::new((cores / 2).max(1))), waiting: AtomicUsize::new(0) }
    }

    pub async fn hash(&self, password: Password) -> Result<String> {
        self.run(move || {
            let salt = salt();
            format!("pbkdf2:sha256:{ROUNDS}${salt}${}", derive(&password, &salt, ROUNDS))
        })
        .await
    }

    /// Whether the password is the one of the hash.
    pub async fn verify(&self, password: Password, hash: String) -> Result<bool> {
        self.run(move || matches(&password, &hash)).await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::TooMany { retry_ms: 2_000 });
        }
        let permit = self.permits.clone().acquire_owned().await;
        let result = tokio::task::spawn_blocking(work).await;
        drop(permit);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        result.map_err(Error::internal)
    }
}

fn matches(password: &Password, hash: &str) -> Result<bool> {
    let malformed = || Error::Internal(anyhow::anyhow!("a stored password hash is malformed"));
    let mut parts = hash.splitn(3, '$');
    let (Some(method), Some(salt), Some(expected)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed());
    };
    let rounds = method.strip_prefix("pbkdf2:sha256:").and_then(|rounds| rounds.parse().ok()).ok_or_else(malformed)?;
    Ok(derive(password, salt, rounds).as_bytes().ct_eq(expected.as_bytes()).into())
}

/// 32 bytes in hex. Werkzeug takes the salt as the text that it is.
fn derive(password: &Password, salt: &str, rounds: u32) -> String {
    let key: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), rounds);
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 16 characters of [A-Za-z0-9], as Werkzeug's; each from a byte that gives no character an edge.
fn salt() -> String {
    const CHARACTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut salt = String::with_capacity(SALT_LENGTH);
    while salt.len() < SALT_LENGTH {
        let [byte] = random_bytes::<1>();
        if byte < 248 {
            salt.push(char::from(CHARACTERS[usize::from(byte) % CHARACTERS.len()]));
        }
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::try_from(text.to_string()).unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_of_its_password_alone_and_never_twice_the_same() {
        let passwords = Passwords::new();
        let hash = passwords.hash(password("open sesame")).await.unwrap();
        assert!(hash.starts_with("pbkdf2:sha256:600000$"));
        assert_ne!(hash, passwords.hash(password("open sesame")).await.unwrap());
        assert!(passwords.verify(password("open sesame"), hash.clone()).await.unwrap());
        assert!(!passwords.verify(password("open sesame "), hash).await.unwrap());
    }

    /// Made by Werkzeug 2.3.7's `generate_password_hash("password")`.
    #[test]
    fn werkzeugs_hashes_verify() {
        let hash =
            "pbkdf2:sha256:600000$ObAh2PabEhaSI72N$b45e8274741ab298b9d380d118f3ad0ced6b5645e669616ba8ba2eed6384e67c";
        assert!(matches(&password("password"), hash).unwrap());
        assert!(!matches(&password("passwordx"), hash).unwrap());
        assert!(matches(&password("hunter2"), "plain$$hunter2").is_err());
    }
}
