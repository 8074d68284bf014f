//! Starts the server as its user would.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

pub struct Server {
    pub addr: String,
    /// What it printed before it listened.
    pub greeting: String,
    pub folder: TempDir,
    settings: Vec<(String, String)>,
    process: Child,
    log: BufReader<ChildStderr>,
}

/// For those who wait for each other: none of them answers pings meanwhile.
pub const PATIENT: &[(&str, &str)] = &[("PING_TIMEOUT", "3600")];

impl Server {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut settings: Vec<_> = settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        if let Some(url) = new_postgres_database() {
            settings.push(("DATABASE_URL".into(), url));
        }
        Self::start_in(tempfile::tempdir().unwrap(), settings)
    }

    /// On what is in this folder.
    pub fn start_on(folder: TempDir) -> Self {
        Self::start_in(folder, Vec::new())
    }

    fn start_in(folder: TempDir, settings: Vec<(String, String)>) -> Self {
        let mut process = command(folder.path(), &settings).spawn().unwrap();
        let mut greeting = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let addr = loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap() == 0 {
                let mut errors = String::new();
                log.read_to_string(&mut errors).unwrap();
                panic!("the server did not start: {errors}");
            }
            if let Some(url) = line.trim().strip_prefix("secure-chat listens on ") {
                break url.split_once("://").unwrap().1.to_owned();
            }
            greeting.push_str(&line);
        };
        Self { addr, greeting, folder, settings, process, log }
    }

    /// `kill -9`, then the same again on the same data.
    pub fn crash_and_restart(mut self) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let Parts { folder, settings } = self.into_parts();
        Self::start_in(folder, settings)
    }

    /// SIGTERM, then the same again on the same data.
    pub fn restart(mut self) -> Self {
        self.terminate();
        self.process.wait().unwrap();
        let Parts { folder, settings } = self.into_parts();
        Self::start_in(folder, settings)
    }

    /// SIGTERM, and what it logged.
    pub fn stop_for_log(mut self) -> String {
        self.terminate();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        log
    }

    /// Waits for a line of the log that has this in it.
    pub fn logs(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the log ended without {part}");
            if line.contains(part) {
                return line;
            }
        }
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> (ExitStatus, TempDir) {
        self.terminate();
        let status = self.process.wait().unwrap();
        (status, self.into_parts().folder)
    }

    pub fn terminate(&self) {
        let killed = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// The token of the link that makes the owner's account.
    pub fn owner_invite(&self) -> String {
        self.greeting.trim().rsplit_once("#invite=").expect("a link for the owner").1.to_owned()
    }

    /// Runs a command of the program on this server's data, with `input` on its standard input.
    pub fn command(&self, arguments: &[&str], input: &str) -> Ended {
        let mut process = command(self.folder.path(), &self.settings);
        let mut process = process.args(arguments).stdin(Stdio::piped()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ended::of(process.wait_with_output().unwrap())
    }

    /// As [`Server::command`], with other settings besides.
    pub fn command_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
        let mut process = command(self.folder.path(), &self.settings);
        Ended::of(process.envs(settings.iter().copied()).args(arguments).output().unwrap())
    }

    /// A command on this server's data that is still running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        command(self.folder.path(), &self.settings).args(arguments).stdout(Stdio::null()).spawn().unwrap()
    }

    /// As [`Server::restart`], with other settings.
    pub fn restart_with(mut self, settings: &[(&str, &str)]) -> Self {
        for (name, value) in settings {
            self.settings.retain(|(known, _)| known != name);
            self.settings.push((name.to_string(), value.to_string()));
        }
        self.restart()
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn is_on_sqlite(&self) -> bool {
        !self.settings.iter().any(|(name, _)| name == "DATABASE_URL")
    }

    /// How many bytes a column has in all.
    pub fn size(&self, table: &str, column: &str) -> i64 {
        self.number(&format!("coalesce(sum(length({column})), 0) AS bytes FROM {table}"))
    }

    /// What `SELECT number AS bytes FROM …` gives.
    pub fn number(&self, selected: &str) -> i64 {
        use diesel::prelude::*;

        #[derive(QueryableByName)]
        struct Size {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            bytes: i64,
        }

        let query = diesel::sql_query(format!("SELECT {selected}"));
        let size: Size = match self.settings.iter().find(|(name, _)| name == "DATABASE_URL") {
            Some((_, url)) => query.get_result(&mut PgConnection::establish(url).unwrap()).unwrap(),
            None => {
                let file = self.folder.path().join("chat_app.db");
                query.get_result(&mut SqliteConnection::establish(file.to_str().unwrap()).unwrap()).unwrap()
            }
        };
        size.bytes
    }

    fn into_parts(mut self) -> Parts {
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        Parts { folder, settings: std::mem::take(&mut self.settings) }
    }
}

struct Parts {
    folder: TempDir,
    settings: Vec<(String, String)>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program that ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs a command that is to end by itself.
pub fn run(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let settings: Vec<_> = settings.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Ended::of(command(folder, &settings).args(arguments).output().unwrap())
}

/// Name, size and hash of every file in a folder.
pub fn fingerprints(folder: &Path) -> Vec<String> {
    let line = |(path, bytes): (PathBuf, Vec<u8>)| {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        format!("{} {} {:x}", path.file_name().unwrap().display(), bytes.len(), hasher.finish())
    };
    // SQLite's readers note in `-shm` how far they read: it is made anew at each start, and no data.
    let kept = files(folder).into_iter().filter(|(path, _)| !path.to_string_lossy().ends_with("-shm"));
    kept.map(line).collect()
}

/// A folder of nobody's, with nothing of the test's own environment that the server would read.
fn command(folder: &Path, settings: &[(String, String)]) -> Command {
    // Without the signal for too large files, so that writing one fails as on a full disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_secure-chat")]);
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("PORT", "0").env("RATELIMIT_ENABLED", "false");
    command.envs(settings.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn new_postgres_database() -> Option<String> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);

    let server = std::env::var("TEST_POSTGRES").ok()?;
    let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let made = Command::new("psql")
        .args([&format!("{server}/postgres"), "-qc", &format!("CREATE DATABASE {name}")])
        .status()
        .expect("psql is installed");
    assert!(made.success());
    Some(format!("{server}/{name}"))
}

/// Every file in a folder, with its bytes: see [`fingerprints`] for comparing them.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        // One may have been removed since it was listed.
        .filter_map(|path| std::fs::read(&path).ok().map(|bytes| (path, bytes)))
        .collect();
    files.sort();
    files
}
