//! Export of the whole server, for its operator: all that people wrote and made, as JSON lines. No secret is in it: no hash
//! of a password, no session, no key.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::audit;
use super::export::{AT_ONCE, Line, Lines, line, start};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::files::{Part, blocking};
use crate::store::moderation::FOR_EVER;
use crate::store::people::timestamp;
use crate::store::{Reader, accounts, attachments, edits, messages, moderation, people, pins, reports, rooms};
use crate::types::{AttachmentId, Room, RoomId, Timestamp};

/// Accounts with their blocks, rooms with their members and pins, sanctions, reports, the audit log; then each message with
/// what it said before, room by room, the newest first.
pub async fn everything(app: &Arc<App>) -> Result<Lines> {
    let at = app.now();
    let (head, rooms) = app.db.read(move |reader| Ok((head(reader, at)?, rooms::every(reader)?))).await?;
    Ok(start(app, head, rooms, said))
}

fn head(reader: &mut Reader, at: Timestamp) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (user, account) in accounts::all(reader)? {
        let activity = people::activity(reader, user)?;
        let blocked: Vec<_> = people::blocks(reader, user)?.into_iter().map(|block| block.name).collect();
        let content = json!({
            "user_id": user,
            "username": account.name,
            "role": account.role,
            "disabled": account.disabled,
            "created_at": timestamp(account.created_at)?,
            "last_active": activity.last_active,
            "message_count": activity.message_count,
            "blocked": blocked,
        });
        lines.push(line("account", content)?);
    }
    sanctions(reader, None, at, &mut lines)?;
    for room in rooms::every(reader)? {
        of_room(reader, &room, at, &mut lines)?;
    }
    for (id, report) in reports::all(reader)? {
        let mut content = serde_json::to_value(&report).map_err(Error::internal)?;
        content["id"] = json!(id);
        content["at"] = json!(timestamp(report.at)?);
        if let Some(resolved) = &report.resolved {
            content["resolved"]["at"] = json!(timestamp(resolved.at)?);
        }
        lines.push(line("report", content)?);
    }
    for entry in audit::all(reader)? {
        lines.push(line("audit", entry)?);
    }
    Ok(lines)
}

fn of_room(reader: &mut Reader, room: &Room, at: Timestamp, lines: &mut Vec<Line>) -> Result<()> {
    let direct = room.direct.as_ref().map(|two| two.iter().map(|(_, name)| name).collect::<Vec<_>>());
    let content = json!({
        "room": room.name,
        "creator": room.creator,
        "created_at": room.created_at,
        "has_password": room.password_hash.is_some(),
        "slow_mode": room.slow_mode,
        "keep_days": room.keep.map(|keep| keep.as_secs() / 86_400),
        "direct": direct,
    });
    lines.push(line("room", content)?);
    for member in rooms::members(reader, room.id)? {
        let content = json!({
            "room": room.name,
            "user_id": member.user,
            "username": member.name,
            "role": member.role,
            "joined_at": timestamp(member.joined_at)?,
        });
        lines.push(line("member", content)?);
    }
    for pin in pins::of_room(reader, room)? {
        let content = json!({ "room": room.name, "seq": pin.seq, "by": pin.by, "at": pin.at });
        lines.push(line("pin", content)?);
    }
    sanctions(reader, Some(room), at, lines)
}

fn sanctions(reader: &mut Reader, room: Option<&Room>, at: Timestamp, lines: &mut Vec<Line>) -> Result<()> {
    let id = room.map(|room| room.id);
    for sanction in moderation::sanctions_in(reader, id, at)? {
        let content = json!({
            "room": room.map(|room| &room.name),
            "username": sanction.name,
            "by": sanction.by,
            "reason": sanction.reason,
            "muted_until": until(sanction.muted_until)?,
            "banned_until": until(sanction.banned_until)?,
        });
        lines.push(line("sanction", content)?);
    }
    Ok(())
}

/// A time, `forever`, or `null` where there is nothing.
fn until(until: Option<i64>) -> Result<Value> {
    Ok(match until {
        None => Value::Null,
        Some(FOR_EVER) => json!("forever"),
        Some(until) => json!(timestamp(until)?),
    })
}

fn said(reader: &mut Reader, room: &Room, before: i64) -> Result<(Vec<Line>, Option<i64>)> {
    let page = messages::page(reader, room, before, AT_ONCE as i64)?;
    let next = page.iter().map(|written| written.message.seq).min().filter(|_| page.len() == AT_ONCE);
    let mut lines = Vec::new();
    for written in page {
        let seq = written.message.seq;
        if written.message.edited_at.is_some() {
            for version in edits::of_message(reader, room, seq)? {
                let content = json!({
                    "room": room.name,
                    "seq": seq,
                    "message": version.message,
                    "encrypted_content": version.encrypted_content,
                    "since": version.since,
                });
                lines.push(line("version", content)?);
            }
        }
        // As somebody sees it who hides nobody.
        if let Some(message) = written.without(&HashSet::new()) {
            lines.push(line("message", message)?);
        }
    }
    Ok((lines, next))
}

/// Writes the content of all files that were sent into a folder, each under its id. How many there were, and those that
/// are damaged or not there.
pub async fn files(app: &Arc<App>, folder: &Path) -> Result<(usize, Vec<AttachmentId>)> {
    let (app, folder) = (app.clone(), folder.to_owned());
    let sent = app.db.read(attachments::sent).await?;
    blocking(move || {
        let (mut count, mut lost) = (0, Vec::new());
        for (room, id) in sent {
            match write_file(&app, &folder, room, id)? {
                true => count += 1,
                false => lost.push(id),
            }
        }
        Ok((count, lost))
    })
    .await
}

/// `false`: the stored file is damaged, or not there.
fn write_file(app: &App, folder: &Path, room: RoomId, id: AttachmentId) -> Result<bool> {
    use std::io::Write;

    let path = folder.join(id.to_string());
    let mut copy = std::fs::File::create_new(&path).map_err(Error::internal)?;
    let Ok(mut file) = app.files.open(room, id, Part::Content) else {
        std::fs::remove_file(path).map_err(Error::internal)?;
        return Ok(false);
    };
    loop {
        match file.piece() {
            Ok(Some(piece)) => copy.write_all(&piece).map_err(Error::internal)?,
            Ok(None) => break,
            Err(_) => {
                std::fs::remove_file(path).map_err(Error::internal)?;
                return Ok(false);
            }
        }
    }
    copy.sync_all().map_err(Error::internal)?;
    Ok(true)
}
