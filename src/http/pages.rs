//! The page.

use axum::extract::{Request, State};
use axum::response::{AppendHeaders, Html, IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, SET_COOKIE, USER_AGENT};
use http::{HeaderName, StatusCode};
use minijinja::HtmlEscape;

use super::accounts::cookie;
use super::guard::csrf_token;
use super::{Web, refusals};
use crate::chat::resume;
use crate::flask::templates::{Rendered, RequestFacts, describe, folder};
use crate::visitor::{BROWSER_COOKIE, Visitor};

/// For a page that knows nothing of policies: it goes on loading what it loads, from wherever, and runs its inline scripts.
const FOREIGN_PAGE: &str = "default-src 'self' http: https: ws: wss: data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

/// `GET /`: `index.html`, rendered.
pub async fn index(State(web): State<Web>, request: Request) -> Response {
    let visitor = Visitor::of(&web.app.config, &request);
    let stamp = resume::page_loads(&web.app, &visitor);
    let life = resume::PATIENCE.as_secs();
    let known = [(SET_COOKIE, cookie(&web.app.config, &visitor, BROWSER_COOKIE, &stamp, life))];
    (AppendHeaders(known), render(&web, "index.html", &request)).into_response()
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
    let policy = match rendered.nonce {
        Some(nonce) => format!(
            "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        None => FOREIGN_PAGE.to_owned(),
    };
    let headers: [(HeaderName, String); 2] = [(CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, "no-cache".into())];
    (headers, Html(rendered.html)).into_response()
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
