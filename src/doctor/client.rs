//! A client that sees what a browser would: HTTP/1.1 and websockets, over TLS where the address says so.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::certificate::Trust;
pub use crate::requests::{Io, Target};
use crate::requests::{ask, shake_hands};

/// How long an answer may take that nobody makes wait.
const PATIENCE: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 8 << 20;
const AGENT: &str = concat!("secure-chat-doctor/", env!("CARGO_PKG_VERSION"));

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// From the first byte sent to the last one received, on an open connection.
    pub took: Duration,
}

impl Answer {
    pub fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub type Socket = WebSocketStream<Box<dyn Io>>;

/// Why something did not come about.
pub enum Failure {
    /// Another answer than the one that was hoped for: its status and text.
    Answered(u16, String),
    Failed(anyhow::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Of a page that is an error, in characters.
        const ENOUGH: usize = 120;

        match self {
            Self::Answered(status, text) => {
                let words: Vec<_> = text.split_whitespace().collect();
                write!(f, "the answer is {status} {}", words.join(" ").chars().take(ENOUGH).collect::<String>())
            }
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

pub struct Client {
    pub trust: Trust,
}

impl Client {
    /// `insecure`: any certificate will do.
    pub fn new(insecure: bool) -> anyhow::Result<Self> {
        Ok(Self { trust: Trust::new(insecure)? })
    }

    pub async fn get(&self, target: &Target, path: &str) -> anyhow::Result<Answer> {
        self.send(target, Method::GET, path, &[], "", PATIENCE).await
    }

    /// One request on a connection of its own.
    pub async fn send(
        &self,
        target: &Target,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Bytes>,
        patience: Duration,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(HOST, target.authority()).header(USER_AGENT, AGENT);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).context("this cannot be asked for")?;
        let stream = self.connect(target).await?;
        timeout(patience, exchange(stream, request))
            .await
            .with_context(|| format!("no answer within {} s", patience.as_secs()))?
    }

    /// Opens a websocket, with what a browser says of itself.
    pub async fn websocket(&self, target: &Target, query: &str, origin: Option<&str>) -> Result<Socket, Failure> {
        let scheme = if target.secure { "wss" } else { "ws" };
        let address = format!("{scheme}://{}/socket.io/?{query}", target.authority());
        let mut request = address.into_client_request().context("no websocket can have this address")?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers
            .insert("sec-websocket-extensions", HeaderValue::from_static("permessage-deflate; client_max_window_bits"));
        if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
            headers.insert(http::header::ORIGIN, origin);
        }
        let stream = self.connect(target).await?;
        match timeout(PATIENCE, client_async(request, stream)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(WsError::Http(answer))) => {
                let body = answer.body().as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
                Err(Failure::Answered(answer.status().as_u16(), body.unwrap_or_default()))
            }
            Ok(Err(error)) => Err(Failure::Failed(error.into())),
            Err(_) => Err(anyhow!("no answer within {} s", PATIENCE.as_secs()).into()),
        }
    }

    pub async fn connect(&self, target: &Target) -> anyhow::Result<Box<dyn Io>> {
        match target.secure {
            true => Ok(Box::new(self.connect_tls(target).await?)),
            false => Ok(Box::new(connect_tcp(target).await?)),
        }
    }

    pub async fn connect_tls(&self, target: &Target) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = connect_tcp(target).await?;
        let shaken = timeout(PATIENCE, shake_hands(&self.trust.config, &target.host, stream)).await;
        shaken.context("no answer to the TLS handshake")?.with_context(|| format!("no TLS with {}", target.authority()))
    }
}

async fn connect_tcp(target: &Target) -> anyhow::Result<TcpStream> {
    let host = target.host.trim_matches(['[', ']']);
    let connected = timeout(PATIENCE, TcpStream::connect((host, target.port))).await;
    let place = || format!("cannot connect to {}:{}", target.host, target.port);
    let stream = connected.map_err(|_| anyhow!("no answer within {} s", PATIENCE.as_secs())).with_context(place)?;
    let stream = stream.with_context(place)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn exchange(stream: Box<dyn Io>, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let begun = Instant::now();
    let (response, _connection) = ask(stream, request).await?;
    let (head, body) = response.into_parts();
    let body =
        Limited::new(body, LARGEST).collect().await.map_err(|error| anyhow!("the answer breaks off: {error}"))?;
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, took: begun.elapsed() })
}
