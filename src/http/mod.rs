//! The HTTP edge: every path and every layer around them. Nothing else decides a path.

mod accounts;
mod admin;
mod answers;
mod attachments;
mod emit;
mod export;
mod extract;
mod guard;
mod history;
mod leftover;
mod notifications;
mod openapi;
mod ops;
mod pages;
mod reference;
mod refusals;
mod request_id;
mod search;
mod statics;

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{ApiMethodRouter, delete_with, get_with, post_with};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, options};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use self::openapi::call;
use self::reference::Reference;
use crate::app::App;
use crate::config::Config;
use crate::flask::templates::Templates;

/// Largest body of a request outside of `/socket.io/`, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub struct Web {
    pub app: Arc<App>,
    pub templates: Arc<Templates>,
}

/// All routes. `socket` answers `/socket.io/`, as `asyncapi` describes it.
pub fn router(app: Arc<App>, socket: Router, asyncapi: serde_json::Value) -> Router {
    let templates = Arc::new(Templates::new(&app.config, statics::built_in_template));
    let statics = statics::router(app.config.static_dir.as_deref());
    let idle = app.config.http_idle;
    let hsts = insist_on_tls(&app.config);
    let identify = from_fn_with_state(app.clone(), request_id::request_id);
    let web = Web { app, templates };
    let mut document = openapi::document();
    let described = ops().merge(guarded(api(), &web)).finish_api(&mut document);
    let files = guarded(files(), &web)
        .layer(from_fn(guard::no_forms))
        .layer(from_fn(leftover::read_leftover))
        .finish_api(&mut document);
    let pages = Router::new()
        .route("/", readable(get(pages::index)).into())
        .route("/account", readable(get(pages::account)).into())
        // At the root, since a worker has a say over what is below its own address.
        .route("/sw.js", readable(get(|headers| statics::root_file("sw.js", headers))).into())
        .route(
            "/manifest.webmanifest",
            readable(get(|headers| statics::root_file("manifest.webmanifest", headers))).into(),
        )
        .nest("/static", statics)
        .merge(described)
        .merge(Reference::new(&document, asyncapi).router())
        .fallback(refusals::not_found)
        .method_not_allowed_fallback(refusals::method_not_allowed)
        .with_state(web.clone())
        // Inside of the Socket.IO routes: around them it would compress polling bodies, packet by packet.
        .layer(CompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT));
    pages
        .merge(files.method_not_allowed_fallback(refusals::method_not_allowed).with_state(web))
        .merge(socket)
        .layer(RequestBodyTimeoutLayer::new(idle))
        .layer(CatchPanicLayer::custom(refusals::panicked))
        .layer(header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(REFERRER_POLICY, "same-origin"))
        .layer(header(CONTENT_SECURITY_POLICY, "frame-ancestors 'self'"))
        .layer(option_layer(hsts))
        .layer(identify)
}

/// Only where it is asked for: it binds the whole host, with whatever else runs there, for longer than any setting of ours
/// (RFC 6797, section 11). Only where TLS ends here: elsewhere the proxy says it.
fn insist_on_tls(config: &Config) -> Option<SetResponseHeaderLayer<HeaderValue>> {
    let asked = config.tls.is_some() && config.hsts > 0;
    let value = asked.then(|| HeaderValue::try_from(format!("max-age={}", config.hsts)).ok()).flatten();
    value.map(|value| SetResponseHeaderLayer::if_not_present(STRICT_TRANSPORT_SECURITY, value))
}

/// Routes that know who asks. What changes something is refused where another site's page may have sent it.
fn guarded(routes: ApiRouter<Web>, web: &Web) -> ApiRouter<Web> {
    routes.layer(header(CACHE_CONTROL, "no-store")).layer(from_fn_with_state(web.clone(), guard::guard))
}

fn ops() -> ApiRouter<Web> {
    let alive = get_with(ops::alive, call("alive", "health", "Whether the process answers."));
    let ready = get_with(ops::ready, call("ready", "health", "Whether it can store, and open what is stored."));
    ApiRouter::new().api_route("/healthz", readable(alive)).api_route("/readyz", readable(ready))
}

/// Files: of any size, and not to be compressed.
fn files() -> ApiRouter<Web> {
    use attachments::*;
    const ABOUT: &str = "rooms";
    ApiRouter::new()
        .api_route(
            "/api/rooms/{room}/attachments",
            post_with(upload, call("upload", ABOUT, "Uploads a file, for a message of this room that is to bring it.")),
        )
        .api_route(
            "/api/attachments/{id}",
            get_with(content, call("get_attachment", ABOUT, "A file, for who may read its message.")).delete_with(
                cancel,
                call("cancel_attachment", ABOUT, "Removes a file of one's own that was not sent."),
            ),
        )
        .api_route(
            "/api/attachments/{id}/thumbnail",
            get_with(thumbnail, call("get_thumbnail", ABOUT, "A small picture of an image.")),
        )
}

fn api() -> ApiRouter<Web> {
    own_account()
        .api_route(
            "/api/rooms/{room}/messages",
            get_with(history::messages, call("get_messages", "rooms", "A page of what was said, the oldest first.")),
        )
        .api_route(
            "/api/connection",
            get_with(ops::connection, call("connection", "health", "How one's own request reached the server.")),
        )
        .api_route("/api/search", get_with(search::search, call("search", "rooms", "What was said, by its words.")))
        .merge(administration())
}

fn own_account() -> ApiRouter<Web> {
    use accounts::*;
    const ABOUT: &str = "accounts";
    ApiRouter::new()
        .api_route("/api/register", post_with(register, call("register", ABOUT, "Makes an account and signs in.")))
        .api_route("/api/login", post_with(login, call("login", ABOUT, "Signs in.")))
        .api_route("/api/logout", post_with(logout, call("logout", ABOUT, "Ends the session that is shown.")))
        .api_route("/api/me", get_with(me, call("me", ABOUT, "Who is signed in.")))
        .api_route(
            "/api/sessions",
            get_with(list_sessions, call("list_sessions", ABOUT, "Where one is signed in."))
                .delete_with(end_other_sessions, call("end_other_sessions", ABOUT, "Signs out everywhere else.")),
        )
        .api_route("/api/sessions/{id}", delete_with(end_session, call("end_session", ABOUT, "Ends one session.")))
        .api_route(
            "/api/password",
            post_with(change_password, call("change_password", ABOUT, "Changes the password; other sessions end.")),
        )
        .api_route(
            "/api/second-factor",
            post_with(set_up_second_factor, call("set_up_second_factor", ABOUT, "A new secret for codes (TOTP).")),
        )
        .api_route(
            "/api/second-factor/confirm",
            post_with(
                confirm_second_factor,
                call("confirm_second_factor", ABOUT, "Turns it on; shows the recovery codes this once."),
            ),
        )
        .api_route(
            "/api/second-factor/remove",
            post_with(remove_second_factor, call("remove_second_factor", ABOUT, "Turns it off.")),
        )
        .merge(own_notifications())
        .api_route("/api/export", get_with(export::own, call("export", ABOUT, "All that one has here, as JSON lines.")))
}

fn own_notifications() -> ApiRouter<Web> {
    use notifications::*;
    const ABOUT: &str = "notifications";
    ApiRouter::new()
        .api_route(
            "/api/notifications",
            get_with(get, call("get_notifications", ABOUT, "What one is told of while one looks at no page."))
                .post_with(set, call("set_notifications", ABOUT, "Sets some of it; the rest stays.")),
        )
        .api_route(
            "/api/push/subscribe",
            post_with(subscribe, call("subscribe", ABOUT, "From now on this browser gets notifications (Web Push).")),
        )
        .api_route(
            "/api/push/unsubscribe",
            post_with(unsubscribe, call("unsubscribe", ABOUT, "From now on this browser gets none.")),
        )
}

fn administration() -> ApiRouter<Web> {
    use accounts::*;
    const ABOUT: &str = "administration";
    ApiRouter::new()
        .api_route(
            "/admin/stats",
            readable(get_with(admin::stats, call("stats", ABOUT, "Numbers, in the original's shape."))),
        )
        .api_route(
            "/api/server/samples",
            get_with(admin::samples, call("samples", ABOUT, "Numbers over time, without names.")),
        )
        .api_route(
            "/api/server/state",
            get_with(admin::state, call("server_state", ABOUT, "Settings, keys and backups, without secrets.")),
        )
        .api_route(
            "/api/invites",
            get_with(list_invites, call("list_invites", ABOUT, "Invitations that can still be used."))
                .post_with(create_invite, call("create_invite", ABOUT, "Makes an invitation.")),
        )
        .api_route("/api/invites/{id}", delete_with(revoke_invite, call("revoke_invite", ABOUT, "Takes one back.")))
        .api_route(
            "/api/emit",
            post_with(
                emit::emit,
                call("emit", "programs", "Sends an event to clients, as Flask-SocketIO's emit does."),
            ),
        )
        .api_route("/api/accounts", get_with(list_accounts, call("list_accounts", ABOUT, "All accounts.")))
        .api_route(
            "/api/accounts/disable",
            post_with(disable_account, call("disable_account", ABOUT, "Closes an account, or opens it again.")),
        )
}

/// A header of every answer that does not bring its own.
fn header(name: http::HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// A route as Flask has it: OPTIONS tells which methods there are.
fn readable(route: impl Into<ApiMethodRouter<Web>>) -> ApiMethodRouter<Web> {
    let tells: MethodRouter<Web> = options(async || {
        (StatusCode::OK, [(ALLOW, "OPTIONS, HEAD, GET"), (http::header::CONTENT_TYPE, "text/html; charset=utf-8")])
    });
    route.into().merge(tells)
}
