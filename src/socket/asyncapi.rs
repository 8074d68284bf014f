//! The description of all events over Socket.IO (AsyncAPI 3.0), made from the tables of events and their types.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::event::Entry;
use super::{entries, namespaces};
use crate::answer::Refused;
use crate::chat::events::{EVERYWHERE, IN_CHAT, IN_ROOM};
use crate::hub::Told;

const ABOUT: &str = "Socket.IO protocol 5 over Engine.IO 4 (clients of version 3 and 4), and protocol 4 over Engine.IO 3 (version 2). \
    Every event may be sent with an ack: `{ok: true, …}`, or `{ok: false, error}`. What is refused is told by the event `error`, too. \
    Events that programs outside send (`POST /api/emit`, FLASK_QUEUE) have names and arguments of their own: those are not described here.";
const IN_CHAT_ABOUT: &str =
    "The namespace `/`. Connect with `auth: {token}` or a session's cookie, or say a name with `join_chat`.";
const IN_ROOM_ABOUT: &str =
    "A room as namespace: connect with `auth: {token}`, or `{username, password?}`. Its name is percent-encoded.";

/// A namespace while it is described.
struct Channel<'a> {
    id: &'static str,
    generator: &'a mut SchemaGenerator,
    /// By channel and name.
    messages: Map<String, Value>,
    operations: Map<String, Value>,
}

/// The whole document.
pub fn document() -> Value {
    let settings =
        SchemaSettings::draft07().with(|settings| settings.definitions_path = "#/components/schemas/".into());
    let mut generator = settings.into_generator();
    let mut channels = Map::new();
    let mut operations = Map::new();
    let namespaces = [
        ("chat", "/", IN_CHAT_ABOUT, entries(), IN_CHAT),
        ("room", "/rooms/{name}", IN_ROOM_ABOUT, namespaces::entries(), IN_ROOM),
    ];
    for (id, address, about, sent, told) in namespaces {
        let mut channel = Channel { id, generator: &mut generator, messages: Map::new(), operations: Map::new() };
        for entry in sent.iter() {
            channel.receives(entry);
        }
        for event in told.iter().chain(EVERYWHERE) {
            channel.sends(event);
        }
        let Channel { messages, operations: found, .. } = channel;
        let mut described = json!({ "address": address, "description": about, "messages": messages });
        if address.contains('{') {
            described["parameters"] = json!({ "name": { "description": "The room's name." } });
        }
        channels.insert(id.to_owned(), described);
        operations.extend(found);
    }
    let schemas = generator.take_definitions(true);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "secure-chat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT" },
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "schemas": schemas },
    })
}

impl Channel<'_> {
    /// An event that clients send, and its ack.
    fn receives(&mut self, entry: &Entry) {
        let name = entry.name;
        let payload = entry.payload.map(|schema| schema(self.generator));
        let ack = (entry.ack)(self.generator);
        let mut message = json!({ "name": name, "summary": entry.about });
        if let Some(schema) = payload {
            message["payload"] = schema.to_value();
        }
        let answer = format!("{name}.ack");
        self.messages.insert(name.to_owned(), message);
        self.messages.insert(
            answer.clone(),
            json!({
                "name": format!("the ack of {name}"),
                "payload": { "oneOf": [ack, self.generator.subschema_for::<Refused>()] },
            }),
        );
        self.operations.insert(
            format!("{}.{name}", self.id),
            json!({
                "action": "receive",
                "channel": self.reference(""),
                "messages": [self.reference(&format!("/messages/{name}"))],
                "reply": { "channel": self.reference(""), "messages": [self.reference(&format!("/messages/{answer}"))] },
                "x-before-join": entry.open,
            }),
        );
    }

    /// An event that the server sends. Some have the name of one that clients send.
    fn sends(&mut self, event: &Told) {
        let payload = (event.payload)(self.generator);
        let key = format!("{}.told", event.name);
        self.messages.insert(key.clone(), json!({ "name": event.name, "payload": payload }));
        self.operations.insert(
            format!("{}.{key}", self.id),
            json!({
                "action": "send",
                "channel": self.reference(""),
                "messages": [self.reference(&format!("/messages/{key}"))],
            }),
        );
    }

    fn reference(&self, part: &str) -> Value {
        json!({ "$ref": format!("#/channels/{}{part}", self.id) })
    }
}
