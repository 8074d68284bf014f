//! The public address, as a browser goes through it.

use std::time::Duration;

use chrono::DateTime;
use http::Method;
use http::header::{CONTENT_TYPE, DATE, LOCATION, SET_COOKIE, STRICT_TRANSPORT_SECURITY};

use super::client::{Answer, Client, Failure, Socket, Target};
use super::proxy::{Proxy, Setup};
use super::{Finding, Options, arrival, certificate, machine, socket};
use crate::app::{Clock, SystemClock};
use crate::config::Config;

const PAGE: &str = "page";
const HTTPS: &str = "https";
/// Redirects that are followed.
const REDIRECTS: usize = 5;
/// How far two clocks may be apart: codes of a second factor change every 30 s.
const APART: i64 = 30;
/// What proxies let through by default at most, and a bit more. In bytes.
const UPLOAD: usize = 1_100_000;
const UPLOADING: Duration = Duration::from_secs(60);

/// One way through the address.
pub struct Visit<'a> {
    pub client: &'a Client,
    pub target: Target,
    pub setup: Setup,
    /// What the page sends with its requests, once it is known that the server takes it.
    pub origin: Option<String>,
    pub join_timeout: Option<Duration>,
    pub fast: bool,
}

impl Visit<'_> {
    pub async fn websocket(&self, query: &str) -> Result<Socket, Failure> {
        self.client.websocket(&self.target, query, self.origin.as_deref()).await
    }
}

/// Goes through it until something makes the rest pointless.
pub async fn check(config: &Config, options: &Options, target: Target, tell: &mut dyn FnMut(Finding)) {
    if let Err(finding) = walk(config, options, target, tell).await {
        tell(finding);
    }
}

async fn walk(
    config: &Config,
    options: &Options,
    target: Target,
    tell: &mut dyn FnMut(Finding),
) -> Result<(), Finding> {
    let client = Client::new(options.insecure).map_err(|error| Finding::problem(HTTPS, format!("{error:#}.")))?;
    let (target, page) = open_page(&client, target, tell).await?;
    let mut visit = Visit {
        setup: setup(config, Proxy::of(&page.headers)),
        client: &client,
        target,
        origin: None,
        join_timeout: config.socket_limits.map(|limits| limits.join_timeout),
        fast: options.fast,
    };
    if matches!(page.status, 502..=504) {
        let text = format!("The proxy is there, but no server behind it ({}): is it running, and where?", page.status);
        return Err(Finding::problem(PAGE, text).lines(visit.setup.pass()));
    }
    tell(page_finding(&page));
    tell(static_file(&visit, &page).await);
    tell(clock(&page));
    let arrival = arrival::ask(&visit, &[]).await;
    encryption(&visit, &page, arrival.as_ref()).await.into_iter().for_each(&mut *tell);
    tell(arrival::finding(&visit, arrival).await);
    socket::check(&mut visit, tell).await?;
    tell(uploads(&visit).await);
    Ok(())
}

fn setup(config: &Config, proxy: Option<Proxy>) -> Setup {
    let host = match config.host {
        host if host.is_loopback() || host.is_unspecified() => "127.0.0.1".to_owned(),
        host => host.to_string(),
    };
    let port = if config.port == 0 { 5000 } else { config.port };
    let silence = config.ping_interval + config.ping_timeout;
    Setup { proxy, upstream: format!("{host}:{port}"), silence, largest: config.max_attachment }
}

/// The page where the address leads to.
async fn open_page(
    client: &Client,
    mut target: Target,
    tell: &mut dyn FnMut(Finding),
) -> Result<(Target, Answer), Finding> {
    for _ in 0..REDIRECTS {
        if target.secure {
            tell(certificate::check(client, &target).await?);
        }
        let answer = client.get(&target, &target.path).await;
        let answer = answer
            .map_err(|error| Finding::problem(PAGE, format!("{} cannot be opened: {error:#}.", target.origin())))?;
        if !is_redirect(&answer) {
            return Ok((target, answer));
        }
        let next = target.follow(answer.header(LOCATION));
        let next =
            next.map_err(|error| Finding::problem(PAGE, format!("The address is a redirect, but {error:#}.")))?;
        tell(Finding::ok("redirect", format!("{} leads to {}{}", target.origin(), next.origin(), next.path)));
        target = next;
    }
    Err(Finding::problem(PAGE, format!("The address leads from one to the next, more than {REDIRECTS} times.")))
}

fn is_redirect(answer: &Answer) -> bool {
    matches!(answer.status, 301 | 302 | 303 | 307 | 308)
}

fn page_finding(page: &Answer) -> Finding {
    match page.status {
        200 if page.header(CONTENT_TYPE).starts_with("text/html") => {
            Finding::ok(PAGE, format!("comes, in {} ms", page.took.as_millis()))
        }
        200 => Finding::problem(PAGE, format!("What comes is no page but {:?}.", page.header(CONTENT_TYPE))),
        status => Finding::problem(PAGE, format!("The answer is {status} instead of the page.")),
    }
}

/// Browsers run no script that comes as something else.
async fn static_file(visit: &Visit<'_>, page: &Answer) -> Finding {
    const CHECK: &str = "static files";

    let Some(path) = first_static(&page.body) else {
        return Finding::note(CHECK, "The page names none of its own below /static/: not looked at.");
    };
    match visit.client.get(&visit.target, path).await {
        Err(error) => Finding::problem(CHECK, format!("{path} does not come: {error:#}.")),
        Ok(answer) if answer.status != 200 => {
            Finding::problem(CHECK, format!("The answer for {path} is {}.", answer.status)).lines(visit.setup.pass())
        }
        Ok(answer) => {
            let kind = answer.header(CONTENT_TYPE);
            let ending = path.rsplit('.').next().unwrap_or_default();
            let wanted = if ending == "css" { "text/css" } else { "javascript" };
            match kind.contains(wanted) {
                true => Finding::ok(CHECK, format!("{path} is {kind}")),
                false => Finding::problem(CHECK, format!("{path} comes as {kind:?}, which browsers refuse."))
                    .lines(visit.setup.pass()),
            }
        }
    }
}

/// The first script or style sheet of the page.
fn first_static(html: &str) -> Option<&str> {
    let places = html.match_indices("\"/static/").chain(html.match_indices("'/static/"));
    let paths = places.filter_map(|(at, _)| html[at + 1..].split(['"', '\'', '?']).next());
    paths.into_iter().find(|path| path.ends_with(".js") || path.ends_with(".css"))
}

fn clock(page: &Answer) -> Finding {
    const CHECK: &str = "clocks";

    let Ok(date) = DateTime::parse_from_rfc2822(page.header(DATE)) else {
        return Finding::note(CHECK, "The answer has no Date.");
    };
    let difference = SystemClock.now().timestamp() - date.timestamp();
    match difference.abs() > APART {
        true => Finding::problem(
            CHECK,
            format!("This machine's clock is {difference:+} s off from the one at the address. Let both follow NTP."),
        ),
        false => Finding::ok(CHECK, "this machine and the one at the address agree"),
    }
}

/// Cookies for HTTPS alone, and no way around HTTPS.
async fn encryption(visit: &Visit<'_>, page: &Answer, arrival: Option<&arrival::Arrival>) -> Vec<Finding> {
    if !visit.target.secure {
        let own =
            visit.target.host == "localhost" || visit.target.host.starts_with("127.") || visit.target.host == "[::1]";
        let cause = format!("{} is plain HTTP.", visit.target.origin());
        return if own { Vec::new() } else { vec![machine::plain_http(&cause)] };
    }
    let mut findings = vec![cookies(visit, page, arrival)];
    if !page.headers.contains_key(STRICT_TRANSPORT_SECURITY) {
        let text = "Browsers try plain HTTP first where somebody types the address: no Strict-Transport-Security.";
        findings.push(Finding::note(HTTPS, text).lines(visit.setup.hsts()));
    }
    if visit.target.port == 443 {
        let plain = Target { secure: false, port: 80, path: "/".into(), ..visit.target.clone() };
        if let Ok(answer) = visit.client.get(&plain, "/").await
            && answer.status == 200
        {
            findings.push(Finding::note(HTTPS, format!("{} answers too, without a redirect.", plain.origin())));
        }
    }
    findings
}

fn cookies(visit: &Visit, page: &Answer, arrival: Option<&arrival::Arrival>) -> Finding {
    const CHECK: &str = "cookies";

    let lines = page.headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let is_secure = |line: &str| line.split(';').any(|part| part.trim().eq_ignore_ascii_case("secure"));
    if lines.into_iter().all(is_secure) {
        return Finding::ok(CHECK, "go over HTTPS alone");
    }
    // Then the proxy is not believed at all, and that is told with the address of the client.
    let is_ignored = arrival.is_some_and(|arrival| arrival.is_ignored());
    let text = "The server does not know that people come over HTTPS: its cookies go over plain HTTP as well.";
    match is_ignored {
        true => Finding::problem(CHECK, format!("{text} TRUSTED_PROXIES must name the proxy.")),
        false => Finding::problem(CHECK, text).lines(visit.setup.scheme()),
    }
}

/// As if to attach a file, which nobody may who has not come in: so nothing is stored.
async fn uploads(visit: &Visit<'_>) -> Finding {
    const CHECK: &str = "uploads";
    const PATH: &str = "/api/rooms/public/attachments?name=doctor";

    let headers = [(CONTENT_TYPE.as_str(), "application/octet-stream")];
    let sent = visit.client.send(&visit.target, Method::POST, PATH, &headers, vec![0; UPLOAD], UPLOADING).await;
    let size = format!("{:.1} MB", UPLOAD as f64 / 1e6);
    match sent.map(|answer| (answer.status, is_json(&answer.body))) {
        Ok((413, false)) => {
            let text =
                format!("The proxy refuses a file of {size} (413): people cannot attach what the server would take.");
            Finding::problem(CHECK, text).lines(visit.setup.uploads())
        }
        // The server refuses without reading the file; some proxies, which have let it through, make 502 of that.
        Ok((_, true) | (502, _)) => Finding::ok(CHECK, format!("files of {size} reach the server")),
        Ok((status, false)) => Finding::note(CHECK, format!("The proxy answers a file of {size} by {status}.")),
        Err(error) => Finding::note(CHECK, format!("A file of {size} breaks off: {error:#}.")),
    }
}

/// As the server itself answers a call.
fn is_json(body: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(body).is_ok_and(|value| value.is_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_script_of_a_page_is_found() {
        let html = r#"<link href="/static/a.png"><link href='/static/style.css?v=1'><script src="/static/app.js">"#;
        assert_eq!(first_static(html), Some("/static/app.js"));
        assert_eq!(first_static("<p>\"/static/"), None);
    }
}
