//! Events about groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::answer::Done;
use crate::chat;
use crate::chat::room_settings::{self, RoomInfo};
use crate::error::Result;
use crate::types::{Password, RoomName, falsy_as_none};

pub const EVENTS: &[Entry] = &[
    Entry::of::<CreateGroup>(),
    Entry::of::<JoinGroup>(),
    Entry::of::<LeaveGroup>(),
    Entry::of::<GetRoom>(),
    Entry::of::<SetRoomPassword>(),
];

#[derive(Deserialize, JsonSchema)]
struct CreateGroup {
    group_name: RoomName,
    #[serde(default, deserialize_with = "falsy_as_none")]
    password: Option<Password>,
}

impl Event for CreateGroup {
    const NAME: &'static str = "create_group";
    const ABOUT: &'static str = "Makes a group, which one is then in.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        chat::rooms::create(context.app, context.actor()?, self.group_name, self.password).await?;
        Ok(Done {})
    }
}

#[derive(Deserialize, JsonSchema)]
struct JoinGroup {
    group_name: RoomName,
    #[serde(default, deserialize_with = "falsy_as_none")]
    password: Option<Password>,
}

impl Event for JoinGroup {
    const NAME: &'static str = "join_group";
    const ABOUT: &'static str = "Comes into a group.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        chat::rooms::join(context.app, context.actor()?, self.group_name, self.password).await?;
        Ok(Done {})
    }

    fn refusal(field: &str) -> Option<&'static str> {
        (field == "group_name").then_some("Failed to join group. Check password.")
    }
}

#[derive(Deserialize, JsonSchema)]
struct LeaveGroup {
    group_name: RoomName,
}

/// Whether there was something to leave.
#[derive(Serialize, JsonSchema)]
struct Left {
    left: bool,
}

impl Event for LeaveGroup {
    const NAME: &'static str = "leave_group";
    const ABOUT: &'static str = "Leaves a group.";
    type Ack = Left;

    async fn handle(self, context: &mut Context<'_>) -> Result<Left> {
        let left = chat::rooms::leave(context.app, context.actor()?, self.group_name).await?;
        Ok(Left { left: left.is_some() })
    }
}

#[derive(Deserialize, JsonSchema)]
struct GetRoom {
    room: RoomName,
}

impl Event for GetRoom {
    const NAME: &'static str = "get_room";
    const ABOUT: &'static str = "What one is in a room, and what is set there.";
    type Ack = RoomInfo;

    async fn handle(self, context: &mut Context<'_>) -> Result<RoomInfo> {
        room_settings::show(context.app, context.actor()?, self.room).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct SetRoomPassword {
    room: RoomName,
    #[serde(default, deserialize_with = "falsy_as_none")]
    password: Option<Password>,
}

impl Event for SetRoomPassword {
    const NAME: &'static str = "set_room_password";
    const ABOUT: &'static str = "What newcomers to a group must know; without a password everybody may join.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        room_settings::set_password(context.app, context.actor()?, self.room, self.password).await?;
        Ok(Done {})
    }
}
