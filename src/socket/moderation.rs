//! Events for moderators. Where an event takes a `room`, none means the whole server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::answer::Done;
use crate::chat::accounts;
use crate::chat::audit::{self, AuditEntry};
use crate::chat::moderation::{self, BanOptions, Banned, SanctionInfo, Target};
use crate::chat::{retention, room_settings};
use crate::error::{Error, Result};
use crate::types::{Reason, Role, RoomName, RoomRole, Username, falsy_as_none};

pub const EVENTS: &[Entry] = &[
    Entry::of::<KickUser>(),
    Entry::of::<BanUser>(),
    Entry::of::<UnbanUser>(),
    Entry::of::<MuteUser>(),
    Entry::of::<ListSanctions>(),
    Entry::of::<SetSlowMode>(),
    Entry::of::<SetRetention>(),
    Entry::of::<SetRole>(),
    Entry::of::<ReadAuditLog>(),
];

#[derive(Deserialize, JsonSchema)]
struct KickUser {
    username: Username,
    #[serde(default, deserialize_with = "falsy_as_none")]
    room: Option<RoomName>,
    #[serde(default)]
    reason: Reason,
}

impl Event for KickUser {
    const NAME: &'static str = "kick_user";
    const ABOUT: &'static str = "Sends somebody away, from a room or from the server. They may come back.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        let target = Target { username: self.username, room: self.room, reason: self.reason };
        moderation::kick(context.app, context.actor()?, target).await?;
        Ok(Done {})
    }
}

#[derive(Deserialize, JsonSchema)]
struct BanUser {
    username: Username,
    #[serde(default, deserialize_with = "falsy_as_none")]
    room: Option<RoomName>,
    #[serde(default)]
    reason: Reason,
    #[serde(default)]
    minutes: Option<u32>,
    #[serde(default)]
    addresses: bool,
    #[serde(default)]
    remove_hours: u32,
}

impl Event for BanUser {
    const NAME: &'static str = "ban_user";
    const ABOUT: &'static str = "Keeps somebody out of a room, or off the server.";
    type Ack = Banned;

    async fn handle(self, context: &mut Context<'_>) -> Result<Banned> {
        let target = Target { username: self.username, room: self.room, reason: self.reason };
        let options = BanOptions { minutes: self.minutes, addresses: self.addresses, remove_hours: self.remove_hours };
        moderation::ban(context.app, context.actor()?, target, options).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct UnbanUser {
    username: Username,
    #[serde(default, deserialize_with = "falsy_as_none")]
    room: Option<RoomName>,
    #[serde(default)]
    reason: Reason,
}

/// Whether there was a ban to lift.
#[derive(Serialize, JsonSchema)]
struct Unbanned {
    unbanned: bool,
}

impl Event for UnbanUser {
    const NAME: &'static str = "unban_user";
    const ABOUT: &'static str = "Ends a ban.";
    type Ack = Unbanned;

    async fn handle(self, context: &mut Context<'_>) -> Result<Unbanned> {
        let target = Target { username: self.username, room: self.room, reason: self.reason };
        let unbanned = moderation::unban(context.app, context.actor()?, target).await?;
        Ok(Unbanned { unbanned })
    }
}

/// For some minutes, for ever where there are none, and no longer where they are 0.
#[derive(Deserialize, JsonSchema)]
struct MuteUser {
    username: Username,
    #[serde(default, deserialize_with = "falsy_as_none")]
    room: Option<RoomName>,
    #[serde(default)]
    minutes: Option<u32>,
    #[serde(default)]
    reason: Reason,
}

impl Event for MuteUser {
    const NAME: &'static str = "mute_user";
    const ABOUT: &'static str = "Somebody may read, and not write. For some minutes, for ever where there are none, and no longer where they are 0.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        let target = Target { username: self.username, room: self.room, reason: self.reason };
        moderation::mute(context.app, context.actor()?, target, self.minutes).await?;
        Ok(Done {})
    }
}

#[derive(Deserialize, JsonSchema)]
struct ListSanctions {
    #[serde(default, deserialize_with = "falsy_as_none")]
    room: Option<RoomName>,
}

#[derive(Serialize, JsonSchema)]
struct Sanctions {
    sanctions: Vec<SanctionInfo>,
}

impl Event for ListSanctions {
    const NAME: &'static str = "list_sanctions";
    const ABOUT: &'static str = "Who is banned or muted.";
    type Ack = Sanctions;

    async fn handle(self, context: &mut Context<'_>) -> Result<Sanctions> {
        let sanctions = moderation::list(context.app, context.actor()?, self.room).await?;
        Ok(Sanctions { sanctions })
    }
}

#[derive(Deserialize, JsonSchema)]
struct SetSlowMode {
    room: RoomName,
    seconds: u32,
}

impl Event for SetSlowMode {
    const NAME: &'static str = "set_slow_mode";
    const ABOUT: &'static str = "How many seconds must lie between two messages of one member.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        room_settings::set_slow_mode(context.app, context.actor()?, self.room, self.seconds).await?;
        Ok(Done {})
    }
}

#[derive(Deserialize, JsonSchema)]
struct SetRetention {
    room: RoomName,
    days: f64,
}

impl Event for SetRetention {
    const NAME: &'static str = "set_retention";
    const ABOUT: &'static str = "How many days a room keeps messages; 0 is for ever.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        retention::set(context.app, context.actor()?, self.room, self.days).await?;
        Ok(Done {})
    }
}

/// With a room: owner, moderator or member of it. Without one: owner, admin, moderator or member of the server.
#[derive(Deserialize, JsonSchema)]
struct SetRole {
    username: Username,
    role: Role,
    #[serde(default, deserialize_with = "falsy_as_none")]
    room: Option<RoomName>,
    #[serde(default)]
    reason: Reason,
}

impl Event for SetRole {
    const NAME: &'static str = "set_role";
    const ABOUT: &'static str = "Makes somebody a moderator, say, of a room or of the server.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        let (app, actor) = (context.app, context.actor()?);
        match (self.room, self.role) {
            (None, role) => accounts::set_role(app, actor, self.username, role, self.reason).await?,
            (Some(room), role) => {
                let role = match role {
                    Role::Owner => RoomRole::Owner,
                    Role::Moderator => RoomRole::Moderator,
                    Role::Member => RoomRole::Member,
                    Role::Admin | Role::Guest => {
                        return Err(Error::invalid("role", "must be owner, moderator or member in a room"));
                    }
                };
                room_settings::set_room_role(app, actor, self.username, room, role).await?;
            }
        }
        Ok(Done {})
    }
}

#[derive(Deserialize, JsonSchema)]
struct ReadAuditLog {
    /// Entries before this number.
    #[serde(default)]
    before: Option<i64>,
    #[serde(default = "most")]
    limit: u32,
}

fn most() -> u32 {
    100
}

#[derive(Serialize, JsonSchema)]
struct Entries {
    entries: Vec<AuditEntry>,
}

impl Event for ReadAuditLog {
    const NAME: &'static str = "audit_log";
    const ABOUT: &'static str = "What moderators and administrators did, the newest first.";
    type Ack = Entries;

    async fn handle(self, context: &mut Context<'_>) -> Result<Entries> {
        let entries = audit::page(context.app, context.actor()?, self.before, self.limit).await?;
        Ok(Entries { entries })
    }
}
