//! Refusals: as pages in the words of Flask, as JSON for programs.

use std::any::Any;

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::answer::Refused;
use crate::error::Error;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let error = self.to_wire(None);
        // In whole seconds, rounded up (RFC 9110, section 10.2.3).
        let retry = error.retry_ms.map(|wait| [(RETRY_AFTER, wait.div_ceil(1000).to_string())]);
        (status, retry, Json(Refused::new(error))).into_response()
    }
}

pub async fn not_found() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "Not Found",
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.",
    )
}

pub async fn method_not_allowed() -> Response {
    page(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", "The method is not allowed for the requested URL.")
}

pub fn internal() -> Response {
    page(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal Server Error",
        "The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.",
    )
}

/// A panic of a handler. Its text is for the log alone.
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("an HTTP handler panicked");
    internal()
}

/// Werkzeug's page for a status.
fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let code = status.as_u16();
    let html =
        format!("<!doctype html>\n<html lang=en>\n<title>{code} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n");
    (status, Html(html)).into_response()
}
