//! Who may do what: THE authorization. Pure functions over facts that the caller has loaded.

use crate::error::{Error, Result};
use crate::types::{Actor, Role};

/// Whether somebody without an account may come in.
pub fn enter_as_guest(guests_allowed: bool) -> Result<()> {
    match guests_allowed {
        true => Ok(()),
        false => Err(Error::Forbidden("This server is for people with an account.".into())),
    }
}

/// Whether the password given opens the room.
pub fn join_group(password_fits: bool) -> Result<()> {
    match password_fits {
        true => Ok(()),
        false => Err(Error::Forbidden("Failed to join group. Check password.".into())),
    }
}

pub fn post_to_group(is_member: bool) -> Result<()> {
    match is_member {
        true => Ok(()),
        false => Err(Error::Forbidden("Join the group before you write to it.".into())),
    }
}

/// Numbers about the server, backups.
pub fn administer(actor: Option<&Actor>) -> Result<()> {
    match actor.map(|actor| actor.role) {
        Some(Role::Guest) | None => Err(Error::Forbidden("This is for administrators.".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_post_and_only_the_right_password_joins() {
        assert!(post_to_group(true).is_ok());
        assert!(post_to_group(false).is_err());
        assert!(join_group(true).is_ok());
        assert!(join_group(false).is_err());
    }

    #[test]
    fn nobody_administers_before_there_are_accounts() {
        assert!(administer(None).is_err());
    }
}
