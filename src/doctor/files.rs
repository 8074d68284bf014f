//! Files and folders: room on the disk, who may read them, and whether the server may write them.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::Finding;
use crate::config::Config;
use crate::pressure::{FREE_DISK, free_disk};
use crate::types::{DatabaseUrl, KeySource, beside};

const DISK: &str = "disk";
const FILES: &str = "files";
/// The part of a mode that is for everybody.
const OTHERS: u32 = 0o007;

/// Room for the database and for attached files.
pub fn disks(config: &Config) -> Vec<Finding> {
    let database = sqlite(config).map(|path| folder_of(path).to_owned());
    let mut folders: Vec<_> = database.into_iter().chain([config.attachments_dir.clone()]).collect();
    folders.dedup();
    folders.iter().map(|folder| disk(folder)).collect()
}

fn disk(folder: &Path) -> Finding {
    let Some(free) = nearest(folder).and_then(free_disk) else {
        return Finding::note(DISK, format!("How much is free at {} cannot be found out.", folder.display()));
    };
    let text = format!("{} free at {}", bytes(free), folder.display());
    match free {
        free if free < FREE_DISK[1] => {
            Finding::problem(DISK, format!("{text}: the server lets nobody new in. Make room."))
        }
        free if free < FREE_DISK[0] => {
            Finding::problem(DISK, format!("{text}: the server makes no accounts and takes no files. Make room."))
        }
        _ => Finding::ok(DISK, text),
    }
}

/// Who may read what is to be secret, and whether the server may write what it must.
pub fn modes(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<_> = private(config).iter().filter_map(|path| open_to_all(path)).collect();
    findings.extend(written(config).iter().filter_map(|path| not_writable(path)));
    if findings.is_empty() {
        findings.push(Finding::ok(FILES, "open to their owner alone, and this user may write them"));
    }
    findings
}

/// The key is looked at where it is read.
fn private(config: &Config) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(".env"), config.attachments_dir.clone()];
    if let Some(database) = sqlite(config) {
        paths.extend(["", "-wal", "-shm"].map(|ending| beside(database, ending)));
    }
    paths
}

fn open_to_all(path: &Path) -> Option<Finding> {
    let found = path.metadata().ok()?;
    if found.permissions().mode() & OTHERS == 0 {
        return None;
    }
    let mode = if found.is_dir() { "700" } else { "600" };
    let text = format!("{} is open to every user of this machine.", path.display());
    Some(Finding::problem(FILES, text).run(format!("chmod {mode} {}", quoted(path))))
}

/// What the server writes. SQLite lays files beside its own, so its folder counts as well.
fn written(config: &Config) -> Vec<PathBuf> {
    // That folder is made where it is not there.
    let mut paths: Vec<_> = nearest(&config.attachments_dir).map(Path::to_owned).into_iter().collect();
    if let Some(database) = sqlite(config) {
        paths.push(folder_of(database).to_owned());
        paths.extend(database.exists().then(|| database.to_owned()));
    }
    if let KeySource::File(key, _) = &config.master_key
        && !key.exists()
    {
        paths.push(folder_of(key).to_owned());
    }
    paths.sort();
    paths.dedup();
    paths
}

fn not_writable(path: &Path) -> Option<Finding> {
    let found = match path.metadata() {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = format!("There is no folder {}.", path.display());
            return Some(Finding::problem(FILES, text).run(format!("mkdir -p -m 700 {}", quoted(path))));
        }
        Err(error) => return Some(Finding::problem(FILES, format!("{}: {error}.", path.display()))),
    };
    let needed = if found.is_dir() { Access::WRITE_OK | Access::EXEC_OK } else { Access::WRITE_OK };
    access(path, needed).err().map(|error| {
        let text = format!("This user may not write {} ({error}).", path.display());
        let user = rustix::process::geteuid().as_raw();
        Finding::problem(FILES, text).run(format!("sudo chown {user} {}", quoted(path)))
    })
}

fn sqlite(config: &Config) -> Option<&Path> {
    match &config.database {
        DatabaseUrl::Sqlite(path) => Some(path),
        DatabaseUrl::Postgres(_) => None,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The folder itself, or the first above it that is there.
fn nearest(folder: &Path) -> Option<&Path> {
    let here = Path::new(".");
    folder.ancestors().map(|path| if path.as_os_str().is_empty() { here } else { path }).find(|path| path.exists())
}

fn bytes(number: u64) -> String {
    match number {
        number if number < 1_000_000_000 => format!("{} MB", number / 1_000_000),
        number => format!("{:.1} GB", number as f64 / 1e9),
    }
}

/// As one word of a shell.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/srv/chat.db")), "/srv/chat.db");
        assert_eq!(quoted(Path::new("it's; rm")), r"'it'\''s; rm'");
    }
}
