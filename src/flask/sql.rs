//! What a database of another chat holds, read where a mapping says that it is.

use std::collections::{BTreeMap, HashMap};

use fernet::{Fernet, MultiFernet};
use serde_json::Value;
use zeroize::Zeroizing;

use super::database::{Cells, Database, DatabaseError, Table};
use super::mapping::{Mapping, Named};
use super::plan::id_of;
use super::source::{Group, GroupPassword, Login, Person, Said, Source, Whom};
use crate::passwords;

/// How hashes begin that are no passwords in clear.
const HASHES: [&str; 9] = ["pbkdf2:", "scrypt:", "$2", "$argon2", "$5$", "$6$", "sha256$", "sha1$", "md5$"];
/// Names that a line of the report lists.
const LISTED: usize = 10;

type Result<T> = std::result::Result<T, DatabaseError>;

/// Reads all that the mapping names.
pub fn read(database: &mut Database, mapping: &Mapping) -> Result<Source> {
    for named in mapping.tables() {
        check(database, &named)?;
    }
    let keys = mapping.messages.fernet_key_file.as_deref().map(keys).transpose()?;
    let source = Source { has_accounts: true, ..Source::default() };
    let mut reader =
        Reader { database, mapping, source, names: HashMap::new(), ids: HashMap::new(), unusable: Vec::new() };
    reader.people()?;
    let mut rooms = Rooms::default();
    reader.rooms(&mut rooms)?;
    reader.members(&mut rooms)?;
    reader.messages(&mut rooms, keys.as_ref())?;
    reader.tell_open(&rooms);
    reader.source.groups = rooms.groups;
    Ok(reader.source)
}

/// Whether what a section names is there.
fn check(database: &Database, named: &Named) -> Result<()> {
    let Named { section, table, columns } = named;
    let listed = |names: Vec<&str>| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let Some(found) = database.table(table) else {
        let there = listed(database.tables.iter().map(|table| table.name.as_str()).collect());
        let problem = format!("[{section}] table = {table:?}: there is no such table. There is: {there}");
        return Err(DatabaseError::Mapping(problem));
    };
    for (key, column) in columns {
        if found.column(column).is_none() {
            let there = listed(found.columns.iter().map(String::as_str).collect());
            let problem = format!(
                "[{section}] {key} = {column:?}: the table {:?} has no such column. It has: {there}",
                found.name
            );
            return Err(DatabaseError::Mapping(problem));
        }
    }
    Ok(())
}

fn keys(file: &str) -> Result<MultiFernet> {
    let problem = |text: &str| DatabaseError::Mapping(format!("[messages] fernet_key_file = {file:?}: {text}"));
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(|error| problem(&error.to_string()))?);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Option<Vec<Fernet>> = lines.map(Fernet::new).collect();
    let keys = keys.filter(|keys| !keys.is_empty());
    keys.map(MultiFernet::new).ok_or_else(|| problem("holds no Fernet keys, one a line"))
}

/// The groups, and where each stands by its id or name.
#[derive(Default)]
struct Rooms {
    groups: Vec<Group>,
    places: HashMap<String, usize>,
}

struct Reader<'a> {
    database: &'a mut Database,
    mapping: &'a Mapping,
    source: Source,
    /// What users are called, by their ids.
    names: HashMap<String, String>,
    /// And the other way round.
    ids: HashMap<String, String>,
    /// Users whose passwords nobody can check here.
    unusable: Vec<String>,
}

impl Reader<'_> {
    fn people(&mut self) -> Result<()> {
        let users = &self.mapping.users;
        let optional =
            [&users.password, &users.created_at, &users.public_key, &users.admin, &users.active, &users.banned];
        let columns = [&[Some(users.id.as_str()), Some(users.username.as_str())], &optional.map(|c| c.as_deref())[..]];
        let rows = self.rows(&users.table, &columns.concat(), &[&users.id])?;
        let people: Vec<_> = rows.into_iter().filter_map(|row| self.person(row)).collect();
        let (with_account, without): (Vec<_>, Vec<_>) = people.into_iter().partition(|person| person.login.is_some());
        let names: Vec<_> = without.iter().map(|person| person.username.as_str()).collect();
        let changes = &mut self.source.changes;
        match (&users.password, &names[..]) {
            (_, []) => {}
            (None, _) => changes.push("no column of passwords is mapped: nobody gets an account".into()),
            (_, names) => {
                changes.push(format!("{} users come without an account, as guests: {}", names.len(), some(names)))
            }
        }
        if !self.unusable.is_empty() {
            let names: Vec<_> = self.unusable.iter().map(String::as_str).collect();
            let line =
                format!("{} passwords are no hashes of Werkzeug's that work here: of {}", names.len(), some(&names));
            self.source.problems.push(line);
        }
        // Those with an account have the first choice among names that look alike.
        self.source.people = with_account.into_iter().chain(without).collect();
        Ok(())
    }

    fn person(&mut self, row: Cells) -> Option<Person> {
        let [id, username, password, created_at, public_key, admin, active, banned] = row.try_into().ok()?;
        let Some(id) = id else {
            self.source.problems.push(format!("the user {username:?} has no id, and is left out"));
            return None;
        };
        let username = username.unwrap_or_else(|| format!("user {id}"));
        if self.names.contains_key(&id) {
            self.source.problems.push(format!("two users have the id {id:?}: {username:?} is left out"));
            return None;
        }
        self.names.insert(id.clone(), username.clone());
        self.ids.entry(username.clone()).or_insert_with(|| id.clone());
        let hash = password.filter(|hash| !hash.is_empty());
        if hash.as_ref().is_some_and(|hash| !passwords::is_usable(hash)) {
            self.unusable.push(username.clone());
        }
        let is_admin = truthy(&admin);
        let is_inactive = self.mapping.users.active.is_some() && !truthy(&active);
        let login = hash.filter(|hash| passwords::is_usable(hash)).map(|password_hash| {
            let disabled = is_inactive || truthy(&banned);
            Login { password_hash, is_admin, disabled }
        });
        match &login {
            Some(login) if login.disabled => self.source.changes.push(format!("the account of {username:?} is closed")),
            Some(_) if is_admin => self.source.changes.push(format!("{username:?} becomes an administrator here")),
            None if is_admin => {
                self.source.problems.push(format!("{username:?} gets no account, and is no administrator"))
            }
            _ => {}
        }
        Some(Person {
            user_id: self.key("user", &self.mapping.users.table, &id),
            username,
            public_key: public_key.map_or(Value::Null, Value::String),
            created_at: created_at.unwrap_or_default(),
            login,
        })
    }

    fn rooms(&mut self, rooms: &mut Rooms) -> Result<()> {
        let Some(named) = &self.mapping.rooms else { return Ok(()) };
        let optional = [&named.created_at, &named.creator, &named.password, &named.private];
        let columns = [&[Some(named.id.as_str()), Some(named.name.as_str())], &optional.map(|c| c.as_deref())[..]];
        for row in self.rows(&named.table, &columns.concat(), &[&named.id])? {
            let Ok([Some(id), name, created_at, creator, password, private]) = <[_; 6]>::try_from(row) else {
                self.source.problems.push("a room has no id, and is left out".into());
                continue;
            };
            let name = name.unwrap_or_else(|| format!("room {id}"));
            let password = match password.filter(|password| !password.is_empty()) {
                Some(password) => Some(self.room_password(&name, password)),
                // Its members need none.
                None => truthy(&private).then_some(GroupPassword::Lost),
            };
            let creator = creator.filter(|id| self.names.contains_key(id));
            let creator = creator.map(|id| self.key("user", &self.mapping.users.table, &id));
            rooms.places.insert(id.clone(), rooms.groups.len());
            rooms.groups.push(Group {
                id: Some(self.key("room", &named.table, &id)),
                name,
                members: creator.iter().cloned().map(Whom::Id).collect(),
                creator: creator.map(Whom::Id),
                password,
                created_at: created_at.unwrap_or_default(),
                messages: Vec::new(),
            });
        }
        Ok(())
    }

    fn room_password(&mut self, room: &str, password: String) -> GroupPassword {
        if passwords::is_usable(&password) {
            return GroupPassword::Hash(password);
        }
        if HASHES.iter().any(|start| password.starts_with(start)) {
            self.source.problems.push(format!(
                "the password of the room {room:?} is a hash that does not work here: its members alone come in"
            ));
            return GroupPassword::Lost;
        }
        GroupPassword::Clear(Zeroizing::new(password))
    }

    fn members(&mut self, rooms: &mut Rooms) -> Result<()> {
        let Some(named) = &self.mapping.members else { return Ok(()) };
        let mut lost = 0;
        for row in self.rows(&named.table, &[Some(&named.room), Some(&named.user)], &[&named.room, &named.user])? {
            let place = row[0].as_ref().and_then(|room| rooms.places.get(room));
            let user = row[1].as_ref().filter(|user| self.names.contains_key(*user));
            match (place, user) {
                (Some(place), Some(user)) => {
                    let user = self.key("user", &self.mapping.users.table, user);
                    rooms.groups[*place].members.push(Whom::Id(user));
                }
                _ => lost += 1,
            }
        }
        if lost > 0 {
            self.source
                .problems
                .push(format!("{lost} memberships are of a room or a user that is not there: left out"));
        }
        Ok(())
    }

    fn messages(&mut self, rooms: &mut Rooms, keys: Option<&MultiFernet>) -> Result<()> {
        let named = &self.mapping.messages;
        let optional = [&named.user, &named.username, &named.created_at, &named.room];
        let columns = [Some(named.id.as_str()), Some(named.text.as_str())].into_iter();
        let columns = columns.chain(optional.map(|column| column.as_deref()));
        let columns: Vec<_> = columns.chain(named.leave_out.iter().map(|column| Some(column.as_str()))).collect();
        let order: Vec<_> = named.created_at.iter().chain([&named.id]).map(String::as_str).collect();
        let mut left_out = Tally::default();
        let mut unwanted = 0;
        for mut row in self.rows(&named.table, &columns, &order)? {
            if row.drain(6..).any(|cell| truthy(&cell)) {
                unwanted += 1;
                continue;
            }
            let shown = row[0].clone().unwrap_or_default();
            if let Err(reason) = self.message(row, rooms, keys) {
                left_out.count(reason, shown);
            }
        }
        if unwanted > 0 {
            self.source.changes.push(format!("{unwanted} messages are left out, as the mapping says"));
        }
        self.source.problems.extend(left_out.lines());
        Ok(())
    }

    /// Puts a message into its room, or says why not.
    fn message(
        &mut self,
        row: Cells,
        rooms: &mut Rooms,
        keys: Option<&MultiFernet>,
    ) -> std::result::Result<(), &'static str> {
        let [id, text, user, username, timestamp, room] = row.try_into().map_err(|_| "have too few columns")?;
        let id = id.ok_or("have no id")?;
        let text = text.filter(|text| !text.is_empty()).ok_or("have no text")?;
        let message = match keys {
            Some(keys) => {
                let opened = keys.decrypt(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                opened.ok_or("are not opened by the keys of fernet_key_file")?
            }
            None => text,
        };
        let (user_id, username) = self.author(user, username).ok_or("are by nobody")?;
        let timestamp = timestamp.unwrap_or_default();
        let place = match room.filter(|room| !room.is_empty()) {
            None => None,
            Some(room) if self.mapping.rooms.is_none() => Some(self.room_called(room, &timestamp, rooms)),
            Some(room) => Some(*rooms.places.get(&room).ok_or("are in a room that is not there")?),
        };
        let id = id_of(&self.key("message", &self.mapping.messages.table, &id)).to_string();
        let said = Said { id, user_id, username, message, encrypted_content: String::new(), timestamp };
        match place {
            Some(place) => rooms.groups[place].messages.push(said),
            None => self.source.public.push(said),
        }
        Ok(())
    }

    /// Who wrote a message: a user; or a name, or an id, that no user has any more.
    fn author(&self, user: Option<String>, username: Option<String>) -> Option<(String, String)> {
        let users = &self.mapping.users.table;
        let id = user.or_else(|| self.ids.get(username.as_ref()?).cloned());
        match (id, username) {
            (Some(id), username) => {
                let name = self.names.get(&id).cloned().or(username);
                Some((self.key("user", users, &id), name.unwrap_or_else(|| format!("user {id}"))))
            }
            (None, Some(name)) => Some((self.key("name", users, &name), name)),
            (None, None) => None,
        }
    }

    /// A room that is known by its name alone.
    fn room_called(&mut self, name: String, created_at: &str, rooms: &mut Rooms) -> usize {
        if let Some(place) = rooms.places.get(&name) {
            return *place;
        }
        rooms.places.insert(name.clone(), rooms.groups.len());
        rooms.groups.push(Group {
            id: Some(self.key("room", &self.mapping.messages.table, &name)),
            name,
            creator: None,
            password: None,
            created_at: created_at.to_owned(),
            members: Vec::new(),
            messages: Vec::new(),
        });
        rooms.groups.len() - 1
    }

    fn tell_open(&mut self, rooms: &Rooms) {
        let open = rooms.groups.iter().filter(|group| group.password.is_none());
        let open: Vec<_> = open.map(|group| group.name.as_str()).collect();
        if !open.is_empty() {
            let line = format!(
                "{} groups have no password, so that everybody can join and read them: {}",
                open.len(),
                some(&open)
            );
            self.source.changes.push(line);
        }
    }

    /// What a row is known by when it comes again.
    fn key(&self, kind: &str, table: &str, id: &str) -> String {
        // As the table spells itself, so that another spelling in the mapping finds the same.
        let table = self.database.table(table).map_or(table, |table: &Table| &table.name);
        format!("{kind} {id} of {table} in {}", self.mapping.source)
    }

    fn rows(&mut self, table: &str, columns: &[Option<&str>], order: &[&str]) -> Result<Vec<Cells>> {
        self.database.rows(table, columns, order)
    }
}

/// How many rows were left out for which reason, and the first of them.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, (usize, String)>);

impl Tally {
    fn count(&mut self, reason: &'static str, row: String) {
        self.0.entry(reason).or_insert((0, row)).0 += 1;
    }

    fn lines(self) -> impl Iterator<Item = String> {
        let line = |(reason, (count, first))| format!("{count} messages {reason} (the first: {first:?}): left out");
        self.0.into_iter().map(line)
    }
}

/// The first names of a list.
fn some(names: &[&str]) -> String {
    let more = if names.len() > LISTED { " …" } else { "" };
    let names: Vec<_> = names.iter().take(LISTED).map(|name| format!("{name:?}")).collect();
    format!("{}{more}", names.join(", "))
}

/// As booleans, times and references are when they say yes.
fn truthy(cell: &Option<String>) -> bool {
    let no = ["", "0", "0.0", "false", "f", "no", "n"];
    cell.as_ref().is_some_and(|text| !no.contains(&text.to_lowercase().as_str()))
}
