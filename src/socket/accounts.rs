//! Events about accounts: making one, signing in and out. Their HTTP twins call the same functions.

use serde::{Deserialize, Serialize};

use super::event::{Context, Done, Entry, Event};
use crate::chat::accounts::{self, Credentials, NewAccount};
use crate::chat::people;
use crate::chat::sessions::{self, SignedIn};
use crate::error::Result;
use crate::types::{NewPassword, Password, PublicKey, Role, Token, UserId, Username, falsy_as_none};

pub const EVENTS: &[Entry] = &[Entry::of::<Register>(), Entry::of::<Login>(), Entry::of::<Logout>()];

#[derive(Deserialize)]
struct Register {
    username: Username,
    password: NewPassword,
    #[serde(default)]
    public_key: Option<PublicKey>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    invite: Option<Token>,
}

/// Who one is now. The token opens the session again, for clients without cookies.
#[derive(Serialize)]
struct Session {
    user_id: UserId,
    username: Username,
    role: Role,
    token: Token,
}

impl Event for Register {
    const NAME: &'static str = "register";
    const OPEN: bool = true;
    type Ack = Session;

    async fn handle(self, context: &mut Context<'_>) -> Result<Session> {
        let Self { username: name, password, public_key, invite } = self;
        let new = NewAccount { name, password, public_key, invite };
        let signed_in = accounts::register(context.app, context.visitor, Some(context.conn), new).await?;
        sign_in(context, signed_in).await
    }
}

#[derive(Deserialize)]
struct Login {
    username: Username,
    password: Password,
    #[serde(default, deserialize_with = "falsy_as_none")]
    code: Option<String>,
}

impl Event for Login {
    const NAME: &'static str = "login";
    const OPEN: bool = true;
    type Ack = Session;

    async fn handle(self, context: &mut Context<'_>) -> Result<Session> {
        let given = Credentials { name: self.username, password: self.password, code: self.code };
        let signed_in = accounts::login(context.app, context.visitor, Some(context.conn), given).await?;
        sign_in(context, signed_in).await
    }
}

/// From here on the connection is the account's. It keeps the groups that it was in, and hears those of the account.
async fn sign_in(context: &mut Context<'_>, signed_in: SignedIn) -> Result<Session> {
    let SignedIn { actor, role, token } = signed_in;
    people::introduce(context.app, &actor, context.conn, context.groups(), true).await?;
    context.session.actor = Some(actor.clone());
    Ok(Session { user_id: actor.user, username: actor.name, role, token })
}

#[derive(Deserialize)]
struct Logout {}

impl Event for Logout {
    const NAME: &'static str = "logout";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        sessions::sign_out(context.app, context.actor()?).await?;
        context.session.actor = None;
        Ok(Done {})
    }
}
