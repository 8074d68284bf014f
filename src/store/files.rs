//! The content of uploaded files, in sealed pieces (see `pieces`) that also carry inside which file and part they belong to.
//! All of this blocks: it is called within `blocking`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use zeroize::Zeroizing;

use super::pieces::{LAST, PieceReader, PieceWriter, Sealing};
use super::place::{Column, KeyName, Place};
use super::vault::Vault;
use crate::error::{Error, Result};
use crate::types::{AttachmentId, RoomId};

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
        let pieces = PieceWriter::new(make().map_err(not_stored)?, self.rows(room, id, part));
        Ok(NewFile { files: self.clone(), id, part, pieces: Some(pieces) })
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
        Ok(StoredFile(PieceReader::new(BufReader::new(file), self.rows(room, id, part))))
    }

    fn rows(&self, room: RoomId, id: AttachmentId, part: Part) -> Rows {
        Rows { vault: self.vault.clone(), room, id, part }
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

    /// Whether all pieces of an upload, finished or not, are under its room's newest key; `None` where nothing is there.
    pub(super) fn is_newest(&self, room: RoomId, id: AttachmentId, part: Part) -> Result<Option<bool>> {
        let newest = self.vault.newest(KeyName::messages_of(room)).map_err(Error::Internal)?;
        let mut found = None;
        for path in [self.path(id, part), self.unfinished(id, part)] {
            match generations(&path) {
                Ok(generations) => found = Some(found != Some(false) && generations.iter().all(|used| *used == newest)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::internal(error)),
            }
        }
        Ok(found)
    }

    /// Seals a file anew under its room's newest key. One that is still being uploaded stays as it is.
    pub(super) fn renew(&self, room: RoomId, id: AttachmentId, part: Part) -> Result<()> {
        let Ok(mut old) = self.open(room, id, part) else { return Ok(()) };
        // What is left of an earlier attempt.
        match fs::remove_file(self.unfinished(id, part)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::internal(error)),
            _ => {}
        }
        let mut new = self.create(room, id, part)?;
        while let Some(piece) = old.piece()? {
            new.write(&piece)?;
        }
        new.finish()
    }

    /// Whether all of a finished upload can be read.
    pub(super) fn is_whole(&self, room: RoomId, id: AttachmentId) -> bool {
        let Ok(mut file) = self.open(room, id, Part::Content) else { return false };
        loop {
            match file.piece() {
                Ok(Some(_)) => {}
                end => return end.is_ok(),
            }
        }
    }

    /// Where a part of an upload is once it is finished.
    pub(super) fn path(&self, id: AttachmentId, part: Part) -> PathBuf {
        self.folder.join(format!("{id}{}", part.ending()))
    }

    fn unfinished(&self, id: AttachmentId, part: Part) -> PathBuf {
        self.folder.join(format!("{id}{}.part", part.ending()))
    }
}

/// The generations of the key that the pieces of a file are sealed under, as far as whole pieces are there.
fn generations(path: &Path) -> io::Result<Vec<i32>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut generations = Vec::new();
    let mut head = [0; 8];
    while file.read_exact(&mut head).is_ok() {
        let [a, b, c, d, e, f, g, h] = head;
        let generation = i32::from_be_bytes([e, f, g, h]);
        if generations.last() != Some(&generation) {
            generations.push(generation);
        }
        let length = i64::from(u32::from_be_bytes([a, b, c, d]) & !LAST);
        file.seek_relative((length - 4).max(0))?;
    }
    Ok(generations)
}

/// Works with files off the runtime.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::internal(error)))
}

/// Seals the pieces of one file.
struct Rows {
    vault: Arc<Vault>,
    room: RoomId,
    id: AttachmentId,
    part: Part,
}

impl Rows {
    fn row(&self, number: u32, is_last: bool) -> [u8; 22] {
        let mut row = [0; 22];
        row[..16].copy_from_slice(self.id.as_bytes());
        row[16] = self.part as u8;
        row[17..21].copy_from_slice(&number.to_be_bytes());
        row[21] = is_last.into();
        row
    }

    fn place<'a>(&self, row: &'a [u8; 22]) -> Place<'a> {
        Place { column: Column::FilePiece, room: Some(self.room), row }
    }
}

impl Sealing for Rows {
    fn seal(&self, number: u32, is_last: bool, plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.vault.seal_bytes(self.place(&self.row(number, is_last)), plain)
    }

    fn open(&self, number: u32, is_last: bool, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        self.vault.open_bytes(self.place(&self.row(number, is_last)), sealed)
    }
}

/// A file that is being written. Unless it is finished, nothing is left of it.
pub struct NewFile {
    files: Files,
    id: AttachmentId,
    part: Part,
    /// `None` once it is finished.
    pieces: Option<PieceWriter<File, Rows>>,
}

impl NewFile {
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let pieces = self.pieces.as_mut().context("written after its end").map_err(Error::Internal)?;
        pieces.add(bytes).map_err(not_stored)
    }

    /// It is on the disk when this returns.
    pub fn finish(mut self) -> Result<()> {
        let Some(pieces) = self.pieces.take() else { return Ok(()) };
        let (unfinished, path) = (self.files.unfinished(self.id, self.part), self.files.path(self.id, self.part));
        let put = || -> anyhow::Result<()> {
            pieces.finish()?.sync_all()?;
            fs::rename(&unfinished, path)?;
            Ok(File::open(&self.files.folder)?.sync_all()?)
        };
        put().inspect_err(|_| drop(fs::remove_file(&unfinished))).map_err(not_stored)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.pieces.is_some() {
            // What cannot be removed now is removed with its row.
            let _ = fs::remove_file(self.files.unfinished(self.id, self.part));
        }
    }
}

/// A file that is being read.
pub struct StoredFile(PieceReader<BufReader<File>, Rows>);

impl StoredFile {
    /// The next piece, or `None` at the end. An error where the file was changed or cut off.
    pub fn piece(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        self.0.piece().context("a stored file is damaged").map_err(Error::Internal)
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
    use super::super::pieces::PIECE;
    use super::*;
    use crate::types::KeySource;

    const ROOM: RoomId = RoomId::PUBLIC;

    fn files(folder: &tempfile::TempDir) -> Files {
        let vault = Vault::new(MasterKey::generate(), KeySource::Environment(Zeroizing::default()));
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
