//! Events about oneself.

use serde::Deserialize;

use super::event::{Context, Done, Entry, Event};
use crate::chat;
use crate::error::Result;
use crate::types::{PublicKey, UserId, Username};

pub const EVENTS: &[Entry] = &[Entry::of::<JoinChat>(), Entry::of::<GetUserStats>()];

/// Come in under a name. A second time on one connection: under another name.
#[derive(Deserialize)]
struct JoinChat {
    username: Username,
    #[serde(default)]
    public_key: Option<PublicKey>,
}

#[derive(serde::Serialize)]
struct Joined {
    user_id: UserId,
}

impl Event for JoinChat {
    const NAME: &'static str = "join_chat";
    const OPEN: bool = true;
    type Ack = Joined;

    async fn handle(self, context: &mut Context<'_>) -> Result<Joined> {
        let groups = context.session.groups();
        let actor =
            chat::accounts::enter_as_guest(context.app, context.conn, self.username, self.public_key, groups).await?;
        let user_id = actor.user;
        context.session.actor = Some(actor);
        context.session.joined_public();
        Ok(Joined { user_id })
    }
}

#[derive(Deserialize)]
struct GetUserStats {}

impl Event for GetUserStats {
    const NAME: &'static str = "get_user_stats";
    const PAYLOAD: bool = false;
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        chat::accounts::show_stats(context.app, context.actor()?).await?;
        Ok(Done {})
    }
}
