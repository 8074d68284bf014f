//! What was said before, for scripts and pages.

use axum::extract::State;

use super::Web;
use super::answers::Ok200;
use super::extract::{ApiPath, ApiQuery, OfRoom, Speaker};
use crate::chat::history::{self, Page, Wanted};
use crate::error::Result;

/// `GET /api/rooms/NAME/messages?before=&after=&limit=`
pub async fn messages(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    ApiPath(OfRoom { room }): ApiPath<OfRoom>,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> Result<Ok200<Page>> {
    history::page(&web.app, &actor, room, wanted).await.map(Ok200)
}
