//! Seals everything anew under the newest keys, while people write: in small batches, each in a transaction of its own. What is
//! done already is seen by looking at it, so that it goes on where it was cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::prelude::*;

use super::super::files::{Files, Part, blocking};
use super::super::schema::attachments;
use super::super::{self as store, Db, Lane, Reader, Tx, rooms, state, statements, words};
use super::blinds::{self, BlindRows, People, for_each_blind};
use super::columns::{self, COLUMNS, Scan, SealedColumn};
use crate::error::Result;
use crate::types::{AttachmentId, Room, RoomId, Timestamp};

/// Rows of one transaction.
const BATCH: usize = 200;
/// By then whoever has keys loaded has noticed a rotation.
const SETTLED: Duration = Duration::from_secs(3);
/// Between two transactions, besides as long as the last one took: others want to write, too.
const PAUSE: Duration = Duration::from_millis(2);

/// How far a step has come.
pub struct Progress {
    pub step: &'static str,
    pub done: usize,
    pub all: usize,
}

/// What a verification has found.
#[derive(Default)]
pub struct Verified {
    /// Rows and files that were opened.
    pub opened: usize,
    /// Columns with rows that do not open, and how many.
    pub damaged: Vec<(&'static str, usize)>,
    /// Rows, blind indexes, blocks of the word index and files that are not under the newest key.
    pub older: usize,
    /// Attachments whose file is damaged or not there.
    pub lost: Vec<AttachmentId>,
}

type Report<'a> = &'a (dyn Fn(Progress) + Sync);

impl Db {
    /// Seals everything anew that is not under the newest keys. How many rows, blind indexes and files that were.
    pub async fn reencrypt(&self, files: Files, now: Timestamp, report: Report<'_>) -> Result<usize> {
        self.wait_until_settled(now).await?;
        let mut done = 0;
        for column in &COLUMNS {
            done += self.renew_rows(column, report).await?;
        }
        macro_rules! indexes {
            ($rows:ty, $db:expr) => {
                done += $db.renew_blinds::<$rows>(report).await?;
            };
        }
        for_each_blind!(indexes!(self));
        done += self.renew_people().await?;
        done += self.renew_words(report).await?;
        Ok(done + self.renew_files(files, report).await?)
    }

    async fn wait_until_settled(&self, now: Timestamp) -> Result<()> {
        let rotated: Option<i64> = self.read(|reader| state::get(reader, state::KEYS)).await?;
        let since =
            rotated.map_or(Duration::MAX, |at| Duration::from_micros(now.micros().saturating_sub(at).max(0) as u64));
        tokio::time::sleep(SETTLED.saturating_sub(since)).await;
        Ok(())
    }

    async fn renew_rows(&self, column: &'static SealedColumn, report: Report<'_>) -> Result<usize> {
        let older = self.read(move |reader| Ok(columns::scan(reader, column)?.older)).await?;
        self.in_batches(column.column.name(), older, report, move |tx, key| columns::renew(tx, column, key)).await
    }

    async fn renew_blinds<R: BlindRows + 'static>(&self, report: Report<'_>) -> Result<usize> {
        let older = self.read(blinds::older::<R>).await?;
        self.in_batches("blind indexes", older, report, blinds::renew::<R>).await
    }

    async fn renew_people(&self) -> Result<usize> {
        self.alone(|tx| {
            let people = People::load(tx)?;
            let older = people.older(tx)?;
            people.renew(tx)?;
            Ok(older)
        })
        .await
    }

    async fn renew_words(&self, report: Report<'_>) -> Result<usize> {
        let mut blocks = Vec::new();
        for room in self.read(rooms::every).await? {
            let of_room = room.clone();
            let older = self.read(move |reader| older_blocks(reader, &of_room)).await?;
            blocks.extend(older.into_iter().map(|block| (room.clone(), block)));
        }
        let all = blocks.len();
        for (done, (room, block)) in blocks.into_iter().enumerate() {
            self.alone(move |tx| words::renew_block(tx, &room, block)).await?;
            report(Progress { step: "word index", done: done + 1, all });
        }
        Ok(all)
    }

    async fn renew_files(&self, files: Files, report: Report<'_>) -> Result<usize> {
        let of_scan = files.clone();
        let older = self.read(move |reader| Ok(self::files(reader, &of_scan)?.older)).await?;
        let all = older.len();
        for (done, (room, id, part)) in older.into_iter().enumerate() {
            let files = files.clone();
            blocking(move || files.renew(room, id, part)).await?;
            report(Progress { step: "files", done: done + 1, all });
        }
        Ok(all)
    }

    async fn in_batches<K: Send + Sync + 'static>(
        &self,
        step: &'static str,
        rows: Vec<K>,
        report: Report<'_>,
        renew: impl Fn(&mut Tx, &K) -> Result<()> + Send + Sync + Clone + 'static,
    ) -> Result<usize> {
        let all = rows.len();
        let rows = Arc::new(rows);
        for start in (0..all).step_by(BATCH) {
            let end = all.min(start + BATCH);
            let (rows, renew) = (rows.clone(), renew.clone());
            self.alone(move |tx| rows[start..end].iter().try_for_each(|key| renew(tx, key))).await?;
            report(Progress { step, done: end, all });
        }
        Ok(all)
    }

    /// A write beside which there is no other, on any node; then others get their turn.
    async fn alone<T: Send + 'static>(&self, work: impl FnOnce(&mut Tx) -> Result<T> + Send + 'static) -> Result<T> {
        let began = Instant::now();
        let done = self.write(Lane::People, move |tx| {
            statements::lock_all_lanes(tx.reader.connection)?;
            work(tx)
        });
        let done = done.await?;
        tokio::time::sleep(began.elapsed() + PAUSE).await;
        Ok(done)
    }

    /// Opens everything that is stored.
    pub async fn verify_keys(&self, files: Files) -> Result<Verified> {
        self.read(move |reader| verify(reader, &files)).await
    }
}

fn verify(reader: &mut Reader, files: &Files) -> Result<Verified> {
    let mut verified = Verified::default();
    for column in &COLUMNS {
        verified.older += columns::scan(reader, column)?.older.len();
        let (opened, damaged) = columns::open_all(reader, column)?;
        verified.opened += opened;
        verified.damaged.extend((damaged > 0).then_some((column.column.name(), damaged)));
    }
    verified.older += older_indexes(reader)?;
    let scan = self::files(reader, files)?;
    verified.older += scan.older.len();
    for (room, id) in store::attachments::sent(reader)? {
        match files.is_whole(room, id) {
            true => verified.opened += 1,
            false => verified.lost.push(id),
        }
    }
    Ok(verified)
}

/// Blind indexes and blocks of the word index that are not under the newest key.
pub(super) fn older_indexes(reader: &mut Reader) -> Result<usize> {
    let mut older = 0;
    macro_rules! count {
        ($rows:ty, $reader:expr) => {
            older += blinds::older::<$rows>($reader)?.len();
        };
    }
    for_each_blind!(count!(reader));
    older += People::load(reader)?.older(reader)?;
    for room in rooms::every(reader)? {
        older += older_blocks(reader, &room)?.len();
    }
    Ok(older)
}

fn older_blocks(reader: &mut Reader, room: &Room) -> Result<Vec<i64>> {
    let mut older = Vec::new();
    for block in 0..words::block_count(rooms::last_seq(reader, room.id)?) {
        if !words::is_block_newest(reader, room, block)? {
            older.push(block);
        }
    }
    Ok(older)
}

/// All files of uploads, those too of which not all has come.
pub(super) fn files(reader: &mut Reader, files: &Files) -> Result<Scan<(RoomId, AttachmentId, Part)>> {
    let rows: Vec<(i64, Vec<u8>)> =
        attachments::table.select((attachments::room_id, attachments::id)).load(reader.connection)?;
    let mut scan = Scan { all: 0, older: Vec::new() };
    for (room, id) in rows {
        let room = RoomId::from_stored(room);
        let id = store::attachments::stored_id(&id)?;
        reader.load_key(super::KeyName::messages_of(room))?;
        for part in Part::ALL {
            if let Some(is_newest) = files.is_newest(room, id, part)? {
                scan.all += 1;
                scan.older.extend((!is_newest).then_some((room, id, part)));
            }
        }
    }
    Ok(scan)
}
