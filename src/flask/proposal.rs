//! A mapping that is guessed from a database's own names, for its operator to correct.

use super::database::{Database, DatabaseError, Table};
use crate::passwords;

/// What things are called in apps of this kind, the likeliest first: in small letters, without spaces and underscores.
mod names {
    pub const USERS: &str = "users user accounts account appuser authuser members member people";
    pub const ROOMS: &str =
        "rooms room chatrooms chatroom groups group chatgroups chatgroup channels channel conversations";
    pub const MESSAGES: &str = "messages message chatmessages chatmessage publicmessages msgs posts chats chat";

    pub const USERNAME: &str = "username name nickname nick login loginname displayname handle email";
    pub const PASSWORD: &str = "passwordhash pwhash pwdhash hashedpassword passhash passworddigest password passwd pwd";
    pub const CREATED_AT: &str = "createdat timestamp created sentat createdon datecreated dateposted postedat joinedat \
                                  registeredat datejoined registeredon membersince time date";
    pub const PUBLIC_KEY: &str = "publickey pubkey";
    pub const ADMIN: &str = "isadmin admin issuperuser superuser isstaff";
    pub const ACTIVE: &str = "isactive active isenabled enabled";
    pub const BANNED: &str = "isbanned banned isblocked blocked isdisabled disabled";
    pub const ROOM_NAME: &str = "name roomname groupname channelname title";
    pub const CREATOR: &str = "creatorid createdby createdbyid ownerid owner creator adminid userid";
    pub const PRIVATE: &str = "isprivate private isdirect ishidden";
    pub const USER_ID: &str = "userid senderid authorid fromuserid fromid memberid";
    pub const AUTHOR: &str = "username author sender nickname fromuser user name";
    pub const TEXT: &str = "content text message body messagetext msg encryptedmessage encryptedcontent";
    pub const ROOM: &str = "roomid groupid channelid chatroomid conversationid room roomname group groupname channel";
    pub const LEAVE_OUT: &str = "recipientid receiverid touserid toid recipient receiver touser isdeleted deleted \
                                 deletedat isprivate";
}

/// The TOML, and whether both people and messages were found.
pub struct Proposal {
    pub text: String,
    pub is_whole: bool,
}

/// Guesses which table and column is what.
pub fn propose(database: &mut Database) -> Result<Proposal, DatabaseError> {
    let guess = Guess::of(&database.tables);
    let is_whole = guess.users.is_some() && guess.messages.is_some();
    let mut text = guess.write(&database.tables);
    let sampled = |table: Option<&Table>, names| {
        let table = table?;
        Some((table.name.clone(), column(table, names)?.to_owned()))
    };
    let (passwords, texts) = (sampled(guess.users, names::PASSWORD), sampled(guess.messages, names::TEXT));
    if let Some((table, column)) = passwords {
        let samples = database.samples(&table, &column)?;
        let usable = samples.iter().filter(|hash| passwords::is_usable(hash)).count();
        let looked_at = samples.len();
        text.push_str(&format!(
            "\n# Of {looked_at} passwords that were looked at, people can log in here by {usable}.\n"
        ));
    }
    if let Some((table, column)) = texts
        && database.samples(&table, &column)?.iter().any(|text| text.starts_with("gAAAAA"))
    {
        text.push_str("\n# The texts look like Fernet tokens: name the file with their keys by fernet_key_file.\n");
    }
    Ok(Proposal { text, is_whole })
}

/// The tables that were recognized.
struct Guess<'a> {
    users: Option<&'a Table>,
    rooms: Option<&'a Table>,
    members: Option<&'a Table>,
    messages: Option<&'a Table>,
}

impl<'a> Guess<'a> {
    fn of(tables: &'a [Table]) -> Self {
        let find = |names, needed| find_table(tables, names, |table| column(table, needed).is_some());
        let users = find(names::USERS, names::USERNAME);
        let messages = find(names::MESSAGES, names::TEXT);
        let rooms = find(names::ROOMS, names::ROOM_NAME);
        let is_other =
            |table: &&Table| ![users, rooms, messages].iter().flatten().any(|known| known.name == table.name);
        let joins = |table: &&Table| {
            let user = pointer(table, users, names::USER_ID);
            users.is_some() && rooms.is_some() && user.is_some() && pointer(table, rooms, names::ROOM).is_some()
        };
        let joining: Vec<_> = tables.iter().filter(is_other).filter(joins).collect();
        let is_named_so =
            |table: &&&Table| ["member", "participant"].iter().any(|name| plain(&table.name).contains(name));
        let members = joining.iter().find(is_named_so).or(joining.first()).copied();
        Self { users, rooms, members, messages }
    }

    fn write(&self, tables: &[Table]) -> String {
        let mut draft = Draft::new(tables);
        draft.users(self.users);
        draft.rooms(self.rooms, self.users);
        draft.members(self.members, self.users, self.rooms);
        draft.messages(self.messages, self.users, self.rooms);
        draft.text
    }
}

/// The mapping as it is written.
struct Draft {
    text: String,
}

impl Draft {
    fn new(tables: &[Table]) -> Self {
        let mut text = String::from(
            "# A proposal, guessed from the names of tables and columns: check each line before you use it.\n\
             # A line with # before it does nothing. The database has:\n",
        );
        for table in tables {
            text.push_str(&format!("#   {}: {}\n", comment(&table.name), comment(&table.columns.join(", "))));
        }
        text.push_str(
            "\n# Where several databases come into one server, each needs a name of its own.\n# source = \"\"\n",
        );
        Self { text }
    }

    fn users(&mut self, table: Option<&Table>) {
        self.section("users", table);
        self.found("username", table, names::USERNAME, "they log in by it");
        self.found(
            "password",
            table,
            names::PASSWORD,
            "Werkzeug's hashes: who has one gets an account and keeps the password",
        );
        self.found("created_at", table, names::CREATED_AT, "");
        self.found("public_key", table, names::PUBLIC_KEY, "");
        self.found("active", table, names::ACTIVE, "without it the account is closed");
        self.found("banned", table, names::BANNED, "with it the account is closed");
        // That is not for a guess to say.
        let admin = quoted(table.and_then(|table| column(table, names::ADMIN)).unwrap_or_default());
        self.text.push_str(&format!("# admin = {admin}  # with it they become administrators here, if you say so\n"));
    }

    fn rooms(&mut self, table: Option<&Table>, users: Option<&Table>) {
        if table.is_none() {
            self.text.push_str("\n# No table of rooms was found. [rooms] would have: table, id, name, created_at, creator, password, private.\n");
            return;
        }
        self.section("rooms", table);
        self.found("name", table, names::ROOM_NAME, "");
        self.found("created_at", table, names::CREATED_AT, "");
        let creator = table.and_then(|table| pointer(table, users, names::CREATOR));
        self.line("creator", creator, "the id of a user, who owns the room");
        self.found(
            "password",
            table,
            names::PASSWORD,
            "Werkzeug's hash, or in clear; without one the room is open to everybody",
        );
        self.found("private", table, names::PRIVATE, "with it only members come in");
    }

    fn members(&mut self, table: Option<&Table>, users: Option<&Table>, rooms: Option<&Table>) {
        let Some(table) = table else {
            self.text
                .push_str("\n# No table of who is in which room was found. [members] would have: table, room, user.\n");
            return;
        };
        self.text.push_str(&format!("\n[members]\ntable = {}\n", quoted(&table.name)));
        self.line("room", pointer(table, rooms, names::ROOM), "the id of a room");
        self.line("user", pointer(table, users, names::USER_ID), "the id of a user");
    }

    fn messages(&mut self, table: Option<&Table>, users: Option<&Table>, rooms: Option<&Table>) {
        self.section("messages", table);
        let user = table.and_then(|table| pointer(table, users, names::USER_ID));
        self.line("user", user, "the id of a user");
        if user.is_none() {
            self.found("username", table, names::AUTHOR, "the name of a user");
        }
        self.found("text", table, names::TEXT, "");
        self.found("created_at", table, names::CREATED_AT, "");
        let room = table.and_then(|table| pointer(table, rooms, names::ROOM));
        self.line("room", room, "the id of a room, or without [rooms] its name; who has none is in the public room");
        let columns = table.map_or(&[][..], |table| &table.columns[..]);
        let unwanted =
            columns.iter().filter(|name| names::LEAVE_OUT.split_whitespace().any(|known| known == plain(name)));
        let unwanted: Vec<_> = unwanted.map(|name| quoted(name)).collect();
        let sign = if unwanted.is_empty() { "# " } else { "" };
        self.text.push_str(&format!(
            "{sign}leave_out = [{}]  # who has one of these is left out: deleted messages, and direct ones, which everybody would read\n\
             # fernet_key_file = \"fernet.key\"  # where the texts are Fernet tokens: the keys, one a line\n",
            unwanted.join(", ")
        ));
    }

    /// The section's head, its table, and the id of its rows.
    fn section(&mut self, name: &str, table: Option<&Table>) {
        self.text.push_str(&format!("\n[{name}]\n"));
        match table {
            Some(table) => self.text.push_str(&format!("table = {}\n", quoted(&table.name))),
            None => self.text.push_str("# table = \"\"  # NOT FOUND: which of the tables above is it?\n"),
        }
        self.line("id", table.map(|table| table.key.as_deref().unwrap_or("rowid")), "");
    }

    fn found(&mut self, key: &str, table: Option<&Table>, names: &str, meaning: &str) {
        self.line(key, table.and_then(|table| column(table, names)), meaning);
    }

    fn line(&mut self, key: &str, column: Option<&str>, meaning: &str) {
        let line = match (column, meaning) {
            (Some(column), "") => format!("{key} = {}\n", quoted(column)),
            (Some(column), meaning) => format!("{key} = {}  # {meaning}\n", quoted(column)),
            (None, "") => format!("# {key} = \"\"  # not found\n"),
            (None, meaning) => format!("# {key} = \"\"  # not found; {meaning}\n"),
        };
        self.text.push_str(&line);
    }
}

/// The table of the likeliest name that can be one; else one whose own name ends so.
fn find_table<'a>(tables: &'a [Table], names: &str, can_be: impl Fn(&Table) -> bool) -> Option<&'a Table> {
    let by = |fits: &dyn Fn(&str, &str) -> bool| {
        let mut names = names.split_whitespace();
        names.find_map(|name| tables.iter().find(|table| fits(&plain(&table.name), name) && can_be(table)))
    };
    by(&|table, name| table == name).or_else(|| by(&|table, name| name.len() > 3 && table.ends_with(name)))
}

/// The column of the likeliest name.
fn column<'a>(table: &'a Table, names: &str) -> Option<&'a str> {
    let mut names = names.split_whitespace();
    names.find_map(|name| table.columns.iter().find(|column| plain(column) == name)).map(String::as_str)
}

/// The column that points at another table, the likeliest name first; or one that has such a name, or points at all.
fn pointer<'a>(table: &'a Table, target: Option<&Table>, names: &str) -> Option<&'a str> {
    let points = |name: &str| {
        let to_target = |to: &str| target.is_some_and(|target| to.eq_ignore_ascii_case(&target.name));
        table.references.iter().any(|(column, to)| column.eq_ignore_ascii_case(name) && to_target(to))
    };
    let columns = || table.columns.iter().map(String::as_str);
    let named = |name| columns().find(|column| plain(column) == name && points(column));
    names
        .split_whitespace()
        .find_map(named)
        .or_else(|| column(table, names))
        .or_else(|| columns().find(|name| points(name)))
}

/// A name without what people spell differently.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A name within a comment, which ends with its line.
fn comment(text: &str) -> String {
    text.escape_debug().to_string()
}
