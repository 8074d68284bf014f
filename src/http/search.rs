//! What was said, by its words.

use axum::extract::State;

use super::Web;
use super::answers::Ok200;
use super::extract::{ApiQuery, Speaker};
use crate::chat::search::{self as rules, Hits, Wanted};
use crate::error::Result;

/// `GET /api/search?query=&room=&before=&limit=`
pub async fn search(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    ApiQuery(wanted): ApiQuery<Wanted>,
) -> Result<Ok200<Hits>> {
    rules::search(&web.app, &actor, wanted).await.map(Ok200)
}
