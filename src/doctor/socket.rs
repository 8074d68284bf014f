//! Socket.IO through the address: as a page does it, packet by packet (Engine.IO protocol 4, Socket.IO protocol 5).

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http::Method;
use http::header::ORIGIN;
use serde::Deserialize;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::Finding;
use super::address::Visit;
use super::client::{Failure, Socket};
use super::idle;

/// How long the next packet may take, where nobody makes it wait.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a poll waits before something happens.
const WAITING: Duration = Duration::from_millis(500);
/// What an answer may take that is not held back, besides the way there and back.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Between two packets of one body.
const SEPARATOR: char = '\x1e';
/// Into the namespace `/`, as nobody who was here before.
const CONNECT: &str = r#"40{"resume":false}"#;
/// An event that is refused to whoever has not joined: nothing changes by it, and it has an ack.
const ASK: &str = r#"420["get_presence",{"room":"public"}]"#;
const ANSWER: &str = "430[";
const FOREIGN: &str = "https://doctor.invalid";

/// What the server tells of a session.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    sid: String,
    ping_interval: u64,
    ping_timeout: u64,
}

impl Opened {
    pub fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval)
    }

    pub fn ping_timeout(&self) -> Duration {
        Duration::from_millis(self.ping_timeout)
    }
}

/// The whole way of a page: handshake, upgrade, waiting, silence. `Err`: what ends it.
pub async fn check(visit: &mut Visit<'_>, tell: &mut dyn FnMut(Finding)) -> Result<(), Finding> {
    let opened = handshake(visit, tell).await?;
    visit.setup.silence = opened.ping_interval() + opened.ping_timeout() + Duration::from_secs(15);
    let socket = websocket(visit).await;
    let socket = socket.map_err(&mut *tell).ok();
    if socket.is_some() {
        tell(Finding::ok("websocket", "opens, also where a browser offers to compress it"));
        tell(upgrade(visit).await);
    }
    let polling = match long_poll(visit).await {
        Ok((polling, finding)) => {
            tell(finding);
            Some(polling)
        }
        Err(failure) => {
            tell(no_session(visit, &failure));
            None
        }
    };
    if !visit.fast {
        tell(idle::hold(visit, &opened, socket, polling).await);
    }
    Ok(())
}

/// The first request of a page, and what its Origin tells of the headers that come through.
async fn handshake(visit: &mut Visit<'_>, tell: &mut dyn FnMut(Finding)) -> Result<Opened, Finding> {
    const CHECK: &str = "origin";

    let own = visit.target.origin();
    let refused = match Polling::open(visit, Some(&own)).await {
        Ok((_, opened)) => {
            visit.origin = Some(own);
            tell(match Polling::open(visit, Some(FOREIGN)).await {
                Ok(_) => Finding::note(CHECK, "Pages of any origin may connect: CORS_ALLOWED_ORIGINS is *."),
                Err(_) => Finding::ok(CHECK, "pages of this address may connect"),
            });
            return Ok(opened);
        }
        Err(failure) => failure,
    };
    if !matches!(&refused, Failure::Answered(400, text) if text.contains("CORS_ALLOWED_ORIGINS")) {
        let text = format!("{} does not reach the server: {refused}.", visit.target.origin() + "/socket.io/");
        return Err(Finding::problem("socket.io", text).lines(visit.setup.pass()));
    }
    // The server takes http:// with the right host for its own: if that goes, the scheme alone was missing.
    let plain = format!("http://{}", visit.target.authority());
    let host_fits = visit.target.secure && Polling::open(visit, Some(&plain)).await.is_ok();
    tell(match host_fits {
        true => Finding::problem(
            "scheme",
            "The server refuses the page's own origin: the proxy passes Host, but not that people come over HTTPS.",
        )
        .lines(visit.setup.scheme()),
        false => Finding::problem(
            "host",
            format!("The server refuses the page's own origin {own}: the proxy does not pass Host as it came."),
        )
        .lines(visit.setup.host()),
    });
    let opened = Polling::open(visit, None).await;
    opened.map(|(_, opened)| opened).map_err(|failure| no_session(visit, &failure))
}

fn no_session(visit: &Visit, failure: &Failure) -> Finding {
    let lost = matches!(failure, Failure::Answered(400, text) if text.contains("Invalid session"));
    match lost {
        true => Finding::problem("sessions", "Requests of one session reach different servers.")
            .lines(visit.setup.same_server()),
        false => {
            Finding::problem("polling", format!("A session over HTTP breaks off: {failure}.")).lines(visit.setup.pass())
        }
    }
}

/// A websocket from the start, in the namespace.
async fn websocket(visit: &Visit<'_>) -> Result<Socket, Finding> {
    let mut socket = match visit.websocket("EIO=4&transport=websocket").await {
        Ok(socket) => socket,
        Err(failure) => {
            let cause = match &failure {
                Failure::Answered(400, text) if text.contains("Invalid websocket upgrade") => {
                    "the proxy does not pass the Upgrade header".to_owned()
                }
                failure => failure.to_string(),
            };
            let text =
                format!("No websocket comes about: {cause}. People are left with long polling, which is slower.");
            return Err(Finding::problem("upgrade", text).lines(visit.setup.upgrade()));
        }
    };
    let connected = async {
        next(&mut socket, "0").await?;
        say(&mut socket, CONNECT).await?;
        next(&mut socket, "40").await
    };
    match connected.await {
        Ok(_) => Ok(socket),
        Err(error) => Err(Finding::problem("websocket", format!("It opens, but carries nothing: {error:#}."))
            .lines(visit.setup.upgrade())),
    }
}

/// From polling to a websocket, as clients do it by default.
async fn upgrade(visit: &Visit<'_>) -> Finding {
    const CHECK: &str = "upgrade";

    let upgraded = async {
        let (polling, _) = Polling::open(visit, visit.origin.as_deref()).await?;
        polling.post(CONNECT).await?;
        polling.next("40", PATIENCE).await?;
        let mut socket = visit.websocket(&format!("EIO=4&transport=websocket&sid={}", polling.sid)).await?;
        say(&mut socket, "2probe").await?;
        next(&mut socket, "3probe").await?;
        say(&mut socket, "5").await?;
        say(&mut socket, ASK).await?;
        next(&mut socket, ANSWER).await?;
        let _ = socket.close(None).await;
        Ok(())
    };
    match upgraded.await {
        Ok(()) => Finding::ok(CHECK, "a session goes from polling to a websocket"),
        Err(failure @ Failure::Answered(400, _)) => no_session(visit, &failure),
        Err(failure) => {
            Finding::problem(CHECK, format!("A session does not get from polling to a websocket: {failure}."))
                .lines(visit.setup.upgrade())
        }
    }
}

/// Whether a poll that waits is answered as soon as there is something.
async fn long_poll<'a>(visit: &'a Visit<'a>) -> Result<(Polling<'a>, Finding), Failure> {
    const CHECK: &str = "long poll";

    let (polling, _) = Polling::open(visit, visit.origin.as_deref()).await?;
    polling.post(CONNECT).await?;
    polling.next("40", PATIENCE).await?;
    let begun = Instant::now();
    visit.client.get(&visit.target, "/healthz").await?;
    let there_and_back = begun.elapsed();
    let asked = async {
        tokio::time::sleep(WAITING).await;
        let begun = Instant::now();
        polling.post(ASK).await.map(|()| begun)
    };
    let answered = async { polling.next(ANSWER, PATIENCE).await.map(|()| Instant::now()) };
    let (asked, answered) = tokio::join!(asked, answered);
    let late = answered?.duration_since(asked?);
    let finding = match late > there_and_back * 3 + AT_ONCE {
        true => Finding::problem(
            CHECK,
            format!(
                "What happens reaches a waiting client only after {:.1} s: the proxy holds answers back.",
                late.as_secs_f64()
            ),
        )
        .lines(visit.setup.buffering()),
        false => Finding::ok(CHECK, format!("answered {} ms after the event", late.as_millis())),
    };
    Ok((polling, finding))
}

/// A session over HTTP.
pub struct Polling<'a> {
    visit: &'a Visit<'a>,
    sid: String,
}

impl<'a> Polling<'a> {
    async fn open(visit: &'a Visit<'a>, origin: Option<&str>) -> Result<(Self, Opened), Failure> {
        let body = request(visit, Method::GET, "", origin, "", PATIENCE).await?;
        let opened: Option<Opened> = body.strip_prefix('0').and_then(|json| serde_json::from_str(json).ok());
        let opened = opened.ok_or(Failure::Answered(200, body))?;
        Ok((Self { visit, sid: opened.sid.clone() }, opened))
    }

    /// The packets that there are, once there are any.
    pub async fn get(&self, patience: Duration) -> Result<Vec<String>, Failure> {
        let body = self.request(Method::GET, "", patience).await?;
        Ok(body.split(SEPARATOR).map(str::to_owned).collect())
    }

    pub async fn post(&self, packet: &str) -> Result<(), Failure> {
        self.request(Method::POST, packet, PATIENCE).await.map(drop)
    }

    /// Waits for a packet that begins so. Pings are answered on the way.
    async fn next(&self, beginning: &str, patience: Duration) -> Result<(), Failure> {
        let found = async {
            loop {
                let packets = self.get(patience).await?;
                if packets.iter().any(|packet| packet == "2") {
                    self.post("3").await?;
                }
                if packets.iter().any(|packet| packet.starts_with(beginning)) {
                    return Ok(());
                }
                if let Some(refusal) = packets.iter().find(|packet| packet.starts_with("44")) {
                    return Err(anyhow::anyhow!("the server lets nobody in: {refusal}").into());
                }
            }
        };
        let found = timeout(patience, found).await;
        found.unwrap_or_else(|_| Err(anyhow::anyhow!("nothing comes within {} s", patience.as_secs()).into()))
    }

    async fn request(&self, method: Method, body: &str, patience: Duration) -> Result<String, Failure> {
        request(self.visit, method, &format!("&sid={}", self.sid), self.visit.origin.as_deref(), body, patience).await
    }
}

async fn request(
    visit: &Visit<'_>,
    method: Method,
    session: &str,
    origin: Option<&str>,
    body: &str,
    patience: Duration,
) -> Result<String, Failure> {
    let path = format!("/socket.io/?EIO=4&transport=polling{session}");
    let headers: Vec<_> = origin.map(|origin| (ORIGIN.as_str(), origin)).into_iter().collect();
    let sent = visit.client.send(&visit.target, method, &path, &headers, body.to_owned(), patience);
    let answer = sent.await?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(Failure::Answered(status, answer.body)),
    }
}

pub async fn say(socket: &mut Socket, packet: &str) -> anyhow::Result<()> {
    Ok(socket.send(Message::text(packet)).await?)
}

/// Waits for a packet that begins so. Pings are answered on the way.
async fn next(socket: &mut Socket, beginning: &str) -> anyhow::Result<()> {
    let found = async {
        while let Some(message) = socket.next().await {
            match message?.into_text()?.as_str() {
                "2" => say(socket, "3").await?,
                packet if packet.starts_with(beginning) => return Ok(()),
                packet if packet.starts_with("44") => anyhow::bail!("the server lets nobody in: {packet}"),
                _ => {}
            }
        }
        anyhow::bail!("it is closed at once")
    };
    let found = timeout(PATIENCE, found).await;
    found.unwrap_or_else(|_| anyhow::bail!("nothing comes within {} s", PATIENCE.as_secs()))
}
