//! Events of other programs, over HTTP: for those that have no Redis to put them on.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Web;
use super::answers::Ok200;
use super::extract::{ApiJson, Program};
use crate::chat::outside::{Event, What, Wish, carry_out};
use crate::error::{Error, Result};

/// An event, as Flask-SocketIO's `emit` takes it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)] // what is misspelt must not go to everybody
pub struct Emit {
    event: String,
    /// The one argument.
    data: Option<Value>,
    /// All arguments, where there are several.
    args: Option<Vec<Value>>,
    /// A room, the id of a connection, or several of them; without it all get the event. Also called `room`, as in Flask.
    #[serde(alias = "room")]
    to: Option<Names>,
    /// The id of a connection that does not get it, or several.
    skip_sid: Option<Names>,
    /// `/` or `/rooms/NAME`.
    #[serde(default = "chat")]
    namespace: String,
}

fn chat() -> String {
    "/".into()
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a string or a list of strings")]
enum Names {
    One(String),
    Many(Vec<String>),
}

impl From<Names> for Vec<String> {
    fn from(names: Names) -> Self {
        match names {
            Names::One(name) => vec![name],
            Names::Many(names) => names,
        }
    }
}

/// To how many connections the event was handed.
#[derive(Serialize, JsonSchema)]
pub struct Delivered {
    delivered: u64,
}

pub async fn emit(_: Program, State(web): State<Web>, ApiJson(emit): ApiJson<Emit>) -> Result<Ok200<Delivered>> {
    let arguments = match (emit.data, emit.args) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("args", "Send data (one argument) or args (several), not both."));
        }
        (Some(data), None) => vec![data],
        (None, args) => args.unwrap_or_default(),
    };
    let event = Event {
        name: emit.event,
        arguments: arguments.into_iter().map(Into::into).collect(),
        to: emit.to.map(Into::into),
        skip: emit.skip_sid.map(Into::into).unwrap_or_default(),
        answer: None,
    };
    let delivered = carry_out(&web.app, Wish { namespace: emit.namespace, what: What::Emit(event) }).await?;
    Ok(Ok200(Delivered { delivered }))
}
