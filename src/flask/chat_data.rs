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

/// The original's, for every installation the same.
const SALT: &[u8] = b"encrypted_chat_app_salt_2024";
const ROUNDS: u32 = 100_000;

/// Why a file gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, std::io::Error),
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

/// Somebody who once said a name.
#[derive(Deserialize)]
pub struct Person {
    pub user_id: String,
    pub username: String,
    #[serde(default)]
    pub public_key: Value,
    #[serde(default)]
    pub created_at: String,
}

#[derive(Deserialize)]
pub struct Said {
    #[serde(default)]
    pub id: String,
    pub user_id: String,
    pub username: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub encrypted_content: String,
    #[serde(default)]
    pub timestamp: String,
    #[serde(default)]
    encrypted_message: String,
    #[serde(default)]
    double_encrypted_content: String,
}

#[derive(Deserialize)]
pub struct Group {
    #[serde(default)]
    pub creator: String,
    /// Opened; `None` is an open group.
    #[serde(skip)]
    pub password: Option<Zeroizing<String>>,
    #[serde(default)]
    encrypted_password: String,
    #[serde(default)]
    pub created_at: String,
    #[serde(default)]
    pub members: Vec<String>,
    #[serde(default, rename = "messages")]
    rows: Vec<Value>,
    #[serde(skip)]
    pub messages: Vec<Said>,
}

/// What is in a file, in its order, and what of it could not be read.
#[derive(Default)]
pub struct ChatData {
    pub people: Vec<Person>,
    pub public: Vec<Said>,
    pub groups: Vec<(String, Group)>,
    pub problems: Vec<String>,
}

/// Opens a file or one of its backups. It is only read.
pub fn open(path: &Path, key: &Key) -> Result<ChatData, OpenError> {
    let token = std::fs::read(path).map_err(|error| OpenError::Unreadable(path.display().to_string(), error))?;
    let token = String::from_utf8(token).map_err(|_| OpenError::Closed)?;
    let json = Zeroizing::new(key.open(&token).ok_or(OpenError::Closed)?);
    let document: Map<String, Value> =
        serde_json::from_slice(&json).map_err(|error| OpenError::Strange(error.to_string()))?;
    if !document.contains_key("users") || !document.contains_key("public_messages") {
        return Err(OpenError::Strange("it has no users and public_messages".into()));
    }
    Ok(ChatData::read(document, key))
}

impl ChatData {
    fn read(mut document: Map<String, Value>, key: &Key) -> Self {
        let mut data = Self::default();
        for (id, value) in object(document.remove("users")) {
            let person = data.row(&format!("the user {id}"), value);
            data.people.extend(person);
        }
        let rows = array(document.remove("public_messages"));
        data.public = data.messages("the public room", rows, key);
        for (name, value) in object(document.remove("groups")) {
            let Some(mut group) = data.row::<Group>(&format!("the group {name:?}"), value) else { continue };
            let rows = std::mem::take(&mut group.rows);
            group.messages = data.messages(&format!("the group {name:?}"), rows, key);
            if !group.encrypted_password.is_empty() {
                group.password = key.open_text(&group.encrypted_password).map(Zeroizing::new);
                if group.password.is_none() {
                    data.problems.push(format!("the password of the group {name:?} does not open"));
                    // Nobody comes in by a password that nobody knows.
                    group.password = Some(Zeroizing::new(crate::types::Token::random().as_str().to_owned()));
                }
            }
            data.groups.push((name, group));
        }
        data
    }

    fn messages(&mut self, place: &str, rows: Vec<Value>, key: &Key) -> Vec<Said> {
        let mut messages = Vec::with_capacity(rows.len());
        for (number, row) in rows.into_iter().enumerate() {
            let Some(mut said) = self.row::<Said>(&format!("message {} of {place}", number + 1), row) else { continue };
            // As the original reads it: what is sealed wins, and what does not open leaves the plain field.
            said.message = key.open_text(&said.encrypted_message).unwrap_or(said.message);
            said.encrypted_content = key.open_text(&said.double_encrypted_content).unwrap_or(said.encrypted_content);
            messages.push(said);
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
