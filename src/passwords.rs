//! Password hashes in Werkzeug's spelling (`pbkdf2:sha256:600000$salt$hex`), made and checked on a few threads of their own.

use std::sync::{Arc, Mutex, mpsc};

use scrypt::scrypt;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::types::{NewPassword, Password, Username, random_bytes};

/// Rounds of PBKDF2-HMAC-SHA256 (OWASP Password Storage Cheat Sheet, 2023).
const ROUNDS: u32 = 600_000;
/// Characters of a password that its strength is judged by.
const JUDGED: usize = 40;
const SALT_LENGTH: usize = 16;
/// Each waits for about 0.1 s of a core; past that people are told to come back.
const QUEUE: usize = 256;
/// How much the threads give way to those that carry the chat (nice(2)).
const NICE: i32 = 10;
/// Werkzeug's scrypt takes 32 MB; a hash that wants more than this is none of its own.
const SCRYPT_MEMORY: u64 = 128 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// Derives keys, few at a time, so that chat goes on while many people log in.
pub struct Passwords {
    jobs: mpsc::SyncSender<Job>,
}

/// What came of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, but the hash is of an older kind and should be made anew.
    RightButOld,
}

impl Passwords {
    pub fn new() -> Self {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..(cores / 2).max(1) {
            let waiting = waiting.clone();
            let work = move || {
                // Without the lower priority it works as well, only less kindly to others.
                let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
                loop {
                    let next = waiting.lock().expect("jobs lock").recv();
                    match next {
                        Ok(job) => job(),
                        Err(_) => return,
                    }
                }
            };
            std::thread::Builder::new().name("passwords".into()).spawn(work).expect("a thread can be started");
        }
        Self { jobs }
    }

    pub async fn hash(&self, password: Password) -> Result<String> {
        self.run(move || hash(&password)).await
    }

    /// The hash of a new password for an account, unless that is one of those that are tried first.
    pub async fn hash_strong(&self, password: NewPassword, name: Username) -> Result<String> {
        self.run(move || {
            let password = password.into_password();
            match is_easily_guessed(&password, &name) {
                true => Err(Error::invalid(
                    "password",
                    "This password is too easily guessed. Take a longer or an odder one.",
                )),
                false => Ok(hash(&password)),
            }
        })
        .await?
    }

    /// Compares a password with a hash. Without a hash it takes as long, and the answer is `Wrong`: nobody is to see by
    /// the time whether there is such an account.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<Verdict> {
        self.run(move || match hash {
            Some(hash) => compare(&password, &hash),
            None => {
                derive(&password, "there is no such account", ROUNDS);
                Ok(Verdict::Wrong)
            }
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(move || {
            if !caller.is_closed() {
                let _ = caller.send(work());
            }
        });
        self.jobs.try_send(job).map_err(|_| Error::TooMany { retry_ms: 2_000 })?;
        answer.await.map_err(|_| Error::internal(anyhow::anyhow!("a password thread ended")))
    }
}

fn hash(password: &Password) -> String {
    let salt = salt();
    format!("pbkdf2:sha256:{ROUNDS}${salt}${}", derive(password, &salt, ROUNDS))
}

/// Whether an attacker would come upon it within the first million guesses (zxcvbn's scores 0 and 1). Its work grows with
/// the cube of the length, and a beginning that is good enough makes a good password.
fn is_easily_guessed(password: &Password, name: &Username) -> bool {
    let beginning: Zeroizing<String> = Zeroizing::new(password.as_str().chars().take(JUDGED).collect());
    zxcvbn::zxcvbn(&beginning, &[name.as_str(), "secure-chat"]).score() < zxcvbn::Score::Two
}

fn compare(password: &Password, hash: &str) -> Result<Verdict> {
    let malformed = || Error::Internal(anyhow::anyhow!("a stored password hash is malformed"));
    let mut parts = hash.splitn(3, '$');
    let (Some(method), Some(salt), Some(expected)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed());
    };
    let method: Vec<_> = method.split(':').collect();
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0).ok_or_else(malformed);
    let (found, rounds) = match method[..] {
        ["pbkdf2", "sha256", rounds] => {
            let rounds = number(rounds)?;
            (derive(password, salt, rounds), rounds)
        }
        ["scrypt", n, r, p] => {
            (derive_scrypt(password, salt, number(n)?, number(r)?, number(p)?).ok_or_else(malformed)?, 0)
        }
        _ => return Err(malformed()),
    };
    // A hash of fewer rounds must not be known by its speed.
    if rounds > 0 && rounds < ROUNDS {
        derive(password, salt, ROUNDS - rounds);
    }
    match (bool::from(found.as_bytes().ct_eq(expected.as_bytes())), rounds >= ROUNDS) {
        (false, _) => Ok(Verdict::Wrong),
        (true, true) => Ok(Verdict::Right),
        (true, false) => Ok(Verdict::RightButOld),
    }
}

/// 32 bytes in hex. Werkzeug takes the salt as the text that it is.
fn derive(password: &Password, salt: &str, rounds: u32) -> String {
    let key: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt.as_bytes(), rounds);
    hex(&key)
}

/// 64 bytes in hex; `None` where the parameters are not those of a hash that Werkzeug makes.
fn derive_scrypt(password: &Password, salt: &str, n: u32, r: u32, p: u32) -> Option<String> {
    if !n.is_power_of_two() || 128 * u64::from(n) * u64::from(r) > SCRYPT_MEMORY || p > 16 {
        return None;
    }
    let parameters = scrypt::Params::new(n.trailing_zeros() as u8, r, p).ok()?;
    let mut key = [0; 64];
    scrypt(password.as_bytes(), salt.as_bytes(), &parameters, &mut key).ok()?;
    Some(hex(&key))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
        assert_eq!(passwords.verify(password("open sesame"), Some(hash.clone())).await.unwrap(), Verdict::Right);
        assert_eq!(passwords.verify(password("open sesame "), Some(hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.verify(password("open sesame"), None).await.unwrap(), Verdict::Wrong);
    }

    #[test]
    fn passwords_that_everybody_tries_are_refused() {
        let name = Username::try_from("marguerite".to_string()).unwrap();
        for easy in
            ["password", "12345678", "qwertyuiop", "password1", "marguerite", "marguerite1", "aaaaaaaaaaaa", "iloveyou"]
        {
            assert!(is_easily_guessed(&password(easy), &name), "{easy}");
        }
        for good in ["correct horse battery", "Tr0ub4dor&3x", "ключ-под-ковриком", "k7#mQ!x2"] {
            assert!(!is_easily_guessed(&password(good), &name), "{good}");
        }
    }

    /// Made by Werkzeug 2.3.7 and 3.1.3: `generate_password_hash("password")`, with `method="pbkdf2:sha256:1000"`, and with
    /// the default of 3.1, scrypt.
    #[test]
    fn werkzeugs_hashes_verify() {
        let hashes = [
            (
                "pbkdf2:sha256:600000$ObAh2PabEhaSI72N$b45e8274741ab298b9d380d118f3ad0ced6b5645e669616ba8ba2eed6384e67c",
                Verdict::Right,
            ),
            (OLD, Verdict::RightButOld),
            (SCRYPT, Verdict::RightButOld),
        ];
        for (hash, verdict) in hashes {
            assert_eq!(compare(&password("password"), hash).unwrap(), verdict);
            assert_eq!(compare(&password("passwordx"), hash).unwrap(), Verdict::Wrong);
        }
        for malformed in ["plain$$hunter2", "pbkdf2:sha256:0$s$x", "scrypt:1073741824:8:1$s$x", "scrypt:3:8:1$s$x", ""]
        {
            assert!(compare(&password("hunter2"), malformed).is_err(), "{malformed}");
        }
    }

    const OLD: &str =
        "pbkdf2:sha256:1000$eJBYY2qThN5j4ibq$173aa7a57dcefc776c9662d990561076d4d28b2779358c7d26c32ae076028e72";
    const SCRYPT: &str = "scrypt:32768:8:1$JlhcVs7stdYud7j0$aed684756bd205899540a558e58866918cf94f8f7acda3344379b55d19f9dd58732dd63d89ed0a2b7c87691fd1f56bfcd319daf0c349617ee01b5c9ecd1cefea";
}
