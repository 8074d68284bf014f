//! The TOML file that says where a database has its users, rooms and messages: the names of its tables and columns.

use serde::Deserialize;

/// Which table and column is what. `import-flask --inspect` writes one, with what each line means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Tells several databases apart that are brought into one server: all have a user 1.
    #[serde(default)]
    pub source: String,
    pub users: Users,
    pub rooms: Option<Rooms>,
    pub members: Option<Members>,
    pub messages: Messages,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    pub table: String,
    pub id: String,
    pub username: String,
    /// Werkzeug's hash.
    pub password: Option<String>,
    pub created_at: Option<String>,
    pub public_key: Option<String>,
    /// Who has something other than nothing, 0 or false there becomes an administrator here.
    pub admin: Option<String>,
    /// Whose account is closed: those who have nothing, 0 or false there …
    pub active: Option<String>,
    /// … and those who have something else there.
    pub banned: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rooms {
    pub table: String,
    pub id: String,
    pub name: String,
    pub created_at: Option<String>,
    /// The id of a user.
    pub creator: Option<String>,
    /// Werkzeug's hash, or the password itself.
    pub password: Option<String>,
    /// Rooms that have something other than nothing, 0 or false there are closed to all but their members.
    pub private: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    pub table: String,
    /// The id of a room.
    pub room: String,
    /// The id of a user.
    pub user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    pub table: String,
    pub id: String,
    /// The id of a user, …
    pub user: Option<String>,
    /// … or the name of one.
    pub username: Option<String>,
    pub text: String,
    pub created_at: Option<String>,
    /// The id of a room where `[rooms]` is there, else its name. Nothing there is the public room.
    pub room: Option<String>,
    /// Rows that have something other than nothing, 0 or false in one of these are left out.
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// A file of Fernet keys, one a line, that open the texts.
    pub fernet_key_file: Option<String>,
}

impl Mapping {
    /// The error says the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if mapping.messages.user.is_none() && mapping.messages.username.is_none() {
            return Err("[messages] needs user = (the column with a user's id) or username = (with a name)".into());
        }
        if mapping.members.is_some() && mapping.rooms.is_none() {
            return Err("[members] needs [rooms] beside it".into());
        }
        Ok(mapping)
    }

    /// Each table, the section that names it, and its keys and columns.
    pub fn tables(&self) -> Vec<Named<'_>> {
        let Self { users, rooms, members, messages, .. } = self;
        let mut tables = vec![Named {
            section: "users",
            table: &users.table,
            columns: given([
                ("id", Some(&users.id)),
                ("username", Some(&users.username)),
                ("password", users.password.as_ref()),
                ("created_at", users.created_at.as_ref()),
                ("public_key", users.public_key.as_ref()),
                ("admin", users.admin.as_ref()),
                ("active", users.active.as_ref()),
                ("banned", users.banned.as_ref()),
            ]),
        }];
        tables.extend(rooms.as_ref().map(|rooms| Named {
            section: "rooms",
            table: &rooms.table,
            columns: given([
                ("id", Some(&rooms.id)),
                ("name", Some(&rooms.name)),
                ("created_at", rooms.created_at.as_ref()),
                ("creator", rooms.creator.as_ref()),
                ("password", rooms.password.as_ref()),
                ("private", rooms.private.as_ref()),
            ]),
        }));
        tables.extend(members.as_ref().map(|members| Named {
            section: "members",
            table: &members.table,
            columns: given([("room", Some(&members.room)), ("user", Some(&members.user))]),
        }));
        let mut columns = given([
            ("id", Some(&messages.id)),
            ("user", messages.user.as_ref()),
            ("username", messages.username.as_ref()),
            ("text", Some(&messages.text)),
            ("created_at", messages.created_at.as_ref()),
            ("room", messages.room.as_ref()),
        ]);
        columns.extend(messages.leave_out.iter().map(|column| ("leave_out", column.as_str())));
        tables.push(Named { section: "messages", table: &messages.table, columns });
        tables
    }
}

/// A table as a section of the mapping names it.
pub struct Named<'a> {
    pub section: &'static str,
    pub table: &'a str,
    /// Keys of the section, and the columns that they name.
    pub columns: Vec<(&'static str, &'a str)>,
}

fn given<'a, const N: usize>(columns: [(&'static str, Option<&'a String>); N]) -> Vec<(&'static str, &'a str)> {
    columns.into_iter().filter_map(|(key, column)| Some((key, column?.as_str()))).collect()
}
