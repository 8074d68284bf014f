//! What python-socketio puts on the channel: a dict as JSON (5.14 and newer) or as pickle (older), in several forms.
//!
//! | python-socketio | written as | `data` of an emit |
//! | --- | --- | --- |
//! | up to 5.13 | pickle | the value; of a tuple, each item is an argument |
//! | 5.14.0, 5.14.1 | JSON without `binary` | the value |
//! | 5.14.2 to 5.15.0 | JSON with `binary` | the value; with bytes `[value, base64…]` |
//! | from 5.15.1 on | JSON with `binary` | the list of arguments; with bytes `[arguments, base64…]` |
//!
//! Where `binary` is there and the data is a list, nothing in a message tells the last two apart: `[1, 2]` is one argument
//! of the one and two of the other. The newest form is taken, unless FLASK_QUEUE_FORM says `value`. What is no list is the
//! value in every form.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Number;

use super::pickle;
use crate::chat::outside::{Event, What, Wish};
use crate::config::QueueForm;
use crate::types::Value;

/// Why a message cannot be read. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// What one message asks for.
pub enum Message {
    Wish(Box<Wish>, Option<ReplyTo>),
    /// An answer for another server or worker.
    NotOurs,
}

/// Who wants the answers of the clients.
pub struct ReplyTo {
    pub host: String,
    /// As the other side named them: it finds its callback by them.
    pub sid: String,
    pub namespace: String,
    pub id: Number,
}

/// Reads a message of at most `most` bytes.
pub fn read(bytes: &[u8], form: QueueForm, most: usize) -> Result<Message, Malformed> {
    /// What every pickle of protocol 2 and newer begins with, and no JSON text.
    const PICKLE: u8 = 0x80;

    if bytes.len() > most {
        return Err(Malformed("a message larger than MAX_HTTP_BUFFER_SIZE"));
    }
    let (value, is_pickle) = match bytes.first() {
        Some(&PICKLE) => (pickle::read(bytes, most)?, true),
        _ => {
            let json: serde_json::Value =
                serde_json::from_slice(bytes).map_err(|_| Malformed("neither JSON nor a pickle of protocol 2 to 5"))?;
            (json.into(), false)
        }
    };
    let Value::Map(entries) = value else { return Err(Malformed("a message that is no dict")) };
    let mut fields = Fields(entries);
    let method = fields.name("method")?;
    if method == "callback" {
        return Ok(Message::NotOurs);
    }
    let namespace = fields.optional_name("namespace")?.unwrap_or_else(|| "/".into());
    let mut reply_to = None;
    let what = match method.as_str() {
        "emit" => {
            reply_to = fields.reply_to()?;
            let data = fields.take("data").unwrap_or(Value::Null);
            Event {
                name: fields.name("event")?,
                arguments: match (is_pickle, fields.take("binary")) {
                    (true, _) => of_pickle(data),
                    (false, None) => single(data),
                    (false, Some(Value::Bool(true))) => with_bytes(data, form)?,
                    (false, Some(_)) => of_json(data, form),
                },
                to: fields.names("room")?,
                skip: fields.names("skip_sid")?.unwrap_or_default(),
                answer: None,
            }
            .into()
        }
        "close_room" => What::CloseRoom { room: fields.name("room")? },
        "disconnect" => What::Disconnect { sid: fields.name("sid")? },
        "enter_room" => What::EnterRoom { sid: fields.name("sid")?, room: fields.name("room")? },
        "leave_room" => What::LeaveRoom { sid: fields.name("sid")?, room: fields.name("room")? },
        _ => return Err(Malformed("a message of an unknown method")),
    };
    Ok(Message::Wish(Box::new(Wish { namespace, what }), reply_to))
}

impl From<Event> for What {
    fn from(event: Event) -> Self {
        Self::Emit(event)
    }
}

/// One argument; of None there is none.
fn single(data: Value) -> Vec<Value> {
    match data {
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

fn of_pickle(data: Value) -> Vec<Value> {
    match data {
        Value::Tuple(arguments) => arguments,
        data => single(data),
    }
}

fn of_json(data: Value, form: QueueForm) -> Vec<Value> {
    match (data, form) {
        // What was sent without data.
        (Value::List(arguments), QueueForm::Arguments) if arguments == [Value::Null] => Vec::new(),
        (Value::List(arguments), QueueForm::Arguments) => arguments,
        (data, _) => single(data),
    }
}

/// The data, and behind it the pieces of bytes that placeholders in it stand for.
fn with_bytes(data: Value, form: QueueForm) -> Result<Vec<Value>, Malformed> {
    const WRONG: Malformed = Malformed("a message whose attachments are not as python-socketio writes them");

    let Value::List(pieces) = data else { return Err(WRONG) };
    let mut pieces = pieces.into_iter();
    let data = pieces.next().ok_or(WRONG)?;
    let decode = |piece: Value| match piece {
        Value::Text(text) => BASE64_STANDARD.decode(text).map(Some).map_err(|_| WRONG),
        _ => Err(WRONG),
    };
    let mut attachments: Vec<_> = pieces.map(decode).collect::<Result<_, _>>()?;
    Ok(of_json(fill(data, &mut attachments).ok_or(WRONG)?, form))
}

/// Puts attachments where their placeholders are. Each is taken once: many placeholders for one would multiply it.
fn fill(value: Value, attachments: &mut [Option<Vec<u8>>]) -> Option<Value> {
    match value {
        Value::List(items) => {
            let items: Option<_> = items.into_iter().map(|item| fill(item, attachments)).collect();
            items.map(Value::List)
        }
        Value::Map(entries) => match placeholder(&entries) {
            Some(number) => {
                let number = usize::try_from(number.as_u64()?).ok()?;
                attachments.get_mut(number)?.take().map(Value::Bytes)
            }
            None => {
                let entries = entries.into_iter().map(|(key, value)| Some((key, fill(value, attachments)?)));
                entries.collect::<Option<_>>().map(Value::Map)
            }
        },
        value => Some(value),
    }
}

fn placeholder(entries: &[(String, Value)]) -> Option<&Number> {
    let get = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    match (get("_placeholder"), get("num")) {
        (Some(Value::Bool(true)), Some(Value::Number(number))) => Some(number),
        _ => None,
    }
}

struct Fields(Vec<(String, Value)>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Value> {
        let (_, value) = self.0.iter_mut().find(|(key, _)| key == name)?;
        Some(std::mem::replace(value, Value::Null))
    }

    fn name(&mut self, field: &str) -> Result<String, Malformed> {
        self.optional_name(field)?.ok_or(Malformed("a message without a name that it needs"))
    }

    fn optional_name(&mut self, field: &str) -> Result<Option<String>, Malformed> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => name(value).map(Some),
        }
    }

    /// One name, or a list of them.
    fn names(&mut self, field: &str) -> Result<Option<Vec<String>>, Malformed> {
        match self.take(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::List(names) | Value::Tuple(names)) => {
                names.into_iter().map(name).collect::<Result<_, _>>().map(Some)
            }
            Some(value) => name(value).map(|name| Some(vec![name])),
        }
    }

    /// `callback` is `[sid or room, namespace, id]`; who asks is `host_id`.
    fn reply_to(&mut self) -> Result<Option<ReplyTo>, Malformed> {
        const WRONG: Malformed = Malformed("a message whose callback is not as python-socketio writes it");

        let parts = match self.take("callback") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::List(parts) | Value::Tuple(parts)) => parts,
            Some(_) => return Err(WRONG),
        };
        let host = self.optional_name("host_id")?.ok_or(WRONG)?;
        match <[Value; 3]>::try_from(parts) {
            Ok([sid, Value::Text(namespace), Value::Number(id)]) => {
                Ok(Some(ReplyTo { host, sid: name(sid)?, namespace, id }))
            }
            _ => Err(WRONG),
        }
    }
}

/// Flask takes numbers as names of rooms, too.
fn name(value: Value) -> Result<String, Malformed> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Malformed("a message with a name that is no text")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::json;

    use super::*;

    const MOST: usize = 1_000_000;

    fn vectors(start: &str) -> Vec<(String, serde_json::Value)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/redis");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let named = files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path));
        let wanted = named.filter(|(name, _)| name.starts_with(start));
        wanted.map(|(name, path)| (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())).collect()
    }

    /// A message as it was recorded.
    fn bytes(published: &serde_json::Value) -> Vec<u8> {
        match (published["utf8"].as_str(), published["base64"].as_str()) {
            (Some(text), _) => text.into(),
            (_, Some(text)) => BASE64_STANDARD.decode(text).unwrap(),
            _ => panic!("{published}"),
        }
    }

    fn event(bytes: &[u8], form: QueueForm) -> Event {
        match read(bytes, form, MOST) {
            Ok(Message::Wish(wish, _)) => match wish.what {
                What::Emit(event) => event,
                _ => panic!("no event"),
            },
            Ok(Message::NotOurs) => panic!("not ours"),
            Err(problem) => panic!("{problem}"),
        }
    }

    /// Bytes as a list of numbers.
    fn shown(arguments: &[Value]) -> serde_json::Value {
        serde_json::to_value(arguments).unwrap()
    }

    #[test]
    fn every_recorded_message_is_read() {
        let mut count = 0;
        for (version, recorded) in vectors("external") {
            for capture in recorded["captures"].as_array().unwrap() {
                let label = capture["label"].as_str().unwrap();
                for published in capture["published"].as_array().unwrap() {
                    let result = read(&bytes(published), QueueForm::Arguments, MOST);
                    match label {
                        "datetime (not JSON)" => assert_eq!(
                            result.err(),
                            Some(Malformed("a pickle that holds more than plain data")),
                            "{version}"
                        ),
                        _ => assert!(result.is_ok(), "{version}, {label}: {:?}", result.err()),
                    }
                    count += 1;
                }
            }
        }
        for (version, recorded) in vectors("two_servers") {
            for capture in recorded["captures"].as_array().unwrap() {
                if capture["redis"].is_object() {
                    let result = read(&bytes(&capture["redis"]), QueueForm::Arguments, MOST);
                    assert!(result.is_ok(), "{version}, {}: {:?}", capture["label"], result.err());
                    count += 1;
                }
            }
        }
        assert!(count > 150, "{count} messages");
    }

    #[test]
    fn every_version_means_the_same_event() {
        let expected = [
            ("broadcast", json!([{ "a": 1, "u": "hé 🎉", "n": null, "t": true, "f": 1.5 }])),
            ("string data", json!(["text"])),
            ("tuple", json!(["a", 2])),
            ("list data (one argument)", json!([[1, 2]])),
            ("no data", json!([])),
            ("binary in dict", json!([{ "b": [0, 255], "c": [[1]], "t": "x" }])),
            ("binary bare", json!([[1, 2]])),
        ];
        for (version, recorded) in vectors("external") {
            // Which form the version has is not in the message; with the setting it is as the version means it.
            let raw = ["5.14.0", "5.14.2"].iter().any(|old| version.ends_with(old));
            let form = if raw { QueueForm::Value } else { QueueForm::Arguments };
            let captures = recorded["captures"].as_array().unwrap();
            for (label, arguments) in &expected {
                let capture = captures.iter().find(|capture| capture["label"] == *label).unwrap();
                let Some(published) = capture["published"].get(0) else { continue };
                let expected = match (*label, raw) {
                    // These versions make a list of a tuple themselves.
                    ("tuple", true) => json!([["a", 2]]),
                    _ => arguments.clone(),
                };
                assert_eq!(shown(&event(&bytes(published), form).arguments), expected, "{version}, {label}");
            }
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_of_the_newest_form() {
        let emit = |data: serde_json::Value, binary: Option<bool>| {
            let mut message = json!({ "method": "emit", "event": "ev", "data": data });
            if let Some(binary) = binary {
                message["binary"] = binary.into();
            }
            message.to_string().into_bytes()
        };
        let both = |message: &[u8]| {
            [QueueForm::Arguments, QueueForm::Value].map(|form| shown(&event(message, form).arguments))
        };
        assert_eq!(both(&emit(json!([1, 2]), Some(false))), [json!([1, 2]), json!([[1, 2]])]);
        assert_eq!(both(&emit(json!({ "a": 1 }), Some(false))), [json!([{ "a": 1 }]), json!([{ "a": 1 }])]);
        assert_eq!(both(&emit(json!([1, 2]), None)), [json!([[1, 2]]), json!([[1, 2]])], "5.14.0 is known by the key");
        let binary = json!([[{ "_placeholder": true, "num": 0 }, "t"], "AP8="]);
        assert_eq!(both(&emit(binary, Some(true))), [json!([[0, 255], "t"]), json!([[[0, 255], "t"]])]);
    }

    #[test]
    fn names_are_taken_as_flask_takes_them() {
        let message = json!({ "method": "emit", "event": "ev", "data": ["x"], "binary": false, "room": ["r", 5],
            "skip_sid": "SID", "namespace": null, "callback": ["SID", "/", 7], "host_id": "h" });
        let Ok(Message::Wish(wish, reply_to)) = read(message.to_string().as_bytes(), QueueForm::Arguments, MOST) else {
            panic!("not read")
        };
        let What::Emit(event) = wish.what else { panic!("no event") };
        assert_eq!((event.to, event.skip), (Some(vec!["r".into(), "5".into()]), vec!["SID".into()]));
        assert_eq!(wish.namespace, "/");
        let reply_to = reply_to.unwrap();
        assert_eq!((reply_to.host, reply_to.sid, reply_to.id), ("h".into(), "SID".into(), 7.into()));
    }

    #[test]
    fn what_is_not_as_python_writes_it_is_malformed() {
        let emit = |field: &str, value: serde_json::Value| {
            let mut message = json!({ "method": "emit", "event": "ev", "data": [], "binary": true });
            message[field] = value;
            message
        };
        let placeholder = json!({ "_placeholder": true, "num": 0 });
        let wrong = [
            json!([]),
            json!({}),
            json!({ "method": "eval" }),
            json!({ "method": "enter_room", "sid": "x" }),
            emit("event", json!({})),
            emit("room", json!([["r"]])),
            emit("callback", json!("x")),
            emit("data", json!("x")),
            emit("data", json!([])),
            emit("data", json!([[placeholder]])),
            emit("data", json!([[placeholder], "no base64!"])),
            emit("data", json!([[placeholder], 1])),
            // One attachment, many times.
            emit("data", json!([[placeholder, placeholder], "AP8="])),
            emit("data", json!([[{ "_placeholder": true, "num": -1 }], "AP8="])),
        ];
        for message in wrong {
            assert!(read(message.to_string().as_bytes(), QueueForm::Arguments, MOST).is_err(), "{message}");
        }
        for bytes in [&b""[..], b"{", b"\xff\xfe", b"cos\nsystem\n(S'id'\ntR.", &[b' '; MOST + 1], &b"[".repeat(5_000)]
        {
            assert!(read(bytes, QueueForm::Arguments, MOST).is_err());
        }
    }
}
