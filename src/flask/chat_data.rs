//! The original's `chat_data.db`: one Fernet token around a JSON document, with tokens of the same key inside.

use std::path::Path;

use base64::{Engine, prelude::BASE64_URL_SAFE};
use fernet::Fernet;
use pbkdf2::pbkdf2_hmac;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::source::{Group, GroupPassword, Said, Source, Whom};

/// The original's, for every installation the same.
const SALT: &[u8] = b"encrypted_chat_app_salt_2024";
const ROUNDS: u32 = 100_000;
/// How each Fernet token of this century begins: its version and the first bytes of its time, in base64.
const BEGINNING: &str = "gAAAAA";

/// Why a file gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, std::io::Error),
    #[error(
        "{0} is no chat_data.db, or damaged: those begin with gAAAAA. (Another Flask app's SQLite database would do as well.)"
    )]
    Other(String),
    #[error(
        "The password is wrong, or the file is damaged: it does not open. The original's password stands in its source, as db_password or DATABASE_PASSWORD."
    )]
    Closed,
    #[error("The file opens, but is no chat_data.db: {0}")]
    Strange(String),
}

/// Opens and makes tokens as the original does.
pub struct Key(Fernet);

impl Key {
    pub fn of(password: &str) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        pbkdf2_hmac::<Sha256>(password.as_bytes(), SALT, ROUNDS, &mut *key);
        Self(Fernet::new(&BASE64_URL_SAFE.encode(*key)).expect("the key has 32 bytes"))
    }

    pub fn open(&self, token: &str) -> Option<Vec<u8>> {
        self.0.decrypt(token.trim()).ok()
    }

    pub fn seal(&self, content: &[u8]) -> String {
        self.0.encrypt(content)
    }

    fn open_text(&self, token: &str) -> Option<String> {
        String::from_utf8(self.open(token)?).ok()
    }
}

/// A message as the file has it.
#[derive(Deserialize)]
struct SaidRow {
    #[serde(default)]
    id: String,
    user_id: String,
    username: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    encrypted_content: String,
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    encrypted_message: String,
    #[serde(default)]
    double_encrypted_content: String,
}

/// A group as the file has it.
#[derive(Deserialize)]
struct GroupRow {
    #[serde(default)]
    creator: String,
    #[serde(default)]
    encrypted_password: String,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    messages: Vec<Value>,
}

/// Opens a file or one of its backups. It is only read.
pub fn open(path: &Path, key: &Key) -> Result<Source, OpenError> {
    let token = std::fs::read(path).map_err(|error| OpenError::Unreadable(path.display().to_string(), error))?;
    let token = String::from_utf8(token).map_err(|_| OpenError::Closed)?;
    if !token.trim_start().starts_with(BEGINNING) {
        return Err(OpenError::Other(path.display().to_string()));
    }
    let json = Zeroizing::new(key.open(&token).ok_or(OpenError::Closed)?);
    let document: Map<String, Value> =
        serde_json::from_slice(&json).map_err(|error| OpenError::Strange(error.to_string()))?;
    if !document.contains_key("users") || !document.contains_key("public_messages") {
        return Err(OpenError::Strange("it has no users and public_messages".into()));
    }
    Ok(FileReader { key, problems: Vec::new() }.read(document))
}

struct FileReader<'a> {
    key: &'a Key,
    problems: Vec<String>,
}

impl FileReader<'_> {
    fn read(mut self, mut document: Map<String, Value>) -> Source {
        let mut people = Vec::new();
        for (id, value) in object(document.remove("users")) {
            people.extend(self.row(&format!("the user {id}"), value));
        }
        let public = self.messages("the public room", array(document.remove("public_messages")));
        let mut groups = Vec::new();
        for (name, value) in object(document.remove("groups")) {
            groups.extend(self.group(name, value));
        }
        Source { people, public, groups, problems: self.problems, ..Source::default() }
    }

    fn group(&mut self, name: String, value: Value) -> Option<Group> {
        let row: GroupRow = self.row(&format!("the group {name:?}"), value)?;
        let messages = self.messages(&format!("the group {name:?}"), row.messages);
        let password = match row.encrypted_password.as_str() {
            "" => None,
            sealed => Some(match self.key.open_text(sealed) {
                Some(password) => GroupPassword::Clear(Zeroizing::new(password)),
                None => {
                    self.problems.push(format!("the password of the group {name:?} does not open"));
                    GroupPassword::Lost
                }
            }),
        };
        Some(Group {
            name,
            id: None,
            creator: Some(Whom::Name(row.creator)),
            password,
            created_at: row.created_at,
            members: row.members.into_iter().map(Whom::Name).collect(),
            messages,
        })
    }

    fn messages(&mut self, place: &str, rows: Vec<Value>) -> Vec<Said> {
        let mut messages = Vec::with_capacity(rows.len());
        for (number, row) in rows.into_iter().enumerate() {
            let Some(row) = self.row::<SaidRow>(&format!("message {} of {place}", number + 1), row) else { continue };
            messages.push(Said {
                id: row.id,
                user_id: row.user_id,
                username: row.username,
                // As the original reads it: what is sealed wins, and what does not open leaves the plain field.
                message: self.key.open_text(&row.encrypted_message).unwrap_or(row.message),
                encrypted_content: self.key.open_text(&row.double_encrypted_content).unwrap_or(row.encrypted_content),
                timestamp: row.timestamp,
            });
        }
        messages
    }

    fn row<T: DeserializeOwned>(&mut self, what: &str, value: Value) -> Option<T> {
        let row = serde_json::from_value(value);
        row.inspect_err(|error| self.problems.push(format!("{what} cannot be read: {error}"))).ok()
    }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn array(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(array)) => array,
        _ => Vec::new(),
    }
}
