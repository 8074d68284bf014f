//! That a server is the only one on its SQLite database: people at another one would not hear what is said at this one.

use std::fs::{File, OpenOptions, TryLockError, remove_file};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::owner::give_to_folders;
use crate::types::{DatabaseUrl, beside};

/// Held for as long as the server runs; the system lets go of it however the process ends.
#[derive(Default)]
pub struct Sole {
    lock: Option<File>,
    /// Where no server has run before.
    made: Option<PathBuf>,
}

impl Sole {
    /// No server can run there: leaves everything as it was found.
    pub fn give_up(self) {
        if let Some(path) = self.made {
            let _ = remove_file(path);
        }
        drop(self.lock);
    }
}

/// Takes the database for this process, or says who has it. Several servers may share a PostgreSQL.
pub fn take(url: &DatabaseUrl) -> Result<Sole, String> {
    let DatabaseUrl::Sqlite(database) = url else { return Ok(Sole::default()) };
    let path = beside(database, ".lock");
    let made = (!path.exists()).then(|| path.clone());
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    // Whoever cannot make a file there hears of it from the database, which is to be made there too.
    let Ok(file) = opened else { return Ok(Sole::default()) };
    let _ = give_to_folders(&path);
    match file.try_lock() {
        Ok(()) => Ok(Sole { lock: Some(file), made }),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another secure-chat server runs on the database {}. Stop that one first, or give this one a database of its own \
             with DATABASE_URL",
            database.display()
        )),
        // A file system without locks.
        Err(TryLockError::Error(error)) => {
            tracing::warn!("it cannot be told whether another server runs: {error}");
            Ok(Sole { lock: None, made })
        }
    }
}
