//! Whose files are: what is made by a command as root must stay usable for the server, which runs as somebody else.

use std::fs::{self, Metadata};
use std::io::Result;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file of root's belongs to whom its folder belongs to.
pub fn give_to_folders(path: &Path) -> Result<()> {
    match rustix::process::geteuid().is_root() {
        true => give(path, &fs::metadata(folder_of(path))?),
        false => Ok(()),
    }
}

/// Makes a new file belong to whom an old one belonged to, with the old rights. Who may not give files away gets the error.
pub fn give_as(path: &Path, old: &Metadata) -> Result<()> {
    give(path, old)?;
    fs::set_permissions(path, old.permissions())
}

fn give(path: &Path, to: &Metadata) -> Result<()> {
    let made = fs::metadata(path)?;
    match (made.uid(), made.gid()) == (to.uid(), to.gid()) {
        true => Ok(()),
        false => chown(path, Some(to.uid()), Some(to.gid())),
    }
}
