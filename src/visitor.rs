//! Who a request comes from, before anybody knows their name: address, origin, and the secrets that the browser shows.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Once;

use axum::extract::ConnectInfo;
use axum::extract::Request;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{AllowedOrigins, Config};
use crate::listener::Peer;
use crate::types::Token;

/// The cookie of a login.
pub const SESSION_COOKIE: &str = "secure_chat_session";
/// The cookie of a browser in which somebody has logged in.
pub const DEVICE_COOKIE: &str = "secure_chat_device";
/// The cookie that comes with the page.
pub const BROWSER_COOKIE: &str = "secure_chat_browser";
/// Longest description of a browser that is kept, in characters.
const USER_AGENT_LENGTH: usize = 200;

/// What a request says of its sender. Small: a connection keeps it for as long as it lives.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub address: IpAddr,
    /// From the session's cookie, or from `Authorization: Bearer`.
    pub token: Option<Token>,
    /// Whether the token came by itself, as cookies do: then a foreign page may have sent the request.
    pub by_cookie: bool,
    pub device: Option<Token>,
    /// By which a browser is known that loaded the page, whoever uses it.
    pub browser: Option<Token>,
    pub user_agent: String,
    /// Whether the browser speaks TLS, to us or to a trusted proxy.
    pub secure: bool,
    pub forwarded_for: ForwardedFor,
}

/// What a request says in `X-Forwarded-For`, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForwardedFor {
    /// It says nothing.
    Absent,
    /// It came from nobody whom `TRUSTED_PROXIES` names, or is no list of addresses.
    Ignored,
    Believed,
}

impl Visitor {
    pub fn of(config: &Config, request: &Request) -> Self {
        Self::from_headers(config, peer_address(request), is_tls(request), request.headers())
    }

    fn from_headers(config: &Config, peer: IpAddr, is_tls: bool, headers: &HeaderMap) -> Self {
        let trusted = is_trusted(config, peer);
        if !trusted && headers.contains_key(FORWARDED_FOR) {
            WARN_ONCE.call_once(|| {
                tracing::warn!("requests come with X-Forwarded-For from {peer}, which TRUSTED_PROXIES does not name: if that is your proxy, set it, or all people share the limits of one address");
            });
        }
        let forwarded = if trusted { forwarded_for(config, headers) } else { None };
        let bearer = text(headers.get(AUTHORIZATION)).strip_prefix("Bearer ").and_then(token);
        let cookie = cookie(headers, SESSION_COOKIE);
        Self {
            address: forwarded.unwrap_or(peer),
            by_cookie: bearer.is_none() && cookie.is_some(),
            token: bearer.or(cookie),
            device: self::cookie(headers, DEVICE_COOKIE),
            browser: self::cookie(headers, BROWSER_COOKIE),
            user_agent: text(headers.get(USER_AGENT)).chars().take(USER_AGENT_LENGTH).collect(),
            secure: match headers.get(FORWARDED_PROTO).filter(|_| trusted) {
                Some(scheme) => first(text(Some(scheme))) == "https",
                None => is_tls,
            },
            forwarded_for: match forwarded {
                Some(_) => ForwardedFor::Believed,
                None if headers.contains_key(FORWARDED_FOR) => ForwardedFor::Ignored,
                None => ForwardedFor::Absent,
            },
        }
    }
}

/// Said once: anybody could fill the log otherwise.
static WARN_ONCE: Once = Once::new();

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";

fn is_trusted(config: &Config, address: IpAddr) -> bool {
    let address = address.to_canonical();
    config.trusted_proxies.iter().any(|network| network.contains(&address))
}

/// The nearest address that is none of our proxies': each proxy appends whom it heard it from, and whatever stands before
/// the first one of ours anybody may have written.
fn forwarded_for(config: &Config, headers: &HeaderMap) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().map(|line| text(Some(line))).collect();
    let mut nearest = None;
    for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
        let address: IpAddr = hop.trim().parse().ok()?;
        nearest = Some(address);
        if !is_trusted(config, address) {
            break;
        }
    }
    nearest
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<Token> {
    cookie_text(headers, name).and_then(token)
}

/// A cookie as it came.
pub fn cookie_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines.flat_map(|line| text(Some(line)).split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn token(text: &str) -> Option<Token> {
    Token::try_from(text.to_owned()).ok()
}

fn text(value: Option<&HeaderValue>) -> &str {
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether one of the proxies that the settings name has sent it to us.
pub fn is_from_trusted_proxy(config: &Config, request: &Request) -> bool {
    is_trusted(config, peer_address(request))
}

fn peer_address(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.addr.ip())
}

/// Whether TLS ends here.
fn is_tls(request: &Request) -> bool {
    request.extensions().get().is_some_and(|ConnectInfo(peer): &ConnectInfo<Peer>| peer.is_tls)
}

/// Whether the page that sent this may talk to us; what no page sent may. Our own origin is what the browser's address
/// bar shows: the Host header, or what a proxy says that it was.
pub fn origin_is_allowed(allowed: &AllowedOrigins, request: &Request) -> bool {
    let (headers, is_tls) = (request.headers(), is_tls(request));
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let listed = match allowed {
        AllowedOrigins::Any => return true,
        AllowedOrigins::List(origins) => origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)),
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(first);
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let scheme = header(FORWARDED_PROTO).unwrap_or(if is_tls { "https" } else { "http" });
    let own = [host, header(FORWARDED_HOST)].into_iter().flatten().map(|host| format!("{scheme}://{host}"));
    // Where TLS ends here, a page of this host without it is nobody's but an attacker's on the way.
    let plain = host.filter(|_| !is_tls).map(|host| format!("http://{host}"));
    listed || own.chain(plain).any(|own| own.eq_ignore_ascii_case(origin))
}

/// Of a list that several proxies wrote, what the first one saw.
fn first(value: &str) -> &str {
    value.split(',').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn visitor(proxies: &str, peer: &str, headers: &[(&'static str, &str)]) -> Visitor {
        let environment = HashMap::from([("TRUSTED_PROXIES".to_string(), proxies.to_string())]);
        let config = Config::from_sources(HashMap::new(), environment, HashMap::new()).unwrap();
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Visitor::from_headers(&config, peer.parse().unwrap(), false, &headers)
    }

    fn address(proxies: &str, peer: &str, forwarded: &str) -> String {
        visitor(proxies, peer, &[(FORWARDED_FOR, forwarded)]).address.to_string()
    }

    #[test]
    fn a_forwarded_address_counts_from_trusted_proxies_alone() {
        assert_eq!(address("", "127.0.0.1", "203.0.113.9"), "127.0.0.1", "nobody is trusted unless named");
        assert_eq!(address("127.0.0.1", "127.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(address("127.0.0.1", "198.51.100.7", "203.0.113.9"), "198.51.100.7", "a stranger's claim");
        assert_eq!(
            address("127.0.0.1", "127.0.0.1", "192.0.2.1, 203.0.113.9"),
            "203.0.113.9",
            "the sender's own claim"
        );
        assert_eq!(address("127.0.0.1,10.0.0.0/8", "127.0.0.1", "203.0.113.9, 10.1.2.3"), "203.0.113.9");
        assert_eq!(address("127.0.0.1", "127.0.0.1", "nonsense"), "127.0.0.1");
        assert_eq!(address("127.0.0.1", "::ffff:127.0.0.1", "203.0.113.9"), "203.0.113.9");
    }

    #[test]
    fn a_token_comes_as_cookie_or_as_header() {
        let visit = visitor("", "192.0.2.1", &[("cookie", "a=b; secure_chat_session=abc; c=d")]);
        assert_eq!((visit.token.unwrap().as_str(), visit.by_cookie), ("abc", true));
        let headers = [("cookie", "secure_chat_session=abc"), ("authorization", "Bearer xyz")];
        let visit = visitor("", "192.0.2.1", &headers);
        assert_eq!((visit.token.unwrap().as_str(), visit.by_cookie), ("xyz", false));
    }
}
