//! What an account has here, for its owner to take along.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::Web;
use super::guard::SignedIn;
use crate::chat::export::{self, Lines};
use crate::error::{Error, Result};

/// `GET /api/export`: JSON lines. One that does not come to its end is cut off in transfer.
pub async fn own(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<Response> {
    let lines = export::own(&web.app, &actor).await?;
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"secure-chat-export.jsonl\""),
    ];
    Ok((headers, Body::from_stream(unfold(lines, next))).into_response())
}

async fn next(mut lines: Lines) -> Option<(Result<Bytes>, Lines)> {
    let line = lines.recv().await?;
    let encoded = line.and_then(|line| {
        let mut json = serde_json::to_vec(&line).map_err(Error::internal)?;
        json.push(b'\n');
        Ok(Bytes::from(json))
    });
    Some((encoded, lines))
}
