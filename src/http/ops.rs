//! For whoever watches over the server.

use axum::extract::State;

use super::Web;
use crate::error::Result;

/// `GET /healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: a write was committed and the key opens what is stored.
pub async fn ready(State(web): State<Web>) -> Result<&'static str> {
    web.app.db.check().await?;
    Ok("ready\n")
}
