//! What stands before every call of the API: who sends it, from which page, and whether a page of somebody else's could
//! have made the browser send it (CSRF; OWASP ASVS 5.0, 3.5.1 to 3.5.3).

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderValue, Method};

use super::{BODY_LIMIT, Web};
use crate::app::App;
use crate::chat::sessions;
use crate::config::AllowedOrigins;
use crate::error::{Error, Result};
use crate::signer::Signer;
use crate::types::{Network, Token};
use crate::visitor::{Visitor, origin_is_allowed};

/// What a CSRF token is made for, and where it may stand: Flask-WTF's names.
const CSRF: &str = "csrf";
const CSRF_HEADER: &str = "x-csrftoken";
const CSRF_FIELD: &str = "csrf_token";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Refuses what may not come in, and turns forms into JSON.
pub async fn guard(State(web): State<Web>, request: Request, next: Next) -> Response {
    match admit(&web.app, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// In a form, a file would not be what it is.
pub async fn no_forms(request: Request, next: Next) -> Response {
    let kinds = ["application/x-www-form-urlencoded", "multipart/form-data"];
    match kinds.iter().any(|kind| is_of_type(request.headers(), kind)) {
        true => {
            Error::invalid("body", "Send the file itself, with Content-Type: application/octet-stream.").into_response()
        }
        false => next.run(request).await,
    }
}

async fn admit(app: &App, mut request: Request) -> Result<Request> {
    let visitor = Visitor::of(&app.config, &request);
    if sessions::is_banned_network(app, Network::of(visitor.address)) {
        return Err(Error::Forbidden("Your address is banned from this server.".into()));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        if !origin_is_allowed(&app.config.allowed_origins, &request) {
            return Err(Error::Forbidden(
                "Not an accepted origin. The setting CORS_ALLOWED_ORIGINS lists those that are.".into(),
            ));
        }
        request = refuse_forged(app, &visitor, request).await?;
    }
    request.extensions_mut().insert(visitor);
    Ok(request)
}

/// A browser sends JSON, or bytes of no kind, to another site only after it has asked there, and our answer is no; it
/// names the page with every DELETE. A form needs a token, which another site's page cannot read.
async fn refuse_forged(app: &App, visitor: &Visitor, request: Request) -> Result<Request> {
    let headers = request.headers();
    let asks_first = is_of_type(headers, "application/json") || is_of_type(headers, "application/octet-stream");
    if asks_first || (*request.method() == Method::DELETE && headers.contains_key(ORIGIN)) {
        return Ok(request);
    }
    let by_bearer = visitor.token.is_some() && !visitor.by_cookie;
    let is_form = is_of_type(headers, "application/x-www-form-urlencoded");
    if by_bearer && !is_form {
        return Ok(request);
    }
    let shown = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (request, in_form) = match is_form {
        true => {
            refuse_foreign_form(app, &request)?;
            form_to_json(request).await?
        }
        false => (request, None),
    };
    let is_ours = |token: &String| app.signer.check_stamp(CSRF, bound_to(visitor.token.as_ref()), token).is_some();
    match by_bearer || shown.or(in_form).as_ref().is_some_and(is_ours) {
        true => Ok(request),
        false => Err(Error::Forbidden(
            "Send JSON (Content-Type: application/json), a file as application/octet-stream, or the page's csrf_token with the form or as X-CSRFToken."
                .into(),
        )),
    }
}

/// Any site can send a form. Where CORS_ALLOWED_ORIGINS is `*`, they are taken from our own pages alone: nobody is to be
/// signed in, as somebody else, by a page that they came upon.
fn refuse_foreign_form(app: &App, request: &Request) -> Result<()> {
    let own = AllowedOrigins::List(Vec::new());
    match app.config.allowed_origins == AllowedOrigins::Any && !origin_is_allowed(&own, request) {
        true => Err(Error::Forbidden("Forms are taken from this server's own pages alone. Send JSON.".into())),
        false => Ok(()),
    }
}

/// A token for the forms of a page; good for as long as the visitor stays signed in, or out.
pub fn csrf_token(signer: &Signer, visitor: &Visitor) -> String {
    signer.stamp(CSRF, bound_to(visitor.token.as_ref()))
}

fn bound_to(token: Option<&Token>) -> &str {
    token.map(Token::as_str).unwrap_or_default()
}

fn is_of_type(headers: &HeaderMap, kind: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(kind))
}

/// The form as a JSON object of strings, and the CSRF token that was in it.
async fn form_to_json(request: Request) -> Result<(Request, Option<String>)> {
    let (mut parts, body) = request.into_parts();
    let bytes = to_bytes(body, BODY_LIMIT).await.map_err(|_| too_large())?;
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Error::invalid(
            "body",
            "This is JSON, sent as a form: add the header Content-Type: application/json.",
        ));
    }
    let mut token = None;
    let mut object = serde_json::Map::new();
    for (name, value) in form_urlencoded::parse(&bytes) {
        match &*name {
            CSRF_FIELD => token = Some(value.into_owned()),
            _ => drop(object.insert(name.into_owned(), value.into_owned().into())),
        }
    }
    parts.headers.insert(CONTENT_TYPE, JSON);
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let json = serde_json::Value::Object(object).to_string();
    Ok((Request::from_parts(parts, Body::from(json)), token))
}

pub fn too_large() -> Error {
    Error::TooLarge { field: "body", message: format!("The body must have at most {BODY_LIMIT} bytes.").into() }
}
