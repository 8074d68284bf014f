//! What a client goes on sending while it is refused already: it is read and thrown away before the answer goes. A client
//! or proxy that still writes when the connection closes often never sees the answer (RFC 9112, section 9.6).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// For so long, and so much of it.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST: usize = 64_000_000;

/// Reads what a refused request still has to say.
pub async fn read_leftover(request: Request, next: Next) -> Response {
    // Who asks first whether to send has not begun.
    if request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let shared = Arc::new(Mutex::new(body));
    let answer = next.run(Request::from_parts(parts, Body::new(Shared(shared.clone())))).await;
    if answer.status().is_client_error() || answer.status().is_server_error() {
        let read = throw_away(Shared(shared));
        // Whoever takes longer has had the time that others get.
        let _ = tokio::time::timeout(PATIENCE, read).await;
    }
    answer
}

async fn throw_away(mut body: Shared) {
    let mut left = MOST;
    while left > 0
        && let Some(Ok(frame)) = body.frame().await
    {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
}

/// A body that the handler reads, and whose rest is still there when the handler has dropped it.
struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
