//! The content of uploaded files: sealed piece by piece, so that no file is ever in memory as a whole.
//!
//! A file is a row of pieces, each four bytes of length and a sealed value (see `vault`) that carries inside which file and
//! part it belongs to, its number, and whether it is the last. So pieces cannot be changed, swapped or cut off unnoticed.
//! All of this blocks: it is called within `blocking`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use zeroize::Zeroizing;

use super::place::{Column, Place};
use super::vault::Vault;
use crate::error::{Error, Result};
use crate::types::{AttachmentId, RoomId};

/// Bytes that are sealed at a time.
const PIECE: usize = 64 * 1024;
/// Longest sealed piece: what Fernet adds, the row and the generation included.
const SEALED: usize = PIECE + 1024;
/// In a piece's length: it is the last one.
const LAST: u32 = 1 << 31;

/// What there is of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Content,
    Thumbnail,
}

impl Part {
    pub const ALL: [Self; 2] = [Self::Content, Self::Thumbnail];

    fn ending(self) -> &'static str {
        match self {
            Self::Content => "",
            Self::Thumbnail => ".thumbnail",
        }
    }
}

/// The folder of the files. The data keys of their rooms must have been loaded: whoever has read the file's row has.
#[derive(Clone)]
pub struct Files {
    folder: PathBuf,
    vault: Arc<Vault>,
}

impl Files {
    pub(super) fn new(folder: PathBuf, vault: Arc<Vault>) -> Self {
        Self { folder, vault }
    }

    pub fn create(&self, room: RoomId, id: AttachmentId, part: Part) -> Result<NewFile> {
        let make = || -> anyhow::Result<File> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            Ok(OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.unfinished(id, part))?)
        };
        let file = Some(make().map_err(not_stored)?);
        let rows = Rows { room, id, part, number: 0 };
        Ok(NewFile { files: self.clone(), rows, file, waiting: Zeroizing::new(Vec::with_capacity(PIECE)) })
    }

    pub fn open(&self, room: RoomId, id: AttachmentId, part: Part) -> Result<StoredFile> {
        let path = self.path(id, part);
        let file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                tracing::error!("the file {} of an attachment is missing", path.display());
                Error::NotFound("The file is not there any more.".into())
            }
            _ => Error::internal(error),
        })?;
        let rows = Rows { room, id, part, number: 0 };
        Ok(StoredFile { vault: self.vault.clone(), rows, file: BufReader::new(file), is_over: false })
    }

    /// Removes uploads, and makes sure that they stay away. Those that are gone; why others are not is in the log.
    pub fn remove_all(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        // Where the folder is not mounted, nothing is gone.
        let folder = File::open(&self.folder).map_err(Error::internal)?;
        let is_gone = |id: &AttachmentId| {
            self.remove(*id)
                .inspect_err(|_| tracing::error!("the file {id} cannot be removed from {}", self.folder.display()))
                .is_ok()
        };
        let gone = ids.into_iter().filter(is_gone).collect();
        folder.sync_all().map_err(Error::internal)?;
        Ok(gone)
    }

    /// Removes all of an upload, finished or not; what is not there need not be.
    fn remove(&self, id: AttachmentId) -> Result<()> {
        for part in Part::ALL {
            for path in [self.path(id, part), self.unfinished(id, part)] {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::internal(error)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn path(&self, id: AttachmentId, part: Part) -> PathBuf {
        self.folder.join(format!("{id}{}", part.ending()))
    }

    fn unfinished(&self, id: AttachmentId, part: Part) -> PathBuf {
        self.folder.join(format!("{id}{}.part", part.ending()))
    }
}

/// Works with files off the runtime.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::internal(error)))
}

/// Says which piece of which file one is.
struct Rows {
    room: RoomId,
    id: AttachmentId,
    part: Part,
    number: u32,
}

impl Rows {
    fn row(&self, is_last: bool) -> [u8; 22] {
        let mut row = [0; 22];
        row[..16].copy_from_slice(self.id.as_bytes());
        row[16] = self.part as u8;
        row[17..21].copy_from_slice(&self.number.to_be_bytes());
        row[21] = is_last.into();
        row
    }

    fn place<'a>(&self, row: &'a [u8; 22]) -> Place<'a> {
        Place { column: Column::FilePiece, room: Some(self.room), row }
    }
}

/// A file that is being written. Unless it is finished, nothing is left of it.
pub struct NewFile {
    files: Files,
    rows: Rows,
    /// `None` once it is finished.
    file: Option<File>,
    waiting: Zeroizing<Vec<u8>>,
}

impl NewFile {
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            // Only when more comes: the last piece is sealed as such.
            if self.waiting.len() == PIECE {
                self.seal(false).map_err(not_stored)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// It is on the disk when this returns.
    pub fn finish(mut self) -> Result<()> {
        self.seal(true)
            .and_then(|()| {
                let file = self.file.as_ref().context("finished twice")?;
                file.sync_all()?;
                let Rows { id, part, .. } = self.rows;
                fs::rename(self.files.unfinished(id, part), self.files.path(id, part))?;
                File::open(&self.files.folder)?.sync_all()?;
                self.file = None;
                Ok(())
            })
            .map_err(not_stored)
    }

    fn seal(&mut self, is_last: bool) -> anyhow::Result<()> {
        let row = self.rows.row(is_last);
        let sealed = self.files.vault.seal_bytes(self.rows.place(&row), &self.waiting)?;
        let length = u32::try_from(sealed.len())? | if is_last { LAST } else { 0 };
        let file = self.file.as_mut().context("written after its end")?;
        file.write_all(&length.to_be_bytes())?;
        file.write_all(&sealed)?;
        self.rows.number = self.rows.number.checked_add(1).context("too many pieces")?;
        self.waiting.clear();
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What cannot be removed now is removed with its row.
            let _ = fs::remove_file(self.files.unfinished(self.rows.id, self.rows.part));
        }
    }
}

/// A file that is being read.
pub struct StoredFile {
    vault: Arc<Vault>,
    rows: Rows,
    file: BufReader<File>,
    is_over: bool,
}

impl StoredFile {
    /// The next piece, or `None` at the end. An error where the file was changed or cut off.
    pub fn piece(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match self.is_over {
            true => Ok(None),
            false => self.read().map(Some).context("a stored file is damaged").map_err(Error::Internal),
        }
    }

    fn read(&mut self) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        self.is_over = length & LAST != 0;
        let size = (length & !LAST) as usize;
        ensure!(size <= SEALED, "a piece is too long");
        let mut sealed = vec![0; size];
        self.file.read_exact(&mut sealed)?;
        let row = self.rows.row(self.is_over);
        let piece = self.vault.open_bytes(self.rows.place(&row), &sealed)?;
        self.rows.number += 1;
        ensure!(!self.is_over || self.file.read(&mut [0])? == 0, "it goes on after its end");
        Ok(piece)
    }
}

fn not_stored(error: anyhow::Error) -> Error {
    tracing::error!("a file could not be stored: {error:#}");
    let is_full = error.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
    });
    Error::Unavailable(match is_full {
        true => "The server has no room for this file.".into(),
        false => "The server could not store the file; nothing was changed. Try again.".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::master_key::MasterKey;
    use super::super::vault::KeyName;
    use super::*;

    const ROOM: RoomId = RoomId::PUBLIC;

    fn files(folder: &tempfile::TempDir) -> Files {
        let vault = Vault::new(MasterKey::generate());
        let name = KeyName::messages_of(ROOM);
        let key = vault.new_key(name);
        vault.load(name, vec![key]).unwrap();
        Files::new(folder.path().join("files"), Arc::new(vault))
    }

    fn store(files: &Files, content: &[u8]) -> AttachmentId {
        let id = AttachmentId::random();
        let mut file = files.create(ROOM, id, Part::Content).unwrap();
        content.chunks(1000).for_each(|some| file.write(some).unwrap());
        file.finish().unwrap();
        id
    }

    fn load(files: &Files, id: AttachmentId) -> Result<Vec<u8>> {
        let mut file = files.open(ROOM, id, Part::Content)?;
        let mut content = Vec::new();
        while let Some(piece) = file.piece()? {
            content.extend_from_slice(&piece);
        }
        Ok(content)
    }

    #[test]
    fn what_was_stored_comes_back_whatever_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let content: Vec<u8> = (0..length).map(|n| (n * 7 % 251) as u8).collect();
            let id = store(&files, &content);
            assert!(load(&files, id).unwrap() == content, "{length}");
        }
    }

    #[test]
    fn pieces_that_were_changed_swapped_or_cut_off_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        let id = store(&files, &vec![7; 3 * PIECE]);
        let path = files.path(id, Part::Content);
        let whole = fs::read(&path).unwrap();
        let piece = whole.len() / 3;
        let swapped = [&whole[piece..2 * piece], &whole[..piece], &whole[2 * piece..]].concat();
        let mut flipped = whole.clone();
        flipped[piece + 100] ^= 1;
        let mut early_end = whole[..2 * piece].to_vec();
        early_end[piece] |= 0x80;
        for (what, bytes) in [
            ("cut off", &whole[..2 * piece]),
            ("cut within", &whole[..100]),
            ("empty", &[][..]),
            ("swapped", &swapped[..]),
            ("flipped", &flipped[..]),
            ("an earlier end", &early_end[..]),
            ("more after the end", &[&whole[..], b"x"].concat()[..]),
        ] {
            fs::write(&path, bytes).unwrap();
            assert!(load(&files, id).is_err(), "{what}");
        }
        let other = store(&files, b"other");
        fs::copy(files.path(other, Part::Content), &path).unwrap();
        assert!(load(&files, id).is_err(), "another file's content");
    }

    #[test]
    fn nothing_is_left_of_a_file_that_was_not_finished() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        let mut file = files.create(ROOM, AttachmentId::random(), Part::Content).unwrap();
        file.write(&[7; PIECE * 2]).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("files")).unwrap().count(), 1);
        drop(file);
        assert_eq!(fs::read_dir(folder.path().join("files")).unwrap().count(), 0);
    }
}
