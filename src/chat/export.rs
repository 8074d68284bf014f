//! Export: all that the server has of an account, for its owner. [`super::server_export`] is for the operator.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use super::facts::Facts;
use super::notifications;
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::words::{self, Mark, Sets};
use crate::store::{Reader, accounts, people, rooms, sessions};
use crate::types::{Actor, Room};

/// Messages that are read at a time.
pub(super) const AT_ONCE: usize = 200;
/// Lines that may wait for a slow reader.
const WAITING: usize = 4;
/// How long one line may wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// One line of an export.
#[derive(Serialize, JsonSchema)]
pub struct Line {
    /// `account`, `session`, `block`, `notifications`, `room` or `message`.
    pub kind: &'static str,
    #[serde(flatten)]
    pub content: Value,
}

/// The lines come as they are read; an export that does not come to its end ends with an error.
pub struct Lines {
    lines: mpsc::Receiver<Result<Line>>,
    /// Whether the last line was sent.
    whole: Arc<AtomicBool>,
}

impl Lines {
    pub async fn next(&mut self) -> Option<Result<Line>> {
        match self.lines.recv().await {
            None if !self.whole.swap(true, Ordering::SeqCst) => {
                Some(Err(Error::Unavailable("The export was taken too slowly, and is not whole.".into())))
            }
            line => line,
        }
    }
}

/// The account's profile, sessions, blocks and rooms, then each message that it wrote, room by room, the newest first.
pub async fn own(app: &Arc<App>, actor: &Actor) -> Result<Lines> {
    app.limits.export(actor.user)?;
    let (facts, who) = (Facts::of(app), actor.clone());
    let (head, rooms) = app
        .db
        .read(move |reader| {
            policy::on_server(Action::ManageOneself, facts.standing(reader, &who)?)?;
            // All rooms: one may have left some in which one wrote.
            Ok((head(reader, &who)?, rooms::every(reader)?))
        })
        .await?;
    let who = actor.clone();
    Ok(start(app, head, rooms, move |reader, room, before| messages(reader, &who, room, before)))
}

/// Sends the head, and then of each room what `read` gives before a position, and where to go on.
pub(super) fn start(
    app: &Arc<App>,
    head: Vec<Line>,
    rooms: Vec<Room>,
    read: impl Fn(&mut Reader, &Room, i64) -> Result<(Vec<Line>, Option<i64>)> + Send + Sync + 'static,
) -> Lines {
    let (sender, lines) = mpsc::channel(WAITING);
    let whole = Arc::new(AtomicBool::new(false));
    let lines = Lines { lines, whole: whole.clone() };
    // A server that stops does not wait for a slow reader.
    let app = Arc::downgrade(app);
    tokio::spawn(async move {
        match send_all(&sender, head, rooms, &app, Arc::new(read)).await {
            Ok(()) => whole.store(true, Ordering::SeqCst),
            Err(Some(error)) => {
                // The error is the end.
                whole.store(sender.send_timeout(Err(error), PATIENCE).await.is_ok(), Ordering::SeqCst);
            }
            // Whoever does not read any more need not be told.
            Err(None) => {}
        }
    });
    lines
}

/// `Err(None)`: nobody reads any more.
async fn send_all(
    sender: &mpsc::Sender<Result<Line>>,
    head: Vec<Line>,
    rooms: Vec<Room>,
    app: &Weak<App>,
    read: Arc<impl Fn(&mut Reader, &Room, i64) -> Result<(Vec<Line>, Option<i64>)> + Send + Sync + 'static>,
) -> Result<(), Option<Error>> {
    for line in head {
        sender.send_timeout(Ok(line), PATIENCE).await.map_err(|_| None)?;
    }
    for room in rooms {
        let mut before = Some(i64::MAX);
        while let Some(seq) = before {
            let app = app.upgrade().ok_or_else(Error::shutting_down)?;
            let (room, read) = (room.clone(), read.clone());
            let (lines, next) = app.db.read(move |reader| read(reader, &room, seq)).await?;
            drop(app);
            for line in lines {
                sender.send_timeout(Ok(line), PATIENCE).await.map_err(|_| None)?;
            }
            before = next;
        }
    }
    Ok(())
}

pub(super) fn line(kind: &'static str, content: impl Serialize) -> Result<Line> {
    Ok(Line { kind, content: serde_json::to_value(content).map_err(Error::internal)? })
}

fn head(reader: &mut Reader, actor: &Actor) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    if let Some(account) = accounts::get(reader, actor.user)? {
        let activity = people::activity(reader, actor.user)?;
        let content = serde_json::json!({
            "user_id": actor.user,
            "username": account.name,
            "role": account.role,
            "created_at": people::timestamp(account.created_at)?,
            "last_active": activity.last_active,
            "message_count": activity.message_count,
            "second_factor": account.has_second_factor(),
        });
        lines.push(line("account", content)?);
    }
    for stored in sessions::of_user(reader, actor.user)? {
        let session = &stored.session;
        let content = serde_json::json!({
            "created_at": people::timestamp(session.created_at)?,
            "last_seen": people::timestamp(session.last_seen)?,
            "user_agent": session.user_agent,
            "address": session.address,
        });
        lines.push(line("session", content)?);
    }
    for block in people::blocks(reader, actor.user)? {
        lines.push(line("block", serde_json::json!({ "username": block.name }))?);
    }
    lines.push(line("notifications", notifications::exported(reader, actor.user)?)?);
    for room in rooms::of_member(reader, actor.user)? {
        let content = serde_json::json!({ "room": room.name, "with": room.partner_of(actor.user) });
        lines.push(line("room", content)?);
    }
    Ok(lines)
}

/// Some of the messages that the person wrote in a room, and where to go on.
fn messages(reader: &mut Reader, actor: &Actor, room: &Room, before: i64) -> Result<(Vec<Line>, Option<i64>)> {
    let mut sets = Sets::default();
    sets.require(reader, room, &[Mark::By(&actor.identity)])?;
    let read = words::candidates(reader, room, &mut sets, (0, before), AT_ONCE)?;
    let next = read.last().map(|written| written.message.seq).filter(|_| read.len() == AT_ONCE);
    let own = read.into_iter().filter(|written| written.author == actor.identity);
    let lines = own.map(|written| {
        let mut message = written.message;
        // What others wrote is theirs.
        message.reply_to = message.reply_to.map(|quote| crate::types::Quote { words: None, ..quote });
        line("message", message)
    });
    Ok((lines.collect::<Result<_>>()?, next))
}
