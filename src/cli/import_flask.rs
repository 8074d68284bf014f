//! `secure-chat import-flask`: what the original, or another Flask chat, has stored, into the database.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::{Arg, ArgAction, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use zeroize::Zeroizing;

use super::{BAD_KEY, BAD_SETTING, FAILED, fail, file, first_line, say, told, with_app};
use crate::app::{Clock, SystemClock};
use crate::config::Config;
use crate::flask::chat_data::{self, Key, OpenError};
use crate::flask::database::{Database, DatabaseError, is_sqlite};
use crate::flask::mapping::Mapping;
use crate::flask::plan::{Plan, plan};
use crate::flask::source::Source;
use crate::flask::{import, proposal, sql};

/// The password of the file, for scripts.
const PASSWORD: &str = "FLASK_DATA_PASSWORD";
const CLOCK: &str = "%Y-%m-%d %H:%M";

pub fn command() -> Command {
    Command::new("import-flask")
        .about("Bring the users, groups and messages of a chat_data.db, or of another Flask app's SQLite database, into the database")
        .after_help(format!(
            "The file is only read. Again, it brings what is new. The password of a chat_data.db, or of a backup of it, is asked for, \
             or read from --password-file or {PASSWORD}. An SQLite database needs a --mapping, which --inspect proposes; people who have \
             one of Werkzeug's password hashes there get an account and keep their password. \
             Exit codes: 0 done, 1 the dry run found problems, 2 usage, 3 wrong password or damaged file."
        ))
        .arg(Arg::new("file").value_name("FILE").required(true))
        .arg(
            Arg::new("timezone")
                .long("timezone")
                .value_name("ZONE")
                .help("Where the app's clock stood, such as Europe/Berlin or UTC: its times do not say"),
        )
        .arg(Arg::new("password-file").long("password-file").value_name("FILE").help("Read the file's password from the first line of a file"))
        .arg(Arg::new("mapping").long("mapping").value_name("TOML").help("Which tables and columns of an SQLite database are what"))
        .arg(
            Arg::new("inspect")
                .long("inspect")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["mapping", "dry-run"])
                .help("Print a mapping for an SQLite database, guessed from its names, to be checked and corrected"),
        )
        .arg(Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Only say what would be brought, renamed, or cannot be read"))
}

pub fn run(config: Config, arguments: &ArgMatches) -> ExitCode {
    let file = file(arguments);
    let file = Path::new(&file);
    if arguments.get_flag("inspect") {
        return inspect(file).unwrap_or_else(Refusal::tell);
    }
    let (source, zone) = match read(file, arguments) {
        Ok(read) => read,
        Err(refusal) => return refusal.tell(),
    };
    let mut plan = plan(source, zone, SystemClock.now());
    plan.note_long_messages(config.max_message_length);
    match arguments.get_flag("dry-run") {
        true => {
            say(&report(&plan));
            if let Some(clocks) = clocks(&plan, zone) {
                say(&clocks);
            }
            ExitCode::from(if plan.problems.is_empty() { 0 } else { FAILED })
        }
        false => store(config, plan),
    }
}

/// Why nothing is read, and the exit code that says so.
struct Refusal(String, u8);

impl Refusal {
    fn tell(self) -> ExitCode {
        fail(&self.0, self.1)
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self(format!("{error:#}"), BAD_SETTING)
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        let code = if matches!(error, OpenError::Unreadable(..)) { BAD_SETTING } else { BAD_KEY };
        Self(error.to_string(), code)
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        let code = if matches!(error, DatabaseError::Damaged(..)) { BAD_KEY } else { BAD_SETTING };
        Self(error.to_string(), code)
    }
}

fn inspect(file: &Path) -> Result<ExitCode, Refusal> {
    let proposal = proposal::propose(&mut Database::open(file)?)?;
    say(proposal.text.trim_end());
    if proposal.is_whole {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(fail(&"no table of users, or none of messages, was found: say in the mapping which it is", FAILED))
}

/// What a file of either kind holds, and where the clock stood.
fn read(file: &Path, arguments: &ArgMatches) -> Result<(Source, Tz), Refusal> {
    let zone = zone(arguments)?;
    let mapping = arguments.get_one::<String>("mapping");
    if mapping.is_none() && !is_sqlite(file)? {
        return Ok((chat_data::open(file, &Key::of(&password(arguments)?))?, zone));
    }
    let mut database = Database::open(file)?;
    let Some(path) = mapping else {
        let name = file.display();
        return Err(anyhow::anyhow!(
            "{name} is an SQLite database: say with --mapping TOML what is where. `secure-chat import-flask {name} --inspect` proposes it"
        ))?;
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let mapping = Mapping::parse(&text).map_err(|problem| anyhow::anyhow!("{path}: {problem}"))?;
    Ok((sql::read(&mut database, &mapping)?, zone))
}

fn store(config: Config, plan: Plan) -> ExitCode {
    let (report, total) = (report(&plan), plan.messages() as u64);
    let bar = ProgressBar::new(total);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} messages, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    with_app(config, async |app| {
        let progress = bar.clone();
        let done = import::store(&app, plan, move |looked_at| progress.set_position(looked_at)).await;
        bar.finish_and_clear();
        let import::Done { users, groups, messages, known, renamed, late } = done.map_err(told)?;
        let renamed = renamed.iter().map(|(wanted, name)| {
            format!("\nSomebody else here is called {:?}: that account is {:?}.", wanted.as_str(), name.as_str())
        });
        let renamed: String = renamed.collect();
        let late = match late {
            0 => String::new(),
            late => format!("\n{late} of them stand below newer ones that people had written here already."),
        };
        Ok(format!(
            "{report}{renamed}\nStored {users} users, {groups} groups and {messages} messages; {known} rows were here already.{late}"
        ))
    })
}

fn report(plan: &Plan) -> String {
    let accounts = match plan.accounts() {
        0 => String::new(),
        accounts => format!(" ({accounts} with an account)"),
    };
    let counts = format!(
        "{} users{accounts}, {} groups ({} with a password), {} messages.",
        plan.users.len(),
        plan.groups.len(),
        plan.groups_with_password(),
        plan.messages()
    );
    let section = |title: &str, lines: &[String]| match lines {
        [] => String::new(),
        lines => format!("\n{title}:\n  {}", lines.join("\n  ")),
    };
    format!(
        "{counts}{}{}",
        section("Changed on the way", &plan.changes),
        section("Not brought along, or not whole", &plan.problems)
    )
}

/// The first and the last message by both clocks: a wrong zone shows here, and can be corrected before anything is stored.
fn clocks(plan: &Plan, zone: Tz) -> Option<String> {
    let times = || plan.all_messages().map(|message| DateTime::<Utc>::from(message.at));
    let (first, last) = (times().min()?, times().max()?);
    let both =
        |at: DateTime<Utc>| format!("{} in {zone}, {} UTC", at.with_timezone(&zone).format(CLOCK), at.format(CLOCK));
    Some(format!("The first message is of {}; the last of {}.", both(first), both(last)))
}

/// Where the original's clock stands, and the password of its file.
pub(super) fn given(arguments: &ArgMatches) -> anyhow::Result<(Tz, Zeroizing<String>)> {
    Ok((zone(arguments)?, password(arguments)?))
}

fn zone(arguments: &ArgMatches) -> anyhow::Result<Tz> {
    let Some(name) = arguments.get_one::<String>("timezone") else {
        let here = std::fs::read_to_string("/etc/timezone").unwrap_or_default();
        let hint = if here.trim().is_empty() { String::new() } else { format!(" This machine's is {}.", here.trim()) };
        anyhow::bail!("say with --timezone where the original's clock stood: it stored local times.{hint}");
    };
    name.parse().map_err(|_| anyhow::anyhow!("there is no time zone {name}; they are called like Europe/Berlin or UTC"))
}

fn password(arguments: &ArgMatches) -> anyhow::Result<Zeroizing<String>> {
    if let Some(file) = arguments.get_one::<String>("password-file") {
        return first_line(file);
    }
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(Zeroizing::new(password));
    }
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "the password of the file is needed: --password-file FILE, or {PASSWORD}"
    );
    Ok(Zeroizing::new(rpassword::prompt_password("Password of the file: ")?))
}
