//! A stream cut into sealed pieces, so that it is never in memory as a whole, and none of it can be changed, swapped or cut off
//! unnoticed: four bytes of length, the last piece marked in them, and a sealed value that knows its number and whether it is
//! the last.

use std::io::{self, Read, Write};

use anyhow::{Context, ensure};
use zeroize::Zeroizing;

/// Bytes that are sealed at a time.
pub const PIECE: usize = 64 * 1024;
/// Longest sealed piece: what the sealing adds included.
const SEALED: usize = PIECE + 1024;
/// In a piece's length: it is the last one.
pub const LAST: u32 = 1 << 31;

/// Seals the pieces of one stream.
pub trait Sealing {
    fn seal(&self, number: u32, is_last: bool, plain: &[u8]) -> anyhow::Result<Vec<u8>>;
    /// An error where it is another piece, of another stream, or damaged.
    fn open(&self, number: u32, is_last: bool, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>>;
}

/// Takes a stream, and writes sealed pieces. What is not finished cannot be read to its end.
pub struct PieceWriter<W, S> {
    inner: W,
    sealing: S,
    number: u32,
    waiting: Zeroizing<Vec<u8>>,
}

impl<W: Write, S: Sealing> PieceWriter<W, S> {
    pub fn new(inner: W, sealing: S) -> Self {
        Self { inner, sealing, number: 0, waiting: Zeroizing::new(Vec::with_capacity(PIECE)) }
    }

    pub fn add(&mut self, mut bytes: &[u8]) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            // Only when more comes: the last piece is sealed as such.
            if self.waiting.len() == PIECE {
                self.seal(false)?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Seals the end. What it was written to.
    pub fn finish(mut self) -> anyhow::Result<W> {
        self.seal(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn seal(&mut self, is_last: bool) -> anyhow::Result<()> {
        let sealed = self.sealing.seal(self.number, is_last, &self.waiting)?;
        let length = u32::try_from(sealed.len())? | if is_last { LAST } else { 0 };
        self.inner.write_all(&length.to_be_bytes())?;
        self.inner.write_all(&sealed)?;
        self.number = self.number.checked_add(1).context("too many pieces")?;
        self.waiting.clear();
        Ok(())
    }
}

impl<W: Write, S: Sealing> Write for PieceWriter<W, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes).map_err(io_error)?;
        Ok(bytes.len())
    }

    /// Pieces are written when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads sealed pieces.
pub struct PieceReader<R, S> {
    inner: R,
    sealing: S,
    number: u32,
    is_over: bool,
    /// Of the last piece, what was not read as a stream yet.
    left: Zeroizing<Vec<u8>>,
    read: usize,
}

impl<R: Read, S: Sealing> PieceReader<R, S> {
    pub fn new(inner: R, sealing: S) -> Self {
        Self { inner, sealing, number: 0, is_over: false, left: Zeroizing::default(), read: 0 }
    }

    /// The next piece, or `None` at the end. An error where the stream was changed or cut off.
    pub fn piece(&mut self) -> anyhow::Result<Option<Zeroizing<Vec<u8>>>> {
        if self.is_over {
            return Ok(None);
        }
        let mut length = [0; 4];
        self.inner.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        self.is_over = length & LAST != 0;
        let size = (length & !LAST) as usize;
        ensure!(size <= SEALED, "a piece is too long");
        let mut sealed = vec![0; size];
        self.inner.read_exact(&mut sealed)?;
        let piece = self.sealing.open(self.number, self.is_over, &sealed)?;
        self.number += 1;
        if self.is_over {
            ensure!(self.inner.read(&mut [0])? == 0, "something follows the last piece");
        }
        Ok(Some(piece))
    }
}

impl<R: Read, S: Sealing> Read for PieceReader<R, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.left.len() {
            match self.piece().map_err(io_error)? {
                Some(piece) => (self.left, self.read) = (piece, 0),
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.left.len() - self.read);
        buffer[..count].copy_from_slice(&self.left[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

fn io_error(error: anyhow::Error) -> io::Error {
    match error.downcast::<io::Error>() {
        Ok(error) => error,
        Err(error) => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}
