//! A push service as browsers have one, on this machine: it keeps what it is sent, and answers what the test wants.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::IntoResponse;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::http::call;
use crate::server::Server;

/// Only to end a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is sent together with what has come has come by then, too.
const MOMENT: Duration = Duration::from_millis(500);

pub struct PushService {
    pub origin: String,
    received: mpsc::UnboundedReceiver<Received>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

/// One notification.
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl PushService {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (sender, received) = mpsc::unbounded_channel();
        let answers: Arc<Mutex<VecDeque<u16>>> = Arc::default();
        let planned = answers.clone();
        let handler = async move |request: Request| {
            let (head, body) = request.into_parts();
            assert_eq!(head.method, "POST");
            let body = to_bytes(body, 4_096).await.unwrap().to_vec();
            let _ = sender.send(Received { path: head.uri.path().to_owned(), headers: head.headers, body });
            let status = planned.lock().unwrap().pop_front().unwrap_or(201);
            StatusCode::from_u16(status).unwrap().into_response()
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, received, answers }
    }

    /// What it answers next, instead of 201.
    pub fn answer_next(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    /// Subscribes a browser of that name; its address.
    pub async fn subscribe(&self, server: &Server, token: &str, browser: &str) -> String {
        let endpoint = format!("{}/{browser}", self.origin);
        let body = subscription(&endpoint);
        let answer = call(server, "POST", "/api/push/subscribe", Some(token), body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        endpoint
    }

    /// The next notification.
    pub async fn next(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.received.recv()).await.expect("a notification within 30 s").unwrap()
    }

    /// The browsers that so many notifications are for; there must come no more.
    pub async fn browsers(&mut self, count: usize) -> BTreeSet<String> {
        let mut browsers = BTreeSet::new();
        for _ in 0..count {
            assert!(browsers.insert(self.next().await.path[1..].to_owned()), "twice: {browsers:?}");
        }
        self.nothing().await;
        browsers
    }

    /// Nothing more has come, or comes in a moment.
    pub async fn nothing(&mut self) {
        if let Some(more) = self.within_a_moment().await {
            panic!("a notification for {}", more.path);
        }
    }

    pub async fn within_a_moment(&mut self) -> Option<Received> {
        tokio::time::timeout(MOMENT, self.received.recv()).await.ok().flatten()
    }
}

/// As a browser's page sends it.
pub fn subscription(endpoint: &str) -> Value {
    let point = BASE64_URL_SAFE_NO_PAD.encode([&[4][..], &[7; 64]].concat());
    json!({ "endpoint": endpoint, "keys": { "p256dh": point, "auth": BASE64_URL_SAFE_NO_PAD.encode([7; 16]) } })
}

impl Received {
    /// Checks the signature as a push service does, with the key that the browser was given (RFC 8292); what was signed.
    pub fn claims(&self, public_key: &str) -> Value {
        let header = self.headers["authorization"].to_str().unwrap();
        let (token, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(key, public_key);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let key =
            ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, decode(public_key));
        key.verify(signed.as_bytes(), &decode(signature)).expect("a good signature");
        let (head, claims) = signed.split_once('.').unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&decode(head)).unwrap(), json!({ "typ": "JWT", "alg": "ES256" }));
        serde_json::from_slice(&decode(claims)).unwrap()
    }
}
