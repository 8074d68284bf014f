//! TLS without a proxy: the page and its socket work over it, certificates change while people talk, nobody holds it up.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::{Client, ok};
use crate::http::exchange;
use crate::server::{Server, run};

type Certificate = CertifiedKey<KeyPair>;

fn certificate() -> Certificate {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

fn expired_certificate() -> Certificate {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2019, 1, 1);
    parameters.not_after = date_time_ymd(2020, 2, 3);
    let signing_key = KeyPair::generate().unwrap();
    Certificate { cert: parameters.self_signed(&signing_key).unwrap(), signing_key }
}

/// A folder with a certificate and its key, apart from the server's own.
struct Files(TempDir);

impl Files {
    fn with(certificate: &Certificate) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.put(certificate);
        files
    }

    fn put(&self, certificate: &Certificate) {
        fs::write(self.path("cert.pem"), certificate.cert.pem()).unwrap();
        fs::write(self.path("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn serve(&self, more: &[(&str, &str)]) -> Server {
        let (certificate, key) = (self.path("cert.pem"), self.path("key.pem"));
        Server::start_with(&[&[("TLS_CERT", &*certificate), ("TLS_KEY", &*key)], more].concat())
    }
}

/// A connection of somebody who trusts this certificate alone.
async fn connect(server: &Server, trusted: &Certificate) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tcp = TcpStream::connect(&server.addr).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), tcp).await
}

async fn open(server: &Server, trusted: &Certificate, origin: &str) -> Result<Client, String> {
    let wire = connect(server, trusted).await.unwrap();
    Client::open_over(Box::new(wire), "localhost", &[("origin", origin)]).await
}

async fn join(server: &Server, trusted: &Certificate, name: &str) -> Client {
    let mut client = open(server, trusted, "https://localhost").await.unwrap();
    client.come_in().await;
    client.emit("join_chat", json!({ "username": name })).await;
    client.expect("chat_joined").await;
    client
}

/// The head of the page over TLS.
async fn page(server: &Server, trusted: &Certificate) -> String {
    let wire = connect(server, trusted).await.unwrap();
    assert_eq!(wire.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    exchange(wire, "localhost", "GET", "/", &[], &[]).await.0
}

#[tokio::test]
async fn page_and_socket_work_over_tls() {
    let certificate = certificate();
    let server = Files::with(&certificate).serve(&[]);
    assert!(server.greeting.contains("https://localhost:"), "the owner's link: {}", server.greeting);
    let head = page(&server, &certificate).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("; Secure"), "cookies go over TLS alone: {head}");
    assert!(!head.to_lowercase().contains("strict-transport-security"), "nobody asked for it: {head}");

    let mut ann = join(&server, &certificate, "ann").await;
    let mut bob = join(&server, &certificate, "bob").await;
    let long = "long ".repeat(1_900);
    for text in ["hi", &long] {
        let ack = ok(&mut ann, "send_public_message", json!({ "message": text })).await;
        let heard = bob.skip_to("new_message").await;
        assert_eq!((&heard["message"], &heard["id"]), (&json!(text), &ack["id"]));
    }
    let refused = open(&server, &certificate, "http://localhost").await.unwrap_err();
    assert!(refused.contains("400"), "a page of the same name without TLS is another's: {refused}");
}

#[tokio::test]
async fn the_server_asks_through_tls_what_has_arrived() {
    let certificate = certificate();
    let server = Files::with(&certificate).serve(&[]);
    let mut ann = join(&server, &certificate, "ann").await;
    let mut bob = join(&server, &certificate, "bob").await;
    let ack = ok(&mut ann, "send_public_message", json!({ "message": "hi" })).await;
    let id: uuid::Uuid = ack["id"].as_str().unwrap().parse().unwrap();
    while bob.ping().await != id.as_bytes() {}
}

#[tokio::test]
async fn a_new_certificate_is_used_by_new_connections_and_the_open_ones_go_on() {
    let (first, second) = (certificate(), certificate());
    let files = Files::with(&first);
    let mut server = files.serve(&[]);
    let mut ann = join(&server, &first, "ann").await;
    files.put(&second);
    server.logs("a new certificate is in force");
    let mut bob = join(&server, &second, "bob").await;
    assert!(connect(&server, &first).await.is_err(), "the old one is no longer shown");
    ok(&mut bob, "send_public_message", json!({ "message": "new" })).await;
    assert_eq!(ann.skip_to("new_message").await["message"], "new");
    ok(&mut ann, "send_public_message", json!({ "message": "old" })).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_certificate_as_it_was() {
    let (first, second) = (certificate(), certificate());
    let files = Files::with(&first);
    let mut server = files.serve(&[]);
    fs::write(files.path("key.pem"), "not a key").unwrap();
    let line = server.logs("the old one stays");
    assert!(line.contains("holds no private key") && !line.contains("not a key"), "{line}");
    fs::remove_file(files.path("cert.pem")).unwrap();
    assert!(server.logs("the old one stays").contains("cannot read"));
    assert!(page(&server, &first).await.starts_with("HTTP/1.1 200"));
    files.put(&second);
    server.logs("a new certificate is in force");
    assert!(page(&server, &second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_does_not_finish_the_handshake_holds_up_nobody() {
    let certificate = certificate();
    let server = Files::with(&certificate).serve(&[]);
    let mut silent = Vec::new();
    for number in 0..50 {
        let mut tcp = TcpStream::connect(&server.addr).await.unwrap();
        // Nothing at all, or the head of a record that never comes.
        tcp.write_all(&[0x16, 3, 1, 2, 0][..number % 6]).await.unwrap();
        silent.push(tcp);
    }
    assert!(page(&server, &certificate).await.starts_with("HTTP/1.1 200"));
    // And they are not waited for for ever.
    for mut tcp in silent {
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    }
}

#[tokio::test]
async fn plain_http_is_told_that_this_is_tls() {
    let server = Files::with(&certificate()).serve(&[]);
    let mut tcp = TcpStream::connect(&server.addr).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("write https:// (or wss://).\n"), "{answer}");
}

#[tokio::test]
async fn browsers_are_told_to_insist_where_that_is_asked_for() {
    let certificate = certificate();
    let server = Files::with(&certificate).serve(&[("HSTS_MAX_AGE", "3600")]);
    let head = page(&server, &certificate).await.to_lowercase();
    assert!(head.contains("strict-transport-security: max-age=3600\r\n"), "{head}");
}

#[tokio::test]
async fn an_expired_certificate_is_served_with_a_warning() {
    let mut server = Files::with(&expired_certificate()).serve(&[]);
    let line = server.logs("expired on");
    assert!(line.contains("WARN") && line.contains("2020-02-03"), "{line}");
}

#[tokio::test]
async fn the_program_tells_whether_its_server_answers() {
    for server in [Server::start(), Files::with(&certificate()).serve(&[])] {
        let port = server.addr.rsplit_once(':').unwrap().1.to_owned();
        let ask = |host: &str| server.command(&["health", "--port", &port, "--host", host], "").code;
        assert_eq!((ask("127.0.0.1"), ask("0.0.0.0")), (0, 0));
        let (_, folder) = server.stop();
        let ended = run(folder.path(), &["health", "--port", &port], &[]);
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains("no server answers at 127.0.0.1"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_wrong_with_certificate_and_key_is_said_before_anything_is_made() {
    let (one, other) = (certificate(), certificate());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("cert"), one.cert.pem()).unwrap();
    fs::write(path("key"), one.signing_key.serialize_pem()).unwrap();
    fs::write(path("other"), other.signing_key.serialize_pem()).unwrap();
    fs::write(path("damaged"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for (certificate, key, problem) in [
        ("cert", "", "TLS_KEY (from the default): TLS_CERT is set"),
        ("", "key", "TLS_CERT (from the default): TLS_KEY is set"),
        ("nowhere", "key", "(TLS_CERT): No such file"),
        ("key", "key", "(TLS_CERT) holds no certificate"),
        ("damaged", "key", "(TLS_CERT) is damaged"),
        ("cert", "cert", "(TLS_KEY) holds no private key"),
        ("cert", "other", "does not belong to the certificate"),
    ] {
        let given = |name: &str| if name.is_empty() { String::new() } else { path(name) };
        let ended = run(folder.path(), &[], &[("TLS_CERT", &given(certificate)), ("TLS_KEY", &given(key))]);
        assert_eq!(ended.code, 2, "{certificate} {key}: {}", ended.stderr);
        assert!(ended.stderr.contains(problem) && ended.stderr.lines().count() == 1, "{problem}: {}", ended.stderr);
    }
    assert!(!folder.path().join("chat_app.db").exists());
}

#[tokio::test]
async fn what_plain_http_costs_is_said_where_others_can_listen() {
    let mut server = Server::start_with(&[("HOST", "0.0.0.0")]);
    server.logs("speaks plain HTTP on 0.0.0.0");
    for quiet in [("TRUSTED_PROXIES", "10.0.0.1"), ("HOST", "127.0.0.1")] {
        let log = Server::start_with(&[("HOST", "0.0.0.0"), quiet]).stop_for_log();
        assert!(!log.contains("plain HTTP"), "{quiet:?}: {log}");
    }
    tokio::time::timeout(Duration::from_secs(30), Client::join(&server, "ann")).await.unwrap();
}

#[tokio::test]
async fn what_is_large_comes_whole() {
    let certificate = certificate();
    let statics = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(statics.path().join("large.bin"), &content).unwrap();
    let server = Files::with(&certificate).serve(&[("STATIC_DIR", statics.path().to_str().unwrap())]);
    let wire = connect(&server, &certificate).await.unwrap();
    let (_, body) = exchange(wire, "localhost", "GET", "/static/large.bin", &[], &[]).await;
    assert!(body == content, "{} bytes of {}", body.len(), content.len());
}
