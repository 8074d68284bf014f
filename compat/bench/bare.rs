//! The yardstick of the benchmarks: a bare socketioxide server with the chat's events.
//!
//! No storage, no sealing, no accounts, no limits: what socketioxide itself costs on this machine. What secure-chat costs
//! above this is what secure-chat adds.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock};

use anyhow::Result;
use axum::serve::ListenerExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<()> {
    let (layer, io) = SocketIo::builder().max_buffer_size(4096).max_payload(1_000_000).build_layer();
    let groups = Arc::new(Mutex::new(Vec::new()));
    // A connect handler runs after the client was told that it is connected, so its first event would find nobody who
    // listens. A middleware runs before.
    let for_sockets = io.clone();
    let listen = async move |socket: SocketRef| {
        listen_to(&socket, for_sockets, groups);
        Ok::<_, Infallible>(())
    };
    io.ns("/", (async || {}).with(listen));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("bare listens on http://{}", listener.local_addr()?);
    // Without this each small packet may wait 40 ms for the other side's delayed acknowledgement.
    let listener = listener.tap_io(|tcp| tcp.set_nodelay(true).expect("a fresh connection takes TCP_NODELAY"));
    axum::serve(listener, axum::Router::new().layer(layer)).await?;
    Ok(())
}

type Groups = Arc<Mutex<Vec<String>>>;

/// Who sits at a socket.
struct Person {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Named {
    username: String,
}

#[derive(Deserialize)]
struct Group {
    group_name: String,
}

#[derive(Deserialize)]
struct Draft {
    group_name: Option<String>,
    message: String,
    #[serde(default)]
    encrypted_content: String,
}

#[derive(Serialize)]
struct NewMessage {
    id: String,
    user_id: String,
    username: String,
    message: String,
    encrypted_content: String,
    timestamp: String,
    room: String,
}

/// Empty until `join_chat`.
type Seat = Arc<OnceLock<Person>>;

fn listen_to(socket: &SocketRef, io: SocketIo, groups: Groups) {
    let seat = Seat::default();
    let (taken, known) = (seat.clone(), groups.clone());
    socket.on("join_chat", async move |socket: SocketRef, Data(user): Data<Named>, ack: AckSender| {
        join_chat(&socket, &taken, user.username, &known).await;
        acknowledge(ack);
    });
    socket.on("create_group", async move |socket: SocketRef, Data(group): Data<Group>, ack: AckSender| {
        create_group(&socket, &io, group.group_name, &groups).await;
        acknowledge(ack);
    });
    let taken = seat.clone();
    socket.on("join_group", async move |socket: SocketRef, Data(group): Data<Group>, ack: AckSender| {
        join_group(&socket, &taken, group.group_name).await;
        acknowledge(ack);
    });
    for event in ["send_public_message", "send_group_message"] {
        let taken = seat.clone();
        socket.on(event, async move |socket: SocketRef, Data(draft): Data<Draft>, ack: AckSender| {
            post(&socket, &taken, draft).await;
            acknowledge(ack);
        });
    }
}

async fn join_chat(socket: &SocketRef, seat: &Seat, name: String, groups: &Groups) {
    // The library tells the client that it is connected a moment before it lets us emit: a quick client's first event
    // falls into that moment, and what is emitted then is dropped.
    while !socket.connected() {
        tokio::task::yield_now().await;
    }
    let person = seat.get_or_init(|| Person { id: new_id(), name });
    let groups = groups.lock().unwrap().clone();
    let joined =
        json!({"user_id": person.id, "username": person.name, "public_messages": [], "available_groups": groups});
    heard(socket.emit("chat_joined", &joined));
    socket.join("public");
    heard(socket.to("public").emit("user_joined", &json!({"username": person.name, "room": "public"})).await);
}

async fn create_group(socket: &SocketRef, io: &SocketIo, name: String, groups: &Groups) {
    let groups = {
        let mut groups = groups.lock().unwrap();
        groups.push(name.clone());
        groups.clone()
    };
    heard(socket.emit("group_created", &json!({"group_name": name, "group_id": name})));
    heard(io.emit("group_list_updated", &json!({"available_groups": groups})).await);
}

async fn join_group(socket: &SocketRef, seat: &Seat, name: String) {
    let Some(person) = seat.get() else { return };
    let room = room_of(Some(&name));
    heard(socket.emit("group_joined", &json!({"group_name": name, "messages": [], "members": [person.name]})));
    socket.join(room.clone());
    heard(socket.to(room).emit("user_joined", &json!({"username": person.name, "room": name})).await);
}

async fn post(socket: &SocketRef, seat: &Seat, draft: Draft) {
    let Some(person) = seat.get() else { return };
    let room = room_of(draft.group_name.as_deref());
    let message = NewMessage {
        id: new_id(),
        user_id: person.id.clone(),
        username: person.name.clone(),
        message: draft.message,
        encrypted_content: draft.encrypted_content,
        timestamp: now(),
        room: draft.group_name.unwrap_or_else(|| "public".to_string()),
    };
    heard(socket.within(room).emit("new_message", &message).await);
}

#[expect(clippy::disallowed_methods, reason = "the yardstick has no App that would hand out ids")]
fn new_id() -> String {
    Uuid::new_v4().to_string()
}

#[expect(clippy::disallowed_methods, reason = "the yardstick has no App that would hand out the time")]
fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, false)
}

/// A group's room bears a prefix, so that no group can be called like the public room.
fn room_of(group: Option<&str>) -> String {
    group.map_or_else(|| "public".to_string(), |name| format!("group:{name}"))
}

fn acknowledge(ack: AckSender) {
    heard(ack.send(&json!({"ok": true}) as &Value));
}

/// A socket that is gone cannot be told anything; a yardstick needs no more than to say so.
fn heard<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        eprintln!("not delivered: {error}");
    }
}
