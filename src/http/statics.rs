//! `/static`: from a folder where there is one, else what is built in.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use rust_embed::Embed;
use tower::{ServiceBuilder, service_fn};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

use super::{Web, refusals};

#[derive(Embed)]
#[folder = "static/"]
struct Static;

#[derive(Embed)]
#[folder = "templates/"]
struct BuiltInTemplates;

/// Browsers keep a file and ask whether it is still the same.
const REVALIDATE: &str = "no-cache";

pub fn built_in_template(name: &str) -> Option<String> {
    let file = BuiltInTemplates::get(name)?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// The routes below `/static`.
pub fn router(folder: Option<&Path>) -> Router<Web> {
    let Some(folder) = folder else {
        return Router::new().route("/{*path}", get(built_in));
    };
    // What the folder lacks is built in: a foreign page has no files for the page of the accounts.
    let files = ServeDir::new(folder).append_index_html_on_directories(false).fallback(service_fn(
        async |request: Request<Body>| {
            let path = request.uri().path().trim_start_matches('/').to_owned();
            Ok(built_in(extract::Path(path), request.headers().clone()).await)
        },
    ));
    let cache = SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static(REVALIDATE));
    Router::new().fallback_service(ServiceBuilder::new().layer(cache).service(files))
}

/// What is built in, at an address of its own.
pub async fn root_file(name: &'static str, headers: HeaderMap) -> Response {
    built_in(extract::Path(name.to_owned()), headers).await
}

async fn built_in(extract::Path(path): extract::Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = Static::get(&path) else {
        return refusals::not_found().await;
    };
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let kind = match file.metadata.mimetype() {
        kind if kind.starts_with("text/") => format!("{kind}; charset=utf-8"),
        kind => kind.to_owned(),
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, REVALIDATE.into()), (ETAG, tag)], file.data).into_response()
}
