//! Text that people send. This is all the input validation there is: who holds one of these types holds checked text.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// What the names of rooms of two begin with.
const DIRECT: &str = "direct:";
/// Longest user or group name, in characters (Unicode scalar values after NFC).
const NAME_LENGTH: usize = 64;
/// Longest password, in characters.
const PASSWORD_LENGTH: usize = 128;
/// Shortest password of an account, in characters (OWASP ASVS 5.0, 6.2.1).
const NEW_PASSWORD_LENGTH: usize = 8;
/// Longest reason, in characters.
const REASON_LENGTH: usize = 500;
/// Longest id that a sender gives a message, in characters.
const CLIENT_ID_LENGTH: usize = 64;
/// Longest name of a file, in characters.
const FILE_NAME_LENGTH: usize = 255;
/// Largest public key, in bytes of JSON.
const PUBLIC_KEY_SIZE: usize = 16_384;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("minLength" = 1, "maxLength" = NAME_LENGTH))]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                name(text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

name_type!(
    /// The name of a person: 1 to 64 characters in NFC, nothing that hides or runs.
    Username
);
name_type!(
    /// The name of a room: the same rules as for people.
    RoomName
);

impl RoomName {
    /// The room that everyone is in. No group can take its name.
    pub fn public() -> Self {
        Self("public".into())
    }

    /// Whether it is of a room of two people. No group can take such a name.
    pub fn is_direct(&self) -> bool {
        self.0.starts_with(DIRECT)
    }

    /// Of a room of two people.
    pub fn direct(digits: &str) -> Self {
        Self(format!("{DIRECT}{digits}"))
    }
}

/// The text of a message, in NFC, without control characters. Its greatest length is a setting: see `chat::messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("minLength" = 1))]
pub struct MessageText(String);

impl MessageText {
    /// Unicode scalar values.
    pub fn length(&self) -> usize {
        self.0.chars().count()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MessageText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Err("must not be empty".into());
        }
        // Line breaks and tabs are part of writing; every other control character is not.
        refuse_hidden(&text, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))?;
        Ok(Self(text.nfc().collect()))
    }
}

impl From<MessageText> for String {
    fn from(text: MessageText) -> Self {
        text.0
    }
}

/// The name of a file as its owner has it: 1 to 255 characters in NFC, no path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("minLength" = 1, "maxLength" = FILE_NAME_LENGTH))]
pub struct FileName(String);

impl FileName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FileName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        refuse_hidden(&text, char::is_control)?;
        if text.contains(['/', '\\']) || matches!(text.as_str(), "." | "..") {
            return Err("must be a name, not a path".into());
        }
        let text: String = text.nfc().collect();
        match text.chars().count() {
            1..=FILE_NAME_LENGTH if !text.chars().all(is_blank) => Ok(Self(text)),
            _ => Err(format!("must have 1 to {FILE_NAME_LENGTH} characters")),
        }
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

/// A password as typed. Wiped from memory when dropped, and never shown.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("maxLength" = PASSWORD_LENGTH))]
pub struct Password(#[schemars(with = "String")] Zeroizing<String>);

impl Password {
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Password {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = Zeroizing::new(text);
        if text.chars().count() > PASSWORD_LENGTH {
            return Err(format!("must have at most {PASSWORD_LENGTH} characters"));
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password for an account: 8 to 128 characters of any kind, nothing cut off.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(extend("minLength" = NEW_PASSWORD_LENGTH, "maxLength" = PASSWORD_LENGTH))]
pub struct NewPassword(Password);

impl NewPassword {
    pub fn into_password(self) -> Password {
        self.0
    }
}

impl TryFrom<String> for NewPassword {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let password = Password::try_from(text)?;
        if password.0.chars().count() < NEW_PASSWORD_LENGTH {
            return Err(format!("must have at least {NEW_PASSWORD_LENGTH} characters"));
        }
        Ok(Self(password))
    }
}

/// What a sender calls a message, to know it again: 1 to 64 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("minLength" = 1, "maxLength" = CLIENT_ID_LENGTH))]
pub struct ClientId(String);

impl ClientId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClientId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        refuse_hidden(&text, char::is_control)?;
        match text.chars().count() {
            1..=CLIENT_ID_LENGTH => Ok(Self(text)),
            _ => Err(format!("must have 1 to {CLIENT_ID_LENGTH} characters")),
        }
    }
}

impl From<ClientId> for String {
    fn from(id: ClientId) -> Self {
        id.0
    }
}

/// Why something was done or is complained about, in a moderator's or a reader's words. May be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("maxLength" = REASON_LENGTH))]
pub struct Reason(String);

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        refuse_hidden(&text, |c| c.is_control() && c != '\n')?;
        if text.chars().count() > REASON_LENGTH {
            return Err(format!("must have at most {REASON_LENGTH} characters"));
        }
        Ok(Self(text.nfc().collect()))
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

/// What a client gives as its public key: any JSON, since it is for other clients and nothing to the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value")]
pub struct PublicKey(serde_json::Value);

impl TryFrom<serde_json::Value> for PublicKey {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        if value.to_string().len() > PUBLIC_KEY_SIZE {
            return Err(format!("must have at most {PUBLIC_KEY_SIZE} bytes"));
        }
        Ok(Self(value))
    }
}

/// An optional field as Python saw it: null, false, 0, "", [] and {} are the same as no field at all.
/// Use with `#[serde(default, deserialize_with = "falsy_as_none")]`.
pub fn falsy_as_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    use serde_json::Value;

    let value = Value::deserialize(deserializer)?;
    let falsy = match &value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    if falsy {
        return Ok(None);
    }
    T::deserialize(value).map(Some).map_err(D::Error::custom)
}

fn name(text: String) -> Result<String, String> {
    refuse_hidden(&text, char::is_control)?;
    if let Some(c) = text.chars().find(|c| matches!(c, '<' | '>' | '"' | '\\')) {
        return Err(format!("must not contain {c}"));
    }
    let text: String = text.nfc().collect();
    let length = text.chars().count();
    if text.chars().all(is_blank) {
        return Err("must not be empty".into());
    }
    if length > NAME_LENGTH {
        return Err(format!("must have at most {NAME_LENGTH} characters"));
    }
    Ok(text)
}

fn refuse_hidden(text: &str, is_control: impl Fn(char) -> bool) -> Result<(), String> {
    match text.chars().find(|c| is_control(*c) || is_bidi_override(*c)) {
        Some(c) => Err(format!("must not contain the invisible character U+{:04X}", u32::from(c))),
        None => Ok(()),
    }
}

/// Embeddings, overrides and isolates of UAX 9: they make a text look like another one.
fn is_bidi_override(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Characters that show nothing: a name of these alone would be an empty one.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{2800}'
            | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn username(text: &str) -> Result<Username, String> {
        Username::try_from(text.to_string())
    }

    #[test]
    fn names_keep_their_spelling_in_nfc() {
        assert_eq!(username("  Zoe\u{301} 🦀 ").unwrap().as_str(), "  Zo\u{e9} 🦀 ");
        assert_eq!(username(&"ä".repeat(64)).unwrap().as_str().chars().count(), 64);
    }

    #[test]
    fn names_that_hide_or_run_are_refused() {
        for bad in ["", " ", "\u{200b}", "a\0", "a\nb", "<b>", "\"", "\\", "a\u{202e}b", "\u{2066}a"] {
            assert!(username(bad).is_err(), "{bad:?}");
        }
        assert!(username(&"a".repeat(65)).is_err());
    }

    #[test]
    fn messages_may_break_lines_and_nothing_else() {
        assert!(MessageText::try_from("a\n\tb\r\n".to_string()).is_ok());
        for bad in ["", "a\0", "\u{1b}[31m", "\u{202e}abc"] {
            assert!(MessageText::try_from(bad.to_string()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_file_has_a_name_and_no_path() {
        assert!(FileName::try_from("Übersicht 2026 (final).pdf".to_string()).is_ok());
        for bad in ["", " ", "..", "a/b", "..\\b", "a\0", "a\u{202e}fdp.exe"] {
            assert!(FileName::try_from(bad.to_string()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let password = Password::try_from("hunter2".to_string()).unwrap();
        assert!(!format!("{password:?}").contains("hunter2"));
    }
}
