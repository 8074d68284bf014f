//! Events about oneself: coming in, one's numbers, whom one blocks and which rooms one mutes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::answer::Done;
use crate::chat::people::{self, Blocked};
use crate::error::{Error, Result};
use crate::types::{NameKey, PublicKey, RoomName, UserId, Username};

pub const EVENTS: &[Entry] = &[
    Entry::of::<JoinChat>(),
    Entry::of::<GetUserStats>(),
    Entry::of::<BlockUser>(),
    Entry::of::<UnblockUser>(),
    Entry::of::<ListBlocked>(),
    Entry::of::<MuteRoom>(),
];

/// Come in under a name. A second time on one connection: under another name. Who is signed in comes in under their own.
#[derive(Deserialize, JsonSchema)]
struct JoinChat {
    username: Username,
    #[serde(default)]
    public_key: Option<PublicKey>,
}

#[derive(Serialize, JsonSchema)]
struct Joined {
    user_id: UserId,
}

impl Event for JoinChat {
    const NAME: &'static str = "join_chat";
    const ABOUT: &'static str = "Comes in under a name.";
    const OPEN: bool = true;
    type Ack = Joined;

    async fn handle(self, context: &mut Context<'_>) -> Result<Joined> {
        if let Some(actor) = context.session.actor.as_ref().filter(|actor| actor.session.is_some()) {
            if NameKey::of(&actor.name) != NameKey::of(&self.username) {
                let message =
                    format!("You are signed in as {}. Sign out to come in under another name.", actor.name.as_str());
                return Err(Error::Conflict(message.into()));
            }
            people::enter(context.app, actor, context.conn).await?;
            return Ok(Joined { user_id: actor.user });
        }
        let (app, conn) = (context.app, context.conn);
        let actor = {
            let Context { visitor, session, .. } = &context;
            people::enter_as_guest(app, conn, visitor, session.ticket, self.username, self.public_key).await?
        };
        let user_id = actor.user;
        if let Some(before) = context.session.actor.replace(actor.clone()) {
            people::bring_along(app, &before, &actor, conn).await?;
        }
        Ok(Joined { user_id })
    }
}

#[derive(Deserialize, JsonSchema)]
struct GetUserStats {}

impl Event for GetUserStats {
    const NAME: &'static str = "get_user_stats";
    const ABOUT: &'static str = "Numbers about oneself, as the event `user_stats`, too.";
    const PAYLOAD: bool = false;
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        people::show_stats(context.app, context.actor()?).await?;
        Ok(Done {})
    }
}

#[derive(Deserialize, JsonSchema)]
struct BlockUser {
    username: Username,
}

impl Event for BlockUser {
    const NAME: &'static str = "block_user";
    const ABOUT: &'static str = "Hears nothing of somebody any more.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        people::block(context.app, context.actor()?, self.username).await?;
        Ok(Done {})
    }
}

#[derive(Deserialize, JsonSchema)]
struct UnblockUser {
    username: Username,
}

/// Whether there was a block to lift.
#[derive(Serialize, JsonSchema)]
struct Unblocked {
    unblocked: bool,
}

impl Event for UnblockUser {
    const NAME: &'static str = "unblock_user";
    const ABOUT: &'static str = "Hears them again.";
    type Ack = Unblocked;

    async fn handle(self, context: &mut Context<'_>) -> Result<Unblocked> {
        let unblocked = people::unblock(context.app, context.actor()?, self.username).await?;
        Ok(Unblocked { unblocked })
    }
}

#[derive(Deserialize, JsonSchema)]
struct ListBlocked {}

impl Event for ListBlocked {
    const NAME: &'static str = "list_blocked";
    const ABOUT: &'static str = "Whom one has blocked.";
    type Ack = Blocked;

    async fn handle(self, context: &mut Context<'_>) -> Result<Blocked> {
        people::list_blocked(context.app, context.actor()?).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct MuteRoom {
    room: RoomName,
    #[serde(default = "yes")]
    muted: bool,
}

fn yes() -> bool {
    true
}

impl Event for MuteRoom {
    const NAME: &'static str = "mute_room";
    const ABOUT: &'static str = "A room makes no noise any more, or again.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        people::mute_room(context.app, context.actor()?, self.room, self.muted).await?;
        Ok(Done {})
    }
}
