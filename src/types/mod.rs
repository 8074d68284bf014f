//! What the layers pass to each other: ids, validated text, the people and things of the chat. Leaf: uses nothing of ours.

mod database;
mod emoji;
mod endpoint;
mod ids;
mod mentions;
mod namespace;
mod notifications;
mod people;
mod query;
mod random;
mod rate;
mod text;
mod token;
mod value;
mod words;

pub use database::{DatabaseUrl, KeySource, beside};
pub use emoji::Emoji;
pub use endpoint::Endpoint;
pub use ids::{AttachmentId, ConnId, InviteId, MessageId, ReportId, RoomId, SessionId, TicketId, UserId};
pub use mentions::mentions;
pub use namespace::Namespace;
pub use notifications::{QuietHours, Worth};
pub use people::{Actor, Identity, NameKey, Network, Presence, Role, RoomRole, TicketKey, User};
pub use query::{Query, Term};
pub use random::{random_bytes, random_uuid};
pub use rate::Rate;
pub use text::{
    ClientId, FileName, MessageText, NewPassword, Password, PublicKey, Reason, RoomName, Username, falsy_as_none,
};
pub use token::Token;
pub use value::Value;
pub use words::words;

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// A point in time; on the wire RFC 3339 in UTC with microseconds, as in `2026-11-24T07:37:18.123456+00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent, extend("format" = "date-time"))]
pub struct Timestamp(#[schemars(with = "String")] DateTime<Utc>);

impl Timestamp {
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }

    /// `20261124_073718`, for names of files.
    pub fn file_stamp(self) -> String {
        self.0.format("%Y%m%d_%H%M%S").to_string()
    }

    /// Microseconds since 1970-01-01 UTC.
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(time: Timestamp) -> Self {
        time.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, false))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A room as stored. The public room has no creator and no password.
#[derive(Clone)]
pub struct Room {
    pub id: RoomId,
    pub name: RoomName,
    pub creator: Option<Username>,
    pub created_at: Timestamp,
    /// Werkzeug's spelling of the hash; `None` is an open room.
    pub password_hash: Option<String>,
    /// Seconds between two messages of one member; 0 is as fast as they like.
    pub slow_mode: u32,
    /// How long messages stay; `None` is for ever.
    pub keep: Option<std::time::Duration>,
    /// The two people whose room it is; `None` for a group.
    pub direct: Option<Box<[(UserId, Username); 2]>>,
}

impl Room {
    /// Whom this person talks to in a room of two.
    pub fn partner_of(&self, user: UserId) -> Option<&Username> {
        self.direct.as_ref()?.iter().find(|(id, _)| *id != user).map(|(_, name)| name)
    }
}

/// A stored message, in the shape in which clients get it: as `new_message` and as an entry of a history.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Message {
    pub id: MessageId,
    pub user_id: UserId,
    pub username: Username,
    pub message: MessageText,
    pub encrypted_content: String,
    pub timestamp: Timestamp,
    pub room: RoomName,
    /// Position in the room: grows by one with each message, whoever sends it.
    pub seq: i64,
    /// What the sender called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Quote>,
    /// Whom it is for, where it is a direct message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Username>,
    /// Names with an `@` before them: whether there is anybody of that name is not said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Username>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reactions>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// A file that hangs on a message: `GET /api/attachments/ID`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    pub id: AttachmentId,
    pub name: FileName,
    /// By its bytes, whatever its name says: `image/png`, say.
    #[serde(rename = "type")]
    pub kind: String,
    /// In bytes.
    pub size: u64,
    /// Where it is an image that browsers show: then it has a thumbnail, too.
    #[serde(flatten)]
    pub image: Option<ImageSize>,
}

/// Of an image as it is shown, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageSize {
    pub width: u32,
    pub height: u32,
}

/// A message that another one answers; without its words where it is gone, or by somebody whom the reader has blocked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Quote {
    pub id: MessageId,
    pub seq: i64,
    #[serde(flatten)]
    pub words: Option<Quoted>,
}

/// How a quoted message begins.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Quoted {
    pub username: Username,
    pub message: String,
}

/// Those who reacted with one emoji.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Reactions {
    pub emoji: Emoji,
    pub usernames: Vec<Username>,
}

/// Tells the sender where their message stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Sent {
    pub id: MessageId,
    pub seq: i64,
    pub timestamp: Timestamp,
}

impl From<&Message> for Sent {
    fn from(message: &Message) -> Self {
        Self { id: message.id, seq: message.seq, timestamp: message.timestamp }
    }
}
