//! Notifications over HTTP: how they are set, and the browsers that get them.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Web;
use super::answers::Ok200;
use super::extract::{ApiJson, SignedIn};
use crate::chat::notifications::{self, Browser, Change, Notifications, Subscribed};
use crate::error::Result;
use crate::types::Endpoint;

/// `GET /api/notifications`
pub async fn get(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Ok200<Notifications>> {
    notifications::get(&web.app, &actor).await.map(Ok200)
}

/// `POST /api/notifications`
pub async fn set(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(change): ApiJson<Change>,
) -> Result<Ok200<Notifications>> {
    notifications::set(&web.app, &actor, change).await.map(Ok200)
}

/// `POST /api/push/subscribe`
pub async fn subscribe(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(browser): ApiJson<Browser>,
) -> Result<Ok200<Subscribed>> {
    notifications::subscribe(&web.app, &actor, browser).await.map(Ok200)
}

#[derive(Deserialize, JsonSchema)]
pub struct At {
    endpoint: Endpoint,
}

/// `POST /api/push/unsubscribe`
pub async fn unsubscribe(
    State(web): State<Web>,
    SignedIn(actor): SignedIn,
    ApiJson(At { endpoint }): ApiJson<At>,
) -> Result<Ok200<Subscribed>> {
    notifications::unsubscribe(&web.app, &actor, endpoint).await.map(Ok200)
}
