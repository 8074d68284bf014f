//! For administrators.

use crate::chat;
use crate::error::Result;

/// `GET /admin/stats`. Open to everyone in the original; here nobody is an administrator before there are accounts.
pub async fn stats() -> Result<()> {
    chat::admin::show_stats(None)
}
