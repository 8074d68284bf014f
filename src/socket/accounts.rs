//! Events about accounts: making one, signing in and out. Their HTTP twins call the same functions.

use schemars::JsonSchema;
use serde::Deserialize;

use super::event::{Context, Entry, Event};
use crate::answer::Done;
use crate::chat::accounts::{self, Credentials, NewAccount};
use crate::chat::sessions::{self, SignedIn, Welcome};
use crate::chat::{people, resume};
use crate::error::Result;

pub const EVENTS: &[Entry] = &[Entry::of::<NewAccount>(), Entry::of::<Credentials>(), Entry::of::<Logout>()];

impl Event for NewAccount {
    const NAME: &'static str = "register";
    const ABOUT: &'static str = "Makes an account and signs this connection in.";
    const OPEN: bool = true;
    type Ack = Welcome;

    async fn handle(self, context: &mut Context<'_>) -> Result<Welcome> {
        let signed_in = accounts::register(context.app, context.visitor, Some(context.conn), self).await?;
        sign_in(context, signed_in).await
    }
}

impl Event for Credentials {
    const NAME: &'static str = "login";
    const ABOUT: &'static str = "Signs this connection in.";
    const OPEN: bool = true;
    type Ack = Welcome;

    async fn handle(self, context: &mut Context<'_>) -> Result<Welcome> {
        let signed_in = accounts::login(context.app, context.visitor, Some(context.conn), self).await?;
        sign_in(context, signed_in).await
    }
}

/// From here on the connection is the account's. It keeps the groups that it was in, and hears those of the account.
async fn sign_in(context: &mut Context<'_>, mut signed_in: SignedIn) -> Result<Welcome> {
    let (app, conn) = (context.app, context.conn);
    signed_in.actor.ticket = resume::key(app, context.visitor, signed_in.actor.session, context.session.ticket);
    people::introduce(app, &signed_in.actor, conn, true).await?;
    if let Some(before) = context.session.actor.replace(signed_in.actor.clone()) {
        people::bring_along(app, &before, &signed_in.actor, conn).await?;
    }
    Ok(signed_in.into())
}

#[derive(Deserialize, JsonSchema)]
struct Logout {}

impl Event for Logout {
    const NAME: &'static str = "logout";
    const ABOUT: &'static str = "Ends the session that this connection speaks for.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        sessions::sign_out(context.app, context.actor()?).await?;
        context.session.actor = None;
        Ok(Done {})
    }
}
