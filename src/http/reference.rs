//! The interface, described: for machines as OpenAPI and AsyncAPI, for people as a page made from both.

use aide::openapi::OpenApi;
use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use minijinja::value::Serde;
use minijinja::{Environment, HtmlEscape, context};
use serde_json::Value;

use super::{Web, refusals, statics};

/// The page has no script, and loads its style alone.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const KEPT: &str = "max-age=300";

/// Made once: it is the same for everybody.
pub struct Reference {
    openapi: Bytes,
    asyncapi: Bytes,
    page: Option<Bytes>,
}

impl Reference {
    pub fn new(openapi: &OpenApi, asyncapi: Value) -> Self {
        let openapi = serde_json::to_value(openapi).expect("the document has string keys");
        let page = page(&openapi, &asyncapi).inspect_err(|error| tracing::error!("the page about the API: {error:#}"));
        Self {
            openapi: Bytes::from(openapi.to_string()),
            asyncapi: Bytes::from(asyncapi.to_string()),
            page: page.ok().map(Bytes::from),
        }
    }

    pub fn router(self) -> Router<Web> {
        Router::new()
            .route("/api", get(async move || self.page.map_or_else(refusals::internal, show)))
            .route("/api/openapi.json", get(async move || json(self.openapi)))
            .route("/api/asyncapi.json", get(async move || json(self.asyncapi)))
    }
}

fn page(openapi: &Value, asyncapi: &Value) -> anyhow::Result<String> {
    const NAME: &str = "api.html";
    let template = statics::built_in_template(NAME).context("the template is not built in")?;
    let mut environment = Environment::new();
    environment.add_filter("code", code);
    environment.add_template(NAME, &template)?;
    Ok(environment.get_template(NAME)?.render(context! { openapi => Serde(openapi), asyncapi => Serde(asyncapi) })?)
}

/// A text whose parts between backticks are code.
fn code(text: String) -> minijinja::Value {
    let parts = text.split('`').map(|part| HtmlEscape(part).to_string()).enumerate();
    let parts = parts.map(|(number, part)| if number % 2 == 1 { format!("<code>{part}</code>") } else { part });
    minijinja::Value::from_safe_string(parts.collect())
}

fn show(page: Bytes) -> Response {
    let headers = [(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, KEPT)];
    (headers, Html(page)).into_response()
}

fn json(document: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, KEPT)], document).into_response()
}
