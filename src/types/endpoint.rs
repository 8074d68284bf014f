//! Where a browser's push service takes messages for it: an address that a client has given.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest address, in bytes.
const LONGEST: usize = 2_048;

/// `https://…`, without a name or a password before the host. Who knows it can make the browser wake up: it is in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("maxLength" = LONGEST, "format" = "uri"))]
pub struct Endpoint(String);

impl Endpoint {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it could be a push service out on the internet, as far as its address tells. What its name leads to is looked
    /// at when something is sent.
    pub fn may_be_public(&self) -> Result<(), &'static str> {
        let uri: Uri = self.0.parse().map_err(|_| HELP)?;
        let host = uri.host().unwrap_or_default().trim_end_matches('.').to_lowercase();
        let last = host.rsplit('.').next().unwrap_or_default();
        // Resolvers take 2130706433, 0x7f.1 and 127.1 for addresses, too.
        let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        if is_number || host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            return Err("must have the name of a host: no push service of a browser has a bare IP address");
        }
        if !host.contains('.') || last == "localhost" {
            return Err("must be at a push service on the internet");
        }
        match uri.scheme_str() {
            Some("https") => Ok(()),
            _ => Err("must begin with https://"),
        }
    }
}

const HELP: &str = "must be the address of a push service, as the browser gives it";

impl TryFrom<String> for Endpoint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() > LONGEST {
            return Err("must have at most 2048 bytes");
        }
        let uri: Uri = text.parse().map_err(|_| HELP)?;
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
        if !is_web || authority.is_empty() || text.contains('#') {
            return Err(HELP);
        }
        if authority.contains('@') {
            return Err("must have no name or password before the host");
        }
        Ok(Self(text))
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.0
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(text: &str) -> bool {
        Endpoint::try_from(text.to_owned()).is_ok_and(|endpoint| endpoint.may_be_public().is_ok())
    }

    #[test]
    fn push_services_of_browsers_are_taken() {
        for good in [
            "https://fcm.googleapis.com/fcm/send/abc:def-_",
            "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
            "https://web.push.apple.com/QGuQyavXutnMH",
            "https://wns2-par02p.notify.windows.com/w/?token=BQYA%2b",
            "https://push.example.org:8443/1",
        ] {
            assert!(accepted(good), "{good}");
        }
    }

    #[test]
    fn what_leads_into_a_private_network_is_refused() {
        for bad in [
            "http://push.example.org/1",
            "ftp://push.example.org/1",
            "https://ann:secret@push.example.org/1",
            "https://push.example.org@127.0.0.1/1",
            "https://127.0.0.1/1",
            "https://[::1]/1",
            "https://[::ffff:10.0.0.1]/1",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://127.1/",
            "https://10.0.0.1./",
            "https://localhost/",
            "https://redis:6379/",
            "https://a.localhost/",
            "https://push.example.org/#1",
            "https:///1",
            "/1",
            "",
        ] {
            assert!(!accepted(bad), "{bad}");
        }
        let long = format!("https://push.example.org/{}", "x".repeat(LONGEST));
        assert!(!accepted(&long));
        let endpoint = Endpoint::try_from("https://push.example.org/secret".to_owned()).unwrap();
        assert!(!format!("{endpoint:?}").contains("secret"));
    }
}
