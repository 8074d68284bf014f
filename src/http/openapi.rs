//! The description of all calls over HTTP (OpenAPI 3.1), made from the routes and the types of their handlers.

use aide::openapi::{ApiKeyLocation, Components, Info, License, OpenApi, ReferenceOr, SecurityScheme, Tag};
use aide::transform::TransformOperation;
use indexmap::IndexMap;

/// How one shows who one is.
pub const BEARER: &str = "bearer";
pub const COOKIE: &str = "cookie";
/// How a program shows that it may send events.
pub const EMIT_TOKEN: &str = "emit_token";

const ABOUT: &str = "Every answer in JSON has `ok`: `true` beside what there is to tell, or `false` with `error {message, code}`. \
    Who uses a cookie sends JSON (`Content-Type: application/json`), or the page's CSRF token as `X-CSRFToken`. \
    What happens in rooms is told over Socket.IO: see `/api/asyncapi.json`.";

const TAGS: &[(&str, &str)] = &[
    ("accounts", "Accounts, sessions, the second factor."),
    ("notifications", "What one is told of while one looks at no page, through the push service of one's browser."),
    ("rooms", "What is said, and the files with it."),
    ("administration", "Invitations, accounts, numbers: for administrators."),
    ("programs", "For programs beside the server, such as workers."),
    ("health", "For whoever watches over the server."),
];

/// A document that has no calls yet.
pub fn document() -> OpenApi {
    let bearer = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: None,
        description: Some(
            "A session's token, as `login` gives it; of a guest, the pass of the event `get_pass`.".into(),
        ),
        extensions: IndexMap::new(),
    };
    let cookie = SecurityScheme::ApiKey {
        location: ApiKeyLocation::Cookie,
        name: crate::visitor::SESSION_COOKIE.into(),
        description: None,
        extensions: IndexMap::new(),
    };
    let emit_token = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: None,
        description: Some("The setting EMIT_TOKEN.".into()),
        extensions: IndexMap::new(),
    };
    let schemes = [(BEARER, bearer), (COOKIE, cookie), (EMIT_TOKEN, emit_token)];
    let schemes = schemes.map(|(name, scheme)| (name.to_owned(), ReferenceOr::Item(scheme)));
    let tag = |(name, text): &(&str, &str)| Tag {
        name: name.to_string(),
        description: Some(text.to_string()),
        ..Tag::default()
    };
    OpenApi {
        info: Info {
            title: "secure-chat".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            description: Some(ABOUT.into()),
            license: Some(License { name: "MIT".into(), identifier: Some("MIT".into()), ..License::default() }),
            ..Info::default()
        },
        tags: TAGS.iter().map(tag).collect(),
        components: Some(Components { security_schemes: IndexMap::from(schemes), ..Components::default() }),
        ..OpenApi::default()
    }
}

/// What a call is called, where it belongs, and what it does.
pub fn call(
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> impl for<'a> FnOnce(TransformOperation<'a>) -> TransformOperation<'a> {
    move |operation: TransformOperation<'_>| operation.id(id).tag(tag).summary(summary)
}
