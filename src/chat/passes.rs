//! Passes: by what a guest, who has no session, is known over HTTP for as long as they are connected.

use std::net::IpAddr;

use super::facts::Facts;
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::{accounts, people};
use crate::types::{Actor, Identity, Token, UserId};

/// What a pass is made for, and how it begins.
const PASS: &str = "pass";

/// `pass.USER.RANDOM.SIGNATURE`, for a guest. An account's session has a token.
pub fn of(app: &App, actor: &Actor) -> Result<Token> {
    if !actor.identity.is_guest() {
        return Err(Error::Conflict("You have a session: its token is what you show.".into()));
    }
    let user = actor.user.to_string();
    let stamp = app.signer.stamp(PASS, &user);
    Token::try_from(format!("{PASS}.{user}.{stamp}")).map_err(|problem| Error::internal(anyhow::anyhow!(problem)))
}

/// The guest whose pass this is, while they are connected. `None` where it is no pass, or not good any more.
pub async fn authenticate(app: &App, token: &Token, address: IpAddr) -> Result<Option<Actor>> {
    let Some(user) = user_of(app, token) else { return Ok(None) };
    let facts = Facts::of(app);
    let actor = app.db.read(move |reader| {
        if accounts::get(reader, user)?.is_some() {
            return Ok(None);
        }
        let Some(name) = people::name(reader, user)? else { return Ok(None) };
        let identity = Identity::guest(&name);
        let actor = Actor { user, name, identity, session: None, conn: None, address, ticket: None };
        let banned = policy::on_server(Action::ManageOneself, facts.standing(reader, &actor)?).is_err();
        Ok((!banned).then_some(actor))
    });
    Ok(actor.await?.filter(|actor| app.hub.is_present(&actor.identity, actor.user)))
}

fn user_of(app: &App, token: &Token) -> Option<UserId> {
    let (user, stamp) = token.as_str().strip_prefix(PASS)?.strip_prefix('.')?.split_once('.')?;
    app.signer.check_stamp(PASS, user, stamp)?;
    user.parse().ok()
}
