//! An event as it came from the library, not decoded yet.

use std::convert::Infallible;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::message::FromMessageParts;
use socketioxide::socket::Socket;
use socketioxide_core::{Str, Value};

use crate::decode::{malformed, object, shorten};
use crate::error::Result;

/// An event as it came: `["name", argument…]`. Binary arguments stay placeholders: no event takes one.
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

    /// In bytes.
    pub fn size(&self) -> usize {
        self.0.len()
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
        match (self.0.as_slice(), payload) {
            ([], _) => object("{}", refusal),
            ([_, ..], false) => Err(malformed("This event takes no argument.")),
            ([argument], true) => object(argument.get(), refusal),
            ([_, _, ..], true) => Err(malformed("This event takes one argument, an object.")),
        }
    }
}
