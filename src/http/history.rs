//! What was said before, for scripts and pages.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::guard::Speaker;
use super::{Ok200, Web};
use crate::chat::history::{self, Page, Wanted};
use crate::error::{Error, Result};
use crate::types::RoomName;

/// `GET /api/rooms/NAME/messages?before=&after=&limit=`
pub async fn messages(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    Path(name): Path<String>,
    wanted: std::result::Result<Query<Wanted>, QueryRejection>,
) -> Result<Ok200<Page>> {
    let name = RoomName::try_from(name).map_err(|problem| Error::invalid("room", problem))?;
    let Query(wanted) = wanted.map_err(|rejection| Error::invalid("query", rejection.body_text()))?;
    history::page(&web.app, &actor, name, wanted).await.map(Ok200)
}
