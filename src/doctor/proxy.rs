//! Proxies: how each is recognized, and the lines by which it lets through what the server needs.

use std::time::Duration;

use http::HeaderMap;
use http::header::{SERVER, VIA};
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Proxy {
    Nginx,
    Caddy,
    Apache,
    Unknown,
}

impl Proxy {
    /// Whose mark an answer bears; `None`: none at all, as the server's own.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let marks = [VIA, SERVER].into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
        let marks = marks.collect::<Vec<_>>().join(" ").to_lowercase();
        let known =
            [("caddy", Self::Caddy), ("nginx", Self::Nginx), ("openresty", Self::Nginx), ("apache", Self::Apache)];
        match known.into_iter().find(|(mark, _)| marks.contains(mark)) {
            Some((_, proxy)) => Some(proxy),
            None if marks.is_empty() => None,
            None => Some(Self::Unknown),
        }
    }
}

/// The lines for each proxy.
#[derive(Clone, Debug, Serialize)]
pub struct ProxyLines {
    pub nginx: Vec<String>,
    pub caddy: Vec<String>,
    pub apache: Vec<String>,
    /// Which of them it is, as far as can be told.
    #[serde(skip)]
    pub proxy: Option<Proxy>,
}

impl ProxyLines {
    /// Name and lines of the proxy at hand, or of all.
    pub fn shown(&self) -> Vec<(&'static str, &[String])> {
        let all = [
            (Proxy::Nginx, "nginx", &self.nginx),
            (Proxy::Caddy, "Caddy", &self.caddy),
            (Proxy::Apache, "Apache", &self.apache),
        ];
        let known = self.proxy.filter(|proxy| *proxy != Proxy::Unknown);
        let shown = all.into_iter().filter(|(proxy, ..)| known.is_none_or(|known| known == *proxy));
        shown.map(|(_, name, lines)| (name, lines.as_slice())).collect()
    }
}

/// What the lines depend on.
pub struct Setup {
    pub proxy: Option<Proxy>,
    /// Host and port of the server, as the proxy sees it.
    pub upstream: String,
    /// How long a connection may be silent.
    pub silence: Duration,
    /// Largest file that can be attached, in bytes.
    pub largest: u64,
}

impl Setup {
    /// To the server at all.
    pub fn pass(&self) -> ProxyLines {
        let Self { upstream, .. } = self;
        self.lines(
            &[&format!("location / {{ proxy_pass http://{upstream}; }}")],
            &[&format!("reverse_proxy {upstream}")],
            &[&format!("ProxyPass / http://{upstream}/ upgrade=websocket")],
        )
    }

    /// Requests to become websockets.
    pub fn upgrade(&self) -> ProxyLines {
        let Self { upstream, .. } = self;
        self.lines(
            &[
                "proxy_http_version 1.1;",
                "proxy_set_header Upgrade $http_upgrade;",
                "proxy_set_header Connection \"upgrade\";",
            ],
            &[&format!("reverse_proxy {upstream}    # does it by itself: remove header_up Upgrade and Connection")],
            &["# a2enmod proxy_http proxy_wstunnel", &format!("ProxyPass / http://{upstream}/ upgrade=websocket")],
        )
    }

    /// The address that people typed.
    pub fn host(&self) -> ProxyLines {
        self.lines(
            &["proxy_set_header Host $http_host;"],
            &["# Caddy does it by itself: remove header_up Host"],
            &["ProxyPreserveHost On"],
        )
    }

    /// That people come over HTTPS.
    pub fn scheme(&self) -> ProxyLines {
        self.lines(
            &["proxy_set_header X-Forwarded-Proto $scheme;"],
            &["# Caddy does it by itself: remove header_up X-Forwarded-Proto"],
            &["# a2enmod headers", "RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}"],
        )
    }

    /// Who people are.
    pub fn address(&self) -> ProxyLines {
        self.lines(
            &["proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"],
            &["# Caddy does it by itself: remove header_up X-Forwarded-For"],
            &["ProxyAddHeaders On"],
        )
    }

    /// Connections that are silent between two pings.
    pub fn timeouts(&self) -> ProxyLines {
        let (upstream, seconds) = (&self.upstream, self.silence.as_secs());
        self.lines(
            &[&format!("proxy_read_timeout {seconds}s;"), &format!("proxy_send_timeout {seconds}s;")],
            &[
                &format!("reverse_proxy {upstream} {{"),
                "    transport http {",
                &format!("        read_timeout {seconds}s"),
                &format!("        response_header_timeout {seconds}s"),
                "    }",
                "}",
            ],
            &[&format!("ProxyPass / http://{upstream}/ upgrade=websocket timeout={seconds}")],
        )
    }

    /// Answers as soon as there is one.
    pub fn buffering(&self) -> ProxyLines {
        let Self { upstream, .. } = self;
        self.lines(
            &["proxy_buffering off;"],
            &[&format!("reverse_proxy {upstream} {{"), "    flush_interval -1", "}"],
            &[&format!("ProxyPass / http://{upstream}/ upgrade=websocket flushpackets=on")],
        )
    }

    /// Files as large as the server takes them.
    pub fn uploads(&self) -> ProxyLines {
        let megabytes = self.largest.div_ceil(1 << 20).max(2);
        self.lines(
            &[&format!("client_max_body_size {megabytes}m;")],
            &["request_body {", &format!("    max_size {megabytes}MiB"), "}"],
            &[&format!("LimitRequestBody {}", megabytes << 20)],
        )
    }

    /// All requests of a session to the same one of several servers.
    pub fn same_server(&self) -> ProxyLines {
        let Self { upstream, .. } = self;
        self.lines(
            &["upstream secure_chat {", "    ip_hash;", &format!("    server {upstream};    # and the others"), "}"],
            &[&format!("reverse_proxy {upstream} other:5000 {{"), "    lb_policy cookie", "}"],
            &[
                "# a2enmod headers proxy_balancer lbmethod_byrequests",
                "Header add Set-Cookie \"ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/\" env=BALANCER_ROUTE_CHANGED",
                "<Proxy balancer://secure_chat>",
                &format!("    BalancerMember http://{upstream} route=1"),
                "    ProxySet stickysession=ROUTEID",
                "</Proxy>",
                "ProxyPass / balancer://secure_chat/ upgrade=websocket",
            ],
        )
    }

    /// Browsers to come over HTTPS alone from now on.
    pub fn hsts(&self) -> ProxyLines {
        self.lines(
            &["add_header Strict-Transport-Security \"max-age=31536000\" always;"],
            &["header Strict-Transport-Security \"max-age=31536000\""],
            &["# a2enmod headers", "Header always set Strict-Transport-Security \"max-age=31536000\""],
        )
    }

    fn lines(&self, nginx: &[&str], caddy: &[&str], apache: &[&str]) -> ProxyLines {
        let owned = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect();
        ProxyLines { nginx: owned(nginx), caddy: owned(caddy), apache: owned(apache), proxy: self.proxy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_known_by_what_it_says_of_itself() {
        let of = |name: &'static str, value: &str| {
            Proxy::of(&HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]))
        };
        assert_eq!(of("server", "nginx/1.22.1"), Some(Proxy::Nginx));
        assert_eq!(of("server", "Apache/2.4.71 (Debian)"), Some(Proxy::Apache));
        assert_eq!(of("via", "1.1 Caddy"), Some(Proxy::Caddy));
        assert_eq!(of("server", "cloudflare"), Some(Proxy::Unknown));
        assert_eq!(of("date", "today"), None);
    }
}
