//! A Socket.IO client over a bare websocket (Engine.IO protocol 4, Socket.IO protocol 5), so that tests see every packet.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::described::{check_ack, check_event};
use crate::server::Server;

pub struct Background {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Client>,
}

impl Background {
    pub async fn back(self) -> Client {
        self.stop.send(()).unwrap();
        self.task.await.unwrap()
    }
}

/// Only to end a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client speaks over: TCP, or TLS.
pub trait Wire: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin> Wire for T {}

type Socket = WebSocketStream<Box<dyn Wire>>;

#[derive(Debug)]
pub struct Client {
    socket: Socket,
    /// Events that came while an ack was awaited.
    events: VecDeque<(String, Value)>,
    next_ack: u64,
    /// The namespace as it stands in packets: empty for `/`, else with a comma behind it.
    namespace: String,
    /// The events whose acks are awaited.
    asked: HashMap<u64, String>,
}

impl Client {
    pub async fn connect(server: &Server) -> Self {
        let mut client = Self::open(server, &[]).await.unwrap();
        client.come_in().await;
        client
    }

    /// Connects to the chat, once the websocket is there.
    pub async fn come_in(&mut self) {
        self.say("40").await;
        let connected = self.packet().await.unwrap();
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
    }

    /// Connects with a session's token, as clients without cookies do.
    pub async fn sign_in(server: &Server, token: &str) -> Self {
        let mut client = Self::open(server, &[]).await.unwrap();
        client.say(&format!("40{}", json!({ "token": token }))).await;
        let connected = client.packet().await.unwrap();
        assert!(connected.starts_with("40{\"sid\":"), "{connected}");
        client
    }

    /// Connects to a room's namespace, or says why it was not let in.
    pub async fn enter_room(server: &Server, path: &str, auth: Value) -> Result<Self, String> {
        let mut client = Self::open(server, &[]).await.unwrap();
        client.namespace = format!("/rooms/{path},");
        client.say(&format!("40{}{auth}", client.namespace)).await;
        let answer = client.packet().await.unwrap();
        match answer.strip_prefix(&format!("44{}", client.namespace)) {
            Some(refusal) => {
                let refusal: Value = serde_json::from_str(refusal).unwrap();
                Err(refusal["message"].as_str().unwrap().to_owned())
            }
            None => {
                assert!(answer.starts_with(&format!("40{}", client.namespace)), "{answer}");
                Ok(client)
            }
        }
    }

    /// The websocket alone, with more headers.
    pub async fn open(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, String> {
        Self::open_at(&server.addr, headers).await
    }

    pub async fn open_at(addr: &str, headers: &[(&'static str, &str)]) -> Result<Self, String> {
        let tcp = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
        Self::open_over(Box::new(tcp), addr, headers).await
    }

    pub async fn open_over(wire: Box<dyn Wire>, addr: &str, headers: &[(&'static str, &str)]) -> Result<Self, String> {
        let url = format!("ws://{addr}/socket.io/?EIO=4&transport=websocket");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = client_async(request, wire).await.map_err(|error| error.to_string())?;
        let mut client =
            Self { socket, events: VecDeque::new(), next_ack: 0, namespace: String::new(), asked: HashMap::new() };
        let open = client.packet().await.ok_or("closed")?;
        assert!(open.starts_with("0{"), "{open}");
        Ok(client)
    }

    /// Connects and joins the chat; forgets what `chat_joined` said.
    pub async fn join(server: &Server, name: &str) -> Self {
        Self::join_at(&server.addr, name).await
    }

    pub async fn join_at(addr: &str, name: &str) -> Self {
        let mut client = Self::open_at(addr, &[]).await.unwrap();
        client.come_in().await;
        client.emit("join_chat", json!({ "username": name, "public_key": "demo-public-key" })).await;
        client.expect("chat_joined").await;
        client
    }

    pub async fn say(&mut self, packet: &str) {
        self.socket.send(Message::text(packet)).await.unwrap();
    }

    pub async fn emit(&mut self, event: &str, payload: Value) {
        self.say(&format!("42{}{}", self.namespace, json!([event, payload]))).await;
    }

    /// Emits and waits for the ack; events that come before it are kept.
    pub async fn call(&mut self, event: &str, payload: Value) -> Value {
        let id = self.emit_with_ack(event, payload).await;
        self.ack(id).await
    }

    pub async fn emit_with_ack(&mut self, event: &str, payload: Value) -> u64 {
        self.ask(event, json!([event, payload])).await
    }

    async fn ask(&mut self, event: &str, packet: Value) -> u64 {
        let id = self.next_ack;
        self.next_ack += 1;
        self.asked.insert(id, event.to_owned());
        self.say(&format!("42{}{id}{packet}", self.namespace)).await;
        id
    }

    pub async fn ack(&mut self, id: u64) -> Value {
        let start = format!("43{}{id}[", self.namespace);
        loop {
            let packet = self.packet().await.expect("an ack");
            match packet.strip_prefix(&start) {
                Some(_) => {
                    let ack = serde_json::from_str::<Value>(&packet[start.len() - 1..]).unwrap()[0].take();
                    if let Some(event) = self.asked.remove(&id) {
                        check_ack(&self.namespace, &event, &ack);
                    }
                    return ack;
                }
                None => self.keep(&packet),
            }
        }
    }

    /// The next event, which must be of this name.
    pub async fn expect(&mut self, event: &str) -> Value {
        let (name, payload) = self.next().await.unwrap_or_else(|| panic!("closed instead of {event}"));
        assert_eq!(name, event, "{payload}");
        payload
    }

    /// The next event of this name; those before it are forgotten.
    pub async fn skip_to(&mut self, event: &str) -> Value {
        loop {
            let (name, payload) = self.next().await.unwrap_or_else(|| panic!("closed instead of {event}"));
            if name == event {
                return payload;
            }
        }
    }

    /// As [`Client::call`], for an event that takes no argument.
    pub async fn call_without_argument(&mut self, event: &str) -> Value {
        let id = self.ask(event, json!([event])).await;
        self.ack(id).await
    }

    /// The next event, or `None` once the connection is closed.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        while self.events.is_empty() {
            let packet = self.packet().await?;
            self.keep(&packet);
        }
        self.events.pop_front()
    }

    /// An event that has come already.
    pub fn heard(&mut self) -> Option<(String, Value)> {
        self.events.pop_front()
    }

    /// Checks that nothing came that was not asked for: what the server answers last, comes last.
    pub async fn expect_nothing(&mut self) {
        self.call("leave_group", json!({ "group_name": "there is none of this name" })).await;
        assert_eq!(self.events, []);
    }

    /// Reads on beside the test, as a page does that nobody looks at; gives the client back when it is asked to.
    pub fn in_background(mut self) -> Background {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            tokio::pin!(stopped);
            loop {
                tokio::select! {
                    _ = &mut stopped => return self,
                    event = self.next() => drop(event.expect("an open connection")),
                }
            }
        });
        Background { stop, task }
    }

    /// What the next ping of the websocket carries; it is answered. Packets before it are forgotten.
    pub async fn ping(&mut self) -> Vec<u8> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a ping within 30 s");
            if let Message::Ping(carried) = message.expect("an open connection").unwrap() {
                return carried.to_vec();
            }
        }
    }

    /// Does what a client does by itself while nothing else comes.
    pub async fn answer_pings_for(&mut self, time: Duration) {
        assert!(tokio::time::timeout(time, self.packet()).await.is_err(), "something came");
    }

    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while self.packet().await.is_some() {}
    }

    /// The next packet that is no ping; pings are answered.
    pub async fn packet(&mut self) -> Option<String> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let message = tokio::time::timeout_at(end, self.socket.next()).await.expect("a packet within 30 s");
            match message {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.say("3").await,
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    fn keep(&mut self, packet: &str) {
        if let Some(event) = packet.strip_prefix("42").and_then(|packet| packet.strip_prefix(&self.namespace)) {
            let mut event: Value = serde_json::from_str(event).unwrap();
            let (name, payload) = (event[0].as_str().unwrap().to_owned(), event[1].take());
            check_event(&self.namespace, &name, &payload);
            self.events.push_back((name, payload));
        }
    }
}

/// Emits, and waits for the ack, which must be a good one.
pub async fn ok(client: &mut Client, event: &str, payload: Value) -> Value {
    let ack = client.call(event, payload).await;
    assert_eq!(ack["ok"], true, "{event}: {ack}");
    ack
}
