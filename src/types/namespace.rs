//! Namespaces of Socket.IO: the chat as a whole, or one room.

use std::borrow::Cow;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::RoomName;

/// Where a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// `/`
    Chat,
    /// `/rooms/NAME`
    Room(RoomName),
}

impl Namespace {
    /// What stands before a room's name.
    pub const ROOMS: &str = "/rooms/";
}

impl FromStr for Namespace {
    type Err = Cow<'static, str>;

    /// A room's name is percent-encoded.
    fn from_str(path: &str) -> Result<Self, Self::Err> {
        if path == "/" {
            return Ok(Self::Chat);
        }
        let name = path.strip_prefix(Self::ROOMS).ok_or("must be / or /rooms/NAME")?;
        let name = percent_decode_str(name).decode_utf8().map_err(|_| "must be UTF-8")?;
        RoomName::try_from(name.into_owned()).map(Self::Room).map_err(Into::into)
    }
}
