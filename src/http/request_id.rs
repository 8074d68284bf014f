//! The id of a request: in its answer's `X-Request-Id` and in every line that the log has of it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};

use crate::app::App;
use crate::telemetry;
use crate::visitor::is_from_trusted_proxy;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a proxy's that is taken over.
const LONGEST: usize = 64;

/// Takes the id that a trusted proxy has given, or makes one.
pub async fn request_id(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_sane(id));
    let given = given.filter(|_| is_from_trusted_proxy(&app.config, &request)).map(str::to_owned);
    let id = given.unwrap_or_else(telemetry::new_id);
    let value = HeaderValue::try_from(&id);
    let span = tracing::error_span!("request", id);
    let mut response = telemetry::traced(id, span, next.run(request)).await;
    if let Ok(value) = value {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Letters, digits and what ids have between them: nothing that could be a line of its own in a log.
fn is_sane(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(allowed)
}
