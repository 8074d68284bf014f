//! The one shape of answers to calls, as acks and as bodies over HTTP.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::WireError;

/// A call that was carried out: `ok: true`, and beside it what there is to tell.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}Accepted")]
pub struct Accepted<T> {
    #[schemars(extend("const" = true))]
    ok: bool,
    #[serde(flatten)]
    content: T,
}

/// A call that was refused, or failed: `ok: false`, and why.
#[derive(Serialize, JsonSchema)]
pub struct Refused {
    #[schemars(extend("const" = false))]
    ok: bool,
    error: WireError,
}

/// There is nothing to tell but that it was done.
#[derive(Serialize, JsonSchema)]
pub struct Done {}

impl<T> Accepted<T> {
    pub fn new(content: T) -> Self {
        Self { ok: true, content }
    }
}

impl Refused {
    pub fn new(error: WireError) -> Self {
        Self { ok: false, error }
    }
}
