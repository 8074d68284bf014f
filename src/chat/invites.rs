//! Invitations: links by which accounts can be made, as often and as long as who made them said.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::audit;
use super::facts::Facts;
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::invites::{self, Invite};
use crate::store::people::timestamp;
use crate::store::{Lane, Reader, Tx, accounts};
use crate::types::{Actor, InviteId, Reason, Role, Timestamp, Token, Username};

/// What an invitation's token is hashed for.
const TOKEN: &str = "invite";
/// How long the link to make the owner's account is good.
const OWNER_LINK: Duration = Duration::from_secs(30 * 60);
/// Longest life and most uses of an invitation.
const MOST_DAYS: u32 = 365;
const MOST_USES: u32 = 1_000;

/// An invitation as administrators see it; its token is shown only once, to who made it.
#[derive(Serialize, JsonSchema)]
pub struct InviteInfo {
    pub id: InviteId,
    pub role: Role,
    pub uses_left: u32,
    pub expires_at: Timestamp,
    pub made_by: Option<Username>,
}

pub(super) fn hash(app: &App, token: &Token) -> [u8; 32] {
    app.signer.hash(TOKEN, token.as_str())
}

/// Whether the invitation is good. One answer for all that are not: nobody learns which tokens there ever were.
pub(super) fn check(reader: &mut Reader, hash: &[u8; 32], at: Timestamp) -> Result<(InviteId, Invite)> {
    invites::by_token(reader, hash)?
        .filter(|(_, invite)| invite.expires_at > at.micros() && invite.uses_left > 0)
        .ok_or_else(|| Error::Forbidden("This invitation is used up, or over, or there never was one.".into()))
}

/// Uses an invitation once, within a write. The role that it gives.
pub(super) fn use_up(tx: &mut Tx, hash: &[u8; 32], at: Timestamp) -> Result<Role> {
    let (id, invite) = check(tx, hash, at)?;
    match invite.uses_left {
        1 => invites::delete(tx, id).map(drop)?,
        _ => invites::update(tx, id, &Invite { uses_left: invite.uses_left - 1, ..invite.clone() })?,
    }
    Ok(invite.role)
}

/// Makes an invitation for `uses` accounts of a role, for some days.
pub async fn create(app: &App, actor: &Actor, role: Role, uses: u32, days: u32) -> Result<(InviteInfo, Token)> {
    for (field, value, most) in [("uses", uses, MOST_USES), ("days", days, MOST_DAYS)] {
        if !(1..=most).contains(&value) {
            return Err(Error::invalid(field, format!("must be a number from 1 to {most}")));
        }
    }
    let token = Token::random();
    let hash = hash(app, &token);
    let (facts, actor) = (Facts::of(app), actor.clone());
    let info = app
        .db
        .write(Lane::People, move |tx| {
            let standing = facts.standing(tx, &actor)?;
            policy::on_server(Action::Invite, standing)?;
            let newcomer =
                policy::Standing { role: Role::Member, muted: false, banned: false, lacks_second_factor: false };
            if role != Role::Member {
                policy::set_server_role(standing, newcomer, role)?;
            }
            let expires_at = facts.at.micros() + i64::from(days) * 86_400_000_000;
            let invite = Invite { role, uses_left: uses, expires_at, made_by: Some(actor.name.clone()) };
            let id = InviteId::random();
            invites::insert(tx, id, &invite, &hash)?;
            let action = format!("create_invite {} {uses}", role.name());
            audit::note(tx, facts.at, Some(&actor), &action, None, None, Reason::default());
            info(id, invite)
        })
        .await?;
    Ok((info, token))
}

pub async fn list(app: &App, actor: &Actor) -> Result<Vec<InviteInfo>> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            policy::on_server(Action::Invite, facts.standing(reader, &actor)?)?;
            let all = invites::all(reader)?.into_iter();
            all.filter(|(_, invite)| invite.expires_at > facts.at.micros())
                .map(|(id, invite)| info(id, invite))
                .collect()
        })
        .await
}

/// Takes an invitation back.
pub async fn revoke(app: &App, actor: &Actor, id: InviteId) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::Invite, facts.standing(tx, &actor)?)?;
            if !invites::delete(tx, id)? {
                return Err(Error::NotFound("There is no such invitation.".into()));
            }
            audit::note(tx, facts.at, Some(&actor), "revoke_invite", None, None, Reason::default());
            Ok(())
        })
        .await
}

/// Who gets another role, or loses the account, leaves no invitations behind.
pub(super) fn revoke_all_of(tx: &mut Tx, name: &Username) -> Result<()> {
    for (id, invite) in invites::all(tx)? {
        if invite.made_by.as_ref() == Some(name) {
            invites::delete(tx, id)?;
        }
    }
    Ok(())
}

/// On a server that has no owner: a link to become it, in place of any earlier one. `None` where there is an owner.
pub async fn owner_link(app: &App) -> Result<Option<Token>> {
    let token = Token::random();
    let hash = hash(app, &token);
    let at = app.now();
    let made = app
        .db
        .write(Lane::People, move |tx| {
            if accounts::all(tx)?.iter().any(|(_, account)| account.role == Role::Owner) {
                return Ok(false);
            }
            for (id, invite) in invites::all(tx)? {
                if invite.made_by.is_none() {
                    invites::delete(tx, id)?;
                }
            }
            let expires_at = at.micros() + OWNER_LINK.as_micros() as i64;
            let invite = Invite { role: Role::Owner, uses_left: 1, expires_at, made_by: None };
            invites::insert(tx, InviteId::random(), &invite, &hash)?;
            Ok(true)
        })
        .await?;
    Ok(made.then_some(token))
}

fn info(id: InviteId, invite: Invite) -> Result<InviteInfo> {
    let expires_at = timestamp(invite.expires_at)?;
    Ok(InviteInfo { id, role: invite.role, uses_left: invite.uses_left, expires_at, made_by: invite.made_by })
}
