//! `secure-chat import-flask`: what the original has stored, into the database.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use chrono_tz::Tz;
use clap::{Arg, ArgAction, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use zeroize::Zeroizing;

use super::{BAD_KEY, BAD_SETTING, FAILED, fail, first_line, say, told, with_app};
use crate::app::{Clock, SystemClock};
use crate::config::Config;
use crate::flask::chat_data::{self, Key, OpenError};
use crate::flask::import;
use crate::flask::plan::{Plan, plan};

/// The password of the file, for scripts.
const PASSWORD: &str = "FLASK_DATA_PASSWORD";

pub fn command() -> Command {
    Command::new("import-flask")
        .about("Bring the users, groups and messages of a chat_data.db, or of a backup of it, into the database")
        .after_help(format!(
            "The file's password is asked for, or read from --password-file or {PASSWORD}. The file is only read. \
             Again, it brings what is new. Exit codes: 0 done, 1 the dry run found problems, 2 usage, 3 wrong password or damaged file."
        ))
        .arg(Arg::new("file").value_name("FILE").required(true))
        .arg(
            Arg::new("timezone")
                .long("timezone")
                .value_name("ZONE")
                .help("Where the original's clock stood, such as Europe/Berlin or UTC: its times do not say"),
        )
        .arg(Arg::new("password-file").long("password-file").value_name("FILE").help("Read the file's password from the first line of a file"))
        .arg(Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Only say what would be brought, renamed, or cannot be read"))
}

pub fn run(config: Config, arguments: &ArgMatches) -> ExitCode {
    let (zone, password) = match given(arguments) {
        Ok(given) => given,
        Err(error) => return fail(&format!("{error:#}"), BAD_SETTING),
    };
    let file = arguments.get_one::<String>("file").cloned().unwrap_or_default();
    let data = match chat_data::open(Path::new(&file), &Key::of(&password)) {
        Ok(data) => data,
        Err(error @ OpenError::Unreadable(..)) => return fail(&error, BAD_SETTING),
        Err(error) => return fail(&error, BAD_KEY),
    };
    let plan = plan(data, zone, SystemClock.now());
    match arguments.get_flag("dry-run") {
        true => {
            say(&report(&plan));
            ExitCode::from(if plan.problems.is_empty() { 0 } else { FAILED })
        }
        false => store(config, plan),
    }
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
        let import::Done { users, groups, messages, known } = done.map_err(told)?;
        Ok(format!(
            "{report}\nStored {users} users, {groups} groups and {messages} messages; {known} rows were here already."
        ))
    })
}

fn report(plan: &Plan) -> String {
    let counts = format!(
        "{} users, {} groups ({} with a password), {} messages.",
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
