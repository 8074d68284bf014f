//! Identifiers, each its own type, so that none is taken for another.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use socketioxide::socket::Sid;
use uuid::Uuid;

use super::random::{random_bytes, random_uuid};

/// An id of 16 bytes, in the form of a version 4 UUID.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            /// `None` when these are not 16 bytes.
            pub fn from_stored(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

/// An id of 16 random bytes.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        id!($(#[$doc])* $name);

        impl $name {
            pub fn random() -> Self {
                Self(random_uuid())
            }
        }
    };
}

random_id!(UserId);
random_id!(
    /// A session as its owner sees it in a list. No secret: the session's token is.
    SessionId
);
random_id!(InviteId);
random_id!(TicketId);
random_id!(
    /// Of an uploaded file.
    AttachmentId
);
id!(
    /// Of one person's report of one message.
    ReportId
);

/// Looks like a version 4 UUID; the vault makes it from a message's room and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MessageId(Uuid);

impl MessageId {
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for MessageId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

/// Positive and below 2^58, so that it fits into a [`MessageId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(i64);

impl RoomId {
    pub const BITS: u32 = 58;
    /// The room that everyone is in.
    pub const PUBLIC: Self = Self(1);

    pub fn random() -> Self {
        let bits = u64::from_le_bytes(random_bytes()) >> (64 - Self::BITS);
        Self(bits.max(2) as i64)
    }

    pub fn from_stored(id: i64) -> Self {
        Self(id)
    }

    pub fn get(self) -> i64 {
        self.0
    }
}

/// One connection. It wraps the Engine.IO session id, which is a secret of that client:
/// whoever knows it can post as the client over polling. Hence no `Serialize`, and a blank `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnId {
    sid: Sid,
    /// 0 in the namespace `/`; another number in each other one: a client can be in several over one connection.
    namespace: u64,
}

impl ConnId {
    pub fn new(sid: Sid) -> Self {
        Self { sid, namespace: 0 }
    }

    pub fn in_namespace(sid: Sid, number: u64) -> Self {
        Self { sid, namespace: number }
    }

    pub fn sid(self) -> Sid {
        self.sid
    }

    pub fn is_main(self) -> bool {
        self.namespace == 0
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnId(…)")
    }
}
