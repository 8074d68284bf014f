//! The sealed columns, where in them a value stands, and which data key that place needs.

use crate::types::RoomId;

/// What a data key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    Accounts,
    Rooms,
    /// One key for each room: who deletes a room deletes its key.
    Messages,
    Blind,
    MessageIds,
    /// Ids and names that are made of others and have been handed out.
    Names,
    /// Keyed hashes of what the server hands out.
    Signatures,
    Sessions,
    /// Sanctions, reports and the audit log.
    Moderation,
}

impl Purpose {
    pub const WITHOUT_ROOM: [Self; 8] = [
        Self::Accounts,
        Self::Rooms,
        Self::Blind,
        Self::MessageIds,
        Self::Names,
        Self::Signatures,
        Self::Sessions,
        Self::Moderation,
    ];

    /// What was made with such a key is out in the world and has to stay good. It opens nothing, and is never replaced.
    pub fn is_permanent(self) -> bool {
        matches!(self, Self::MessageIds | Self::Names | Self::Signatures)
    }

    /// Whose key did the work before this purpose had one of its own.
    pub fn heir_of(self) -> Option<Self> {
        match self {
            Self::Names => Some(Self::Blind),
            Self::Signatures => Some(Self::Sessions),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Rooms => "rooms",
            Self::Messages => "messages",
            Self::Blind => "blind",
            Self::MessageIds => "message_ids",
            Self::Names => "names",
            Self::Signatures => "signatures",
            Self::Sessions => "sessions",
            Self::Moderation => "moderation",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::WITHOUT_ROOM.into_iter().chain([Self::Messages]).find(|purpose| purpose.name() == name)
    }
}

/// A sealed column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    UserProfile,
    UserLastActive,
    Presence,
    Account,
    Block,
    RoomPreferences,
    NotificationSettings,
    PushSubscription,
    RoomProfile,
    Member,
    MessageBody,
    Reaction,
    Edit,
    Pin,
    ReadMark,
    Attachment,
    /// A piece of a file.
    FilePiece,
    ClientId,
    Session,
    Ticket,
    Invite,
    Sanction,
    AddressBan,
    Report,
    AuditEntry,
    State,
    Sample,
}

impl Column {
    fn purpose(self) -> Purpose {
        match self {
            Self::UserProfile
            | Self::UserLastActive
            | Self::Presence
            | Self::Account
            | Self::Block
            | Self::RoomPreferences
            | Self::NotificationSettings
            | Self::PushSubscription => Purpose::Accounts,
            Self::RoomProfile | Self::Member => Purpose::Rooms,
            Self::MessageBody
            | Self::Reaction
            | Self::Edit
            | Self::Pin
            | Self::ReadMark
            | Self::Attachment
            | Self::FilePiece => Purpose::Messages,
            Self::ClientId => Purpose::Rooms,
            Self::Session | Self::Ticket | Self::Invite => Purpose::Sessions,
            Self::Sanction | Self::AddressBan | Self::Report | Self::AuditEntry | Self::State | Self::Sample => {
                Purpose::Moderation
            }
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::UserProfile => "users.profile",
            Self::UserLastActive => "users.last_active",
            Self::Presence => "presence.presence",
            Self::Account => "accounts.account",
            Self::Block => "blocks.block",
            Self::RoomPreferences => "room_preferences.preferences",
            Self::NotificationSettings => "notification_settings.settings",
            Self::PushSubscription => "push_subscriptions.subscription",
            Self::RoomProfile => "rooms.profile",
            Self::Member => "memberships.member",
            Self::MessageBody => "messages.body",
            Self::Reaction => "reactions.reaction",
            Self::Edit => "edits.edit",
            Self::Pin => "pins.pin",
            Self::ReadMark => "read_marks.mark",
            Self::Attachment => "attachments.attachment",
            Self::FilePiece => "files",
            Self::ClientId => "client_ids.sent",
            Self::Session => "sessions.session",
            Self::Ticket => "tickets.ticket",
            Self::Invite => "invites.invite",
            Self::Sanction => "sanctions.sanction",
            Self::AddressBan => "address_bans.ban",
            Self::Report => "reports.report",
            Self::AuditEntry => "audit_log.entry",
            Self::State => "state.value",
            Self::Sample => "samples.sample",
        }
    }
}

/// Where a sealed value stands. It opens there and nowhere else.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub column: Column,
    pub room: Option<RoomId>,
    /// The row's id: at most 255 bytes.
    pub row: &'a [u8],
}

impl Place<'_> {
    /// The data key that this place needs.
    pub fn key(&self) -> KeyName {
        let purpose = self.column.purpose();
        let room = match purpose {
            Purpose::Messages => self.room.map_or(0, RoomId::get),
            _ => 0,
        };
        KeyName { purpose, room }
    }
}

/// Names a data key: `room` is 0 where the purpose is not bound to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyName {
    pub purpose: Purpose,
    pub room: i64,
}

impl KeyName {
    pub fn of(purpose: Purpose) -> Self {
        Self { purpose, room: 0 }
    }

    pub fn messages_of(room: RoomId) -> Self {
        Self { purpose: Purpose::Messages, room: room.get() }
    }
}

/// A column that rows are found by, without showing what they are: a blind index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlindColumn {
    UserName,
    AccountKey,
    RoomName,
    RoomKey,
    Sanctioned,
    AddressBanned,
    Blocked,
    AttachmentOwner,
    ClientId,
    Reaction,
    PushEndpoint,
}

impl BlindColumn {
    /// Goes into the hash: equal values of two scopes have nothing in common.
    pub fn scope(self) -> &'static str {
        match self {
            Self::UserName => "users.name",
            Self::AccountKey => "accounts.key",
            Self::RoomName => "rooms.name",
            Self::RoomKey => "rooms.key",
            Self::Sanctioned | Self::AddressBanned | Self::Blocked | Self::AttachmentOwner => "person",
            Self::ClientId => "client_id",
            Self::Reaction => "reaction",
            Self::PushEndpoint => "push_subscriptions.endpoint",
        }
    }
}
