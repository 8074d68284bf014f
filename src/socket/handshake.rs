//! The HTTP side of `/socket.io/`: which pages may connect, and the refusals in python-engineio's words.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use socketioxide::socket::Sid;

use super::hub::SocketHub;
use crate::app::App;
use crate::chat::sessions::is_banned_network;
use crate::listener::Peer;
use crate::types::Network;
use crate::visitor::{Visitor, origin_is_allowed};

/// Longest refusal of the library that is read.
const REFUSAL: usize = 4096;

#[derive(Clone)]
struct Edge {
    app: Arc<App>,
    hub: Arc<SocketHub>,
}

pub fn router(app: Arc<App>, hub: Arc<SocketHub>) -> Router {
    let service = hub.service();
    Router::new()
        .route_service("/socket.io/", service.clone())
        .route_service("/socket.io/{*rest}", service)
        .layer(from_fn_with_state(Edge { app, hub }, guard))
}

async fn guard(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    if !origin_is_allowed(&edge.app.config.allowed_origins, &request) {
        return refusal("Not an accepted origin. The setting CORS_ALLOWED_ORIGINS lists those that are.");
    }
    let requested_headers = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = match *request.method() {
        Method::OPTIONS => preflight(requested_headers),
        Method::GET | Method::POST => dispatch(&edge, request, next).await,
        _ => (StatusCode::METHOD_NOT_ALLOWED, "Method Not Found").into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    response
}

/// Calls the library where the request can be one of its kind.
async fn dispatch(edge: &Edge, mut request: Request, next: Next) -> Response {
    add_usual_transport(&mut request);
    let query = Query::of(&request);
    if query.sid.is_none() {
        if !matches!(query.protocol.as_deref(), Some("3" | "4")) {
            return refusal("The client is using an unsupported version of the Socket.IO or Engine.IO protocols");
        }
        if request.method() == Method::POST {
            return refusal("Invalid session None");
        }
    }
    let visitor = Visitor::of(&edge.app.config, &request);
    if is_banned_network(&edge.app, Network::of(visitor.address)) {
        return (StatusCode::FORBIDDEN, "Your address is banned from this server.").into_response();
    }
    let session: Option<Sid> = query.sid.as_deref().and_then(|sid| sid.parse().ok());
    match query.transport.as_deref() {
        Some("polling") => {}
        Some("websocket") if request.headers().contains_key(UPGRADE) => {
            if let Some(line) = request.extensions().get().and_then(|ConnectInfo(peer): &ConnectInfo<Peer>| peer.line())
            {
                line.may_turn();
                if let Some(session) = session {
                    edge.hub.carried_by(session, &line);
                }
            }
        }
        Some("websocket") => return refusal("Invalid websocket upgrade"),
        _ => return refusal("Invalid transport"),
    }
    if let Some(session) = session.filter(|_| is_too_large(edge, &request)) {
        edge.hub.close_polling(session).await;
        // Its poll is to bring the news first: then the client takes it for a closed connection, as from the original.
        tokio::time::sleep(Duration::from_millis(100)).await;
        return (StatusCode::PAYLOAD_TOO_LARGE, "The request is larger than MAX_HTTP_BUFFER_SIZE").into_response();
    }
    if session.is_none() {
        keep_the_needed(&mut request);
        let seat = edge.hub.seats.take(Network::of(visitor.address));
        // Up to the limit itself the client is told in its own protocol, and does not try again by itself.
        if edge.app.config.socket_limits.is_some_and(|limits| seat.number() > limits.per_address * 2) {
            return (StatusCode::TOO_MANY_REQUESTS, "There are too many connections from your address.")
                .into_response();
        }
        request.extensions_mut().insert(seat);
        request.extensions_mut().insert(visitor);
    }
    let is_poll = request.method() == Method::GET;
    let response = next.run(request).await;
    if let Some(session) = session.filter(|_| is_poll) {
        edge.hub.owed(session).taken(response.body().size_hint().lower() as usize);
    }
    match response.status() {
        StatusCode::BAD_REQUEST => translate(response, query.sid.as_deref()).await,
        _ => response,
    }
}

/// The library keeps the request that opens a session for as long as the session lives, and with each slice of it the whole
/// buffer that it was read into: 16 KB a connection. So it gets copies, and only of what it looks at.
fn keep_the_needed(request: &mut Request) {
    const NEEDED: [HeaderName; 4] = [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION];

    let copy = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).ok();
    let needed = NEEDED.into_iter().filter_map(|name| Some((name.clone(), copy(request.headers().get(&name)?)?)));
    *request.headers_mut() = needed.collect();
    if let Ok(uri) = request.uri().to_string().parse() {
        *request.uri_mut() = uri;
    }
}

fn is_too_large(edge: &Edge, request: &Request) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    request.method() == Method::POST && length.is_some_and(|length| length > edge.app.config.max_payload)
}

/// No transport means polling, which the library wants to be told.
fn add_usual_transport(request: &mut Request) {
    let query = request.uri().query().unwrap_or_default();
    if !query.split('&').any(|pair| pair.starts_with("transport=")) {
        let uri = format!("{}?{query}&transport=polling", request.uri().path());
        if let Ok(uri) = uri.parse() {
            *request.uri_mut() = uri;
        }
    }
}

/// The library's refusal in python-engineio's words.
async fn translate(response: Response, sid: Option<&str>) -> Response {
    let body = to_bytes(response.into_body(), REFUSAL).await.unwrap_or_default();
    let code =
        serde_json::from_slice::<serde_json::Value>(&body).ok().and_then(|body| body["code"].as_str()?.parse().ok());
    match code {
        Some(1) => refusal(&format!("Invalid session {}", sid.unwrap_or("None"))),
        Some(3) => refusal("Unexpected HTTP request"),
        _ => refusal("Bad Request"),
    }
}

/// The parameters that decide.
struct Query {
    protocol: Option<String>,
    transport: Option<String>,
    sid: Option<String>,
}

impl Query {
    fn of(request: &Request) -> Self {
        let pairs: Vec<_> =
            request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')).collect();
        let get = |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        Self { protocol: get("EIO"), transport: get("transport"), sid: get("sid") }
    }
}

/// A JSON string as plain text, as python-engineio has it.
fn refusal(sentence: &str) -> Response {
    let body = serde_json::to_string(sentence).expect("a string is JSON");
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "text/plain")], Body::from(body)).into_response()
}

fn preflight(requested_headers: Option<HeaderValue>) -> Response {
    let mut response = (StatusCode::OK, [(ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, GET, POST")], "OK").into_response();
    if let Some(headers) = requested_headers {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
    }
    response
}
