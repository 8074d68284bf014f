//! What the server says of itself is what it does: each event, ack and answer that a test gets is held against the
//! documents of a running server.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::http::ask;
use crate::server::Server;

/// A document, and what was made of its schemas.
struct Document {
    value: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Document {
    /// From a server of its own: that of the test may speak TLS.
    fn fetch(path: &str) -> Self {
        let server = Server::start();
        let mut stream = TcpStream::connect(&server.addr).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.addr).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        Self { value: serde_json::from_str(body).unwrap(), validators: Mutex::default() }
    }

    /// Checks a value against the schema at that JSON pointer; there must be one.
    fn check(&self, pointer: &str, value: &Value) {
        assert!(self.value.pointer(pointer).is_some(), "not described: {pointer}, as in {value}");
        let known = self.validators.lock().unwrap().get(pointer).cloned();
        let validator = known.unwrap_or_else(|| {
            let mut schema = self.value.clone();
            schema["$ref"] = json!(format!("#{}", pointer.replace('{', "%7B").replace('}', "%7D")));
            let made = Arc::new(jsonschema::options().with_draft(Draft::Draft7).build(&schema).unwrap());
            self.validators.lock().unwrap().insert(pointer.to_owned(), made.clone());
            made
        });
        let wrong: Vec<_> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {:.200}", error.instance_path(), error.to_string()))
            .collect();
        assert!(wrong.is_empty(), "{value} is not as {pointer} says: {wrong:?}");
    }
}

fn asyncapi() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| Document::fetch("/api/asyncapi.json"))
}

fn openapi() -> &'static Document {
    static DOCUMENT: OnceLock<Document> = OnceLock::new();
    DOCUMENT.get_or_init(|| Document::fetch("/api/openapi.json"))
}

/// The channel of a namespace, as it stands in packets.
fn channel(namespace: &str) -> &'static str {
    if namespace.is_empty() { "chat" } else { "room" }
}

pub fn check_event(namespace: &str, event: &str, payload: &Value) {
    asyncapi().check(&format!("/channels/{}/messages/{event}.told/payload", channel(namespace)), payload);
}

pub fn check_ack(namespace: &str, event: &str, ack: &Value) {
    let pointer = format!("/channels/{}/messages/{event}.ack/payload", channel(namespace));
    match asyncapi().value.pointer(&pointer) {
        Some(_) => asyncapi().check(&pointer, ack),
        // There is no such event.
        None => assert_eq!(ack["ok"], false, "not described: {event}, answered by {ack}"),
    }
}

/// An answer to a call below `/api/`.
pub fn check_answer(method: &str, path: &str, status: u16, body: &str) {
    let path = path.split('?').next().unwrap();
    let Ok(body) = serde_json::from_str(body) else { return };
    let document = openapi();
    let paths = document.value["paths"].as_object().unwrap();
    let Some((template, methods)) = paths.iter().find(|(template, _)| fits(template, path)) else { return };
    let Some(responses) = methods.get(method.to_lowercase()).map(|call| &call["responses"]) else { return };
    let status = status.to_string();
    let status = if responses.get(&status).is_some() { status } else { "default".into() };
    let (template, method) = (template.replace('/', "~1"), method.to_lowercase());
    let pointer = format!("/paths/{template}/{method}/responses/{status}/content/application~1json/schema");
    document.check(&pointer, &body);
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(path).all(|(part, given)| part.starts_with('{') || *part == given)
}

#[tokio::test]
async fn every_event_that_can_be_told_is_described() {
    let server = Server::start();
    let document = ask(&server, "GET", "/api/asyncapi.json").await.json();
    let channels =
        ["chat", "room"].map(|channel| document["channels"][channel]["messages"].as_object().unwrap().clone());
    let mut missing = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for (at, _) in text.match_indices("impl Outbound for ") {
            let name = text[at..].split("NAME: &'static str = \"").nth(1).unwrap().split('"').next().unwrap();
            if !channels.iter().any(|messages| messages.contains_key(&format!("{name}.told"))) {
                missing.push(name.to_owned());
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// What has no description: the pages, and the documents themselves.
const PLAIN: [&str; 7] =
    ["/", "/account", "/api", "/api/openapi.json", "/api/asyncapi.json", "/sw.js", "/manifest.webmanifest"];

#[tokio::test]
async fn every_route_is_described() {
    let server = Server::start();
    let document = ask(&server, "GET", "/api/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut plain = Vec::new();
    let mut described = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let path_in = |at: usize| text[at..].split('"').nth(1).unwrap().to_owned();
        plain.extend(text.match_indices(".route(").map(|(at, _)| path_in(at)));
        for path in text.match_indices(".api_route(").map(|(at, _)| path_in(at)) {
            described += 1;
            let calls = document["paths"][&path].as_object().unwrap_or_else(|| panic!("{path} is not described"));
            for (method, call) in calls {
                assert!(call["summary"].is_string() && call["operationId"].is_string(), "{method} {path}");
            }
        }
    }
    plain.retain(|path| path != "/{*path}");
    plain.sort();
    let mut expected = PLAIN.to_vec();
    expected.sort();
    assert_eq!(plain, expected);
    assert_eq!(described, document["paths"].as_object().unwrap().len());
}

#[tokio::test]
async fn people_can_read_the_description() {
    let server = Server::start();
    let page = ask(&server, "GET", "/api").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.head.contains("default-src 'none'"), "{}", page.head);
    for part in ["send_group_message", "id=\"upload\"", "new_message", "MessageText"] {
        assert!(page.body.contains(part), "{part} is missing");
    }
    let targets: Vec<_> =
        page.body.match_indices("href=\"#").map(|(at, _)| page.body[at + 7..].split('"').next().unwrap()).collect();
    assert!(targets.len() > 100);
    for target in targets {
        assert!(page.body.contains(&format!("id=\"{target}\"")), "a link to #{target}, which is not there");
    }
}
