//! From the text of a packet to an event's payload, with errors that name the field.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::message::FromMessageParts;
use socketioxide::socket::Socket;
use socketioxide_core::{Str, Value};

use crate::error::{Error, Result};

/// Longest part of a client's own text that an error repeats, in characters.
const ECHO: usize = 100;

/// An event as it came: `["name", argument…]`, not decoded yet. Binary arguments stay placeholders: no event takes one.
pub struct Raw(Str);

impl FromMessageParts<LocalAdapter> for Raw {
    type Error = Infallible;

    fn from_message_parts(
        _: &Arc<Socket<LocalAdapter>>,
        value: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self(value.as_str().cloned().unwrap_or_default()))
    }
}

impl Raw {
    /// The event's name, cut where it is too long to repeat.
    pub fn name(&self) -> String {
        // The library has read it before us, from text that need not be JSON to its end.
        let name = self.0.split('"').nth(1).unwrap_or_default();
        shorten(name)
    }

    pub fn arguments(&self) -> Result<Arguments<'_>> {
        let parts: Vec<&RawValue> = serde_json::from_str(&self.0).map_err(|_| malformed("The packet is not JSON."))?;
        Ok(Arguments(parts.into_iter().skip(1).collect()))
    }
}

/// What came after the event's name.
pub struct Arguments<'a>(Vec<&'a RawValue>);

impl Arguments<'_> {
    /// No argument is the same as `{}`. `refusal` gives the original's sentence for a field, where it had one.
    pub fn decode<T: DeserializeOwned>(
        &self,
        payload: bool,
        refusal: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<T> {
        let json = match (self.0.as_slice(), payload) {
            ([], _) => "{}",
            ([_, ..], false) => return Err(malformed("This event takes no argument.")),
            ([argument], true) => argument.get(),
            ([_, _, ..], true) => return Err(malformed("This event takes one argument, an object.")),
        };
        if !json.starts_with('{') {
            return Err(malformed("The argument must be an object."));
        }
        let mut deserializer = serde_json::Deserializer::from_str(json);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| explain(&error, refusal))
    }
}

fn malformed(message: &'static str) -> Error {
    Error::Invalid { field: None, message: message.into() }
}

fn explain(
    error: &serde_path_to_error::Error<serde_json::Error>,
    refusal: impl Fn(&str) -> Option<&'static str>,
) -> Error {
    let path = error.path().to_string();
    let problem = error.inner().to_string();
    let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let field = match missing {
        Some(field) => field.to_owned(),
        None if path == "." => return malformed("The argument is not well-formed JSON."),
        None => shorten(&path),
    };
    let message = match (refusal(&field), missing) {
        (Some(sentence), _) => Cow::Borrowed(sentence),
        (None, Some(_)) => format!("{field} is missing").into(),
        (None, None) => format!("{field} {}", explain_value(&problem)).into(),
    };
    Error::Invalid { field: Some(field), message }
}

/// Serde's words for people. What they quote of the value is left out: it may be long, and they know what they sent.
fn explain_value(problem: &str) -> Cow<'_, str> {
    // Serde adds where in the text it was; people have no text, only fields.
    let problem = problem.rsplit_once(" at line ").map_or(problem, |(problem, _)| problem);
    if problem.starts_with("must ") {
        return Cow::Borrowed(problem);
    }
    match problem.rsplit_once(", expected ") {
        Some((_, expected)) => Cow::Owned(format!("must be {expected}")),
        None => Cow::Borrowed("is not well-formed text"),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(ECHO) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
