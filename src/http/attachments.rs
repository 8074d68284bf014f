//! Files: uploaded before the message that brings them, downloaded by who may read it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::IntoResponse;
use futures_util::StreamExt;
use futures_util::stream::{once, unfold};
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderName, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Web;
use super::answers::{Created, File, Ok200};
use super::extract::{ApiPath, ApiQuery, ById, FileBody, OfRoom, Speaker};
use crate::answer::Done;
use crate::chat::attachments::{self as rules, Download};
use crate::error::{Error, Result};
use crate::images;
use crate::limits::Place;
use crate::store::files::{Part, StoredFile};
use crate::types::{Attachment, AttachmentId, FileName};

/// How long an upload may stand still.
const PATIENCE: Duration = Duration::from_secs(30);
/// How fast it must come on the whole, in bytes a second.
const SLOWEST: u64 = 16 * 1024;
/// What stands as it is in `filename*` (RFC 8187, section 3.2.1).
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');
const SAME_ORIGIN: (HeaderName, &str) = (HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
/// A file that a browser shows after all runs nothing and asks nobody.
const NOTHING_RUNS: (HeaderName, &str) =
    (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox; frame-ancestors 'none'");

#[derive(Deserialize, JsonSchema)]
pub struct Named {
    name: FileName,
}

#[derive(Serialize, JsonSchema)]
pub struct Uploaded {
    attachment: Attachment,
}

/// `POST /api/rooms/NAME/attachments?name=`: the body is the file.
pub async fn upload(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    ApiPath(OfRoom { room }): ApiPath<OfRoom>,
    ApiQuery(Named { name }): ApiQuery<Named>,
    headers: HeaderMap,
    FileBody(body): FileBody,
) -> Result<Created<Uploaded>> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let uploading = rules::begin(&web.app, &actor, room, name, announced).await?;
    // In a task of its own: of an upload whose client has gone, nothing is to be left.
    let body = Arc::new(tokio::sync::Mutex::new(body.into_data_stream()));
    let end = Instant::now() + PATIENCE + Duration::from_secs(web.app.config.max_attachment / SLOWEST);
    let received = tokio::spawn(uploading.receive(move || {
        let body = body.clone();
        async move {
            let wait = end.min(Instant::now() + PATIENCE);
            let next = tokio::time::timeout_at(wait, async { body.lock().await.next().await }).await;
            let next = next.map_err(|_| Error::invalid("body", "The file came too slowly."))?;
            next.transpose().map_err(|_| Error::invalid("body", "The file did not come to its end."))
        }
    }));
    let attachment = received.await.unwrap_or_else(|error| Err(Error::internal(error)))?;
    Ok(Created(Uploaded { attachment }))
}

/// `GET /api/attachments/ID`
pub async fn content(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    ApiPath(ById { id }): ApiPath<ById<AttachmentId>>,
    headers: HeaderMap,
) -> Result<File> {
    let Download { attachment, file, place } = rules::open(&web.app, &actor, id, Part::Content).await?;
    let more = [
        (CONTENT_TYPE, attachment.kind.clone()),
        (CONTENT_LENGTH, attachment.size.to_string()),
        (CONTENT_DISPOSITION, disposition(&attachment)),
    ];
    let File(file) = stream(&headers, id, Part::Content, file, place).await?;
    Ok(File((more, file).into_response()))
}

/// `GET /api/attachments/ID/thumbnail`: of an image, JPEG or PNG with a longest side of 480 pixels.
pub async fn thumbnail(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    ApiPath(ById { id }): ApiPath<ById<AttachmentId>>,
    headers: HeaderMap,
) -> Result<File> {
    let Download { file, place, .. } = rules::open(&web.app, &actor, id, Part::Thumbnail).await?;
    stream(&headers, id, Part::Thumbnail, file, place).await
}

/// `DELETE /api/attachments/ID`: of one's own that has not been sent.
pub async fn cancel(
    State(web): State<Web>,
    Speaker(actor): Speaker,
    ApiPath(ById { id }): ApiPath<ById<AttachmentId>>,
) -> Result<Ok200<Done>> {
    rules::cancel(&web.app, &actor, id).await?;
    Ok(Ok200(Done {}))
}

/// The file, piece by piece; one that turns out to be damaged is cut off in transfer.
async fn stream(asked: &HeaderMap, id: AttachmentId, part: Part, file: StoredFile, place: Place) -> Result<File> {
    let tag = format!("\"{id}-{}\"", part as u8);
    // Whoever asks again is asked again whether they may.
    let known = [(ETAG, tag.as_str()), (CACHE_CONTROL, "private, no-cache"), SAME_ORIGIN, NOTHING_RUNS];
    if asked.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes()) {
        return Ok(File((StatusCode::NOT_MODIFIED, known).into_response()));
    }
    let (first, file) = rules::piece(file).await?.ok_or_else(|| Error::internal(anyhow::anyhow!("an empty file")))?;
    let first = Bytes::copy_from_slice(&first);
    let kind = (part == Part::Thumbnail).then(|| [(CONTENT_TYPE, images::kind_of(&first))]);
    let rest = unfold(Some((file, place)), |open| async {
        let (file, place) = open?;
        match rules::piece(file).await {
            Ok(next) => next.map(|(piece, file)| (Ok(Bytes::copy_from_slice(&piece)), Some((file, place)))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .fuse();
    let body = Body::from_stream(once(async { Ok::<_, Error>(first) }).chain(rest));
    Ok(File((known, kind, body).into_response()))
}

/// Images that were decoded here are shown in place, everything else is saved (RFC 6266).
fn disposition(attachment: &Attachment) -> String {
    let kind = if attachment.image.is_some() { "inline" } else { "attachment" };
    format!("{kind}; filename*=UTF-8''{}", utf8_percent_encode(attachment.name.as_str(), ATTR_CHAR))
}
