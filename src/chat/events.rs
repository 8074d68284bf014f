//! All events that the server sends.

use super::backups::BackupCreated;
use super::deletion::MessageDeleted;
use super::editing::MessageEdited;
use super::moderation::Sanctioned;
use super::namespaces::RoomJoined;
use super::people::{ChatJoined, RoomMuted, UserStats};
use super::pins::MessagePinned;
use super::presence::PresenceChanged;
use super::reactions::MessageReacted;
use super::read_marks::{RoomRead, Unread};
use super::retention::{MessagesExpired, RetentionSet};
use super::room_settings::{RoleSet, SlowModeSet};
use super::rooms::{GroupCreated, GroupJoined, GroupLeft, GroupListUpdated, UserJoined, UserLeft};
use super::typing::Typing;
use crate::error::WireError;
use crate::hub::Told;
use crate::types::Message;

/// Heard in the namespace `/` alone.
pub const IN_CHAT: &[Told] = &[
    Told::of::<ChatJoined>(),
    Told::of::<GroupCreated>(),
    Told::of::<GroupJoined>(),
    Told::of::<UserStats>(),
    Told::of::<BackupCreated>(),
    Told::of::<PresenceChanged>(),
];

/// Heard in the namespace of a room alone.
pub const IN_ROOM: &[Told] = &[Told::of::<RoomJoined>()];

/// Heard in both.
pub const EVERYWHERE: &[Told] = &[
    Told::of::<Message>(),
    Told::of::<MessageEdited>(),
    Told::of::<MessageDeleted>(),
    Told::of::<MessagesExpired>(),
    Told::of::<MessageReacted>(),
    Told::of::<MessagePinned>(),
    Told::of::<Typing>(),
    Told::of::<RoomRead>(),
    Told::of::<Unread>(),
    Told::of::<UserJoined>(),
    Told::of::<UserLeft>(),
    Told::of::<GroupLeft>(),
    Told::of::<GroupListUpdated>(),
    Told::of::<RoomMuted>(),
    Told::of::<Sanctioned>(),
    Told::of::<RoleSet>(),
    Told::of::<SlowModeSet>(),
    Told::of::<RetentionSet>(),
    Told::of::<WireError>(),
];
