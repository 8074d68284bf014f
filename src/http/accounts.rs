//! Accounts and sessions over HTTP: the twins of the socket's events, and what only a browser or a script asks for.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Web;
use super::answers::{Created, Ok200, WithCookies};
use super::extract::{ApiJson, ApiPath, ById, SignedIn, Visit};
use crate::answer::Done;
use crate::chat::accounts::{self, AccountInfo, Credentials, NewAccount};
use crate::chat::invites::{self, InviteInfo};
use crate::chat::second_factor::{self, SetUp};
use crate::chat::sessions::{self, Me, SessionInfo, Welcome};
use crate::config::Config;
use crate::error::Result;
use crate::types::{InviteId, NewPassword, Password, Reason, Role, SessionId, Token, Username, falsy_as_none};
use crate::visitor::{DEVICE_COOKIE, SESSION_COOKIE, Visitor};

/// Days for which a browser is known to have logged in before.
const DEVICE_DAYS: u64 = 365;

/// `POST /api/register`
pub async fn register(
    State(web): State<Web>,
    Visit(visitor): Visit,
    ApiJson(new): ApiJson<NewAccount>,
) -> Result<WithCookies<2, Created<Welcome>>> {
    let signed_in = accounts::register(&web.app, &visitor, None, new).await?;
    Ok(welcome(&web, &visitor, signed_in, Created))
}

/// `POST /api/login`
pub async fn login(
    State(web): State<Web>,
    Visit(visitor): Visit,
    ApiJson(given): ApiJson<Credentials>,
) -> Result<WithCookies<2, Ok200<Welcome>>> {
    let signed_in = accounts::login(&web.app, &visitor, None, given).await?;
    Ok(welcome(&web, &visitor, signed_in, Ok200))
}

/// The new session as cookie and in the body, and a mark by which this browser is known at the next login.
fn welcome<T>(
    web: &Web,
    visitor: &Visitor,
    signed_in: sessions::SignedIn,
    answer: impl FnOnce(Welcome) -> T,
) -> WithCookies<2, T> {
    let welcome = Welcome::from(signed_in);
    let life = web.app.config.session_life.total.as_secs();
    let device = accounts::device_stamp(&web.app, welcome.user_id);
    let cookies = [
        cookie(&web.app.config, visitor, SESSION_COOKIE, welcome.token.as_str(), life),
        cookie(&web.app.config, visitor, DEVICE_COOKIE, &device, DEVICE_DAYS * 86_400),
    ];
    WithCookies(cookies, answer(welcome))
}

/// RFC 6265bis, section 4.1; a life of 0 removes the cookie.
pub fn cookie(config: &Config, visitor: &Visitor, name: &str, value: &str, seconds: u64) -> String {
    let secure = if config.secure_cookies.unwrap_or(visitor.secure) { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

/// `POST /api/logout`
pub async fn logout(
    State(web): State<Web>,
    Visit(visitor): Visit,
    SignedIn(actor): SignedIn,
) -> Result<WithCookies<1, Ok200<Done>>> {
    sessions::sign_out(&web.app, &actor).await?;
    let gone = cookie(&web.app.config, &visitor, SESSION_COOKIE, "", 0);
    Ok(WithCookies([gone], Ok200(Done {})))
}

/// `GET /api/me`
pub async fn me(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Ok200<Me>> {
    sessions::me(&web.app, &actor).await.map(Ok200)
}

#[derive(Serialize, JsonSchema)]
pub struct Sessions {
    sessions: Vec<SessionInfo>,
}

/// `GET /api/sessions`
pub async fn list_sessions(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Ok200<Sessions>> {
    let sessions = sessions::list(&web.app, &actor).await?;
    Ok(Ok200(Sessions { sessions }))
}

#[derive(Serialize, JsonSchema)]
pub struct Ended {
    ended: usize,
}

/// `DELETE /api/sessions`: all but the one that asks.
pub async fn end_other_sessions(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Ok200<Ended>> {
    let ended = sessions::end_others(&web.app, &actor).await?;
    Ok(Ok200(Ended { ended }))
}

/// `DELETE /api/sessions/ID`
pub async fn end_session(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiPath(ById { id }): ApiPath<ById<SessionId>>,
) -> Result<Ok200<Done>> {
    sessions::end(&web.app, &actor, id).await?;
    Ok(Ok200(Done {}))
}

#[derive(Deserialize, JsonSchema)]
pub struct ChangePassword {
    old_password: Password,
    password: NewPassword,
}

/// `POST /api/password`
pub async fn change_password(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(body): ApiJson<ChangePassword>,
) -> Result<Ok200<Done>> {
    accounts::change_password(&web.app, &actor, body.old_password, body.password).await?;
    Ok(Ok200(Done {}))
}

#[derive(Deserialize, JsonSchema)]
pub struct WithPassword {
    password: Password,
}

/// `POST /api/second-factor`
pub async fn set_up_second_factor(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(body): ApiJson<WithPassword>,
) -> Result<Ok200<SetUp>> {
    second_factor::set_up(&web.app, &actor, body.password).await.map(Ok200)
}

#[derive(Deserialize, JsonSchema)]
pub struct Confirm {
    code: String,
}

#[derive(Serialize, JsonSchema)]
pub struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// `POST /api/second-factor/confirm`
pub async fn confirm_second_factor(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(body): ApiJson<Confirm>,
) -> Result<Ok200<RecoveryCodes>> {
    let recovery_codes = second_factor::confirm(&web.app, &actor, body.code).await?;
    Ok(Ok200(RecoveryCodes { recovery_codes }))
}

#[derive(Deserialize, JsonSchema)]
pub struct WithBoth {
    password: Password,
    #[serde(default, deserialize_with = "falsy_as_none")]
    code: Option<String>,
}

/// `POST /api/second-factor/remove`
pub async fn remove_second_factor(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(body): ApiJson<WithBoth>,
) -> Result<Ok200<Done>> {
    second_factor::remove(&web.app, &actor, body.password, body.code).await?;
    Ok(Ok200(Done {}))
}

#[derive(Deserialize, JsonSchema)]
pub struct NewInvite {
    #[serde(default = "member")]
    role: Role,
    #[serde(default = "once")]
    uses: u32,
    #[serde(default = "a_week")]
    days: u32,
}

fn member() -> Role {
    Role::Member
}

fn once() -> u32 {
    1
}

fn a_week() -> u32 {
    7
}

#[derive(Serialize, JsonSchema)]
pub struct Invited {
    invite: InviteInfo,
    /// Shown this once.
    token: Token,
    /// Where the page is that takes it, from the server's root.
    path: String,
}

/// `POST /api/invites`
pub async fn create_invite(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(body): ApiJson<NewInvite>,
) -> Result<Created<Invited>> {
    let (invite, token) = invites::create(&web.app, &actor, body.role, body.uses, body.days).await?;
    // Behind the #, where it reaches no log and no other site.
    let path = format!("/account#invite={}", token.as_str());
    Ok(Created(Invited { invite, token, path }))
}

#[derive(Serialize, JsonSchema)]
pub struct Invites {
    invites: Vec<InviteInfo>,
}

/// `GET /api/invites`
pub async fn list_invites(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Ok200<Invites>> {
    let invites = invites::list(&web.app, &actor).await?;
    Ok(Ok200(Invites { invites }))
}

/// `DELETE /api/invites/ID`
pub async fn revoke_invite(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiPath(ById { id }): ApiPath<ById<InviteId>>,
) -> Result<Ok200<Done>> {
    invites::revoke(&web.app, &actor, id).await?;
    Ok(Ok200(Done {}))
}

#[derive(Serialize, JsonSchema)]
pub struct Accounts {
    accounts: Vec<AccountInfo>,
}

/// `GET /api/accounts`
pub async fn list_accounts(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Ok200<Accounts>> {
    let accounts = accounts::list(&web.app, &actor).await?;
    Ok(Ok200(Accounts { accounts }))
}

#[derive(Deserialize, JsonSchema)]
pub struct Disable {
    username: Username,
    disabled: bool,
    #[serde(default)]
    reason: Reason,
}

/// `POST /api/accounts/disable`
pub async fn disable_account(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(body): ApiJson<Disable>,
) -> Result<Ok200<Done>> {
    accounts::set_disabled(&web.app, &actor, body.username, body.disabled, body.reason).await?;
    Ok(Ok200(Done {}))
}
