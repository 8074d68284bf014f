//! The master key: where it comes from, what makes the server refuse it, and how it is replaced.
//!
//! The file has a Fernet key a line, the newest first: what `Fernet.generate_key()` writes, in MultiFernet's order. Under a
//! passphrase a line is `pbkdf2-sha256$<rounds>$<salt>$<Fernet token of the key>` instead (RFC 8018, section 5.2).

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::{Engine, prelude::BASE64_URL_SAFE};
use fernet::Fernet;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::owner::{folder_of, give_as, give_to_folders};
use crate::types::{KeySource, beside, random_bytes};

/// Begins a line that is sealed under a passphrase.
const SEALED: &str = "pbkdf2-sha256$";
/// Rounds of PBKDF2-HMAC-SHA256 (OWASP Password Storage Cheat Sheet, 2023).
const ROUNDS: u32 = 600_000;
/// A file that asks for more is none of ours.
const MOST_ROUNDS: u32 = 20_000_000;

/// Why there is no usable key. Every text says what to do. The program ends with exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "The key file {0} is missing, but the database {1} was sealed with one. Put the file back, or point MASTER_KEY_FILE to it. Nothing was changed."
    )]
    Missing(PathBuf, String),
    #[error(
        "The key in {0} does not open the database {1}: it was sealed with another key. Use the key that belongs to it. Nothing was changed."
    )]
    Wrong(String, String),
    #[error("The key file {0} can be read by every user of this machine. Run: chmod 600 {0}")]
    WorldReadable(PathBuf),
    #[error(
        "{0} holds no usable key: line {1} is not a Fernet key (44 characters, as Fernet.generate_key() writes it). Restore the file from your backup. Nothing was changed."
    )]
    Malformed(String, usize),
    #[error(
        "{0} holds no key. Restore it from your backup, or remove it if no database was made with it. Nothing was changed."
    )]
    Empty(String),
    #[error("{0} is sealed under a passphrase: set MASTER_KEY_PASSPHRASE. Nothing was changed.")]
    NoPassphrase(String),
    #[error(
        "MASTER_KEY_PASSPHRASE does not open {0}: it is another passphrase, or line {1} of the file is damaged. Nothing was changed."
    )]
    WrongPassphrase(String, usize),
    #[error("A new key file {0} cannot be made: {1}. The server needs a folder that it may write to.")]
    NotMade(PathBuf, std::io::Error),
    #[error(
        "The new key file could not be given to whom {0} belongs to: {1}. The server could not have read it, so the old one stays. Run the command as the user of the server."
    )]
    NotGiven(PathBuf, std::io::Error),
    #[error("The key file {0} cannot be used: {1}.")]
    Io(PathBuf, std::io::Error),
}

/// One key or several: the newest seals, any of them opens.
pub struct MasterKey {
    /// Newest first, and never none.
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    text: Zeroizing<String>,
    fernet: Fernet,
}

impl MasterKey {
    /// The key as it stands, or `None` when the file does not exist yet.
    pub fn load(source: &KeySource) -> Result<Option<Self>, KeyError> {
        match source {
            KeySource::Environment(text) => parse(text, &source.describe(), None).map(Some),
            KeySource::File(path, _) => load_file(path, source.passphrase()),
        }
    }

    /// Makes a new key and writes it to a file that must not exist, readable for its owner alone.
    pub fn create(path: &Path, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let made = Self { keys: vec![Key::generate()] };
        write_new(path, &made.lines(passphrase))
            .and_then(|()| give_to_folders(path))
            .map_err(|error| KeyError::NotMade(path.into(), error))?;
        Ok(made)
    }

    #[cfg(test)]
    pub fn generate() -> Self {
        Self { keys: vec![Key::generate()] }
    }

    /// With a new key in front of those that there are.
    pub fn with_new_key(&self) -> Self {
        Self { keys: [vec![Key::generate()], self.keys.clone()].concat() }
    }

    /// Without the older keys.
    pub fn newest_alone(&self) -> Self {
        Self { keys: self.keys[..1].to_vec() }
    }

    /// Puts the keys into the file, which has either the old content or the new one, whatever happens in between. It belongs
    /// to the same user afterwards: the command may be root's, the server is not.
    pub fn replace_file(&self, path: &Path, passphrase: Option<&str>) -> Result<(), KeyError> {
        let io = |error| KeyError::Io(path.into(), error);
        let new = beside(path, ".new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let old = fs::metadata(path).map_err(io)?;
        write_new(&new, &self.lines(passphrase)).map_err(io)?;
        if let Err(error) = give_as(&new, &old) {
            let _ = fs::remove_file(&new);
            return Err(KeyError::NotGiven(path.into(), error));
        }
        fs::rename(&new, path).and_then(|()| sync_folder(path)).map_err(io)
    }

    /// The keys as a file has them.
    pub fn lines(&self, passphrase: Option<&str>) -> Zeroizing<String> {
        let mut lines = Zeroizing::new(String::new());
        for key in &self.keys {
            match passphrase {
                None => lines.push_str(&key.text),
                Some(passphrase) => lines.push_str(&seal_under(passphrase, &key.text)),
            }
            lines.push('\n');
        }
        lines
    }

    /// A name for each key, newest first, by which people tell them apart: of a hash, it does not help to find the key.
    pub fn names(&self) -> Vec<String> {
        let name =
            |key: &Key| Sha256::digest(key.text.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        self.keys.iter().map(name).collect()
    }

    /// Which of the keys opens it, counted from the newest.
    pub(super) fn which_opens(&self, token: &str) -> Option<usize> {
        self.keys.iter().position(|key| key.fernet.decrypt(token).is_ok())
    }

    pub(super) fn seal(&self, plain: &[u8]) -> String {
        self.keys[0].fernet.encrypt(plain)
    }

    pub(super) fn open(&self, token: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.keys.iter().find_map(|key| key.fernet.decrypt(token).ok()).map(Zeroizing::new)
    }
}

impl Key {
    fn generate() -> Self {
        Self::parse(&Fernet::generate_key()).expect("a generated key is one")
    }

    fn parse(text: &str) -> Option<Self> {
        Some(Self { text: Zeroizing::new(text.to_owned()), fernet: Fernet::new(text)? })
    }
}

fn load_file(path: &Path, passphrase: Option<&str>) -> Result<Option<MasterKey>, KeyError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(KeyError::Io(path.into(), error)),
    };
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(KeyError::WorldReadable(path.into()));
    }
    let bytes = fs::read(path).map_err(|error| KeyError::Io(path.into(), error))?;
    let name = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|_| KeyError::Malformed(name.clone(), 1))?;
    parse(&Zeroizing::new(text), &name, passphrase).map(Some)
}

/// A key a line; in the environment, where lines are hard to write, spaces and commas part them too.
fn parse(text: &str, name: &str, passphrase: Option<&str>) -> Result<MasterKey, KeyError> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in line.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            let malformed = || KeyError::Malformed(name.into(), number + 1);
            keys.push(match (word.strip_prefix(SEALED), passphrase) {
                (None, _) => Key::parse(word).ok_or_else(malformed)?,
                (Some(_), None) => return Err(KeyError::NoPassphrase(name.into())),
                (Some(sealed), Some(passphrase)) => {
                    let opened = open_under(passphrase, sealed).ok_or_else(malformed)?;
                    let opened = opened.and_then(|text| Key::parse(&text));
                    opened.ok_or_else(|| KeyError::WrongPassphrase(name.into(), number + 1))?
                }
            });
        }
    }
    match keys.is_empty() {
        true => Err(KeyError::Empty(name.into())),
        false => Ok(MasterKey { keys }),
    }
}

fn seal_under(passphrase: &str, key: &str) -> String {
    let salt = random_bytes::<16>();
    let token = fernet_under(passphrase, &salt, ROUNDS).encrypt(key.as_bytes());
    format!("{SEALED}{ROUNDS}${}${token}", BASE64_URL_SAFE.encode(salt))
}

/// `None`: it is no such line. `Some(None)`: another passphrase, or damaged.
fn open_under(passphrase: &str, sealed: &str) -> Option<Option<Zeroizing<String>>> {
    let mut parts = sealed.split('$');
    let (rounds, salt, token) = (parts.next()?, parts.next()?, parts.next()?);
    let rounds = rounds.parse().ok().filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))?;
    let salt = BASE64_URL_SAFE.decode(salt).ok()?;
    let plain = fernet_under(passphrase, &salt, rounds).decrypt(token).ok().map(Zeroizing::new);
    Some(plain.and_then(|plain| String::from_utf8(plain.to_vec()).ok()).map(Zeroizing::new))
}

fn fernet_under(passphrase: &str, salt: &[u8], rounds: u32) -> Fernet {
    let derived: Zeroizing<[u8; 32]> =
        Zeroizing::new(pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(passphrase.as_bytes(), salt, rounds));
    let text = Zeroizing::new(BASE64_URL_SAFE.encode(&derived[..]));
    Fernet::new(&text).expect("32 bytes make a Fernet key")
}

fn write_new(path: &Path, lines: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    sync_folder(path)
}

/// The name of a file must survive a power cut as well as its content.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_under_a_passphrase_opens_with_that_one_alone_and_shows_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::create(&path, Some("correct horse")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(made.keys[0].text.as_str()));
        let load = |passphrase: Option<&str>| {
            let passphrase = passphrase.map(|passphrase| Zeroizing::new(passphrase.to_owned()));
            MasterKey::load(&KeySource::File(path.clone(), passphrase))
        };
        assert_eq!(load(Some("correct horse")).unwrap().unwrap().names(), made.names());
        assert!(matches!(load(Some("battery staple")), Err(KeyError::WrongPassphrase(..))));
        assert!(matches!(load(None), Err(KeyError::NoPassphrase(_))));
    }

    #[test]
    fn a_key_file_that_is_replaced_keeps_its_owner_and_its_rights() {
        const SERVICE: u32 = 65_534;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::create(&path, None).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let root = rustix::process::geteuid().is_root();
        if root {
            std::os::unix::fs::chown(&path, Some(SERVICE), Some(SERVICE)).unwrap();
        }
        made.with_new_key().replace_file(&path, None).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
        assert_eq!(root, metadata.uid() == SERVICE);
        // What root makes in the service's folder is the service's.
        if root {
            std::os::unix::fs::chown(folder.path(), Some(SERVICE), Some(SERVICE)).unwrap();
            let path = folder.path().join("other.key");
            MasterKey::create(&path, None).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().uid(), SERVICE);
        }
    }

    #[test]
    fn the_newest_key_seals_and_each_opens() {
        let old = MasterKey::generate();
        let both = old.with_new_key();
        let (before, after) = (old.seal(b"x"), both.seal(b"x"));
        assert_eq!((both.which_opens(&before), both.which_opens(&after)), (Some(1), Some(0)));
        assert!(old.open(&after).is_none() && both.newest_alone().open(&before).is_none());
    }
}
