//! Accounts: making one, signing in, changing the password, roles, and the end of an account.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Facts, Person, account_of};
use super::policy::{self, Action, InRoom};
use super::sessions::{self, Hashes, SignedIn};
use super::{audit, invites, second_factor};
use crate::app::App;
use crate::config::Registration;
use crate::error::{Error, Result};
use crate::hub::Audience;
use crate::limits::Taken;
use crate::passwords::Verdict;
use crate::store::accounts::{self, Account};
use crate::store::{Lane, Reader, Tx, people};
use crate::types::{
    Actor, ConnId, Identity, NameKey, Network, NewPassword, Password, PublicKey, Reason, Role, SessionId, Timestamp,
    Token, User, UserId, Username, falsy_as_none,
};
use crate::visitor::Visitor;

/// What somebody gives to make an account, over either edge.
#[derive(Deserialize, JsonSchema)]
pub struct NewAccount {
    #[serde(rename = "username")]
    name: Username,
    password: NewPassword,
    #[serde(default)]
    public_key: Option<PublicKey>,
    #[serde(default, deserialize_with = "falsy_as_none")]
    invite: Option<Token>,
}

/// Makes an account and signs its owner in. Guests of that name are sent away: it is somebody's now.
pub async fn register(app: &App, visitor: &Visitor, conn: Option<ConnId>, new: NewAccount) -> Result<SignedIn> {
    app.pressure.admit_newcomer()?;
    let invite = match (new.invite.as_ref(), app.config.registration) {
        (Some(token), _) => Some(invites::hash(app, token)),
        (None, Registration::Open) => None,
        (None, Registration::Invite) => {
            return Err(Error::Forbidden("One makes an account here by invitation only.".into()));
        }
        (None, Registration::Closed) => return Err(Error::Forbidden("No accounts are made here.".into())),
    };
    // Before the name is looked up: nobody is to learn in bulk which names are taken.
    let taken = match invite {
        // Whoever made the invitation has said how often it may be used.
        Some(_) => None,
        None => Some(app.limits.registration(Network::of(visitor.address))?),
    };
    let key = NameKey::of(&new.name);
    let facts = Facts::of(app);
    let at = facts.at;
    let is_taken = move |reader: &mut Reader| {
        if let Some(hash) = &invite {
            invites::check(reader, hash, at)?;
        }
        Ok(accounts::find(reader, &key)?.is_some())
    };
    if app.db.read(is_taken).await? {
        return Err(accounts::name_taken());
    }
    let password_hash = match app.passwords.hash_strong(new.password, new.name.clone()).await {
        Ok(hash) => hash,
        Err(error) => {
            // No account was made: it does not count as one.
            taken.into_iter().for_each(Taken::give_back);
            return Err(error);
        }
    };
    let user = User { id: UserId::random(), name: new.name, public_key: new.public_key, joined_at: at };
    let token = Token::random();
    let hashes = Hashes::of(app, &token, visitor);
    let visitor = visitor.clone();
    let (actor, role) = app
        .db
        .write(Lane::People, move |tx| {
            let role = match invite {
                Some(hash) => invites::use_up(tx, &hash, at)?,
                None => Role::Member,
            };
            refuse_banned_guest(facts, tx, &user.name)?;
            insert(tx, &user, role, password_hash)?;
            if invite.is_some() {
                let action = format!("register_by_invitation {}", role.name());
                audit::note(tx, at, None, &action, Some(&user.name), None, Reason::default());
            }
            let session = sessions::open(tx, hashes, user.id, &visitor, at)?;
            let guest = Audience::Person(Identity::guest(&user.name));
            sessions::close(tx, guest, conn, "This name belongs to an account now.");
            Ok((signed_in(user.id, user.name, session, conn, visitor.address), role))
        })
        .await?;
    Ok(SignedIn { actor, role, token })
}

/// A banned guest does not come back as the account of the same name.
fn refuse_banned_guest(facts: Facts, reader: &mut Reader, name: &Username) -> Result<()> {
    let guest = Person { name: name.clone(), identity: Identity::guest(name) };
    policy::on_server(Action::ManageOneself, facts.of_other(reader, &guest, None)?.0)
}

/// Stores a new account. Used by the command line as well.
pub(super) fn insert(tx: &mut Tx, user: &User, role: Role, password_hash: String) -> Result<()> {
    people::insert(tx, user)?;
    let account = Account {
        name: user.name.clone(),
        role,
        password_hash,
        disabled: false,
        created_at: user.joined_at.micros(),
        second_factor: None,
    };
    accounts::insert(tx, user.id, &account)
}

/// What somebody gives to sign in, over either edge.
#[derive(Deserialize, JsonSchema)]
pub struct Credentials {
    #[serde(rename = "username")]
    name: Username,
    password: Password,
    /// Of the second factor, where there is one.
    #[serde(default, deserialize_with = "falsy_as_none")]
    code: Option<String>,
}

/// Signs in. An unknown name and a wrong password get the same answer, in the same time.
pub async fn login(app: &App, visitor: &Visitor, conn: Option<ConnId>, given: Credentials) -> Result<SignedIn> {
    let key = NameKey::of(&given.name);
    let found = {
        let key = key.clone();
        app.db.read(move |reader| accounts::find(reader, &key)).await?
    };
    let device = found.as_ref().and_then(|(user, _)| known_device(app, visitor, *user));
    let identity = Identity::Guest(key);
    let known = found.as_ref().map(|(user, _)| *user).zip(device);
    let taken = app.limits.login(identity, Network::of(visitor.address), known)?;
    let hash = found.as_ref().map(|(_, account)| account.password_hash.clone());
    let verdict = app.passwords.verify(given.password.clone(), hash).await?;
    let Some((user, verified)) = found.filter(|_| verdict != Verdict::Wrong) else {
        return Err(Error::Unauthenticated("Name or password is wrong.".into()));
    };
    if verified.has_second_factor() && given.code.is_none() {
        taken.give_back();
        return Err(second_factor::code_needed());
    }
    let renewed = match verdict {
        Verdict::RightButOld => Some(app.passwords.hash(given.password).await?),
        _ => None,
    };
    let facts = Facts::of(app);
    let token = Token::random();
    let hashes = Hashes::of(app, &token, visitor);
    let signer = app.signer.clone();
    let visitor = visitor.clone();
    let (actor, role) = app
        .db
        .write(Lane::People, move |tx| {
            let mut account = account_of(tx, user)?;
            refuse_stale(&account, &verified)?;
            if account.has_second_factor() {
                second_factor::spend(&signer, &mut account, given.code.as_deref().unwrap_or_default(), facts.at)?;
            }
            account.password_hash = renewed.unwrap_or(account.password_hash);
            accounts::update(tx, user, &account)?;
            let session = sessions::open(tx, hashes, user, &visitor, facts.at)?;
            let actor = signed_in(user, account.name, session, conn, visitor.address);
            refuse_barred(facts, tx, &actor)?;
            Ok((actor, account.role))
        })
        .await?;
    taken.give_back();
    Ok(SignedIn { actor, role, token })
}

/// Signs in whom somebody else has vouched for: the deployment that was here before. The name counts letter by letter, since
/// there `Bob` and `bob` were two people. Not who has a second factor, which nobody has shown.
pub async fn sign_in_known(app: &App, visitor: &Visitor, name: &Username) -> Result<Option<SignedIn>> {
    let facts = Facts::of(app);
    let (key, name, token) = (NameKey::of(name), name.clone(), Token::random());
    let hashes = Hashes::of(app, &token, visitor);
    let visitor = visitor.clone();
    let signed_in = app.db.write(Lane::People, move |tx| {
        let is_meant = |account: &Account| account.name == name && !account.has_second_factor();
        let Some((user, account)) = accounts::find(tx, &key)?.filter(|(_, account)| is_meant(account)) else {
            return Ok(None);
        };
        let session = sessions::open(tx, hashes, user, &visitor, facts.at)?;
        let actor = self::signed_in(user, account.name, session, None, visitor.address);
        refuse_barred(facts, tx, &actor)?;
        Ok(Some(SignedIn { actor, role: account.role, token }))
    });
    signed_in.await
}

/// The password may have been changed while an older one was being checked.
pub(super) fn refuse_stale(account: &Account, verified: &Account) -> Result<()> {
    match account.password_hash == verified.password_hash {
        true => Ok(()),
        false => Err(Error::Unauthenticated("Name or password is wrong.".into())),
    }
}

fn refuse_barred(facts: Facts, tx: &mut Tx, actor: &Actor) -> Result<()> {
    if account_of(tx, actor.user)?.disabled {
        return Err(Error::Forbidden("This account is disabled.".into()));
    }
    policy::on_server(Action::ManageOneself, facts.standing(tx, actor)?)
}

fn signed_in(user: UserId, name: Username, session: SessionId, conn: Option<ConnId>, address: IpAddr) -> Actor {
    Actor { user, name, identity: Identity::Account(user), session: Some(session), conn, address, ticket: None }
}

/// What a browser's device cookie is made for.
const DEVICE: &str = "device";

/// The device that the visitor shows, if this account has logged in from it before.
fn known_device(app: &App, visitor: &Visitor, user: UserId) -> Option<String> {
    let stamp = visitor.device.as_ref()?;
    app.signer.check_stamp(DEVICE, &user.to_string(), stamp.as_str()).map(str::to_owned)
}

/// What to give a browser, so that it is known at the next login.
pub fn device_stamp(app: &App, user: UserId) -> String {
    app.signer.stamp(DEVICE, &user.to_string())
}

/// One try at something that only the account's owner can know, by who is signed in: the session is as good as a device.
pub(super) fn take_own_try(app: &App, actor: &Actor) -> Result<Taken> {
    let name = Identity::Guest(NameKey::of(&actor.name));
    let known = actor.session.map(|session| (actor.user, session.to_string()));
    app.limits.login(name, Network::of(actor.address), known)
}

/// The account, if this is its password; and the try, to be given back when all is done.
pub(super) async fn check_own_password(
    app: &App,
    actor: &Actor,
    password: Password,
) -> Result<Option<(Account, Taken)>> {
    let user = actor.user;
    let account = app.db.read(move |reader| account_of(reader, user)).await?;
    let taken = take_own_try(app, actor)?;
    let verdict = app.passwords.verify(password, Some(account.password_hash.clone())).await?;
    Ok((verdict != Verdict::Wrong).then_some((account, taken)))
}

/// Changes one's own password; ends all other sessions.
pub async fn change_password(app: &App, actor: &Actor, old: Password, new: NewPassword) -> Result<()> {
    let wrong = || Error::invalid("old_password", "The old password is wrong.");
    let (verified, taken) = check_own_password(app, actor, old).await?.ok_or_else(wrong)?;
    let password_hash = app.passwords.hash_strong(new, verified.name.clone()).await?;
    taken.give_back();
    let user = actor.user;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ManageOneself, facts.standing(tx, &actor)?)?;
            let account = account_of(tx, user)?;
            refuse_stale(&account, &verified)?;
            accounts::update(tx, user, &Account { password_hash, ..account })?;
            sessions::end_all(tx, user, actor.session)?;
            Ok(())
        })
        .await
}

/// An account as administrators see it.
#[derive(Serialize, JsonSchema)]
pub struct AccountInfo {
    pub user_id: UserId,
    pub username: Username,
    pub role: Role,
    pub disabled: bool,
    pub second_factor: bool,
    pub created_at: Timestamp,
}

/// All accounts, the oldest first.
pub async fn list(app: &App, actor: &Actor) -> Result<Vec<AccountInfo>> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            policy::on_server(Action::ManageAccounts, facts.standing(reader, &actor)?)?;
            accounts::all(reader)?.into_iter().map(|(user, account)| info(user, account)).collect()
        })
        .await
}

pub(super) fn info(user: UserId, account: Account) -> Result<AccountInfo> {
    Ok(AccountInfo {
        user_id: user,
        role: account.role,
        disabled: account.disabled,
        second_factor: account.has_second_factor(),
        created_at: people::timestamp(account.created_at)?,
        username: account.name,
    })
}

/// Gives an account another role on the server.
pub async fn set_role(app: &App, actor: &Actor, name: Username, role: Role, reason: Reason) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            let standing = facts.standing(tx, &actor)?;
            policy::on_server(Action::SetServerRole, standing)?;
            let (user, account) = by_name(tx, &name)?;
            let whom = Person { name: account.name.clone(), identity: Identity::Account(user) };
            policy::set_server_role(standing, facts.of_other(tx, &whom, None)?.0, role)?;
            change_role(tx, facts.at, Some(&actor), user, account, role, reason)
        })
        .await
}

/// Gives an account another role within a write. Used by the command line as well.
pub(super) fn change_role(
    tx: &mut Tx,
    at: Timestamp,
    by: Option<&Actor>,
    user: UserId,
    account: Account,
    role: Role,
    reason: Reason,
) -> Result<()> {
    refuse_last_owner(tx, user, &account, role)?;
    accounts::update(tx, user, &Account { role, ..account.clone() })?;
    invites::revoke_all_of(tx, &account.name)?;
    audit::note(tx, at, by, &format!("set_role {}", role.name()), Some(&account.name), None, reason);
    Ok(())
}

/// Closes an account to its owner, or opens it again. Its name stays taken.
pub async fn set_disabled(app: &App, actor: &Actor, name: Username, disabled: bool, reason: Reason) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            let standing = facts.standing(tx, &actor)?;
            policy::on_server(Action::ManageAccounts, standing)?;
            let (user, account) = by_name(tx, &name)?;
            let whom = Person { name: account.name.clone(), identity: Identity::Account(user) };
            let other = facts.of_other(tx, &whom, None)?.0;
            policy::act_on(standing, InRoom::NOWHERE, other, InRoom::NOWHERE)?;
            disable(tx, facts.at, Some(&actor), user, account, disabled, reason)
        })
        .await
}

pub(super) fn disable(
    tx: &mut Tx,
    at: Timestamp,
    by: Option<&Actor>,
    user: UserId,
    account: Account,
    disabled: bool,
    reason: Reason,
) -> Result<()> {
    if disabled {
        refuse_last_owner(tx, user, &account, Role::Member)?;
    }
    accounts::update(tx, user, &Account { disabled, ..account.clone() })?;
    if disabled {
        sessions::end_all(tx, user, None)?;
        invites::revoke_all_of(tx, &account.name)?;
    }
    let action = if disabled { "disable_account" } else { "enable_account" };
    audit::note(tx, at, by, action, Some(&account.name), None, reason);
    Ok(())
}

pub(super) fn by_name(tx: &mut Tx, name: &Username) -> Result<(UserId, Account)> {
    accounts::find(tx, &NameKey::of(name))?.ok_or_else(|| Error::NotFound("There is no account of this name.".into()))
}

/// A server without an owner could only be helped from its command line.
fn refuse_last_owner(tx: &mut Tx, user: UserId, account: &Account, role: Role) -> Result<()> {
    if account.role != Role::Owner || role == Role::Owner {
        return Ok(());
    }
    let others = accounts::all(tx)?
        .into_iter()
        .any(|(other, account)| other != user && account.role == Role::Owner && !account.disabled);
    match others {
        true => Ok(()),
        false => Err(Error::Conflict("This is the only owner. Make somebody else an owner first.".into())),
    }
}
