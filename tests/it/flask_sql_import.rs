//! Moving in from a database of one's own: its people log in with their old passwords and find what they wrote.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::accounts::{enter, register};
use crate::client::{Client, ok};
use crate::http::{Answer, call};
use crate::server::{Ended, Server, fingerprints, run};

/// As Flask-SQLAlchemy makes the tables of the usual tutorial.
const TUTORIAL: &str = "
CREATE TABLE user (
	id INTEGER NOT NULL,
	username VARCHAR(80) NOT NULL,
	password_hash VARCHAR(256),
	is_admin BOOLEAN,
	created_at DATETIME,
	PRIMARY KEY (id),
	UNIQUE (username)
);
CREATE TABLE message (
	id INTEGER NOT NULL,
	content TEXT NOT NULL,
	timestamp DATETIME,
	user_id INTEGER NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(user_id) REFERENCES user (id)
);
INSERT INTO user VALUES
	(1, 'ann', 'SCRYPT', 1, '2024-01-01 10:00:00.000000'),
	(2, 'Zoë 🦀', 'PBKDF2', 0, '2024-01-01 11:00:00.000000'),
	(3, 'by github', NULL, 0, '2024-01-01 12:00:00.000000');
INSERT INTO message VALUES
	(1, 'the first', '2024-01-02 03:04:05.678901', 1),
	(2, 'the last', '2024-07-02 03:04:05.000000', 3),
	(3, 'in between', '2024-01-02 03:05:00.000000', 2);
";

/// Rooms, open and closed, and what must not be shown to everybody.
const ROOMS: &str = "
CREATE TABLE users (id CHAR(32) NOT NULL PRIMARY KEY, username VARCHAR(64), password VARCHAR, is_active BOOLEAN, public_key TEXT);
CREATE TABLE rooms (
	id INTEGER NOT NULL PRIMARY KEY, name VARCHAR, password_hash VARCHAR, is_private BOOLEAN,
	created_by CHAR(32), created_at DATETIME, FOREIGN KEY(created_by) REFERENCES users (id)
);
CREATE TABLE read_receipts (user_id CHAR(32) REFERENCES users (id), room_id INTEGER REFERENCES rooms (id));
CREATE TABLE room_members (
	room_id INTEGER NOT NULL, user_id CHAR(32) NOT NULL, PRIMARY KEY (room_id, user_id),
	FOREIGN KEY(room_id) REFERENCES rooms (id), FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE messages (
	id INTEGER NOT NULL PRIMARY KEY, sender_id CHAR(32), recipient_id CHAR(32), room_id INTEGER, body TEXT,
	sent_at FLOAT, is_deleted BOOLEAN, FOREIGN KEY(recipient_id) REFERENCES users (id),
	FOREIGN KEY(sender_id) REFERENCES users (id), FOREIGN KEY(room_id) REFERENCES rooms (id)
);
INSERT INTO users VALUES ('aa', 'ann', 'SCRYPT', 1, 'ann''s key'), ('bb', 'bob', 'PBKDF2', 1, NULL),
	('cc', 'cyn', 'PBKDF2', 0, NULL), ('dd', 'dee', '$2b$12$bcrypt', 1, NULL);
INSERT INTO rooms VALUES (1, 'Lobby', NULL, 0, 'aa', '2024-01-01 00:00:00.000000'),
	(2, 'Vault', 'PBKDF2', 0, 'bb', '2024-01-01 00:00:00.000000'), (3, 'Board', NULL, 1, 'aa', NULL),
	(4, 'Old', '$2b$12$bcrypt', 0, NULL, NULL);
INSERT INTO room_members VALUES (1, 'aa'), (1, 'bb'), (2, 'aa'), (3, 'bb'), (9, 'aa'), (1, 'zz');
INSERT INTO messages VALUES
	(1, 'aa', NULL, NULL, 'to all', 1704164645.25, 0),
	(2, 'aa', NULL, 1, 'to the lobby', 1704164646, 0),
	(3, 'bb', NULL, 3, 'to the board', 1704164647, 0),
	(4, 'aa', 'bb', NULL, 'for bob alone', 1704164648, 0),
	(5, 'aa', NULL, NULL, 'taken back', 1704164649, 1),
	(6, 'aa', NULL, 9, 'nowhere', 1704164650, 0),
	(7, NULL, NULL, NULL, 'nobody', 1704164651, 0),
	(8, 'gone', NULL, NULL, 'by somebody who left', 1704164652, 0),
	(9, 'aa', NULL, NULL, '', 1704164653, 0);
";

/// Names that are none in SQL without care, no key, and names in place of ids.
const ODD: &str = r#"
CREATE TABLE "chat ""users""; --" ("user name" TEXT PRIMARY KEY, "pass`word" TEXT, [pwd] TEXT);
CREATE TABLE "Robert'); DROP TABLE messages" ("Author" TEXT, "Text" TEXT, "date" TEXT, "Room Name" TEXT);
INSERT INTO "chat ""users""; --" VALUES ('o''brien', 'PBKDF2', 'x');
INSERT INTO "Robert'); DROP TABLE messages" VALUES
	('o''brien', 'one', '2024-01-02T03:04:05+02:00', NULL), ('guest', 'two', '2024-01-02', 'den'), ('guest', 'two', '2024-01-02', 'den');
"#;

/// Its passwords are all `password`.
struct Source {
    folder: TempDir,
    file: PathBuf,
}

impl Source {
    fn of(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chat.db");
        let source = Self { folder, file };
        source.change(sql);
        source
    }

    fn change(&self, sql: &str) {
        let sql = sql.replace("SCRYPT", &hash("scrypt:1024:4:2")).replace("PBKDF2", &hash("pbkdf2:sha256:1000"));
        let mut connection = SqliteConnection::establish(self.file.to_str().unwrap()).unwrap();
        // As Python leaves it: what is pointed at need not be there.
        connection.batch_execute(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
    }

    /// What is proposed for it, also written down beside it.
    fn inspect(&self) -> Ended {
        let ended = run(self.folder.path(), &["import-flask", "chat.db", "--inspect"], &[]);
        std::fs::write(self.mapping(), &ended.stdout).unwrap();
        ended
    }

    fn mapping(&self) -> PathBuf {
        self.folder.path().join("mapping.toml")
    }

    /// Changes a line of the mapping.
    fn correct(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.mapping()).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(self.mapping(), text.replace(from, to)).unwrap();
    }

    fn import(&self, server: &Server, options: &[&str]) -> Ended {
        let (file, mapping) = (self.file.display().to_string(), self.mapping().display().to_string());
        let arguments = ["import-flask", &file, "--mapping", &mapping, "--timezone", "Europe/Berlin"];
        server.command(&[&arguments, options].concat(), "")
    }

    fn dry_run(&self) -> Ended {
        let arguments = ["import-flask", "chat.db", "--mapping", "mapping.toml", "--timezone", "UTC", "--dry-run"];
        run(self.folder.path(), &arguments, &[])
    }
}

/// Of the word `password`, as Werkzeug made it.
fn hash(method: &str) -> String {
    let vectors: Value =
        serde_json::from_str(include_str!("../vectors/flask/werkzeug_password_hashes_3.1.9.json")).unwrap();
    let mut hashes = vectors["hashes"].as_array().unwrap().iter();
    let vector = hashes.find(|vector| vector["method_argument"] == method && vector["password"] == "password").unwrap();
    vector["hash"].as_str().unwrap().to_owned()
}

async fn log_in(server: &Server, name: &str, password: &str) -> Answer {
    call(server, "POST", "/api/login", None, json!({ "username": name, "password": password })).await
}

/// Logs in with the old password and comes in.
async fn come_in(server: &Server, name: &str) -> Client {
    let answer = log_in(server, name, "password").await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    enter(server, answer.json()["token"].as_str().unwrap(), name).await
}

/// Who said what in a room, and when.
async fn history(client: &mut Client, room: &str) -> Vec<String> {
    let page = ok(client, "get_history", json!({ "room": room })).await;
    let line = |message: &Value| {
        let text = |field: &str| message[field].as_str().unwrap().to_owned();
        format!("{} {}: {}", text("timestamp"), text("username"), text("message"))
    };
    page["messages"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn people_log_in_with_their_old_passwords_and_find_what_they_wrote() {
    let (server, source) = (Server::start(), Source::of(TUTORIAL));
    let inspected = source.inspect();
    assert_eq!(inspected.code, 0, "{}", inspected.stderr);
    insta::assert_snapshot!("proposal_tutorial", inspected.stdout);
    source.correct("# admin", "admin");
    let before = fingerprints(source.folder.path());
    let ended = source.import(&server, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    insta::assert_snapshot!("report_tutorial", ended.stdout);
    assert_eq!(fingerprints(source.folder.path()), before);

    let mut ann = come_in(&server, "ann").await;
    let expected = [
        "2024-01-02T02:04:05.678901+00:00 ann: the first",
        "2024-01-02T02:05:00.000000+00:00 Zoë 🦀: in between",
        "2024-07-02T01:04:05.000000+00:00 by github: the last",
    ];
    assert_eq!(history(&mut ann, "public").await, expected);
    assert_eq!(log_in(&server, "ann", "passwordx").await.status, 401);
    assert_eq!(log_in(&server, "by github", "").await.status, 401);
    assert_eq!(log_in(&server, "ann", "password").await.json()["role"], "admin");
    // What they wrote is theirs.
    let page = ok(&mut ann, "get_history", json!({ "room": "public" })).await;
    ok(&mut ann, "delete_message", json!({ "id": page["messages"][0]["id"] })).await;
    // In a new hash by now.
    come_in(&server, "zoë 🦀").await;
    come_in(&server, "Zoë 🦀").await;

    source.change("INSERT INTO message VALUES (4, 'since then', '2024-08-02 03:04:05.000000', 1)");
    let again = source.import(&server, &[]);
    assert!(again.stdout.contains("Stored 0 users, 0 groups and 1 messages; 6 rows were here"), "{}", again.stdout);
    assert_eq!(history(&mut ann, "public").await.last().unwrap(), "2024-08-02T01:04:05.000000+00:00 ann: since then");
    come_in(&server, "ann").await;
}

#[tokio::test]
async fn rooms_stay_as_closed_as_they_were() {
    let (server, source) = (Server::start(), Source::of(ROOMS));
    insta::assert_snapshot!("proposal_rooms", source.inspect().stdout);
    assert_eq!(source.dry_run().code, 1);
    let ended = source.import(&server, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    insta::assert_snapshot!("report_rooms", ended.stdout);

    let mut bob = come_in(&server, "bob").await;
    let public = history(&mut bob, "public").await;
    assert_eq!(
        public,
        [
            "2024-01-02T03:04:05.250000+00:00 ann: to all",
            "2024-01-02T03:04:12.000000+00:00 user gone: by somebody who left"
        ]
    );
    ok(&mut bob, "join_group", json!({ "group_name": "Board" })).await;
    assert_eq!(history(&mut bob, "Board").await, ["2024-01-02T03:04:07.000000+00:00 bob: to the board"]);
    // Bob has made the vault.
    ok(&mut bob, "join_group", json!({ "group_name": "Vault" })).await;

    let mut eve = Client::join(&server, "eve").await;
    ok(&mut eve, "join_group", json!({ "group_name": "Lobby" })).await;
    assert_eq!(history(&mut eve, "Lobby").await, ["2024-01-02T03:04:06.000000+00:00 ann: to the lobby"]);
    for (room, password) in [("Board", ""), ("Board", "password"), ("Old", "$2b$12$bcrypt"), ("Vault", "wrong")] {
        let ack = eve.call("join_group", json!({ "group_name": room, "password": password })).await;
        assert_eq!(ack["ok"], false, "{room}");
    }
    ok(&mut eve, "join_group", json!({ "group_name": "Vault", "password": "password" })).await;
    // A closed account stays closed, and a hash of another kind opens nothing.
    assert_eq!(log_in(&server, "cyn", "password").await.status, 403);
    assert_eq!(log_in(&server, "dee", "password").await.status, 401);
    let again = source.import(&server, &[]);
    assert!(again.stdout.contains("Stored 0 users, 0 groups and 0 messages"), "{}", again.stdout);
}

#[tokio::test]
async fn names_mean_nothing_but_themselves() {
    let (server, source) = (Server::start(), Source::of(ODD));
    let inspected = source.inspect();
    assert_eq!(inspected.code, 0, "{}", inspected.stderr);
    insta::assert_snapshot!("proposal_odd", inspected.stdout);
    let ended = source.import(&server, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let mut brien = come_in(&server, "o'brien").await;
    assert_eq!(history(&mut brien, "public").await, ["2024-01-02T01:04:05.000000+00:00 o'brien: one"]);
    ok(&mut brien, "join_group", json!({ "group_name": "den" })).await;
    assert_eq!(history(&mut brien, "den").await, ["2024-01-01T23:00:00.000000+00:00 guest: two"; 2]);
}

#[tokio::test]
async fn nobody_gets_somebody_elses_name() {
    let (server, source) = (Server::start(), Source::of(TUTORIAL));
    register(&server, "ann").await;
    source.inspect();
    source.change(
        "INSERT INTO user VALUES (4, 'ANN', 'PBKDF2', 0, NULL), (5, '<b>', 'PBKDF2', 0, NULL);
         INSERT INTO message VALUES (5, 'of ann 2', '2024-01-01 00:00:00', 1)",
    );
    let ended = source.import(&server, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for line in [
        "\"ANN\" looks like another one's name: this one is called \"ANN 2\"",
        "the user \"<b>\" is called \"b\": a name must not contain <",
        "Somebody else here is called \"ann\": that account is \"ann 2\".",
        "Somebody else here is called \"ANN 2\": that account is \"ANN 2 2\".",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    assert_eq!(log_in(&server, "ann", "password").await.status, 401);
    let mut ann = come_in(&server, "ann 2").await;
    assert_eq!(history(&mut ann, "public").await[0], "2023-12-31T23:00:00.000000+00:00 ann 2: of ann 2");
    come_in(&server, "ANN 2 2").await;
    let again = source.import(&server, &[]);
    assert!(again.stdout.contains("Stored 0 users, 0 groups and 0 messages"), "{}{}", again.stdout, again.stderr);
}

#[tokio::test]
async fn two_databases_do_not_become_one() {
    let (server, one, other) = (Server::start(), Source::of(TUTORIAL), Source::of(TUTORIAL));
    other.change("UPDATE user SET username = 'other ' || id; UPDATE message SET content = 'of the other';");
    one.inspect();
    other.inspect();
    assert_eq!(one.import(&server, &[]).code, 0);
    let refused = other.import(&server, &[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("source = "), "{}", refused.stderr);
    other.correct("# source = \"\"", "source = \"the other\"");
    let ended = other.import(&server, &[]);
    assert!(
        ended.stdout.contains("Stored 3 users, 0 groups and 3 messages; 0 rows"),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
    come_in(&server, "other 1").await;
    assert_eq!(history(&mut come_in(&server, "ann").await, "public").await.len(), 6);
}

#[tokio::test]
async fn texts_that_the_app_has_sealed_are_opened() {
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    let (server, source) = (Server::start(), Source::of(TUTORIAL));
    // The example of the Fernet specification.
    let token = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    source.change(&format!("UPDATE message SET content = CAST('{token}' AS BLOB) WHERE id < 3"));
    assert!(source.inspect().stdout.contains("# The texts look like Fernet tokens"));
    let keys = source.folder.path().join("keys");
    std::fs::write(&keys, "not a key\n").unwrap();
    source
        .correct("# fernet_key_file = \"fernet.key\"", &format!("fernet_key_file = {:?}", keys.display().to_string()));
    let refused = source.import(&server, &[]);
    assert_eq!((refused.code, refused.stderr.contains("holds no Fernet keys")), (2, true), "{}", refused.stderr);
    std::fs::write(&keys, format!("{KEY}\n")).unwrap();
    let ended = source.import(&server, &[]);
    let problem = "1 messages are not opened by the keys of fernet_key_file (the first: \"3\"): left out";
    assert!(ended.stdout.contains(problem), "{}{}", ended.stdout, ended.stderr);
    let said = history(&mut come_in(&server, "ann").await, "public").await;
    assert!(said[0].ends_with("ann: hello"), "{said:?}");
}

#[tokio::test]
async fn messages_longer_than_may_be_written_here_are_brought_whole() {
    let (server, source) = (Server::start_with(&[("MAX_MESSAGE_LENGTH", "9")]), Source::of(TUTORIAL));
    source.inspect();
    let ended = source.import(&server, &[]);
    assert!(ended.stdout.contains("messages of more than 9 characters, brought whole: 1."), "{}", ended.stdout);
    let said = history(&mut come_in(&server, "ann").await, "public").await;
    assert!(said[1].ends_with("Zo\u{eb} 🦀: in between"), "{said:?}");
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_touched() {
    let source = Source::of(TUTORIAL);
    source.inspect();
    let good = std::fs::read_to_string(source.mapping()).unwrap();
    for (from, to, words) in [
        (
            "table = \"user\"",
            "table = \"usr\"",
            "[users] table = \"usr\": there is no such table. There is: message, user",
        ),
        (
            "\"content\"",
            "\"text\"",
            "[messages] text = \"text\": the table \"message\" has no such column. It has: id, content",
        ),
        ("text =", "txt =", "unknown field `txt`"),
        ("text =", "text", "line"),
        ("user = \"user_id\"", "", "[messages] needs user"),
    ] {
        std::fs::write(source.mapping(), good.replace(from, to)).unwrap();
        let ended = source.dry_run();
        assert_eq!(ended.code, 2, "{to}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{to}: {}", ended.stderr);
    }
    std::fs::write(source.mapping(), &good).unwrap();
    let folder = source.folder.path();
    for (arguments, code, words) in [
        (&["chat.db", "--timezone", "UTC"][..], 2, "import-flask chat.db --inspect"),
        (&["chat.db", "--mapping", "mapping.toml"], 2, "--timezone"),
        (&["chat.db", "--mapping", "nowhere.toml", "--timezone", "UTC"], 2, "cannot read nowhere.toml"),
        (&["nowhere.db", "--inspect"], 2, "nowhere.db cannot be read"),
        (&["mapping.toml", "--inspect"], 3, "no SQLite file"),
    ] {
        let ended = run(folder, &[&["import-flask"], arguments].concat(), &[]);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
    // What waits beside the file would be missed.
    std::fs::write(folder.join("chat.db-wal"), "changes").unwrap();
    let ended = source.dry_run();
    assert_eq!((ended.code, ended.stderr.contains("Stop the app")), (2, true), "{}", ended.stderr);
    std::fs::write(folder.join("chat.db-wal"), "").unwrap();
    assert_eq!(source.dry_run().code, 0);

    let whole = std::fs::read(&source.file).unwrap();
    for bytes in [whole[..whole.len() / 2].to_vec(), [&whole[..100], &vec![0xff; whole.len() - 100]].concat()] {
        std::fs::write(&source.file, bytes).unwrap();
        let ended = source.dry_run();
        assert_eq!((ended.code, ended.stderr.contains("damaged")), (3, true), "{}", ended.stderr);
    }
    assert!(!Path::new(&folder.join("chat_app.db")).exists());
}

#[test]
fn a_database_of_something_else_is_not_guessed_at() {
    let source = Source::of("CREATE TABLE invoices (number INTEGER PRIMARY KEY, total REAL)");
    let ended = source.inspect();
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("invoices: number, total"), "{}", ended.stdout);
    assert!(ended.stderr.contains("no table of users"), "{}", ended.stderr);
}

/// A database that a journal mode of its own keeps in a WAL, once the app is stopped.
#[test]
fn a_database_in_wal_mode_is_read_and_left_as_it_is() {
    let source = Source::of(TUTORIAL);
    source.change("PRAGMA journal_mode = WAL; UPDATE message SET content = 'changed';");
    source.inspect();
    let before = fingerprints(source.folder.path());
    let ended = source.dry_run();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(fingerprints(source.folder.path()), before);
}
