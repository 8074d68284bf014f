//! For whoever watches over the server.

use std::net::IpAddr;

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Web;
use super::answers::Ok200;
use super::extract::Visit;
use crate::error::Result;
use crate::visitor::ForwardedFor;

/// `GET /healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: a write was committed and the key opens what is stored.
pub async fn ready(State(web): State<Web>) -> Result<&'static str> {
    web.app.db.check().await?;
    Ok("ready\n")
}

/// How this request came. It tells its sender nothing but of the sender.
#[derive(Serialize, JsonSchema)]
pub struct Arrival {
    /// Whose limits it spends.
    address: IpAddr,
    /// Whether it came over HTTPS, as far as the server can tell.
    secure: bool,
    forwarded_for: ForwardedFor,
}

/// `GET /api/connection`: by this `secure-chat doctor` learns what a proxy passes on.
pub async fn connection(Visit(visitor): Visit) -> Ok200<Arrival> {
    Ok200(Arrival { address: visitor.address, secure: visitor.secure, forwarded_for: visitor.forwarded_for })
}
