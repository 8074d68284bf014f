//! Sessions: who is signed in, from where, and the end of it.

use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, account_of};
use super::policy::{self, Action};
use crate::app::App;
use crate::config::SessionLife;
use crate::error::{Error, Result, WireError};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::people::timestamp;
use crate::store::sessions::{self, Session, StoredSession};
use crate::store::{Lane, Tx, resume, state};
use crate::types::{Actor, ConnId, Identity, Network, Role, SessionId, Timestamp, Token, UserId, Username};
use crate::visitor::Visitor;

/// What a session's token is hashed for.
const TOKEN: &str = "session";
/// Sessions of one account. The oldest make room for new ones.
const MOST_SESSIONS: usize = 100;
/// A session's last visit is written down when it is this much later than what stands there.
const TOUCH: Duration = Duration::from_secs(600);

/// Somebody who has just signed in.
pub struct SignedIn {
    pub actor: Actor,
    pub role: Role,
    pub token: Token,
}

/// Who one is now, as both edges tell it. The token opens the session again, for clients without cookies.
#[derive(Serialize, JsonSchema)]
pub struct Welcome {
    pub user_id: UserId,
    pub username: Username,
    pub role: Role,
    pub token: Token,
}

impl From<SignedIn> for Welcome {
    fn from(SignedIn { actor, role, token }: SignedIn) -> Self {
        Self { user_id: actor.user, username: actor.name, role, token }
    }
}

/// A session as its owner sees it.
#[derive(Serialize, JsonSchema)]
pub struct SessionInfo {
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    pub created_at: Timestamp,
    pub last_seen: Timestamp,
    pub user_agent: String,
    pub address: String,
}

/// Opens a session within a write. It takes the place of the one that the browser had.
pub(super) fn open(tx: &mut Tx, hashes: Hashes, user: UserId, visitor: &Visitor, at: Timestamp) -> Result<SessionId> {
    if let Some(before) = hashes.replaced
        && let Some(stored) = sessions::by_token(tx, &before)?
    {
        end_these(tx, &[stored.id], None)?;
    }
    let oldest = sessions::of_user(tx, user)?.into_iter().skip(MOST_SESSIONS - 1).map(|stored| stored.id);
    end_these(tx, &oldest.collect::<Vec<_>>(), None)?;
    let session = Session {
        created_at: at.micros(),
        last_seen: at.micros(),
        user_agent: visitor.user_agent.clone(),
        address: visitor.address.to_string(),
    };
    let stored = StoredSession { id: SessionId::random(), user, session };
    sessions::insert(tx, &stored, &hashes.new)?;
    Ok(stored.id)
}

/// Keyed hashes of a new session's token, and of the one that the browser shows so far.
#[derive(Clone, Copy)]
pub(super) struct Hashes {
    new: [u8; 32],
    replaced: Option<[u8; 32]>,
}

impl Hashes {
    pub(super) fn of(app: &App, token: &Token, visitor: &Visitor) -> Self {
        let before = visitor.token.as_ref().filter(|_| visitor.by_cookie);
        Self { new: hash(app, token), replaced: before.map(|before| hash(app, before)) }
    }
}

fn hash(app: &App, token: &Token) -> [u8; 32] {
    app.signer.hash(TOKEN, token.as_str())
}

/// Who shows this token: THE authentication. `None` where it is none of a session that lasts.
pub async fn authenticate(app: &App, token: &Token, address: IpAddr) -> Result<Option<Actor>> {
    let hash = hash(app, token);
    let facts = Facts::of(app);
    let life = app.config.session_life;
    let found = app
        .db
        .read(move |reader| {
            let Some(stored) = sessions::by_token(reader, &hash)? else { return Ok(None) };
            if is_over(&stored.session, facts.at, life) {
                return Ok(None);
            }
            let account = account_of(reader, stored.user)?;
            let actor = Actor {
                user: stored.user,
                name: account.name,
                identity: Identity::Account(stored.user),
                session: Some(stored.id),
                conn: None,
                address,
                ticket: None,
            };
            let banned = policy::on_server(Action::ManageOneself, facts.standing(reader, &actor)?).is_err();
            Ok((!banned).then_some((actor, stored)))
        })
        .await?;
    let Some((actor, StoredSession { id, session, .. })) = found else { return Ok(None) };
    if is_stale(&session, facts.at) {
        touch(app, id).await;
    }
    Ok(Some(actor))
}

/// Notes that the session was used. Whether that is written down changes nothing for who uses it.
pub(super) async fn touch(app: &App, id: SessionId) {
    let at = app.now().micros();
    let written = app.db.write(Lane::People, move |tx| {
        if let Some(stored) = sessions::get(tx, id)? {
            sessions::update(tx, id, &Session { last_seen: at, ..stored.session })?;
        }
        Ok(())
    });
    if let Err(error) = written.await {
        tracing::warn!("a session's visit could not be written down: {error}");
    }
}

/// Whether its last visit is to be written down again.
pub(super) fn is_stale(session: &Session, at: Timestamp) -> bool {
    at.micros() - session.last_seen > TOUCH.as_micros() as i64
}

pub(super) fn is_over(session: &Session, at: Timestamp, life: SessionLife) -> bool {
    let since = |then: i64| Duration::from_micros(at.micros().saturating_sub(then).max(0) as u64);
    since(session.created_at) >= life.total || since(session.last_seen) >= life.idle
}

/// One's own sessions, the newest first.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<SessionInfo>> {
    let actor = actor.clone();
    let facts = Facts::of(app);
    let life = app.config.session_life;
    app.db
        .read(move |reader| {
            policy::on_server(Action::ManageOneself, facts.standing(reader, &actor)?)?;
            let lasting = sessions::of_user(reader, actor.user)?;
            lasting
                .into_iter()
                .filter(|stored| !is_over(&stored.session, facts.at, life))
                .map(|stored| info(stored, actor.session))
                .collect()
        })
        .await
}

fn info(stored: StoredSession, current: Option<SessionId>) -> Result<SessionInfo> {
    Ok(SessionInfo {
        id: stored.id,
        current: current == Some(stored.id),
        created_at: timestamp(stored.session.created_at)?,
        last_seen: timestamp(stored.session.last_seen)?,
        user_agent: stored.session.user_agent,
        address: stored.session.address,
    })
}

/// Ends one of one's own sessions and closes its connections.
pub async fn end(app: &App, actor: &Actor, id: SessionId) -> Result<()> {
    let actor = actor.clone();
    app.db
        .write(Lane::People, move |tx| {
            // Somebody else's session is none of theirs to know about.
            if sessions::get(tx, id)?.is_none_or(|stored| stored.user != actor.user) {
                return Err(Error::NotFound("There is no such session.".into()));
            }
            end_these(tx, &[id], None)
        })
        .await
}

/// Ends all of one's own sessions but the one that asks. How many there were.
pub async fn end_others(app: &App, actor: &Actor) -> Result<usize> {
    let actor = actor.clone();
    app.db.write(Lane::People, move |tx| end_all(tx, actor.user, actor.session)).await
}

/// Signs out: ends the session; the connection that asks stays, as nobody's.
pub async fn sign_out(app: &App, actor: &Actor) -> Result<()> {
    let actor = actor.clone();
    if let Some(conn) = actor.conn {
        super::rooms::disconnected(app, &actor, &app.hub.rooms_of(conn));
    }
    app.db
        .write(Lane::People, move |tx| {
            if let Some(conn) = actor.conn {
                tx.publish(Publication::Forget { conn });
            }
            if let Some(key) = actor.ticket {
                resume::delete(tx, key.id)?;
            }
            match actor.session {
                Some(id) => end_these(tx, &[id], actor.conn),
                None => Ok(()),
            }
        })
        .await
}

/// Ends sessions within a write, and tells the other nodes that there is something to look for.
fn end_these(tx: &mut Tx, ids: &[SessionId], except: Option<ConnId>) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    for id in ids {
        sessions::delete(tx, *id)?;
        close(tx, Audience::Session(*id), except, "This session was ended.");
    }
    state::touch(tx, state::ACCESS)
}

/// Ends an account's sessions within a write, but for one. How many there were.
pub(super) fn end_all(tx: &mut Tx, user: UserId, except: Option<SessionId>) -> Result<usize> {
    let all = sessions::of_user(tx, user)?.into_iter().map(|stored| stored.id);
    let others: Vec<_> = all.filter(|id| Some(*id) != except).collect();
    end_these(tx, &others, None)?;
    Ok(others.len())
}

/// Closes connections, saying why.
pub(super) fn close(tx: &mut Tx, conns: Audience, except: Option<ConnId>, why: &'static str) {
    goodbye(conns, except, why).into_iter().for_each(|publication| tx.publish(publication));
}

pub(super) fn goodbye(conns: Audience, except: Option<ConnId>, why: &'static str) -> [Publication; 2] {
    let told = Error::Unauthenticated(why.into()).to_wire(None);
    [Publication::emit_except(conns.clone(), except, &told), Publication::Disconnect { conns, except }]
}

impl Outbound for WireError {
    const NAME: &'static str = "error";
}

/// Whether nobody may come in from there now.
pub fn is_banned_network(app: &App, network: Network) -> bool {
    app.banned_until(network).is_some_and(|until| until > app.now().micros())
}

/// What one sees of oneself.
#[derive(Serialize, JsonSchema)]
pub struct Me {
    pub user_id: UserId,
    pub username: Username,
    pub role: Role,
    pub created_at: Timestamp,
    pub second_factor: bool,
    /// Whether the server asks for a second factor before it lets the role work.
    pub second_factor_needed: bool,
    pub session_id: Option<SessionId>,
}

pub async fn me(app: &App, actor: &Actor) -> Result<Me> {
    let actor = actor.clone();
    let facts = Facts::of(app);
    app.db
        .read(move |reader| {
            let standing = facts.standing(reader, &actor)?;
            policy::on_server(Action::ManageOneself, standing)?;
            let account = account_of(reader, actor.user)?;
            Ok(Me {
                user_id: actor.user,
                role: account.role,
                created_at: timestamp(account.created_at)?,
                second_factor: account.has_second_factor(),
                second_factor_needed: standing.lacks_second_factor,
                username: account.name,
                session_id: actor.session,
            })
        })
        .await
}
