//! A chat client in a few lines: is in a room, hears it, says something, reads what was said before.
//! `cargo run -- http://localhost:5000 ann`

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Payload, RawClient};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (url, username) = (arguments.next().ok_or("a URL")?, arguments.next().ok_or("a name")?);
    let (joined, is_in) = channel();
    let room = ClientBuilder::new(url)
        .namespace("/rooms/public")
        .auth(json!({ "username": username }))
        .on("new_message", |told, _: RawClient| {
            let message = first(told);
            println!("{}: {}", text(&message["username"]), text(&message["message"]));
        })
        .on("room_joined", move |_, _| {
            let _ = joined.send(());
        })
        .connect()?;
    is_in.recv_timeout(Duration::from_secs(10)).map_err(|_| "not let in")?;
    call(&room, "send", json!({ "message": "hello from Rust" }))?;
    let page = call(&room, "get_history", json!({ "limit": 10 }))?;
    let messages = page["messages"].as_array().ok_or("no history")?;
    let last = messages.last().map_or("", |message| text(&message["message"]));
    println!("{} in the history, the last one: {last}", messages.len());
    Ok(room.disconnect()?)
}

/// Sends an event and waits for its ack.
fn call(room: &Client, event: &str, payload: Value) -> Result<Value, Box<dyn std::error::Error>> {
    let (sender, ack): (Sender<Value>, _) = channel();
    room.emit_with_ack(event, payload, Duration::from_secs(10), move |answer, _| {
        let _ = sender.send(first(answer));
    })?;
    let ack = ack.recv_timeout(Duration::from_secs(10))?;
    if ack["ok"] == true { Ok(ack) } else { Err(ack["error"].to_string().into()) }
}

/// The library gives an ack as the list of its arguments.
fn first(payload: Payload) -> Value {
    match payload {
        Payload::Text(mut values) if !values.is_empty() => match values.remove(0) {
            Value::Array(mut inner) if !inner.is_empty() => inner.remove(0),
            value => value,
        },
        _ => Value::Null,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
