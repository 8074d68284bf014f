//! TLS: the certificate that the settings name, read again when its files change, and the handshake of each connection.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error as TlsError, ServerConfig};
use x509_cert::der::Decode;
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::transport::Transport;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How each TLS connection begins: a record of the handshake (RFC 8446, section 5.1).
const FIRST_BYTE: u8 = 22;
/// Bytes of plain HTTP that are read before the connection is closed on it.
const PLAIN_READ: u64 = 1 << 20;
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 50\r\nConnection: close\r\n\r\n\
    This port speaks TLS: write https:// (or wss://).\n";

/// The certificate in force, and where it comes from.
pub struct Tls {
    files: Arc<TlsFiles>,
    in_force: watch::Sender<Identity>,
    /// What was judged last.
    judged: Result<Pem, String>,
}

/// Makes TLS connections with the certificate that is in force then.
#[derive(Clone)]
pub struct Acceptor(watch::Receiver<Identity>);

/// A certificate with its key, ready for use.
#[derive(Clone)]
struct Identity {
    config: Arc<ServerConfig>,
    expires: DateTime<Utc>,
}

/// What the two files hold.
#[derive(PartialEq, Eq)]
struct Pem {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Tls {
    /// Reads certificate and key, or says what is wrong with them.
    pub fn load(files: TlsFiles) -> anyhow::Result<Self> {
        let pem = Pem::read(&files)?;
        let in_force = watch::Sender::new(pem.identity(&files)?);
        Ok(Self { files: Arc::new(files), in_force, judged: Ok(pem) })
    }

    pub fn acceptor(&self) -> Acceptor {
        Acceptor(self.in_force.subscribe())
    }

    /// Puts new certificates in force for the connections to come, and says when one is over. Never ends.
    pub async fn watch(mut self, now: impl Fn() -> DateTime<Utc>) {
        let mut said = None;
        let mut before = None;
        loop {
            let expires = self.in_force.borrow().expires;
            if expires <= now() && said.replace(expires) != Some(expires) {
                let file = self.files.certificate.display();
                tracing::warn!("the certificate in {file} expired on {expires}: browsers refuse it");
            }
            tokio::time::sleep(LOOK).await;
            let found = self.look().await;
            // One of the two files may be new and the other not yet: what two looks find alike is judged.
            if before.as_ref() == Some(&found) && found != self.judged {
                self.judge(&found);
                self.judged = found;
                before = None;
            } else {
                before = Some(found);
            }
        }
    }

    async fn look(&self) -> Result<Pem, String> {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || Pem::read(&files)).await;
        read.map_err(anyhow::Error::from).flatten().map_err(|error| format!("{error:#}"))
    }

    fn judge(&self, found: &Result<Pem, String>) {
        let identity = found.as_ref().map_err(|problem| anyhow!("{problem}"));
        match identity.and_then(|pem| pem.identity(&self.files)) {
            Ok(identity) => {
                let expires = identity.expires;
                self.in_force.send_replace(identity);
                tracing::info!("a new certificate is in force; it is good until {expires}");
            }
            Err(problem) => tracing::error!("the new certificate cannot be used, the old one stays: {problem:#}"),
        }
    }
}

impl Acceptor {
    /// Makes TLS of a connection within 10 s. Who speaks plain HTTP is told so.
    pub async fn handshake(&self, tcp: TcpStream) -> io::Result<Transport> {
        tokio::time::timeout(HANDSHAKE, self.shake_hands(tcp)).await?
    }

    async fn shake_hands(&self, mut tcp: TcpStream) -> io::Result<Transport> {
        let mut first = [0];
        if tcp.peek(&mut first).await? > 0 && first[0] != FIRST_BYTE {
            tcp.write_all(PLAIN_HTTP).await?;
            tcp.shutdown().await?;
            // What is not read would end the connection before the answer is there.
            tokio::io::copy(&mut tcp.take(PLAIN_READ), &mut tokio::io::sink()).await?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"));
        }
        let config = self.0.borrow().config.clone();
        let (tcp, session) = TlsAcceptor::from(config).accept(tcp).await?.into_inner();
        Ok(Transport::tls(tcp, session))
    }
}

impl Pem {
    fn read(files: &TlsFiles) -> anyhow::Result<Self> {
        let read = |path: &PathBuf, setting: &str| {
            std::fs::read(path).with_context(|| format!("cannot read {} ({setting})", path.display()))
        };
        let certificate = read(&files.certificate, "TLS_CERT")?;
        Ok(Self { certificate, key: Zeroizing::new(read(&files.key, "TLS_KEY")?) })
    }

    fn identity(&self, files: &TlsFiles) -> anyhow::Result<Identity> {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| anyhow!("{certificate} (TLS_CERT) is not PEM: {error}"))?;
        let first = chain.first().with_context(|| {
            format!("{certificate} (TLS_CERT) holds no certificate: it must have a line -----BEGIN CERTIFICATE-----")
        })?;
        let expires =
            expiry(first).with_context(|| format!("the certificate in {certificate} (TLS_CERT) is damaged"))?;
        // The parser's own error could show what is in the file.
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| {
            anyhow!("{key} (TLS_KEY) holds no private key in PEM, or one under a passphrase, which cannot be asked for")
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(|error| match error {
                TlsError::InconsistentKeys(_) => {
                    anyhow!("the key in {key} (TLS_KEY) does not belong to the certificate in {certificate} (TLS_CERT)")
                }
                error => anyhow!("{certificate} (TLS_CERT) with {key} (TLS_KEY) cannot be used: {error}"),
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Identity { config: Arc::new(config), expires })
    }
}

/// When a certificate ends (RFC 5280, section 4.1.2.5).
fn expiry(certificate: &CertificateDer<'_>) -> anyhow::Result<DateTime<Utc>> {
    let certificate = x509_cert::Certificate::from_der(certificate)?;
    Ok(certificate.tbs_certificate().validity().not_after.to_system_time().into())
}
