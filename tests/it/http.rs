//! A plain HTTP client, so that tests see status, headers and body as they came.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::described::check_answer;
use crate::server::Server;

/// Status, headers (in small letters) and body of an answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    raw_head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The value of a cookie that the answer sets.
    pub fn cookie(&self, name: &str) -> String {
        let start = format!("set-cookie: {name}=");
        let line = self.raw_head.lines().find(|line| line.to_lowercase().starts_with(&start));
        let line = line.unwrap_or_else(|| panic!("no cookie {name} in {}", self.head));
        line[start.len()..].split(';').next().unwrap().to_owned()
    }
}

/// One request with these headers on a connection of its own.
pub async fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (head, body) = send_bytes(server, method, path, headers, body.as_bytes()).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = String::from_utf8(body).unwrap();
    check_answer(method, path, status, &body);
    Answer { status, head: head.to_lowercase(), raw_head: head, body }
}

/// As [`send`], for what is no text: head and body as they came.
pub async fn send_bytes(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (String, Vec<u8>) {
    let stream = TcpStream::connect(&server.addr).await.unwrap();
    exchange(stream, &server.addr, method, path, headers, body).await
}

/// One request over a connection that is there.
pub async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (String, Vec<u8>) {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    // A server that refuses a body answers before it has read all of it.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let body = &answer[end + 4..];
    let body = match head.to_lowercase().contains("transfer-encoding: chunked") {
        true => unchunk(body),
        false => body.to_vec(),
    };
    (head, body)
}

pub async fn ask(server: &Server, method: &str, path: &str) -> Answer {
    send(server, method, path, &[], "").await
}

/// A chunked body (RFC 9112, section 7.1), which must come to its end.
fn unchunk(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").expect("a whole body");
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&chunks[end + 2..end + 2 + size]);
        chunks = &chunks[end + 2 + size + 2..];
    }
}

/// Sends JSON, with a session's token if there is one.
pub async fn call(server: &Server, method: &str, path: &str, token: Option<&str>, body: Value) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(server, method, path, &headers, &body).await
}
