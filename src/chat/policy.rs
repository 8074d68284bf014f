//! Who may do what: THE authorization. Pure functions over facts that the caller has loaded.
//!
//! `tests/rights.txt` shows every cell of action × role × place × state. A test below compares it with this file, and
//! `tests/it/rights.rs` with the running server.

use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::types::{Role, RoomRole, Token};

/// What holds for a person on the whole server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub role: Role,
    pub muted: bool,
    pub banned: bool,
    /// An admin's rights sleep until the second factor is set up, where ADMIN_REQUIRE_2FA asks for one.
    pub lacks_second_factor: bool,
}

/// What holds for a person in one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InRoom {
    /// The public room, which everyone is in.
    pub public: bool,
    /// `None`: no member.
    pub role: Option<RoomRole>,
    pub muted: bool,
    pub banned: bool,
    /// A room of two people.
    pub direct: bool,
}

impl InRoom {
    /// For what concerns no room.
    pub const NOWHERE: Self = Self { public: false, role: None, muted: false, banned: false, direct: false };
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// What concerns oneself alone: one's numbers, sessions, blocks and settings.
    ManageOneself,
    CreateGroup,
    /// Apart from the password, which is asked for besides.
    JoinRoom,
    ReadRoom,
    Post,
    EditOwnMessage,
    React,
    Report,
    DeleteOwnMessage,
    DeleteAnyMessage,
    /// What messages said before.
    ReadEdits,
    Pin,
    KickFromRoom,
    MuteInRoom,
    BanFromRoom,
    SetSlowMode,
    SetRoomRole,
    SetRetention,
    SetRoomPassword,
    KickFromServer,
    MuteOnServer,
    BanFromServer,
    ResolveReports,
    SetServerRole,
    ManageAccounts,
    Invite,
    ReadAuditLog,
    ReadServerStats,
    BackUp,
}

impl Standing {
    /// The role whose rights are in force.
    fn role(&self) -> Role {
        match self.lacks_second_factor {
            true => self.role.min(Role::Member),
            false => self.role,
        }
    }
}

/// Whether somebody without an account may come in.
pub fn enter_as_guest(guests_allowed: bool) -> Result<()> {
    match guests_allowed {
        true => Ok(()),
        false => forbidden("This server is for people with an account. Sign in first."),
    }
}

/// Whether the password given opens the room.
pub fn join_group(password_fits: bool) -> Result<()> {
    match password_fits {
        true => Ok(()),
        false => forbidden("Failed to join group. Check password."),
    }
}

/// Whether a program may send events: it shows the token that the operator has set.
pub fn outside(set: Option<&Token>, shown: Option<&Token>) -> Result<()> {
    let refused = || Err(Error::Unauthenticated("Show EMIT_TOKEN: Authorization: Bearer TOKEN.".into()));
    match (set, shown) {
        (_, None) => refused(),
        (None, Some(_)) => {
            Err(Error::NotFound("This server takes no events of programs: its operator has not set EMIT_TOKEN.".into()))
        }
        (Some(set), Some(shown)) => match bool::from(shown.as_str().as_bytes().ct_eq(set.as_str().as_bytes())) {
            true => Ok(()),
            false => refused(),
        },
    }
}

/// Whether a person may do something that concerns no room.
pub fn on_server(action: Action, who: Standing) -> Result<()> {
    use Action::*;

    if who.banned {
        return forbidden("You are banned from this server.");
    }
    match action {
        ManageOneself => Ok(()),
        CreateGroup if who.muted => forbidden("You are muted on this server."),
        CreateGroup => Ok(()),
        KickFromServer | MuteOnServer | BanFromServer | ResolveReports => {
            at_least(Role::Moderator, who, "This is for moderators.")
        }
        SetServerRole | ManageAccounts | Invite | ReadAuditLog | ReadServerStats | BackUp => {
            at_least(Role::Admin, who, "This is for administrators.")
        }
        JoinRoom | ReadRoom | Post | EditOwnMessage | React | Report | DeleteOwnMessage | DeleteAnyMessage
        | ReadEdits | Pin | KickFromRoom | MuteInRoom | BanFromRoom | SetSlowMode | SetRoomRole | SetRetention
        | SetRoomPassword => forbidden("This is done in a room."),
    }
}

/// Whether a person may do something in a room.
pub fn in_room(action: Action, who: Standing, there: InRoom) -> Result<()> {
    use Action::*;

    if who.banned {
        return forbidden("You are banned from this server.");
    }
    if there.banned {
        return forbidden("You are banned from this room.");
    }
    let is_in = there.public || there.role.is_some();
    match action {
        JoinRoom if there.direct && !is_in => forbidden("This is a room of two people."),
        ReadEdits | Pin | KickFromRoom | MuteInRoom | BanFromRoom | SetSlowMode | SetRoomRole | SetRetention
        | SetRoomPassword
            if there.direct =>
        {
            forbidden("Nobody runs a room of two people.")
        }
        JoinRoom => Ok(()),
        ReadRoom | Report | DeleteOwnMessage if is_in => Ok(()),
        ReadRoom | Report | DeleteOwnMessage => forbidden("Join the group first."),
        Post | EditOwnMessage | React if !is_in => forbidden("Join the group before you write to it."),
        Post | EditOwnMessage | React if who.muted => forbidden("You are muted on this server."),
        Post | EditOwnMessage | React if there.muted => forbidden("You are muted in this room."),
        Post | EditOwnMessage | React => Ok(()),
        DeleteAnyMessage | ReadEdits | Pin | KickFromRoom | MuteInRoom | BanFromRoom | SetSlowMode => {
            match rank(who, there) >= Rank::RoomModerator {
                true => Ok(()),
                false => needs("This is for moderators of the room.", who),
            }
        }
        SetRoomRole | SetRetention | SetRoomPassword => {
            match there.role == Some(RoomRole::Owner) || who.role() >= Role::Admin {
                true => Ok(()),
                false => needs("This is for the room's owner.", who),
            }
        }
        _ => on_server(action, who),
    }
}

/// Whether somebody may act on somebody else: on those below alone.
pub fn act_on(who: Standing, there: InRoom, whom: Standing, whom_there: InRoom) -> Result<()> {
    match rank(who, there) > rank_of(whom.role, whom_there) {
        true => Ok(()),
        false => forbidden("You cannot do this to somebody of your own rank or above."),
    }
}

/// Whether somebody may give a role on the server to somebody who has another one. An owner may do so with anyone;
/// an admin below their own rank.
pub fn set_server_role(who: Standing, whom: Standing, role: Role) -> Result<()> {
    on_server(Action::SetServerRole, who)?;
    if role == Role::Guest {
        return Err(Error::invalid("role", "An account cannot become a guest."));
    }
    match who.role() == Role::Owner || (whom.role < who.role() && role < who.role()) {
        true => Ok(()),
        false => forbidden("You can neither give your own rank nor take it."),
    }
}

/// Power over others, in one room or, without one, on the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Anyone,
    RoomModerator,
    RoomOwner,
    Moderator,
    Admin,
    Owner,
}

fn rank(who: Standing, there: InRoom) -> Rank {
    rank_of(who.role(), there)
}

fn rank_of(role: Role, there: InRoom) -> Rank {
    match (role, there.role) {
        (Role::Owner, _) => Rank::Owner,
        (Role::Admin, _) => Rank::Admin,
        (Role::Moderator, _) => Rank::Moderator,
        (_, Some(RoomRole::Owner)) => Rank::RoomOwner,
        (_, Some(RoomRole::Moderator)) => Rank::RoomModerator,
        _ => Rank::Anyone,
    }
}

fn at_least(role: Role, who: Standing, otherwise: &'static str) -> Result<()> {
    match who.role() >= role {
        true => Ok(()),
        false => needs(otherwise, who),
    }
}

/// A refusal; says when it is only the second factor that is missing.
fn needs(otherwise: &'static str, who: Standing) -> Result<()> {
    match who.lacks_second_factor {
        true => forbidden("Set up your second factor first: this server asks administrators for one."),
        false => forbidden(otherwise),
    }
}

fn forbidden(message: &'static str) -> Result<()> {
    Err(Error::Forbidden(message.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [(&str, bool, Option<RoomRole>); 5] = [
        ("public", true, None),
        ("stranger", false, None),
        ("member", false, Some(RoomRole::Member)),
        ("moderator", false, Some(RoomRole::Moderator)),
        ("owner", false, Some(RoomRole::Owner)),
    ];
    const STATES: [&str; 6] = ["fine", "muted", "banned", "muted in the room", "banned from it", "lacks 2nd factor"];
    const ON_SERVER: [Action; 12] = {
        use Action::*;
        [
            ManageOneself,
            CreateGroup,
            KickFromServer,
            MuteOnServer,
            BanFromServer,
            ResolveReports,
            SetServerRole,
            ManageAccounts,
            Invite,
            ReadAuditLog,
            ReadServerStats,
            BackUp,
        ]
    };
    const IN_ROOM: [Action; 17] = {
        use Action::*;
        [
            JoinRoom,
            ReadRoom,
            Post,
            EditOwnMessage,
            React,
            Report,
            DeleteOwnMessage,
            DeleteAnyMessage,
            ReadEdits,
            Pin,
            KickFromRoom,
            MuteInRoom,
            BanFromRoom,
            SetSlowMode,
            SetRoomRole,
            SetRetention,
            SetRoomPassword,
        ]
    };

    fn standing(role: Role, state: &str) -> Standing {
        Standing {
            role,
            muted: state == "muted",
            banned: state == "banned",
            lacks_second_factor: state == "lacks 2nd factor",
        }
    }

    fn cells(allowed: impl Fn(&str) -> Result<()>) -> String {
        STATES.map(|state| if allowed(state).is_ok() { 'y' } else { '-' }).iter().collect()
    }

    /// Every cell, as people can read it.
    fn table() -> String {
        let mut lines = vec![
            "Who may do what. One letter a state: fine, muted, banned, muted in the room, banned from it, lacks the second factor".into(),
            "that ADMIN_REQUIRE_2FA asks for; y is yes. Made from chat/policy.rs and read cell by cell; cargo test compares it with that".into(),
            "and with the running server. UPDATE_RIGHTS=1 cargo test --lib policy writes it anew: read the difference.".into(),
            String::new(),
            format!("{:<22}{}", "on the server", Role::ALL.map(|role| format!("{:<11}", role.name())).concat()),
        ];
        for action in ON_SERVER {
            let row = Role::ALL.map(|role| format!("{:<11}", cells(|state| on_server(action, standing(role, state)))));
            lines.push(format!("{:<22}{}", format!("{action:?}"), row.concat()));
        }
        for (place, public, room_role) in PLACES {
            lines.push(String::new());
            let title = match public {
                true => "in the public room".into(),
                false => format!("{place} of a group"),
            };
            lines.push(format!("{title:<22}{}", Role::ALL.map(|role| format!("{:<11}", role.name())).concat()));
            for action in IN_ROOM {
                let row = Role::ALL.map(|role| {
                    let allowed = |state: &str| {
                        let there = InRoom {
                            public,
                            role: room_role,
                            muted: state == "muted in the room",
                            banned: state == "banned from it",
                            direct: false,
                        };
                        in_room(action, standing(role, state), there)
                    };
                    format!("{:<11}", cells(allowed))
                });
                lines.push(format!("{:<22}{}", format!("{action:?}"), row.concat()));
            }
        }
        lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    #[test]
    fn every_cell_is_as_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rights.txt");
        if std::env::var_os("UPDATE_RIGHTS").is_some() {
            std::fs::write(path, table()).unwrap();
        }
        let expected = std::fs::read_to_string(path).unwrap();
        for (found, expected) in table().lines().zip(expected.lines()) {
            assert_eq!(found, expected);
        }
        assert_eq!(table(), expected);
    }

    #[test]
    fn one_acts_on_those_below_alone() {
        let nowhere = InRoom { public: true, role: None, muted: false, banned: false, direct: false };
        for (index, role) in Role::ALL.into_iter().enumerate() {
            for (other_index, other) in Role::ALL.into_iter().enumerate() {
                let allowed = act_on(standing(role, "fine"), nowhere, standing(other, "fine"), nowhere).is_ok();
                // Guests and members have no power over each other.
                assert_eq!(allowed, index > other_index && index >= 2, "{role:?} on {other:?}");
            }
        }
        let owner = InRoom { public: false, role: Some(RoomRole::Owner), muted: false, banned: false, direct: false };
        let member = InRoom { role: Some(RoomRole::Member), ..owner };
        let (a_member, a_moderator) = (standing(Role::Member, "fine"), standing(Role::Moderator, "fine"));
        assert!(act_on(a_member, owner, a_member, member).is_ok());
        assert!(act_on(a_member, owner, a_member, owner).is_err());
        assert!(act_on(a_member, owner, a_moderator, member).is_err(), "a moderator of the server stands above");
    }

    #[test]
    fn nobody_runs_a_room_of_two_or_comes_into_it() {
        let two = InRoom { public: false, role: None, muted: false, banned: false, direct: true };
        let inside = InRoom { role: Some(RoomRole::Member), ..two };
        let owner = standing(Role::Owner, "fine");
        for action in IN_ROOM.into_iter().filter(|action| *action != Action::DeleteAnyMessage) {
            assert!(in_room(action, owner, two).is_err(), "{action:?}");
        }
        for action in [Action::Pin, Action::KickFromRoom, Action::SetRetention, Action::ReadEdits] {
            assert!(in_room(action, owner, inside).is_err(), "{action:?}");
        }
        assert!(in_room(Action::Post, standing(Role::Guest, "fine"), inside).is_ok());
    }

    #[test]
    fn nobody_rises_above_who_lifts_them() {
        let admin = standing(Role::Admin, "fine");
        let member = standing(Role::Member, "fine");
        assert!(set_server_role(admin, member, Role::Moderator).is_ok());
        assert!(set_server_role(admin, member, Role::Admin).is_err());
        assert!(set_server_role(admin, admin, Role::Member).is_err());
        assert!(set_server_role(standing(Role::Owner, "fine"), admin, Role::Owner).is_ok());
        assert!(set_server_role(standing(Role::Moderator, "fine"), member, Role::Moderator).is_err());
        assert!(set_server_role(standing(Role::Owner, "lacks 2nd factor"), member, Role::Admin).is_err());
    }
}
