//! What the operator sees: metrics on a listener of their own, the dashboard over them, and requests by their ids.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, ok};
use crate::http::{ask, exchange, send};
use crate::server::Server;

/// A server with metrics, and where they are.
fn measured() -> (Server, String) {
    let settings = [("METRICS_ADDR", "127.0.0.1:0"), ("RATELIMIT_ENABLED", "true"), ("RATELIMIT_MESSAGES", "1/h")];
    let server = Server::start_with(&settings);
    let addr = metrics_addr(&server);
    (server, addr)
}

/// Where a server says that its metrics are.
pub fn metrics_addr(server: &Server) -> String {
    let line = server.greeting.lines().find_map(|line| line.strip_prefix("Metrics are at http://"));
    line.unwrap().strip_suffix("/metrics").unwrap().to_owned()
}

pub async fn get(addr: &str, path: &str) -> (String, String) {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (head, body) = exchange(stream, addr, "GET", path, &[], &[]).await;
    (head, String::from_utf8(body).unwrap())
}

/// The metrics of a server at which a bit of everything has happened.
async fn metrics() -> String {
    let (server, addr) = measured();
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut ann, "send_public_message", json!({ "message": "hi" })).await;
    assert_eq!(ann.call("send_public_message", json!({ "message": "again" })).await["error"]["code"], "too_many");
    assert!(ask(&server, "GET", "/metrics").await.head.starts_with("http/1.1 404"), "not where people are");
    assert!(get(&addr, "/").await.0.starts_with("HTTP/1.1 404"), "and nothing else where metrics are");
    get(&addr, "/metrics").await.1
}

/// Every word of a query that could be a metric's name.
fn names(query: &str) -> impl Iterator<Item = String> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("secure_chat_") || word.starts_with("process_")).map(str::to_owned)
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_there_are() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grafana/secure-chat.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked: BTreeSet<String> = targets.flat_map(|target| names(target["expr"].as_str().unwrap())).collect();
    assert!(asked.len() >= 10, "{asked:?}");
    let metrics = metrics().await;
    let told: BTreeSet<&str> = metrics.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let missing: Vec<_> = asked.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new(), "in {told:?}");
}

#[tokio::test]
async fn every_metric_says_what_it_is_and_none_says_who() {
    let metrics = metrics().await;
    let types: Vec<_> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(types.len() >= 10, "{metrics}");
    for line in types {
        let name = line.split(' ').next().unwrap();
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
    assert!(!metrics.contains("ann") && !metrics.contains("again"), "{metrics}");
    let memory = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).unwrap();
    assert!(memory.parse::<f64>().unwrap() > 1e6, "{memory}");
    assert!(metrics.contains("secure_chat_writes_waiting 0\n"), "all that waited was written: {metrics}");
}

fn request_id(head: &str) -> &str {
    head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap_or_else(|| panic!("no id in {head}"))
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let server = Server::start();
    let mut seen = BTreeSet::new();
    for path in ["/", "/healthz", "/api/me", "/nowhere", "/socket.io/?EIO=4&transport=polling"] {
        let answer = ask(&server, "GET", path).await;
        assert!(seen.insert(request_id(&answer.head).to_owned()), "{path}: {}", answer.head);
    }
    let answer = send(&server, "GET", "/healthz", &[("X-Request-Id", "mine")], "").await;
    assert_ne!(request_id(&answer.head), "mine", "nobody's word is taken for it");
}

#[tokio::test]
async fn a_trusted_proxy_names_its_requests() {
    let server = Server::start_with(&[("TRUSTED_PROXIES", "127.0.0.1")]);
    let id = async |given: &str| {
        let answer = send(&server, "GET", "/healthz", &[("X-Request-Id", given)], "").await;
        request_id(&answer.head).to_owned()
    };
    assert_eq!(id("abc-123.x:y_z").await, "abc-123.x:y_z");
    for odd in ["", "a b", "{\"id\":1}", &"x".repeat(65)] {
        assert_ne!(id(odd).await, odd);
    }
}

/// Breaks the store under a running server, so that what it does next fails.
fn break_the_store(server: &Server) {
    let script = "import sqlite3; c = sqlite3.connect('chat_app.db'); c.execute('ALTER TABLE messages RENAME TO gone'); c.commit(); c.close()";
    let broken = std::process::Command::new("python3").args(["-c", script]).current_dir(server.folder.path()).status();
    assert!(broken.unwrap().success());
}

#[tokio::test]
async fn an_internal_error_says_the_number_under_which_the_log_has_it() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut ann, "send_public_message", json!({ "message": "s3cret" })).await;
    break_the_store(&server);
    let error = ann.call("get_history", json!({ "room": "public" })).await["error"].take();
    assert_eq!(error["code"], "internal", "{error}");
    let id = error["request_id"].as_str().unwrap().to_owned();
    assert!(error["message"].as_str().unwrap().contains(&id), "people see it: {error}");
    assert_eq!(ann.skip_to("error").await["request_id"], id, "one event, one number");
    let log = server.stop_for_log();
    let line = log.lines().find(|line| line.contains(&id)).unwrap_or_else(|| panic!("{id} is not in {log}"));
    assert!(line.contains("get_history") && line.contains("internal error"), "{line}");
    assert!(!log.contains("s3cret") && !log.contains("ann"), "{log}");
}
