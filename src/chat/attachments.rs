//! Attachments: files that are uploaded first, and sent with a message then. They go with it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use zeroize::Zeroizing;

use super::facts::{Facts, room_for};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::images;
use crate::limits::Place;
use crate::store::attachments::{self, Upload};
use crate::store::files::{NewFile, Part, StoredFile, blocking};
use crate::store::{Lane, Reader, messages, reports, rooms};
use crate::types::{Actor, Attachment, AttachmentId, FileName, ImageSize, Network, Room, RoomName};

/// Files of one message.
const MOST: usize = 10;
/// Bytes that are handed over to be sealed at a time.
const PORTION: usize = 256 * 1024;
/// How long a file waits for its message.
const UNSENT: Duration = Duration::from_secs(86_400);
/// Files that are removed at a time.
const SOME: i64 = 500;

/// An upload that goes on.
pub struct Uploading {
    app: Arc<App>,
    room: Room,
    id: AttachmentId,
    name: FileName,
    file: NewFile,
    /// How the file begins.
    head: Vec<u8>,
    /// What came and is not handed over yet. A copy: the network's buffers are far larger than what is in them.
    waiting: Zeroizing<Vec<u8>>,
    size: u64,
    place: Place,
}

/// Begins an upload for a room that one may write to. `announced`: how many bytes there will be, as far as that is known.
pub async fn begin(
    app: &Arc<App>,
    actor: &Actor,
    room: RoomName,
    name: FileName,
    announced: Option<u64>,
) -> Result<Uploading> {
    let (most, quota) = (app.config.max_attachment, app.config.attachment_quota);
    if most == 0 {
        return Err(Error::Forbidden("This server takes no files.".into()));
    }
    let wanted = announced.unwrap_or(most);
    if wanted > most {
        return Err(too_large(most));
    }
    app.pressure.admit_file()?;
    let place = app.limits.upload(actor.user, Network::of(actor.address))?;
    let (facts, who, file_name) = (Facts::of(app), actor.clone(), name.clone());
    let id = AttachmentId::random();
    let room = app
        .db
        .write(rooms::lane(&room), move |tx| {
            let room = room_for(facts, tx, &who, &room, Action::Post)?;
            if attachments::bytes_of(tx, &who.identity)?.saturating_add(wanted) > quota {
                let message = match who.identity.is_guest() {
                    true => "Guests have as many files here as they may. Sign in to send this one.".into(),
                    false => format!("All your files would have more than {quota} bytes. Delete some first.").into(),
                };
                return Err(Error::TooLarge { field: "body", message });
            }
            let upload = Upload { user: who.user, at: facts.at.micros(), name: file_name, file: None };
            attachments::insert(tx, room.id, id, &who.identity, wanted, &upload)?;
            Ok(room)
        })
        .await?;
    let files = app.files.clone();
    let made = blocking(move || files.create(room.id, id, Part::Content)).await;
    let app = app.clone();
    match made {
        Ok(file) => {
            Ok(Uploading { app, room, id, name, file, head: Vec::new(), waiting: Zeroizing::default(), size: 0, place })
        }
        Err(error) => {
            give_up(&app, &room, id).await;
            Err(error)
        }
    }
}

impl Uploading {
    /// All that comes, until nothing more does; nothing is left of what does not come to its end.
    pub async fn receive<F>(mut self, mut next: impl FnMut() -> F + Send) -> Result<Attachment>
    where
        F: Future<Output = Result<Option<Bytes>>> + Send,
    {
        let (app, room, id) = (self.app.clone(), self.room.clone(), self.id);
        let received = async {
            while let Some(bytes) = next().await? {
                self = self.take(bytes).await?;
            }
            self.finish().await
        };
        let received = received.await;
        if received.is_err() {
            give_up(&app, &room, id).await;
        }
        received
    }

    async fn take(mut self, bytes: Bytes) -> Result<Self> {
        let most = self.app.config.max_attachment;
        self.size += bytes.len() as u64;
        if self.size > most {
            return Err(too_large(most));
        }
        let missing = images::HEAD.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(missing)]);
        self.waiting.extend_from_slice(&bytes);
        match self.waiting.len() >= PORTION {
            true => self.hand_over().await,
            false => Ok(self),
        }
    }

    async fn hand_over(mut self) -> Result<Self> {
        // What was enough room when it began may not be any more.
        self.app.pressure.admit_file()?;
        blocking(move || {
            self.file.write(&self.waiting)?;
            self.waiting.clear();
            Ok(self)
        })
        .await
    }

    async fn finish(self) -> Result<Attachment> {
        let Self { app, room, id, name, file, head, size, place: _place, .. } = self.hand_over().await?;
        blocking(move || file.finish()).await?;
        let kind = images::kind_of(&head);
        let image = match images::is_image(kind) && size <= images::LARGEST {
            true => picture(&app, &room, id, kind, size as usize).await?,
            false => None,
        };
        let bytes = size + image.map_or(0, |(_, thumbnail)| thumbnail);
        let image = image.map(|(size, _)| size);
        let kind = if image.is_some() { kind } else { images::unmasked(kind) };
        let attachment = Attachment { id, name, kind: kind.to_owned(), size, image };
        let file = attachment.clone();
        match app.db.write(rooms::lane(&room.name), move |tx| attachments::complete(tx, id, &file, bytes)).await? {
            true => Ok(attachment),
            false => Err(none()),
        }
    }
}

/// The size of an image, whose thumbnail is stored.
async fn picture(
    app: &App,
    room: &Room,
    id: AttachmentId,
    kind: &'static str,
    size: usize,
) -> Result<Option<(ImageSize, u64)>> {
    let (files, room) = (app.files.clone(), room.id);
    let content = move || {
        let mut file = files.open(room, id, Part::Content)?;
        let mut content = Zeroizing::new(Vec::with_capacity(size));
        while let Some(piece) = file.piece()? {
            content.extend_from_slice(&piece);
        }
        Ok(content)
    };
    let Some(picture) = app.images.look(kind, content).await? else { return Ok(None) };
    let files = app.files.clone();
    blocking(move || {
        let mut file = files.create(room, id, Part::Thumbnail)?;
        file.write(&picture.thumbnail)?;
        file.finish()?;
        Ok(Some((picture.size, picture.thumbnail.len() as u64)))
    })
    .await
}

/// Nothing of an upload is to be left. What cannot be removed now is removed when a day has gone by.
async fn give_up(app: &App, room: &Room, id: AttachmentId) {
    match app.db.write(rooms::lane(&room.name), move |tx| attachments::remove(tx, id)).await {
        Ok(()) => clear(app).await,
        Err(error) => tracing::warn!("an upload that was given up could not be removed yet: {error}"),
    }
}

/// The files that a message is to bring along: uploaded for this room by who sends it, and not sent yet.
pub(super) fn to_send(
    reader: &mut Reader,
    actor: &Actor,
    room: &Room,
    ids: &[AttachmentId],
) -> Result<Vec<Attachment>> {
    if ids.len() > MOST {
        return Err(Error::invalid("attachments", format!("A message has at most {MOST} files.")));
    }
    if ids.iter().collect::<HashSet<_>>().len() < ids.len() {
        return Err(Error::invalid("attachments", "names a file twice"));
    }
    let mut files = Vec::with_capacity(ids.len());
    for id in ids {
        let stored = attachments::get(reader, *id)?;
        let own = stored.filter(|stored| stored.room == room.id && stored.seq.is_none());
        let own = own.filter(|stored| stored.upload.user == actor.user);
        let file = own.and_then(|stored| stored.upload.file);
        files.push(file.ok_or_else(|| Error::invalid("attachments", format!("You have no file {id} to send here.")))?);
    }
    Ok(files)
}

/// A file to read.
pub struct Download {
    pub attachment: Attachment,
    pub file: StoredFile,
    /// To be kept until the file was read.
    pub place: Place,
}

/// Opens a file for who may read its message, or has uploaded it. To anybody else there is none.
pub async fn open(app: &App, actor: &Actor, id: AttachmentId, part: Part) -> Result<Download> {
    let place = app.limits.download(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    let found = app.db.read(move |reader| {
        let stored = attachments::get(reader, id)?.ok_or_else(none)?;
        match stored.seq {
            None if stored.upload.user == actor.user => {
                policy::on_server(Action::ManageOneself, facts.standing(reader, &actor)?)?;
            }
            None => return Err(none()),
            Some(_) => {
                let room = rooms::by_id(reader, stored.room)?.ok_or_else(none)?;
                let (standing, there) = facts.in_room(reader, &actor, &room)?;
                let may = |action| policy::in_room(action, standing, there).is_ok();
                // Who is to deal with a report sees what it is about.
                let is_reported = may(Action::DeleteAnyMessage) && is_reported(reader, &room, stored.seq)?;
                if !may(Action::ReadRoom) && !is_reported {
                    return Err(none());
                }
            }
        }
        Ok((stored.room, stored.upload.file.ok_or_else(none)?))
    });
    let (room, attachment) = found.await?;
    if part == Part::Thumbnail && attachment.image.is_none() {
        return Err(Error::NotFound("This file has no thumbnail.".into()));
    }
    let files = app.files.clone();
    let file = blocking(move || files.open(room, id, part)).await?;
    Ok(Download { attachment, file, place })
}

/// Whether somebody has reported the message, and nobody has dealt with that yet.
fn is_reported(reader: &mut Reader, room: &Room, seq: Option<i64>) -> Result<bool> {
    let Some(written) = seq.map(|seq| messages::get(reader, room, seq)).transpose()?.flatten() else {
        return Ok(false);
    };
    let id = written.message.id.uuid().to_string();
    let about = |report: &reports::Report| report.resolved.is_none() && report.message["id"] == id.as_str();
    Ok(reports::all(reader)?.iter().any(|(_, report)| about(report)))
}

/// Removes an own upload that has not been sent.
pub async fn cancel(app: &App, actor: &Actor, id: AttachmentId) -> Result<()> {
    let (facts, who) = (Facts::of(app), actor.clone());
    let room = app.db.read(move |reader| {
        policy::on_server(Action::ManageOneself, facts.standing(reader, &who)?)?;
        let stored = attachments::get(reader, id)?.filter(|stored| stored.upload.user == who.user).ok_or_else(none)?;
        rooms::by_id(reader, stored.room)?.ok_or_else(none)
    });
    let room = room.await?;
    let removed = app.db.write(rooms::lane(&room.name), move |tx| match attachments::get(tx, id)? {
        Some(stored) if stored.seq.is_some() => {
            Err(Error::Conflict("This file was sent. It goes when its message is deleted.".into()))
        }
        Some(_) => attachments::remove(tx, id),
        None => Err(none()),
    });
    removed.await?;
    clear(app).await;
    Ok(())
}

/// Removes what was uploaded a day ago and never sent. For [`super::watch`].
pub(super) async fn forget_unsent(app: &App) -> Result<()> {
    let oldest = app.now().micros() - UNSENT.as_micros() as i64;
    let old = app.db.read(move |reader| {
        let mut old = Vec::new();
        for stored in attachments::unsent(reader)?.into_iter().filter(|stored| stored.upload.at < oldest) {
            old.extend(rooms::by_id(reader, stored.room)?.map(|room| (room.name, stored.id)));
        }
        Ok(old)
    });
    for (room, id) in old.await? {
        let removed = app.db.write(rooms::lane(&room), move |tx| match attachments::get(tx, id)? {
            Some(stored) if stored.seq.is_none() => attachments::remove(tx, id),
            _ => Ok(()),
        });
        removed.await?;
    }
    clear(app).await;
    Ok(())
}

/// Removes the files whose attachments are gone. What does not work now is tried again in a minute.
pub(super) async fn clear(app: &App) {
    if let Err(error) = remove_discarded(app).await {
        tracing::warn!("files of attachments that are gone could not be removed: {error}");
    }
}

async fn remove_discarded(app: &App) -> Result<()> {
    loop {
        let ids = app.db.read(|reader| attachments::discarded(reader, SOME)).await?;
        if ids.is_empty() {
            return Ok(());
        }
        let files = app.files.clone();
        let removed = blocking(move || files.remove_all(ids)).await?;
        if removed.is_empty() {
            return Ok(());
        }
        app.db.write(Lane::People, move |tx| attachments::forget_discarded(tx, &removed)).await?;
    }
}

/// The next piece of a file, read off the runtime.
pub async fn piece(mut file: StoredFile) -> Result<Option<(Zeroizing<Vec<u8>>, StoredFile)>> {
    blocking(move || Ok(file.piece()?.map(|piece| (piece, file)))).await
}

fn too_large(most: u64) -> Error {
    Error::TooLarge { field: "body", message: format!("A file may have at most {most} bytes here.").into() }
}

fn none() -> Error {
    Error::NotFound("There is no such file.".into())
}
