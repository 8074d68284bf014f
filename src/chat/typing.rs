//! Who is writing: told to those who are there, and never stored.

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, room_for};
use super::policy::Action;
use crate::app::App;
use crate::error::Result;
use crate::hub::{Audience, Outbound, Publication, Step};
use crate::types::{Actor, Network, RoomName, Username};

/// To the others in the room. It holds for some seconds; clients forget it then.
#[derive(Serialize, JsonSchema)]
pub struct Typing {
    username: Username,
    room: RoomName,
}

impl Outbound for Typing {
    const NAME: &'static str = "typing";
}

/// Tells a room that one is writing. More often than once in three seconds is as if nothing was said.
pub async fn typing(app: &App, actor: &Actor, name: RoomName) -> Result<()> {
    app.limits.reading(actor.user, Network::of(actor.address))?;
    let facts = Facts::of(app);
    let who = actor.clone();
    let room = app
        .db
        .read(move |reader| {
            let room = room_for(facts, reader, &who, &name, Action::Post)?;
            Ok(room)
        })
        .await?;
    if app.limits.typing(room.id, actor.user) {
        let typing = Typing { username: actor.name.clone(), room: room.name };
        let told = Publication::emit_except(Audience::Room(room.id), actor.conn, &typing).by(actor.identity.clone());
        app.publisher.publish(vec![Step::Publish(told)]);
    }
    Ok(())
}
