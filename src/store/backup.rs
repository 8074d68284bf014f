//! Backups: all of a server's data in one sealed file, made while people write, and checked before it is trusted.
//!
//! A line that says what it is, a line with a key of its own (sealed under the master key), then sealed pieces (see `pieces`)
//! of a tar archive: `manifest.json`, `database.db`, and the files of attachments under `attachments/`, as sealed as they were.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use diesel::prelude::*;
use fernet::Fernet;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::connection::{self, AnyConnection};
use super::files::{Files, Part};
use super::master_key::{KeyError, MasterKey, sync_folder};
use super::pieces::{PieceReader, PieceWriter, Sealing};
use super::schema::{attachments, messages, users};
use super::{Engine, Examination, Reader, examine, prepare, state};
use crate::types::{AttachmentId, DatabaseUrl, KeySource, Timestamp, beside};

/// The first line of a backup.
const KIND: &str = "secure-chat backup 1";
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "database.db";
const ATTACHMENTS: &str = "attachments";
/// What the sealed key of a backup carries inside.
const LABEL: &str = "backup|";

/// What is in a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub made_at: String,
    /// The version of the program that made it.
    pub version: String,
    /// The newest migration of the database.
    pub migration: String,
    pub users: i64,
    pub messages: i64,
    pub attachments: usize,
}

/// Why a backup cannot be used. Every text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("there is no master key to open the backup with: put the one that belongs to it at {0}")]
    NoKey(String),
    #[error(
        "the key in {0} does not open the backup {1}: it was made under another master key. Use the one of that time"
    )]
    WrongKey(String, String),
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// Makes a backup in a new file, while others write: all that was committed before is in it. Nothing is left of one that
/// failed.
pub fn make(reader: &mut Reader, files: &Files, file: &Path, now: Timestamp) -> anyhow::Result<Manifest> {
    ensure!(!file.exists(), "{} is there already; nothing was written", file.display());
    let unfinished = beside(file, ".part");
    let copy = beside(file, ".database");
    let made = write(reader, files, &unfinished, &copy, now);
    let _ = fs::remove_file(&copy);
    let manifest = made.and_then(|manifest| {
        fs::rename(&unfinished, file)?;
        sync_folder(file)?;
        Ok(manifest)
    });
    manifest.inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

fn write(reader: &mut Reader, files: &Files, file: &Path, copy: &Path, now: Timestamp) -> anyhow::Result<Manifest> {
    let keys = state::version(reader, state::KEYS).map_err(|error| anyhow!("{error}"))?;
    let master = MasterKey::load(reader.vault.source())?.context("the key file is gone")?;
    copy_database(reader.connection, copy)?;
    let (mut manifest, stored) = look_into(copy, now)?;
    let uploads: Vec<_> = stored
        .into_iter()
        .flat_map(|id| Part::ALL.map(|part| files.path(id, part)))
        .filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), File::open(&path).ok()?)))
        .collect();
    manifest.attachments = uploads.iter().filter(|(name, _)| !name.contains('.')).count();
    let output = new_file(file).context("if a backup to there was cut off, remove this file")?;
    let mut output = BufWriter::new(output);
    let key = BackupKey::new();
    writeln!(output, "{KIND}\n{}", key.sealed_by(&master))?;
    let mut archive = tar::Builder::new(PieceWriter::new(output, key));
    let described = serde_json::to_vec_pretty(&manifest)?;
    append(&mut archive, MANIFEST, &described[..], described.len() as u64)?;
    append(&mut archive, DATABASE, File::open(copy)?, copy.metadata()?.len())?;
    for (name, upload) in uploads {
        let size = upload.metadata()?.len();
        append(&mut archive, &format!("{ATTACHMENTS}/{name}"), upload, size)?;
    }
    archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    let changed = state::version(reader, state::KEYS).map_err(|error| anyhow!("{error}"))? != keys;
    ensure!(!changed, "the keys were changed while the backup was made; make another one");
    Ok(manifest)
}

fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, content: impl Read, size: u64) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o600);
    header.set_cksum();
    archive.append_data(&mut header, name, content)
}

/// Copies an SQLite database into a new file that its owner alone can read, as it is at one moment.
pub(super) fn copy_database(connection: &mut AnyConnection, file: &Path) -> anyhow::Result<()> {
    let AnyConnection::Sqlite(connection) = connection else {
        bail!(
            "a PostgreSQL database is backed up with its own tools, and every row in it is sealed: pg_dump -Fc, and a copy of the attachments' folder and of the key"
        );
    };
    // SQLite takes an empty file for a new database; so it never has any other mode than this.
    new_file(file)?;
    let name = file.to_str().context("the path is not UTF-8")?;
    let copied = diesel::sql_query("VACUUM INTO ?").bind::<diesel::sql_types::Text, _>(name).execute(connection);
    copied
        .map_err(anyhow::Error::from)
        .and_then(|_| Ok(File::open(file)?.sync_all()?))
        .inspect_err(|_| drop(fs::remove_file(file)))
}

/// What the copy of a database has, and the uploads that it knows.
fn look_into(copy: &Path, made_at: Timestamp) -> anyhow::Result<(Manifest, Vec<AttachmentId>)> {
    let url = DatabaseUrl::Sqlite(copy.to_owned());
    let mut connection = connection::connect_read_only(&url)?.context("the copy is empty")?;
    let ids: Vec<Vec<u8>> = attachments::table.select(attachments::id).load(&mut connection)?;
    let manifest = Manifest {
        made_at: made_at.to_string(),
        version: env!("CARGO_PKG_VERSION").into(),
        migration: prepare::newest_migration(&mut connection)?,
        users: users::table.count().get_result(&mut connection)?,
        messages: messages::table.count().get_result(&mut connection)?,
        attachments: 0,
    };
    Ok((manifest, ids.iter().filter_map(|id| AttachmentId::from_stored(id)).collect()))
}

/// Reads all of a backup, and checks the database in it.
pub fn verify(file: &Path, source: &KeySource) -> Result<Manifest, BackupError> {
    let copy = beside(file, ".verify");
    absent(fs::remove_file(&copy), &copy)?;
    let verified = unpack(file, source, &copy, None);
    let _ = fs::remove_file(&copy);
    verified
}

/// Puts a backup into an empty place. Nothing is there before all of it was read and checked.
pub fn restore(file: &Path, source: &KeySource, url: &DatabaseUrl, folder: &Path) -> Result<Manifest, BackupError> {
    let DatabaseUrl::Sqlite(database) = url else {
        return Err(anyhow!("a PostgreSQL database is restored with pg_restore, into an empty database").into());
    };
    let is_empty = |path: &Path| path.metadata().map_or(true, |metadata| metadata.len() == 0);
    if !is_empty(database) || !is_empty(&beside(database, "-wal")) {
        return Err(anyhow!(
            "there is a database at {} already. Move it away, or choose another DATABASE_URL; nothing was changed",
            database.display()
        )
        .into());
    }
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(anyhow!(
            "there are files in {} already. Move them away, or choose another ATTACHMENTS_DIR; nothing was changed",
            folder.display()
        )
        .into());
    }
    // What an earlier attempt has left that was cut off.
    let (new_database, new_folder) = (beside(database, ".restoring"), beside(folder, ".restoring"));
    absent(fs::remove_file(&new_database), &new_database)?;
    absent(fs::remove_dir_all(&new_folder), &new_folder)?;
    let restored = unpack(file, source, &new_database, Some(&new_folder)).and_then(|manifest| {
        let put = || -> anyhow::Result<()> {
            let _ = fs::remove_dir(folder);
            fs::rename(&new_folder, folder)?;
            sync_folder(folder)?;
            fs::rename(&new_database, database)?;
            Ok(sync_folder(database)?)
        };
        put().context("the backup was read, but cannot be put in its place")?;
        Ok(manifest)
    });
    restored.inspect_err(|_| {
        let _ = fs::remove_file(&new_database);
        let _ = fs::remove_dir_all(&new_folder);
    })
}

/// Unpacks the database into a new file, and the attachments into a new folder if one is given.
fn unpack(file: &Path, source: &KeySource, database: &Path, folder: Option<&Path>) -> Result<Manifest, BackupError> {
    let master = MasterKey::load(source)?.ok_or_else(|| BackupError::NoKey(source.describe()))?;
    let mut input = BufReader::new(File::open(file).with_context(|| format!("cannot open {}", file.display()))?);
    let not_ours = || anyhow!("{} is no backup that secure-chat has made", file.display());
    if line(&mut input)? != KIND {
        return Err(not_ours().into());
    }
    let key = BackupKey::open(&line(&mut input)?, &master)
        .ok_or_else(|| BackupError::WrongKey(source.describe(), file.display().to_string()))?;
    if let Some(folder) = folder {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut archive = tar::Archive::new(PieceReader::new(input, key));
    let manifest = unpack_all(&mut archive, database, folder)
        .and_then(|manifest| {
            // Up to its very end: what was cut off there would not be missed by the archive.
            io::copy(&mut archive.into_inner(), &mut io::sink())?;
            Ok(manifest)
        })
        .with_context(|| format!("the backup {} is damaged or cut off; nothing was changed", file.display()))?;
    check(database, source).with_context(|| format!("the backup {} cannot be used", file.display()))?;
    Ok(manifest)
}

/// Whether the database is whole, of this version or an older one, and opens under the key.
fn check(database: &Path, source: &KeySource) -> anyhow::Result<()> {
    let Examination { key, database } = examine(&DatabaseUrl::Sqlite(database.to_owned()), source);
    let damage = match database?.map(|found| found.engine) {
        Some(Engine::Sqlite { damage, .. }) => damage,
        _ => bail!("there is no database of ours in it"),
    };
    key?;
    ensure!(damage.is_empty(), "the database in it is damaged: {}", damage.join("; "));
    Ok(())
}

fn unpack_all<R: Read>(
    archive: &mut tar::Archive<R>,
    database: &Path,
    folder: Option<&Path>,
) -> anyhow::Result<Manifest> {
    let mut manifest: Option<Manifest> = None;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_str().context("a name that is not UTF-8")?.to_owned();
        match (name.as_str(), name.strip_prefix(ATTACHMENTS)) {
            (MANIFEST, _) => manifest = Some(serde_json::from_reader(&mut entry)?),
            (DATABASE, _) => save(&mut entry, database)?,
            (_, Some(upload)) => {
                let upload = upload.trim_start_matches('/');
                ensure!(!upload.is_empty() && !upload.contains(['/', '\\']) && !upload.starts_with('.'), "an odd name");
                match folder {
                    Some(folder) => save(&mut entry, &folder.join(upload))?,
                    None => drop(io::copy(&mut entry, &mut io::sink())?),
                }
            }
            _ => bail!("something that a backup does not have: {name}"),
        }
    }
    manifest.context("there is no manifest")
}

fn save(content: &mut impl Read, path: &Path) -> anyhow::Result<()> {
    let mut file = new_file(path)?;
    io::copy(content, &mut file)?;
    Ok(file.sync_all()?)
}

fn line(input: &mut impl BufRead) -> anyhow::Result<String> {
    /// Longer than any line that a backup begins with.
    const LONGEST: u64 = 1024;

    let mut bytes = Vec::new();
    input.take(LONGEST).read_until(b'\n', &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// The key of one backup.
struct BackupKey {
    text: Zeroizing<String>,
    fernet: Fernet,
}

impl BackupKey {
    fn new() -> Self {
        let text = Zeroizing::new(Fernet::generate_key());
        let fernet = Fernet::new(&text).expect("a generated key is one");
        Self { text, fernet }
    }

    fn sealed_by(&self, master: &MasterKey) -> String {
        master.seal(Zeroizing::new(format!("{LABEL}{}", *self.text)).as_bytes())
    }

    fn open(sealed: &str, master: &MasterKey) -> Option<Self> {
        let plain = master.open(sealed)?;
        let text = Zeroizing::new(std::str::from_utf8(&plain).ok()?.strip_prefix(LABEL)?.to_owned());
        let fernet = Fernet::new(&text)?;
        Some(Self { text, fernet })
    }
}

impl Sealing for BackupKey {
    fn seal(&self, number: u32, is_last: bool, plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        let content = Zeroizing::new([&number.to_be_bytes()[..], &[is_last.into()], plain].concat());
        Ok(BASE64_URL_SAFE.decode(self.fernet.encrypt_at_time(&content, 0))?)
    }

    fn open(&self, number: u32, is_last: bool, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let content =
            self.fernet.decrypt(&BASE64_URL_SAFE.encode(sealed)).map_err(|_| anyhow!("a piece does not open"))?;
        let mut content = Zeroizing::new(content);
        let head = [&number.to_be_bytes()[..], &[is_last.into()]].concat();
        ensure!(content.starts_with(&head), "a piece is not where it belongs");
        content.drain(..head.len());
        Ok(content)
    }
}

fn new_file(path: &Path) -> anyhow::Result<File> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.with_context(|| format!("cannot make {}", path.display()))
}

/// What was removed need not have been there.
fn absent(removed: io::Result<()>, path: &Path) -> anyhow::Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
