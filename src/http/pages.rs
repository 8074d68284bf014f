//! The page.

use axum::extract::{Request, State};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderName, StatusCode};
use minijinja::HtmlEscape;

use super::accounts::cookie;
use super::guard::csrf_token;
use super::{Web, refusals};
use crate::app::App;
use crate::chat::{accounts, resume};
use crate::flask::cookies;
use crate::flask::templates::{Rendered, RequestFacts, describe, folder};
use crate::types::Username;
use crate::visitor::{BROWSER_COOKIE, SESSION_COOKIE, Visitor, cookie_text};

/// For a page that knows nothing of policies: it goes on loading what it loads, from wherever, and runs its inline scripts.
const FOREIGN_PAGE: &str = "default-src 'self' http: https: ws: wss: data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

/// `GET /`: `index.html`, rendered.
pub async fn index(State(web): State<Web>, request: Request) -> Response {
    let visitor = Visitor::of(&web.app.config, &request);
    let stamp = resume::page_loads(&web.app, &visitor);
    let life = resume::PATIENCE.as_secs();
    let mut cookies = vec![(SET_COOKIE, cookie(&web.app.config, &visitor, BROWSER_COOKIE, &stamp, life))];
    cookies.extend(take_over(&web.app, &visitor, request.headers()).await.into_iter().map(|one| (SET_COOKIE, one)));
    (AppendHeaders(cookies), render(&web, "index.html", &request)).into_response()
}

/// Ours in the place of a cookie of the Flask deployment, which says who this is; it signs in this once.
async fn take_over(app: &App, visitor: &Visitor, headers: &HeaderMap) -> Vec<String> {
    let config = &app.config;
    if visitor.token.is_some() || config.secret_key.is_empty() {
        return Vec::new();
    }
    let Some(name) = flask_user(app, headers) else { return Vec::new() };
    match accounts::sign_in_known(app, visitor, &name).await {
        Ok(Some(signed_in)) => {
            let life = config.session_life.total.as_secs();
            let gone = [&config.flask_session_cookie, &config.flask_remember_cookie]
                .into_iter()
                .filter(|name| !name.is_empty());
            let own = cookie(config, visitor, SESSION_COOKIE, signed_in.token.as_str(), life);
            gone.map(|name| cookie(config, visitor, name, "", 0)).chain([own]).collect()
        }
        Ok(None) => Vec::new(),
        Err(error) => {
            error.to_wire(Some("flask session"));
            Vec::new()
        }
    }
}

fn flask_user(app: &App, headers: &HeaderMap) -> Option<Username> {
    let (config, now) = (&app.config, app.now().micros() / 1_000_000);
    let shown = |name: &str| (!name.is_empty()).then(|| cookie_text(headers, name)).flatten();
    let by_session = || {
        let cookie = shown(&config.flask_session_cookie).filter(|_| !config.flask_session_user.is_empty())?;
        let max_age = config.session_life.total.as_secs() as i64;
        let session = cookies::session(&config.secret_key, cookie, max_age, now)?;
        session.get(&config.flask_session_user)?.as_str().map(str::to_owned)
    };
    let by_token = || cookies::remembered(&config.secret_key, shown(&config.flask_remember_cookie)?);
    by_session().or_else(by_token).and_then(|name| Username::try_from(name).ok())
}

/// `GET /account`: where one makes an account and signs in, also beside a foreign page.
pub async fn account(State(web): State<Web>, request: Request) -> Response {
    render(&web, "account.html", &request)
}

fn render(web: &Web, name: &str, request: &Request) -> Response {
    match web.templates.render(name, &facts(web, request)) {
        Ok(rendered) => page(rendered),
        Err(error) => {
            tracing::error!("a template failed: {}", describe(&error));
            match web.app.config.production {
                true => refusals::internal(),
                false => failed(&error, &folder(&web.app.config).display().to_string()),
            }
        }
    }
}

fn page(rendered: Rendered) -> Response {
    let policy = match (rendered.nonce, rendered.trusted_types) {
        (Some(nonce), true) => strictest(&nonce),
        (Some(nonce), false) => format!(
            "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        (None, _) => FOREIGN_PAGE.to_owned(),
    };
    let headers: [(HeaderName, String); 2] = [(CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, "no-cache".into())];
    (headers, Html(rendered.html)).into_response()
}

/// For our own pages: scripts from files alone, and none from a text (Trusted Types). What is seen first has its few styles
/// in the page, under the nonce.
fn strictest(nonce: &str) -> String {
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types secure-chat"
    )
}

/// In development: what is wrong with the template, and where.
fn failed(error: &minijinja::Error, folder: &str) -> Response {
    let details = format!("{}\n\nTemplates are read from: {folder}\n\n{error:#}", describe(error));
    let html = format!(
        "<!doctype html>\n<html lang=en>\n<title>Template error</title>\n<h1>The template cannot be rendered</h1>\n<pre>{}</pre>\n<p>You see this because FLASK_ENV is not production.</p>\n",
        HtmlEscape(&details)
    );
    (StatusCode::INTERNAL_SERVER_ERROR, Html(html)).into_response()
}

fn facts(web: &Web, request: &Request) -> RequestFacts {
    let visitor = Visitor::of(&web.app.config, request);
    let header =
        |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    RequestFacts {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        host: header(HOST),
        remote_addr: visitor.address.to_string(),
        secure: visitor.secure,
        csrf_token: csrf_token(&web.app.signer, &visitor),
        user_agent: header(USER_AGENT),
    }
}
