//! Who people are: to the server, to a room and to each other.

use std::net::{IpAddr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::skeleton;

use super::text::{RoomName, Username, is_blank};
use super::{ConnId, PublicKey, SessionId, TicketId, Timestamp, UserId};

/// What a person may do on this server as a whole, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Somebody who typed a name; no account stands behind it.
    Guest,
    Member,
    Moderator,
    Admin,
    Owner,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Guest, Self::Member, Self::Moderator, Self::Admin, Self::Owner];

    pub fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// What a member may do in one room, from the least to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoomRole {
    #[default]
    Member,
    Moderator,
    Owner,
}

/// Whether somebody is here, as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    Offline,
    /// None of their clients is looked at.
    Away,
    Online,
}

/// Names that look alike have the same key: folded by case and by what people confuse (Unicode TR 39, section 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameKey(String);

impl NameKey {
    /// Counts up when names get other keys than before, as by newer tables of Unicode: stored keys are then made anew.
    pub const VERSION: u32 = 2;

    pub fn of(name: &Username) -> Self {
        Self(fold(name.as_str()))
    }

    pub fn of_room(name: &RoomName) -> Self {
        Self(fold(name.as_str()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fold(name: &str) -> String {
    let visible: String = name.chars().filter(|c| is_seen(*c)).collect();
    // Both before and after NFKC, which takes some characters for others than they look like. And twice, since folding the
    // case brings up new likenesses: a capital I is a small l, a small i is none.
    let folded: String = skeleton(&visible).collect::<String>().nfkc().collect();
    let folded = skeleton(&folded).collect::<String>().to_lowercase();
    let folded = skeleton(&folded).filter(|c| is_seen(*c)).collect::<String>().to_lowercase();
    // A dot above a letter that has one already.
    folded.replace(['i', 'ı'], "l").replace("l\u{307}", "l").replace("j\u{307}", "j")
}

/// Not what is invisible, means nothing to anybody else, or is drawn over or around a letter.
fn is_seen(c: char) -> bool {
    use GeneralCategory::*;

    const OVERLAY: u8 = 1;
    let hidden = matches!(c.general_category(), Format | Control | PrivateUse | Unassigned | EnclosingMark);
    !hidden && !is_blank(c) && canonical_combining_class(c) != OVERLAY
}

/// Who somebody is to others, across visits: a guest is no more than their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    Account(UserId),
    Guest(NameKey),
}

impl Identity {
    pub fn guest(name: &Username) -> Self {
        Self::Guest(NameKey::of(name))
    }

    /// Of a person as rows have one: an account's owner, or a guest.
    pub fn of(is_account: bool, user: UserId, name: &Username) -> Self {
        match is_account {
            true => Self::Account(user),
            false => Self::guest(name),
        }
    }

    pub fn is_guest(&self) -> bool {
        matches!(self, Self::Guest(_))
    }
}

/// Who acts: the person, and where they act from. What they may do is looked up at each act.
#[derive(Clone, Debug)]
pub struct Actor {
    pub user: UserId,
    pub name: Username,
    pub identity: Identity,
    pub session: Option<SessionId>,
    pub conn: Option<ConnId>,
    pub address: IpAddr,
    /// By which the connection is found again.
    pub ticket: Option<TicketKey>,
}

/// A connection's ticket, and a keyed hash of whose it is: a session's, or a browser's.
#[derive(Clone, Copy, Debug)]
pub struct TicketKey {
    pub id: TicketId,
    pub owner: [u8; 32],
}

/// A person as stored.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub name: Username,
    pub public_key: Option<PublicKey>,
    pub joined_at: Timestamp,
}

/// The network that an address stands for in limits and bans: one IPv4 address, or the /64 that an IPv6 customer has
/// (RFC 6177). An IPv4 address in IPv6 clothes is an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Network(IpAddr);

impl Network {
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address => address,
        })
    }

    pub fn is_loopback(&self) -> bool {
        self.0.is_loopback() || self.0 == Self::of(Ipv6Addr::LOCALHOST.into()).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> NameKey {
        NameKey::of(&Username::try_from(name.to_string()).unwrap())
    }

    #[test]
    fn names_that_look_alike_have_one_key() {
        let alike = [
            ("alice", "ALICE"),
            ("alice", "aIice"),
            ("alice", "al\u{200b}ice"),
            ("alice", "аlice"),
            ("alice", "alice "),
            ("alice", "ａｌｉｃｅ"),
            ("admin", "adrnin"),
            ("bob", "b0b"),
            ("Zoë", "Zoe\u{308}"),
            ("paypal", "раураl"),
            ("alice", "ali\u{335}ce"),
            ("alice", "a\u{488}lice"),
            ("alice", "alice\u{e000}"),
            ("alice", "alice\u{fff9}"),
            ("alice", "alice\u{378}"),
            ("alice", "aliϲe"),
            ("alice", "alİce"),
            ("alice", "ali\u{307}ce"),
        ];
        for (one, other) in alike {
            assert_eq!(key(one), key(other), "{one:?} {other:?}");
        }
        for (one, other) in [("alice", "alicia"), ("ann", "anna"), ("zoe", "zoë"), ("bob", "rob")] {
            assert_ne!(key(one), key(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_network_is_an_ipv4_address_or_half_of_an_ipv6_one() {
        let network = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.2"), network("192.0.2.1"));
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert!(network("::1").is_loopback() && network("127.0.0.1").is_loopback());
    }
}
