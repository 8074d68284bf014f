//! What was said, by its words.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use super::guard::Speaker;
use super::{Ok200, Web};
use crate::chat::search::{self as rules, Hits, Wanted};
use crate::error::{Error, Result};

/// `GET /api/search?query=&room=&before=&limit=`
pub async fn search(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    wanted: std::result::Result<Query<Wanted>, QueryRejection>,
) -> Result<Ok200<Hits>> {
    let Query(wanted) = wanted.map_err(|rejection| Error::invalid("query", rejection.body_text()))?;
    rules::search(&web.app, &actor, wanted).await.map(Ok200)
}
