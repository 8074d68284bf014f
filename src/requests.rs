//! Requests to other servers: where they go, TLS with those whom this machine trusts, one exchange over a connection.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::anyhow;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An address that people open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub secure: bool,
    /// An IPv6 address in brackets.
    pub host: String,
    pub port: u16,
    pub path: String,
}

impl Target {
    pub fn of(secure: bool, address: IpAddr, port: u16) -> Self {
        let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
        Self { secure, host, port, path: "/".into() }
    }

    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// As a browser sends it in `Host`.
    pub fn authority(&self) -> String {
        let usual = if self.secure { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// As a browser sends it in `Origin` (RFC 6454, section 6.2).
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority())
    }

    /// Where a `Location` leads to.
    pub fn follow(&self, location: &str) -> anyhow::Result<Self> {
        match location.starts_with('/') && !location.starts_with("//") {
            true => Ok(Self { path: location.to_owned(), ..self.clone() }),
            false => location.parse().map_err(|problem| anyhow!("it leads to {location:?}, which {problem}")),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HELP: &str = "is no address such as https://chat.example.org";
        let uri: Uri = text.parse().map_err(|_| HELP.to_owned())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(HELP.into()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(HELP)?;
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { secure, host: authority.host().to_lowercase(), port, path })
    }
}

/// What bytes go over: TCP, or TLS.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The authorities of this machine.
pub fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The name that a certificate must be for.
pub fn server_name(host: &str) -> anyhow::Result<ServerName<'static>> {
    let host = host.trim_matches(['[', ']']).to_owned();
    ServerName::try_from(host.clone()).map_err(|_| anyhow!("{host} is no name that a certificate can be for"))
}

/// TLS over a connection that is there.
pub async fn shake_hands(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> anyhow::Result<TlsStream<TcpStream>> {
    Ok(TlsConnector::from(Arc::clone(config)).connect(server_name(host)?, stream).await?)
}

/// Closes a connection when nobody wants to read from it any more.
pub struct Open(AbortHandle);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One request over a connection. The answer's body is still to be read, while [`Open`] is held.
pub async fn ask(stream: Box<dyn Io>, request: Request<Full<Bytes>>) -> anyhow::Result<(Response<Incoming>, Open)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let open = Open(tokio::spawn(connection).abort_handle());
    Ok((sender.send_request(request).await?, open))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Result<String, String> {
        url.parse::<Target>().map(|target| target.origin())
    }

    #[test]
    fn an_origin_is_what_a_browser_makes_of_an_address() {
        assert_eq!(origin("https://Chat.example.org").unwrap(), "https://chat.example.org");
        assert_eq!(origin("https://chat.example.org:443/room?x=1").unwrap(), "https://chat.example.org");
        assert_eq!(origin("http://[::1]:5000/").unwrap(), "http://[::1]:5000");
    }

    #[test]
    fn what_no_browser_opens_as_a_page_is_no_address() {
        for text in
            ["chat.example.org", "ftp://chat.example.org", "https://ann:secret@chat.example.org", "https://", ""]
        {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_redirect_leads_to_a_path_or_to_another_origin() {
        let target: Target = "http://chat.example.org/a".parse().unwrap();
        assert_eq!(target.follow("/b").unwrap().path, "/b");
        assert_eq!(target.follow("https://chat.example.org/").unwrap().origin(), "https://chat.example.org");
        assert!(target.follow("mailto:ann@example.org").is_err());
    }
}
