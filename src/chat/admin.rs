//! What only administrators may do. There are none before there are accounts, so these answer `forbidden`.

use super::policy;
use crate::error::Result;
use crate::types::Actor;

/// Numbers about the server.
pub fn show_stats(actor: Option<&Actor>) -> Result<()> {
    policy::administer(actor)
}

/// A copy of the database.
pub fn backup(actor: &Actor) -> Result<()> {
    policy::administer(Some(actor))
}
