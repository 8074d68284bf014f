//! What handlers answer, and how it is described.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Described, SchemaObject};
use axum::Json;
use axum::body::Body;
use axum::response::{AppendHeaders, IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderName, StatusCode};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Accepted, Refused};
use crate::error::Error;

/// A content with `ok: true` before it, as in an ack.
pub struct Ok200<T>(pub T);

/// The same, of something that was made.
pub struct Created<T>(pub T);

/// An answer that sets cookies.
pub struct WithCookies<const N: usize, T>(pub [String; N], pub T);

/// JSON lines to be saved. What does not come to its end is cut off in transfer.
pub struct JsonLines(pub Body);

/// A file, or that the one at hand is still right (304).
pub struct File(pub Response);

impl<T: Serialize> IntoResponse for Ok200<T> {
    fn into_response(self) -> Response {
        Json(Accepted::new(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(Accepted::new(self.0))).into_response()
    }
}

impl<const N: usize, T: IntoResponse> IntoResponse for WithCookies<N, T> {
    fn into_response(self) -> Response {
        let cookies: [(HeaderName, String); N] = self.0.map(|cookie| (SET_COOKIE, cookie));
        (AppendHeaders(cookies), self.1).into_response()
    }
}

impl IntoResponse for JsonLines {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "application/x-ndjson"),
            (CONTENT_DISPOSITION, "attachment; filename=\"secure-chat-export.jsonl\""),
        ];
        (headers, self.0).into_response()
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        self.0
    }
}

/// One answer of that status.
type Answers = Vec<(Option<u16>, Described)>;

impl<T: JsonSchema> OperationOutput for Ok200<T> {
    type Inner = T;

    fn inferred_responses(context: &mut GenContext, _: &mut Operation) -> Answers {
        vec![(Some(200), json::<Accepted<T>>(context, "Done."))]
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn inferred_responses(context: &mut GenContext, _: &mut Operation) -> Answers {
        vec![(Some(201), json::<Accepted<T>>(context, "Made."))]
    }
}

impl<const N: usize, T: OperationOutput> OperationOutput for WithCookies<N, T> {
    type Inner = T::Inner;

    fn inferred_responses(context: &mut GenContext, operation: &mut Operation) -> Answers {
        T::inferred_responses(context, operation)
    }
}

impl OperationOutput for JsonLines {
    type Inner = Self;

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Answers {
        vec![(Some(200), of_type("application/x-ndjson", None, "One JSON object a line."))]
    }
}

impl OperationOutput for File {
    type Inner = Self;

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Answers {
        let unchanged =
            Described { description: "The ETag of If-None-Match is still right.".into(), ..Described::default() };
        vec![(Some(200), of_type("*/*", None, "The file.")), (Some(304), unchanged)]
    }
}

impl OperationOutput for Error {
    type Inner = Self;

    fn inferred_responses(context: &mut GenContext, _: &mut Operation) -> Answers {
        const TEXT: &str = "Refused or failed; `code` says why, and the status says the same: 400 invalid, \
            401 unauthenticated, 403 forbidden, 404 not_found, 409 conflict, 413 too_large, \
            429 too_many (with Retry-After), 500 internal, 503 unavailable.";
        vec![(None, json::<Refused>(context, TEXT))]
    }
}

pub fn json<T: JsonSchema>(context: &mut GenContext, description: &str) -> Described {
    let schema = context.schema.subschema_for::<T>();
    let schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
    of_type("application/json", Some(schema), description)
}

fn of_type(kind: &str, schema: Option<SchemaObject>, description: &str) -> Described {
    let content = IndexMap::from([(kind.to_owned(), MediaType { schema, ..MediaType::default() })]);
    Described { description: description.into(), content, ..Described::default() }
}
