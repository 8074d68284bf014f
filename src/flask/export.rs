//! The way back: a `chat_data.db` that the original opens. What it knows nothing of stays here: direct messages, files,
//! reactions, what messages said before they were edited.

use std::collections::HashMap;

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::chat_data::Key;
use super::import;
use crate::app::App;
use crate::chat::rooms::group_id;
use crate::error::{Error, Result};
use crate::store::{Reader, messages, people, rooms};
use crate::types::{Message, Room, RoomId, RoomName, Timestamp, Token, UserId};

/// Messages that are read at a time.
const PAGE: i64 = 1_000;

/// The file's content, and what there is to say about it.
pub struct Exported {
    pub token: String,
    pub users: usize,
    pub messages: usize,
    /// The groups that have a password, and the new one in the file: here there are hashes alone.
    pub passwords: Vec<(String, String)>,
    pub directs: usize,
}

/// All that the original can hold, in its own form. `zone`: where its clock stands.
pub async fn export(app: &App, key: Key, zone: Tz) -> Result<Exported> {
    let now = app.now();
    app.db.read(move |reader| Exporter { reader, key, zone, now, messages: 0, passwords: Vec::new() }.run()).await
}

struct Exporter<'a, 'b> {
    reader: &'a mut Reader<'b>,
    key: Key,
    zone: Tz,
    now: Timestamp,
    messages: usize,
    passwords: Vec<(String, String)>,
}

impl Exporter<'_, '_> {
    fn run(mut self) -> Result<Exported> {
        let users = self.users()?;
        let public = rooms::public(self.reader)?;
        let public_messages = self.said(&public, "public")?;
        let originals: HashMap<RoomId, String> = import::imported(self.reader)?;
        let (mut groups, mut directs) = (Map::new(), 0);
        let mut all = rooms::every(self.reader)?;
        all.sort_by_key(|room| room.created_at);
        for room in all.iter().filter(|room| room.id != RoomId::PUBLIC) {
            match room.direct {
                Some(_) => directs += 1,
                None => {
                    let name = originals.get(&room.id).map_or(room.name.as_str(), String::as_str);
                    groups.insert(name.to_owned(), self.group(room, name)?);
                }
            }
        }
        let now = self.local(self.now);
        let count = users.len();
        let document = json!({
            "users": users,
            "public_messages": public_messages,
            "groups": groups,
            "user_sessions": {},
            "metadata": { "created_at": self.local(public.created_at), "last_updated": now, "version": "1.0" },
        });
        let json = serde_json::to_string_pretty(&document).map_err(Error::internal)?;
        let token = self.key.seal(json.as_bytes());
        Ok(Exported { token, users: count, messages: self.messages, passwords: self.passwords, directs })
    }

    fn users(&mut self) -> Result<Map<String, Value>> {
        let mut users = Map::new();
        for id in people::all(self.reader)? {
            let Some(name) = people::name(self.reader, id)? else { continue };
            let activity = people::activity(self.reader, id)?;
            let public_key = people::public_key(self.reader, id)?;
            let user = json!({
                "user_id": id,
                "username": name,
                "public_key": public_key.map_or(json!(""), |key| json!(key)),
                "created_at": self.local(activity.joined_at),
                "last_active": self.local(activity.last_active),
                "message_count": activity.message_count,
                "groups_joined": [],
                "metadata": {},
            });
            users.insert(id.to_string(), user);
        }
        Ok(users)
    }

    fn group(&mut self, room: &Room, name: &str) -> Result<Value> {
        let mut members: Vec<String> = Vec::new();
        for member in rooms::members(self.reader, room.id)? {
            let name = member.name.as_str().to_owned();
            if !members.contains(&name) {
                members.push(name);
            }
        }
        let mut encrypted_password = String::new();
        if room.password_hash.is_some() {
            let password = Token::random().as_str()[..16].to_owned();
            encrypted_password = self.key.seal(password.as_bytes());
            let told = if name == room.name.as_str() {
                name.to_owned()
            } else {
                format!("{name:?} (here {})", room.name.as_str())
            };
            self.passwords.push((told, password));
        }
        let id = RoomName::try_from(name.to_owned()).map_or_else(|_| group_id(&room.name), |name| group_id(&name));
        Ok(json!({
            "id": id,
            "name": name,
            "creator": room.creator.as_ref().map_or("", |creator| creator.as_str()),
            "encrypted_password": encrypted_password,
            "created_at": self.local(room.created_at),
            "members": members,
            "messages": self.said(room, name)?,
            "metadata": {},
        }))
    }

    /// All messages of a room, the oldest first.
    fn said(&mut self, room: &Room, name: &str) -> Result<Vec<Value>> {
        let mut said = Vec::new();
        let mut after = 0;
        loop {
            let page = messages::after(self.reader, room, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.message.seq;
            said.extend(page.into_iter().map(|written| self.message(written.message, name)));
        }
        self.messages += said.len();
        Ok(said)
    }

    fn message(&self, message: Message, room: &str) -> Value {
        // What came from there has its id of there.
        let original = message.client_id.as_ref().and_then(|id| id.as_str().parse::<UserId>().ok());
        let id = original.map_or_else(|| json!(message.id), |id| json!(id));
        let mut row = json!({
            "id": id,
            "user_id": message.user_id,
            "username": message.username,
            "message": message.message,
            "encrypted_content": message.encrypted_content,
            "timestamp": self.local(message.timestamp),
            "room": room,
            "encrypted_message": self.key.seal(message.message.as_str().as_bytes()),
            "stored_at": self.local(message.timestamp),
        });
        if !message.encrypted_content.is_empty() {
            row["double_encrypted_content"] = json!(self.key.seal(message.encrypted_content.as_bytes()));
        }
        row
    }

    /// As Python's `datetime.now().isoformat()`: no zone, and no fraction where that is 0.
    fn local(&self, time: Timestamp) -> String {
        let utc: DateTime<Utc> = time.into();
        let local = utc.with_timezone(&self.zone).naive_local();
        let form = if local.nanosecond() == 0 { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M:%S%.6f" };
        local.format(form).to_string()
    }
}
