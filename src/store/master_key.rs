//! The master key: where it comes from, and what makes the server refuse it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fernet::{Fernet, MultiFernet};
use zeroize::Zeroizing;

use crate::types::KeySource;

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
    #[error("The key file {0} cannot be used: {1}.")]
    Io(PathBuf, std::io::Error),
}

pub struct MasterKey {
    /// Newest first: it seals; any of them opens.
    keys: MultiFernet,
}

impl MasterKey {
    /// The key as it stands, or `None` when the file does not exist yet.
    pub fn load(source: &KeySource) -> Result<Option<Self>, KeyError> {
        match source {
            KeySource::Environment(text) => parse(text, &source.describe()).map(Some),
            KeySource::File(path) => load_file(path),
        }
    }

    /// Makes a new key and writes it to a file that must not exist, readable for its owner alone.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let io = |error| KeyError::Io(path.into(), error);
        let text = Zeroizing::new(Fernet::generate_key());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(io)?;
        file.sync_all().map_err(io)?;
        // The name of the file must survive a power cut as well as its content.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        parse(&text, &path.display().to_string())
    }

    #[cfg(test)]
    pub fn generate() -> Self {
        parse(&Fernet::generate_key(), "test").expect("a generated key is one")
    }

    pub(super) fn seal(&self, plain: &[u8]) -> String {
        self.keys.encrypt(plain)
    }

    pub(super) fn open(&self, token: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.keys.decrypt(token).ok().map(Zeroizing::new)
    }
}

fn load_file(path: &Path) -> Result<Option<MasterKey>, KeyError> {
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
    parse(&Zeroizing::new(text), &name).map(Some)
}

fn parse(text: &str, name: &str) -> Result<MasterKey, KeyError> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() {
            keys.push(Fernet::new(line).ok_or_else(|| KeyError::Malformed(name.into(), number + 1))?);
        }
    }
    if keys.is_empty() {
        return Err(KeyError::Empty(name.into()));
    }
    Ok(MasterKey { keys: MultiFernet::new(keys) })
}
