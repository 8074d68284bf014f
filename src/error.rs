//! The one error type, by meaning, and its one shape on the wire.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::telemetry;

pub type Result<T, E = Error> = std::result::Result<T, E>;

type Text = Cow<'static, str>;

/// Why something was refused or failed. The texts are for people and hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    Invalid { field: Option<String>, message: Text },
    /// Nobody knows who it is, or what was shown to prove it is not right.
    #[error("{0}")]
    Unauthenticated(Text),
    /// The password is right, and a code of the second factor is missing or wrong.
    #[error("{0}")]
    CodeNeeded(Text),
    #[error("{0}")]
    Forbidden(Text),
    #[error("{0}")]
    NotFound(Text),
    #[error("{0}")]
    Conflict(Text),
    #[error("Too many requests at once. Try again in a moment.")]
    TooMany { retry_ms: u64 },
    #[error("{message}")]
    TooLarge { field: &'static str, message: Text },
    /// The server cannot do it now; nothing was changed.
    #[error("{0}")]
    Unavailable(Text),
    /// A fault of ours or of the machine. The cause is for the log; people get a plain sentence.
    #[error("Something went wrong on the server. Nothing was changed.")]
    Internal(#[source] anyhow::Error),
}

/// An error as clients get it: payload of the `error` event, `error` of an ack, body of an HTTP answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WireError {
    pub message: String,
    pub code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u64>,
    /// Of an internal error: by this the operator finds it in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Error {
    pub fn invalid(field: &str, message: impl Into<Text>) -> Self {
        Self::Invalid { field: Some(field.into()), message: message.into() }
    }

    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Self::Internal(cause.into())
    }

    pub fn not_joined() -> Self {
        Self::Unauthenticated("Say who you are first: send join_chat with a username.".into())
    }

    /// What a client hears when its work waited too long in a full queue or could not be committed.
    pub fn not_stored() -> Self {
        Self::Unavailable("The server could not store this now; nothing was changed. Try again.".into())
    }

    pub fn shutting_down() -> Self {
        Self::Unavailable("The server is shutting down. Try again in a moment.".into())
    }

    /// The closed list of CONTRACT.md, part 2.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::Unauthenticated(_) | Self::CodeNeeded(_) => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::TooMany { .. } => "too_many",
            Self::TooLarge { .. } => "too_large",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// The HTTP status of the same meaning (RFC 9110, section 15; RFC 6585, section 4).
    pub fn status(&self) -> http::StatusCode {
        use http::StatusCode;
        match self {
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) | Self::CodeNeeded(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error as a client gets it. Logs the cause of an internal one, here and nowhere else.
    pub fn to_wire(&self, event: Option<&str>) -> WireError {
        let mut wire = WireError {
            message: self.to_string(),
            code: self.code(),
            event: event.map(Into::into),
            field: None,
            retry_ms: None,
            request_id: None,
        };
        match self {
            Self::Invalid { field, .. } => wire.field.clone_from(field),
            Self::TooLarge { field, .. } => wire.field = Some(field.to_string()),
            Self::CodeNeeded(_) => wire.field = Some("code".into()),
            Self::TooMany { retry_ms } => wire.retry_ms = Some(*retry_ms),
            Self::Internal(cause) => {
                tracing::error!(event, "internal error: {cause:#}");
                wire.request_id = telemetry::current_id();
                if let Some(id) = &wire.request_id {
                    wire.message.push_str(&format!(" Its number, for who runs the server: {id}."));
                }
            }
            _ => {}
        }
        wire
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::internal(error)
    }
}
