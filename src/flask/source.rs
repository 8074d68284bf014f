//! What another chat has stored, as it stands in its file: names, texts and times that nobody has looked at yet.

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

/// All that a file holds, in its order, and what of it could not be read.
#[derive(Default)]
pub struct Source {
    pub people: Vec<Person>,
    pub public: Vec<Said>,
    pub groups: Vec<Group>,
    /// Whether each of the people is somebody of their own: then no two of them may have names that look alike.
    pub has_accounts: bool,
    pub changes: Vec<String>,
    pub problems: Vec<String>,
}

#[derive(Deserialize)]
pub struct Person {
    pub user_id: String,
    pub username: String,
    #[serde(default)]
    pub public_key: Value,
    #[serde(default)]
    pub created_at: String,
    /// `None`: they only ever said a name.
    #[serde(skip)]
    pub login: Option<Login>,
}

/// What makes an account of a person.
#[derive(Clone)]
pub struct Login {
    /// In Werkzeug's spelling, one that people can log in by.
    pub password_hash: String,
    pub is_admin: bool,
    pub disabled: bool,
}

pub struct Said {
    pub id: String,
    pub user_id: String,
    pub username: String,
    pub message: String,
    pub encrypted_content: String,
    pub timestamp: String,
}

pub struct Group {
    pub name: String,
    /// What it is known by when it comes again; where there is none, its name is.
    pub id: Option<String>,
    pub creator: Option<Whom>,
    /// `None` is an open group.
    pub password: Option<GroupPassword>,
    pub created_at: String,
    pub members: Vec<Whom>,
    pub messages: Vec<Said>,
}

/// Somebody whom a file names in passing.
pub enum Whom {
    Id(String),
    Name(String),
}

pub enum GroupPassword {
    Clear(Zeroizing<String>),
    /// One that Werkzeug made.
    Hash(String),
    /// There was one, and nobody knows it any more.
    Lost,
}
