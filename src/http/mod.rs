//! The HTTP edge: every path and every layer around them. Nothing else decides a path.

mod accounts;
mod admin;
mod attachments;
mod export;
mod guard;
mod history;
mod ops;
mod pages;
mod refusals;
mod search;
mod statics;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
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

/// A content with `ok: true` before it, as in an ack.
pub struct Ok200<T>(pub T);

/// All routes. `socket` answers `/socket.io/`.
pub fn router(app: Arc<App>, socket: Router) -> Router {
    let templates = Arc::new(Templates::new(&app.config, statics::built_in_template));
    let statics = statics::router(app.config.static_dir.as_deref());
    let web = Web { app, templates };
    let pages = Router::new()
        .route("/", readable(get(pages::index)))
        .route("/account", readable(get(pages::account)))
        .route("/healthz", readable(get(ops::alive)))
        .route("/readyz", readable(get(ops::ready)))
        .nest("/static", statics)
        .merge(guarded(api(), &web))
        .fallback(refusals::not_found)
        .method_not_allowed_fallback(refusals::method_not_allowed)
        .with_state(web.clone())
        // Inside of the Socket.IO routes: around them it would compress polling bodies, packet by packet.
        .layer(CompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT));
    pages
        .merge(guarded(files(), &web).with_state(web))
        .merge(socket)
        .layer(CatchPanicLayer::custom(refusals::panicked))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(REFERRER_POLICY, "same-origin"))
        .layer(header(CONTENT_SECURITY_POLICY, "frame-ancestors 'self'"))
}

/// Routes that know who asks. What changes something is refused where another site's page may have sent it.
fn guarded(routes: Router<Web>, web: &Web) -> Router<Web> {
    routes.layer(header(CACHE_CONTROL, "no-store")).layer(from_fn_with_state(web.clone(), guard::guard))
}

/// Files: of any size, and not to be compressed.
fn files() -> Router<Web> {
    Router::new()
        .route("/api/rooms/{name}/attachments", post(attachments::upload))
        .route("/api/attachments/{id}", get(attachments::content).delete(attachments::cancel))
        .route("/api/attachments/{id}/thumbnail", get(attachments::thumbnail))
        .method_not_allowed_fallback(refusals::method_not_allowed)
}

fn api() -> Router<Web> {
    Router::new()
        .route("/admin/stats", readable(get(admin::stats)))
        .route("/api/register", post(accounts::register))
        .route("/api/login", post(accounts::login))
        .route("/api/logout", post(accounts::logout))
        .route("/api/me", get(accounts::me))
        .route("/api/sessions", get(accounts::list_sessions).delete(accounts::end_other_sessions))
        .route("/api/sessions/{id}", delete(accounts::end_session))
        .route("/api/password", post(accounts::change_password))
        .route("/api/second-factor", post(accounts::set_up_second_factor))
        .route("/api/second-factor/confirm", post(accounts::confirm_second_factor))
        .route("/api/second-factor/remove", post(accounts::remove_second_factor))
        .route("/api/invites", get(accounts::list_invites).post(accounts::create_invite))
        .route("/api/invites/{id}", delete(accounts::revoke_invite))
        .route("/api/rooms/{name}/messages", get(history::messages))
        .route("/api/export", get(export::own))
        .route("/api/search", get(search::search))
        .route("/api/accounts", get(accounts::list_accounts))
        .route("/api/accounts/disable", post(accounts::disable_account))
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
