//! The HTTP edge: every path and every layer around them. Nothing else decides a path.

mod admin;
mod ops;
mod pages;
mod refusals;
mod statics;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};
use http::header::{ALLOW, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
use crate::flask::templates::Templates;

/// Largest body of a request outside of `/socket.io/`, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub struct Web {
    pub app: Arc<App>,
    pub templates: Arc<Templates>,
}

/// All routes. `socket` answers `/socket.io/`.
pub fn router(app: Arc<App>, socket: Router) -> Router {
    let templates = Arc::new(Templates::new(&app.config, statics::built_in_template));
    let statics = statics::router(app.config.static_dir.as_deref());
    let web = Web { app, templates };
    let pages = Router::new()
        .route("/", readable(get(pages::index)))
        .route("/admin/stats", readable(get(admin::stats)))
        .route("/healthz", readable(get(ops::alive)))
        .route("/readyz", readable(get(ops::ready)))
        .nest("/static", statics)
        .fallback(refusals::not_found)
        .method_not_allowed_fallback(refusals::method_not_allowed)
        .with_state(web)
        // Inside of the Socket.IO routes: around them it would compress polling bodies, packet by packet.
        .layer(CompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT));
    pages
        .merge(socket)
        .layer(CatchPanicLayer::custom(refusals::panicked))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(REFERRER_POLICY, "same-origin"))
        .layer(header(CONTENT_SECURITY_POLICY, "frame-ancestors 'self'"))
}

/// A header of every answer that does not bring its own.
fn header(name: http::HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// A route as Flask has it: OPTIONS tells which methods there are.
fn readable(route: MethodRouter<Web>) -> MethodRouter<Web> {
    route.options(async || {
        (StatusCode::OK, [(ALLOW, "OPTIONS, HEAD, GET"), (http::header::CONTENT_TYPE, "text/html; charset=utf-8")])
    })
}
