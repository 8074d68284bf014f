//! What programs outside of the chat want told to connections, or done with them. Nothing of it is ever stored, and no room
//! of the chat is joined by it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::ser::{SerializeTuple, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use socketioxide::socket::Sid;

use crate::types::{RoomId, Value};

/// An act, among the connections of one namespace.
pub struct Outside {
    pub scope: Scope,
    pub act: Act,
}

/// A namespace.
#[derive(Clone, Copy)]
pub enum Scope {
    Chat,
    Room(RoomId),
}

pub enum Act {
    Emit(Emission),
    /// From here on the connection hears what is told to this room from outside, and nothing else.
    Enter {
        sid: Sid,
        room: String,
    },
    Leave {
        sid: Sid,
        room: String,
    },
    /// All leave it.
    Close {
        room: String,
    },
    Disconnect {
        sid: Sid,
    },
}

/// An event.
pub struct Emission {
    pub event: String,
    pub arguments: Arguments,
    pub to: Hearers,
    pub skip: Vec<Sid>,
    /// Takes what each client answers.
    pub answer: Option<Answer>,
    /// To how many connections it was handed.
    pub delivered: Arc<AtomicU64>,
}

pub enum Hearers {
    Everyone,
    /// Those who speak for somebody.
    Introduced,
    Those(Vec<Target>),
}

/// A name, and all that it can stand for: a room of outside, a connection, a room of the chat.
pub struct Target {
    pub name: String,
    pub sid: Option<Sid>,
    pub room: Option<RoomId>,
}

/// Hands over a client's answer.
pub type Answer = Arc<dyn Fn(Answered) + Send + Sync>;

/// The arguments of a client's ack. One field without a name: so the library gives all of them, not the first.
#[derive(Deserialize)]
pub struct Answered(pub Vec<serde_json::Value>);

/// The arguments of an event.
pub struct Arguments(Vec<Argument>);

enum Argument {
    /// Encoded once for all who get it.
    Json(Box<RawValue>),
    /// Its bytes leave as attachments of the packet.
    Binary(Value),
}

impl Arguments {
    pub fn new(values: Vec<Value>) -> Self {
        let argument = |value: Value| match value.has_bytes() {
            true => Argument::Binary(value),
            false => Argument::Json(to_raw_value(&value).expect("JSON with string keys")),
        };
        Self(values.into_iter().map(argument).collect())
    }
}

impl Serialize for Arguments {
    /// As a tuple: of those the library makes several arguments.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for argument in &self.0 {
            match argument {
                Argument::Json(json) => tuple.serialize_element(json)?,
                Argument::Binary(value) => tuple.serialize_element(value)?,
            }
        }
        tuple.end()
    }
}
