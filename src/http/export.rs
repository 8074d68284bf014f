//! What an account has here, for its owner to take along.

use axum::body::{Body, Bytes};
use axum::extract::State;
use futures_util::StreamExt;
use futures_util::stream::unfold;

use super::Web;
use super::answers::JsonLines;
use super::extract::SignedIn;
use crate::chat::export::{self, Lines};
use crate::error::{Error, Result};

/// `GET /api/export`: JSON lines. One that does not come to its end is cut off in transfer.
pub async fn own(State(web): State<Web>, SignedIn(actor): SignedIn) -> Result<JsonLines> {
    let lines = export::own(&web.app, &actor).await?;
    // Compression asks once more after the end.
    Ok(JsonLines(Body::from_stream(unfold(lines, next).fuse())))
}

async fn next(mut lines: Lines) -> Option<(Result<Bytes>, Lines)> {
    let line = lines.next().await?;
    let encoded = line.and_then(|line| {
        let mut json = serde_json::to_vec(&line).map_err(Error::internal)?;
        json.push(b'\n');
        Ok(Bytes::from(json))
    });
    Some((encoded, lines))
}
