//! Password hashes in Werkzeug's spelling (`pbkdf2:sha256:600000$salt$hex`), made and checked on a few threads of their own.

use std::sync::{Arc, Mutex, mpsc};

use scrypt::scrypt;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
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
const NICE: i32 = 4;
/// Werkzeug's scrypt works on 32 MB; a hash that wants more than this, over all its lanes, would hold the machine up.
const SCRYPT_MEMORY: u64 = 128 << 20;
/// Werkzeug's own are below this by far; more would take seconds of a core for each try.
const MOST_ROUNDS: u32 = 5_000_000;
/// What a hash means that says no rounds: the default of the Werkzeug that made it (2.3 and 3.0, 3.1, 2.0, 0.15, 0.12).
const DEFAULT_ROUNDS: [u32; 5] = [600_000, 1_000_000, 260_000, 150_000, 50_000];

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
                derive(password.as_bytes(), "there is no such account", ROUNDS);
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
    format!("pbkdf2:sha256:{ROUNDS}${salt}${}", derive(password.as_bytes(), &salt, ROUNDS))
}

/// Whether an attacker would come upon it within the first million guesses (zxcvbn's scores 0 and 1). Its work grows with
/// the cube of the length, and a beginning that is good enough makes a good password.
fn is_easily_guessed(password: &Password, name: &Username) -> bool {
    let beginning: Zeroizing<String> = Zeroizing::new(password.as_str().chars().take(JUDGED).collect());
    zxcvbn::zxcvbn(&beginning, &[name.as_str(), "secure-chat"]).score() < zxcvbn::Score::Two
}

/// Whether people can log in by this hash: it is one of Werkzeug's, whole, and no more work than a login may be.
pub fn is_usable(hash: &str) -> bool {
    Hash::parse(hash).is_some()
}

fn compare(password: &Password, hash: &str) -> Result<Verdict> {
    let hash =
        Hash::parse(hash).ok_or_else(|| Error::Internal(anyhow::anyhow!("a stored password hash is malformed")))?;
    Ok(hash.compare(password.as_bytes()))
}

/// A stored hash, `METHOD$SALT$HEX`, taken apart. Werkzeug takes the salt as the text that it is.
struct Hash<'a> {
    method: Method,
    salt: &'a str,
    expected: &'a str,
}

enum Method {
    /// `pbkdf2:DIGEST:ROUNDS`; where the rounds are not said, those that it may be.
    Pbkdf2(Digest, Vec<u32>),
    /// `scrypt:N:R:P`
    Scrypt(scrypt::Params),
}

#[derive(Clone, Copy, PartialEq)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl<'a> Hash<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, '$');
        let (method, salt, expected) = (parts.next()?, parts.next()?, parts.next()?);
        let method = match method.split(':').collect::<Vec<_>>()[..] {
            ["pbkdf2", digest] => Method::Pbkdf2(Digest::of(digest)?, DEFAULT_ROUNDS.to_vec()),
            ["pbkdf2", digest, rounds] => {
                let rounds = rounds.parse().ok().filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))?;
                Method::Pbkdf2(Digest::of(digest)?, vec![rounds])
            }
            ["scrypt", n, r, p] => {
                Method::Scrypt(scrypt_parameters(n.parse().ok()?, r.parse().ok()?, p.parse().ok()?)?)
            }
            _ => return None,
        };
        let bytes = match method {
            Method::Pbkdf2(Digest::Sha1, _) => 20,
            Method::Pbkdf2(Digest::Sha256, _) => 32,
            Method::Pbkdf2(Digest::Sha512, _) | Method::Scrypt(_) => 64,
        };
        let is_whole = expected.len() == 2 * bytes && expected.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_whole.then_some(Self { method, salt, expected })
    }

    fn compare(&self, password: &[u8]) -> Verdict {
        let is_expected = |found: String| bool::from(found.as_bytes().ct_eq(self.expected.as_bytes()));
        let (right, as_good_as_new) = match &self.method {
            Method::Scrypt(parameters) => (is_expected(derive_scrypt(password, self.salt, parameters)), false),
            Method::Pbkdf2(digest, rounds) => {
                let right = rounds.iter().any(|rounds| is_expected(digest.derive(password, self.salt, *rounds)));
                // A hash of fewer rounds must not be known by its speed.
                let missing = ROUNDS.saturating_sub(rounds[0]);
                if missing > 0 {
                    derive(password, self.salt, missing);
                }
                (right, *digest == Digest::Sha256 && rounds.len() == 1 && missing == 0)
            }
        };
        match (right, as_good_as_new) {
            (false, _) => Verdict::Wrong,
            (true, true) => Verdict::Right,
            (true, false) => Verdict::RightButOld,
        }
    }
}

impl Digest {
    fn of(name: &str) -> Option<Self> {
        match name {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn derive(self, password: &[u8], salt: &str, rounds: u32) -> String {
        let salt = salt.as_bytes();
        match self {
            Self::Sha1 => hex(&pbkdf2::pbkdf2_hmac_array::<Sha1, 20>(password, salt, rounds)),
            Self::Sha256 => hex(&pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, rounds)),
            Self::Sha512 => hex(&pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, rounds)),
        }
    }
}

/// 32 bytes in hex.
fn derive(password: &[u8], salt: &str, rounds: u32) -> String {
    Digest::Sha256.derive(password, salt, rounds)
}

/// `None` where they mean nothing, or too much work.
fn scrypt_parameters(n: u32, r: u32, p: u32) -> Option<scrypt::Params> {
    let memory = 128u64.checked_mul(n.into())?.checked_mul(r.into())?.checked_mul(p.into())?;
    match n.is_power_of_two() && memory <= SCRYPT_MEMORY {
        true => scrypt::Params::new(n.trailing_zeros() as u8, r, p).ok(),
        false => None,
    }
}

/// 64 bytes in hex.
fn derive_scrypt(password: &[u8], salt: &str, parameters: &scrypt::Params) -> String {
    let mut key = [0; 64];
    scrypt(password, salt.as_bytes(), parameters, &mut key).expect("64 bytes are a length that scrypt gives");
    hex(&key)
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

    /// What Werkzeug itself has made and said of them: see `oracle/flask`.
    #[test]
    fn werkzeugs_hashes_verify() {
        for vectors in [
            include_str!("../tests/vectors/flask/werkzeug_password_hashes_2.3.7.json"),
            include_str!("../tests/vectors/flask/werkzeug_password_hashes_3.1.9.json"),
        ] {
            let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
            for vector in vectors["hashes"].as_array().unwrap() {
                let text = vector["hash"].as_str().unwrap();
                let hash = Hash::parse(text).unwrap_or_else(|| panic!("{text}"));
                let verdict =
                    match text.starts_with("pbkdf2:sha256:1000000$") || text.starts_with("pbkdf2:sha256:600000$") {
                        true => Verdict::Right,
                        false => Verdict::RightButOld,
                    };
                assert_eq!(hash.compare(vector["password"].as_str().unwrap().as_bytes()), verdict, "{text}");
                if let Some(wrong) = vector["wrong_password"].as_str() {
                    assert_eq!(hash.compare(wrong.as_bytes()), Verdict::Wrong, "{text}");
                }
            }
            // What Werkzeug refuses, and what only old versions took, as a password in clear.
            for odd in vectors["odd_inputs"].as_array().unwrap() {
                assert!(!is_usable(odd["stored"].as_str().unwrap()), "{odd}");
            }
        }
    }

    /// As Werkzeug 2.2 has it with its own default.
    #[test]
    fn a_hash_that_says_no_rounds_has_a_versions_default() {
        let hash = format!("pbkdf2:sha256$salt${}", derive(b"password", "salt", 260_000));
        assert_eq!(compare(&password("password"), &hash).unwrap(), Verdict::RightButOld);
        assert_eq!(compare(&password("passwordx"), &hash).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn a_hash_that_would_hold_the_machine_up_is_none() {
        let (sha256, scrypt) = ("0".repeat(64), "0".repeat(128));
        assert!(is_usable(&format!("pbkdf2:sha256:5000000$s${sha256}")));
        assert!(is_usable(&format!("scrypt:131072:8:1$s${scrypt}")));
        for method in ["pbkdf2:sha256:0", "pbkdf2:sha256:4000000000", "pbkdf2:sha256:-1"] {
            assert!(!is_usable(&format!("{method}$s${sha256}")), "{method}");
        }
        for method in ["1099511627776:8:1", "1073741824:8:1", "32768:8:17", "2:1073741824:8", "2:8:4294967295", "3:8:1"]
        {
            assert!(!is_usable(&format!("scrypt:{method}$s${scrypt}")), "{method}");
        }
        assert!(compare(&password("hunter2"), "plain$$hunter2").is_err());
    }
}
