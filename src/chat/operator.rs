//! What the machine's operator does from the command line. No policy asks: who has database and key may do everything.
//! A server that runs meanwhile notices within a second.

use super::accounts::{AccountInfo, by_name, change_role, disable, info, insert};
use super::{audit, sessions};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::accounts::{self, Account};
use crate::store::keys::{self, Retired, Rotated};
use crate::store::{Lane, audit as log};
use crate::types::{NewPassword, Reason, Role, User, UserId, Username};

pub async fn create(app: &App, name: Username, role: Role, password: NewPassword) -> Result<()> {
    refuse_guest(role)?;
    let password_hash = app.passwords.hash_strong(password, name.clone()).await?;
    let at = app.now();
    let user = User { id: UserId::random(), name, public_key: None, joined_at: at };
    app.db
        .write(Lane::People, move |tx| {
            insert(tx, &user, role, password_hash)?;
            let action = format!("create_account {}", role.name());
            audit::note(tx, at, None, &action, Some(&user.name), None, Reason::default());
            Ok(())
        })
        .await
}

/// New keys for all that is written from now on.
pub async fn rotate_keys(app: &App) -> Result<Rotated> {
    let at = app.now();
    app.db
        .write(Lane::People, move |tx| {
            let rotated = keys::rotate(tx, at)?;
            audit::note(tx, at, None, "rotate_keys", None, None, Reason::default());
            Ok(rotated)
        })
        .await
}

/// The old keys out of use, if nothing is under them.
pub async fn retire_keys(app: &App) -> Result<Retired> {
    let (at, files) = (app.now(), app.files.clone());
    app.db.read(move |reader| keys::nothing_is_left(reader, &files)).await?;
    let retired = app.db.write(Lane::People, keys::retire).await?;
    app.db
        .write(Lane::People, move |tx| {
            audit::note(tx, at, None, "retire_keys", None, None, Reason::default());
            Ok(())
        })
        .await?;
    Ok(retired)
}

pub async fn set_role(app: &App, name: Username, role: Role) -> Result<()> {
    refuse_guest(role)?;
    let at = app.now();
    app.db
        .write(Lane::People, move |tx| {
            let (user, account) = by_name(tx, &name)?;
            change_role(tx, at, None, user, account, role, Reason::default())
        })
        .await
}

/// Sets a new password, removes the second factor, and ends all sessions: for who has lost both.
pub async fn reset_password(app: &App, name: Username, password: NewPassword) -> Result<()> {
    let password_hash = app.passwords.hash_strong(password, name.clone()).await?;
    let at = app.now();
    app.db
        .write(Lane::People, move |tx| {
            let (user, account) = by_name(tx, &name)?;
            accounts::update(tx, user, &Account { password_hash, second_factor: None, ..account.clone() })?;
            sessions::end_all(tx, user, None)?;
            audit::note(tx, at, None, "reset_password", Some(&account.name), None, Reason::default());
            Ok(())
        })
        .await
}

pub async fn set_disabled(app: &App, name: Username, disabled: bool) -> Result<()> {
    let at = app.now();
    app.db
        .write(Lane::People, move |tx| {
            let (user, account) = by_name(tx, &name)?;
            disable(tx, at, None, user, account, disabled, Reason::default())
        })
        .await
}

pub async fn list(app: &App) -> Result<Vec<AccountInfo>> {
    let all = app.db.read(accounts::all).await?;
    all.into_iter().map(|(user, account)| info(user, account)).collect()
}

/// How many entries the audit log has, or what is wrong with it.
pub async fn verify_audit_log(app: &App) -> Result<Result<i64, String>> {
    app.db.read(log::verify).await
}

fn refuse_guest(role: Role) -> Result<()> {
    match role {
        Role::Guest => Err(Error::invalid("role", "An account cannot be a guest.")),
        _ => Ok(()),
    }
}
