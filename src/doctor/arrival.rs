//! What the server sees of whoever comes through a proxy: the address, by which it limits and bans.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::Method;
use serde::Deserialize;

use super::Finding;
use super::address::Visit;
use crate::visitor::ForwardedFor;

const CHECK: &str = "client address";
const PATIENCE: Duration = Duration::from_secs(15);
/// Nobody's address (RFC 5737).
const CLAIM: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

/// The server's answer at `/api/connection`.
#[derive(Deserialize)]
pub struct Arrival {
    address: IpAddr,
    forwarded_for: ForwardedFor,
}

impl Arrival {
    /// Whether the server does not believe the proxy.
    pub fn is_ignored(&self) -> bool {
        self.forwarded_for == ForwardedFor::Ignored
    }
}

/// `None` where the server does not tell.
pub async fn ask(visit: &Visit<'_>, headers: &[(&'static str, &str)]) -> Option<Arrival> {
    let sent = visit.client.send(&visit.target, Method::GET, "/api/connection", headers, "", PATIENCE);
    serde_json::from_str(&sent.await.ok()?.body).ok()
}

/// Whether it is the client's own address, and no other that anybody claims.
pub async fn finding(visit: &Visit<'_>, arrival: Option<Arrival>) -> Finding {
    let Some(Arrival { address, forwarded_for }) = arrival else {
        return Finding::note(CHECK, "The server does not tell how requests reach it: is it of another version?");
    };
    let shared = "all people share the limits of one address, and a ban of one bans all";
    match forwarded_for {
        ForwardedFor::Ignored => Finding::problem(
            CHECK,
            format!("The proxy says who comes, but the server does not believe it: {shared}. In .env, then start it again:"),
        )
        .run(format!("TRUSTED_PROXIES={address}")),
        ForwardedFor::Absent if visit.setup.proxy.is_some() => {
            Finding::problem(CHECK, format!("The proxy passes no X-Forwarded-For: {shared}."))
                .lines(visit.setup.address())
        }
        // From the proxy's own machine everybody is believed.
        _ if !address.is_loopback() && believes_anybody(visit).await => Finding::problem(
            CHECK,
            format!("The server believes whatever {address} claims in X-Forwarded-For: limits and bans can be dodged. TRUSTED_PROXIES must name the proxies alone, none of the people."),
        )
        .lines(visit.setup.address()),
        _ => Finding::ok(CHECK, format!("the server sees {address}")),
    }
}

async fn believes_anybody(visit: &Visit<'_>) -> bool {
    let claim = CLAIM.to_string();
    let arrival = ask(visit, &[("x-forwarded-for", &claim)]).await;
    arrival.is_some_and(|arrival| arrival.address == CLAIM)
}
