//! The one place where randomness comes from: the operating system, through a seeded generator.

use rand::RngCore;
use uuid::Uuid;

/// `N` bytes that nobody can guess.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[allow(clippy::disallowed_methods)]
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A version 4 UUID (RFC 9562, section 5.4).
pub fn random_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(random_bytes()).into_uuid()
}
