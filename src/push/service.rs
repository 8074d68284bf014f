//! Sends to push services (RFC 8030): few at a time, with patience for those that are busy, and with bounds for all of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use rustls::ClientConfig;
use rustls::crypto::ring;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::address::resolve;
use crate::requests::{Io, Target, ask, authorities, shake_hands};
use crate::types::Endpoint;

/// Notifications that are under way or wait for another try.
const PLACES: usize = 1_000;
/// And of those for one host: a push service that hangs takes no places from the others.
const PLACES_OF_HOST: usize = 500;
/// Connections at a time.
const LINES: usize = 32;
const LINES_OF_HOST: usize = 8;
/// How long one try may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before the second try, the third…, where the push service does not say how long.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];
/// Who wants to be left alone for longer is.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long the push service keeps it for a browser that is off, in seconds.
const KEPT: &str = "86400";
/// One that waits there is replaced by the next: they all say the same.
const TOPIC: &str = "new";
const AGENT: &str = concat!("secure-chat/", env!("CARGO_PKG_VERSION"));

/// What has become of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// The browser wants no more of them.
    Gone,
    Failed,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Gone => "gone",
            Self::Failed => "failed",
        }
    }
}

pub struct Service {
    allow_private: bool,
    /// Made when something is first sent: most servers never do.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
    places: Arc<Semaphore>,
    lines: Semaphore,
    hosts: Mutex<HashMap<String, Weak<Host>>>,
}

struct Host {
    places: Arc<Semaphore>,
    lines: Semaphore,
}

/// The right to send to one address.
pub struct Place {
    target: Target,
    host: Arc<Host>,
    _place: OwnedSemaphorePermit,
    _place_of_host: OwnedSemaphorePermit,
}

impl Place {
    /// What the push service is called in what is signed for it.
    pub fn origin(&self) -> String {
        self.target.origin()
    }
}

/// How one try has ended.
enum Try {
    Done(Outcome),
    /// To be tried again, after as long as the push service says.
    Later(&'static str, Option<Duration>),
}

impl Service {
    pub fn new(allow_private: bool) -> Self {
        Self {
            allow_private,
            tls: OnceLock::new(),
            places: Arc::new(Semaphore::new(PLACES)),
            lines: Semaphore::new(LINES),
            hosts: Mutex::default(),
        }
    }

    /// `None`: there is too much under way, or this cannot be sent to.
    pub fn place(&self, endpoint: &Endpoint) -> Option<Place> {
        if !self.allow_private && endpoint.may_be_public().is_err() {
            return None;
        }
        let target: Target = endpoint.as_str().parse().ok()?;
        let host = self.host(&target.host);
        let place = self.places.clone().try_acquire_owned().ok()?;
        let place_of_host = host.places.clone().try_acquire_owned().ok()?;
        Some(Place { target, host, _place: place, _place_of_host: place_of_host })
    }

    /// What is known of a host for as long as something is sent to it.
    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().expect("hosts lock");
        if let Some(host) = hosts.get(name).and_then(Weak::upgrade) {
            return host;
        }
        hosts.retain(|_, host| host.strong_count() > 0);
        let host =
            Arc::new(Host { places: Arc::new(Semaphore::new(PLACES_OF_HOST)), lines: Semaphore::new(LINES_OF_HOST) });
        hosts.insert(name.to_owned(), Arc::downgrade(&host));
        host
    }

    /// Sends, if need be again.
    pub async fn send(&self, place: Place, authorization: &str) -> Outcome {
        let mut pauses = PAUSES.into_iter();
        loop {
            let (problem, wished) = match self.attempt(&place, authorization).await {
                Try::Done(outcome) => return outcome,
                Try::Later(problem, wished) => (problem, wished),
            };
            // Neither the address nor the library's words for what went wrong, which could repeat it.
            tracing::debug!("a push service could not be told: {problem}");
            let pause = pauses.next().map(|pause| wished.unwrap_or(pause).max(pause));
            match pause.filter(|pause| *pause <= LONGEST_PAUSE) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Outcome::Failed,
            }
        }
    }

    async fn attempt(&self, place: &Place, authorization: &str) -> Try {
        // First the host's own: who waits for a slow one takes no line from the others.
        let lines = (place.host.lines.acquire().await, self.lines.acquire().await);
        let answered = timeout(PATIENCE, self.exchange(&place.target, authorization)).await;
        drop(lines);
        match answered {
            Ok(Ok((status, headers))) => meaning(status, &headers),
            Ok(Err(problem)) => Try::Later(problem, None),
            Err(_) => Try::Later("no answer in time", None),
        }
    }

    /// Of the answer the head alone is read. Where it leads elsewhere, nobody follows.
    async fn exchange(&self, target: &Target, authorization: &str) -> Result<(StatusCode, HeaderMap), &'static str> {
        let addresses = resolve(target, self.allow_private).await?;
        let stream = TcpStream::connect(&addresses[..]).await.map_err(|_| "no connection")?;
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn Io> = match target.secure {
            true => {
                let tls = self.tls.get_or_init(trust).as_ref().ok_or("no TLS on this machine")?;
                Box::new(shake_hands(tls, &target.host, stream).await.map_err(|_| "no TLS with it")?)
            }
            false => Box::new(stream),
        };
        let request = Request::builder()
            .method(Method::POST)
            .uri(&target.path)
            .header(HOST, target.authority())
            .header(USER_AGENT, AGENT)
            .header(AUTHORIZATION, authorization)
            .header("ttl", KEPT)
            .header("topic", TOPIC)
            // The same for all: whether it is a mention is nothing that a push service should learn.
            .header("urgency", "normal")
            .header(CONTENT_LENGTH, 0)
            .body(Full::new(Bytes::new()))
            .map_err(|_| "this cannot be asked for")?;
        let (answer, _open) = ask(stream, request).await.map_err(|_| "no answer")?;
        Ok((answer.status(), answer.headers().clone()))
    }
}

/// RFC 8030, sections 5 and 8.4.
fn meaning(status: StatusCode, headers: &HeaderMap) -> Try {
    match status {
        status if status.is_success() => Try::Done(Outcome::Sent),
        StatusCode::NOT_FOUND | StatusCode::GONE => Try::Done(Outcome::Gone),
        StatusCode::TOO_MANY_REQUESTS => Try::Later("it is asked too often", wished_pause(headers)),
        status if status.is_server_error() => Try::Later("it has a problem of its own", wished_pause(headers)),
        status => {
            tracing::warn!(
                "a push service has refused a notification with {}. Some want a VAPID_SUBJECT that they can write to.",
                status.as_u16()
            );
            Try::Done(Outcome::Failed)
        }
    }
}

fn wished_pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn trust() -> Option<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(config.with_root_certificates(authorities()).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_hangs_takes_no_places_from_the_others() {
        let service = Service::new(false);
        let endpoint = |text: &str| Endpoint::try_from(text.to_owned()).unwrap();
        let slow = endpoint("https://slow.example.org/1");
        let held: Vec<_> = std::iter::from_fn(|| service.place(&slow)).collect();
        assert_eq!(held.len(), PLACES_OF_HOST);
        assert!(service.place(&endpoint("https://quick.example.org/1")).is_some());
        drop(held);
        assert!(service.place(&slow).is_some());
        assert!(service.place(&endpoint("https://127.0.0.1/1")).is_none());
        assert!(service.hosts.lock().unwrap().len() <= 2, "hosts are forgotten");
    }

    #[test]
    fn answers_mean_what_the_rfc_says() {
        let of = |status: u16, pause: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, pause.parse().unwrap())]);
            match meaning(StatusCode::from_u16(status).unwrap(), &headers) {
                Try::Done(outcome) => outcome.name().to_owned(),
                Try::Later(_, pause) => format!("later {:?}", pause.map(|pause| pause.as_secs())),
            }
        };
        assert_eq!([201, 202, 200].map(|status| of(status, "")), ["sent"; 3]);
        assert_eq!([404, 410].map(|status| of(status, "")), ["gone"; 2]);
        assert_eq!([301, 307, 400, 401, 403, 413].map(|status| of(status, "")), ["failed"; 6]);
        assert_eq!(of(429, "120"), "later Some(120)");
        assert_eq!(of(503, "soon"), "later None");
    }
}
