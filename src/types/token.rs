//! Secrets that the server hands out: whoever shows one is let in.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::random_bytes;

/// Characters that a token has at most; longer ones are not looked up.
const LENGTH: usize = 128;

/// A secret of 256 random bits as text. Stored only as a keyed hash, and never shown by `Debug`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("minLength" = 1, "maxLength" = LENGTH))]
pub struct Token(#[schemars(with = "String")] Zeroizing<String>);

impl Token {
    pub fn random() -> Self {
        Self(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Token {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.is_empty() || text.len() > LENGTH {
            true => Err("must be a token of this server"),
            false => Ok(Self(Zeroizing::new(text))),
        }
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0.to_string()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
