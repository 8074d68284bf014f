//! From JSON text to a payload, with errors that name the field.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Longest part of a client's own text that an error repeats, in characters.
const ECHO: usize = 100;

/// An object of this type. `refusal` gives the original's sentence for a field, where it had one.
pub fn object<T: DeserializeOwned>(json: &str, refusal: impl Fn(&str) -> Option<&'static str>) -> Result<T> {
    if !json.trim_start().starts_with('{') {
        return Err(malformed("The argument must be an object."));
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| explain(&error, refusal))
}

pub fn malformed(message: &'static str) -> Error {
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

pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(ECHO) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
