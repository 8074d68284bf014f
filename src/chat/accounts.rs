//! Coming in, and what a person has done.

use serde::Serialize;

use super::policy;
use crate::app::App;
use crate::error::Result;
use crate::hub::{Audience, Outbound, Publication};
use crate::store::{self, accounts, rooms};
use crate::types::{Actor, ConnId, Message, PublicKey, Role, RoomId, RoomName, Timestamp, User, UserId, Username};

/// Messages that come with a room.
pub(super) const RECENT: i64 = 50;

/// To who came in: who one is, and what there is.
#[derive(Serialize)]
pub struct ChatJoined {
    user_id: UserId,
    username: Username,
    public_messages: Vec<Message>,
    available_groups: Vec<RoomName>,
}

impl Outbound for ChatJoined {
    const NAME: &'static str = "chat_joined";
}

/// To who asked.
#[derive(Serialize)]
pub struct UserStats {
    message_count: i64,
    /// Always 0, as the original has it; the true number is `member_of`.
    groups_joined: i64,
    created_at: Timestamp,
    last_active: Timestamp,
    member_of: i64,
}

impl Outbound for UserStats {
    const NAME: &'static str = "user_stats";
}

/// Lets somebody in under a name of their choice, and into the public room. `groups` are those that the connection is
/// already in under an earlier name: it proved there what was to be proved, so the new person is a member as well.
pub async fn enter_as_guest(
    app: &App,
    conn: ConnId,
    name: Username,
    public_key: Option<PublicKey>,
    groups: Vec<RoomId>,
) -> Result<Actor> {
    policy::enter_as_guest(app.config.guests)?;
    let user = User { id: UserId::random(), name, public_key, joined_at: app.now() };
    app.db
        .write(rooms::lane(&RoomName::public()), move |tx| {
            accounts::insert(tx, &user)?;
            for group in groups {
                rooms::add_member(tx, group, user.id, &user.name, user.joined_at)?;
            }
            let public = rooms::public(tx)?;
            let joined = ChatJoined {
                user_id: user.id,
                username: user.name.clone(),
                public_messages: store::messages::last(tx, &public, RECENT)?,
                available_groups: rooms::group_names(tx)?,
            };
            tx.publish(Publication::Identify { conn, user: user.id });
            tx.publish(Publication::Join { conn, room: public.id });
            tx.publish(Publication::emit(Audience::Conn(conn), &joined));
            super::rooms::announce_joined(tx, conn, &user.name, &public);
            Ok(Actor { user: user.id, name: user.name, role: Role::Guest, conn })
        })
        .await
}

/// Sends the person their own numbers.
pub async fn show_stats(app: &App, actor: &Actor) -> Result<()> {
    let Actor { user, conn, .. } = *actor;
    let stats = app
        .db
        .read(move |reader| {
            let activity = accounts::activity(reader, user)?;
            Ok(UserStats {
                message_count: activity.message_count,
                groups_joined: 0,
                created_at: activity.joined_at,
                last_active: activity.last_active,
                member_of: rooms::count_of(reader, user)?,
            })
        })
        .await?;
    app.publisher.emit(Audience::Conn(conn), &stats).await;
    Ok(())
}
