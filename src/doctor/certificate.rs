//! Certificates: whom this machine trusts, and for how many days the server's one holds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::Finding;
use super::client::{Client, Target};
use crate::app::{Clock, SystemClock};
use crate::requests::{authorities, server_name};

const CHECK: &str = "certificate";
/// Those who renew by themselves have done it by then.
const SOON: u64 = 14;
/// No certificate of a public authority lives for longer.
const LONGEST: u64 = 398;
const DAY: Duration = Duration::from_secs(86_400);

/// The authorities of this machine, and what is done where they do not vouch for a server.
pub struct Trust {
    pub config: Arc<ClientConfig>,
    /// `None`: this machine has no authorities.
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl Trust {
    pub fn new(insecure: bool) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(authorities());
        let authorities = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build().ok();
        let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let config = match insecure {
            true => {
                config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth()
            }
            false => config.with_root_certificates(roots).with_no_client_auth(),
        };
        Ok(Self { config: Arc::new(config), authorities })
    }

    /// Whether the chain holds so long from now.
    fn holds(&self, target: &Target, chain: &[CertificateDer], after: Duration) -> anyhow::Result<()> {
        let authorities = self.authorities.as_ref().context("this machine has no list of authorities")?;
        let (own, between) = chain.split_first().context("the server shows no certificate")?;
        let now = Duration::from_secs(SystemClock.now().timestamp().unsigned_abs());
        let time = UnixTime::since_unix_epoch(now + after);
        authorities.verify_server_cert(own, between, &server_name(&target.host)?, &[], time)?;
        Ok(())
    }
}

/// `Err`: what keeps a browser away.
pub async fn check(client: &Client, target: &Target) -> Result<Finding, Finding> {
    let stream = match client.connect_tls(target).await {
        Ok(stream) => stream,
        Err(error) => return Err(Finding::problem(CHECK, format!("{error:#}.{}", advice(&error)))),
    };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    if let Err(error) = client.trust.holds(target, chain, Duration::ZERO) {
        return Ok(Finding::note(CHECK, format!("Browsers will warn: {error:#}. (--insecure goes on.)")));
    }
    let days: Vec<u64> = (1..=LONGEST).collect();
    let days = days.partition_point(|day| client.trust.holds(target, chain, DAY * *day as u32).is_ok()) as u64;
    Ok(match days {
        days if days < SOON => Finding::problem(CHECK, format!("It holds for {days} more days. Renew it.")),
        days => Finding::ok(CHECK, format!("holds for {days} more days")),
    })
}

fn advice(error: &anyhow::Error) -> &'static str {
    let invalid = error.chain().any(|cause| cause.to_string().contains("certificate"));
    if invalid { " Browsers refuse it too. To look further all the same: --insecure." } else { "" }
}

/// Takes any certificate: for those who ask for it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer,
        _: &[CertificateDer],
        _: &ServerName,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
