//! The command line.

mod backup;
mod doctor;
mod export;
mod export_flask;
mod health;
mod import_flask;
mod keys;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::app::App;
use crate::chat::operator;
use crate::config::{Config, SETTINGS};
use crate::error::Error;
use crate::server::Started;
use crate::store::{OpenError, Prepared, sole};
use crate::tls::Tls;
use crate::types::{NewPassword, Role, Username};
use crate::{server, telemetry};

/// Exit codes: what went wrong, for scripts. 2 is also clap's for a wrong command line.
const FAILED: u8 = 1;
const BAD_SETTING: u8 = 2;
const BAD_KEY: u8 = 3;

/// Runs what the command line says.
pub fn run() -> ExitCode {
    let matches = command().get_matches();
    let (name, options) = matches.subcommand().unwrap_or(("serve", &matches));
    let config = match Config::load(given_settings(&matches, options)) {
        Ok(config) => config,
        Err(error) => return fail(&error, BAD_SETTING),
    };
    match name {
        "config" => show(&config),
        "doctor" => doctor::run(&config, options),
        "health" => health::run(&config),
        "user" | "audit" | "export" => operate(config, name, options),
        "keys" => with_app(config, async |app| {
            let (command, arguments) = options.subcommand().unwrap_or(("status", options));
            keys::run(&app, command, arguments).await
        }),
        "backup" if options.get_flag("verify") => backup::verify(&config, options),
        "backup" => with_app(config, async |app| backup::make(&app, &file(options)).await),
        "restore" => backup::restore(&config, options),
        "import-flask" => import_flask::run(config, options),
        "export-flask" => export_flask::run(config, options),
        _ => serve(config),
    }
}

fn command() -> Command {
    let settings = SETTINGS.iter().filter(|setting| !setting.secret).map(|setting| {
        let help = match setting.default {
            "" => format!("{} [{}]", setting.doc, setting.name),
            default => format!("{} [{}, default {default}]", setting.doc, setting.name),
        };
        Arg::new(setting.name)
            .long(setting.name.to_lowercase().replace('_', "-"))
            .value_name("VALUE")
            .help(help)
            .help_heading("Settings")
            .global(true)
    });
    Command::new("secure-chat")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A self-hosted chat server, encrypted at rest. Settings come from options, the environment and .env.")
        .after_help("Secrets (SECRET_KEY, MASTER_KEY, REDIS_URL, EMIT_TOKEN…) come from the environment or .env alone: others can see a command line.")
        .args(settings)
        .subcommand(Command::new("serve").about("Run the server (what happens without a command)"))
        .subcommand(Command::new("config").about("Show the settings in force and where each came from"))
        .subcommand(doctor::command())
        .subcommand(health::command())
        .subcommand(user_command())
        .subcommand(keys::command())
        .subcommand(backup::command())
        .subcommand(backup::restore_command())
        .subcommand(export::command())
        .subcommand(import_flask::command())
        .subcommand(export_flask::command())
        .subcommand(
            Command::new("audit")
                .about("The log of who did what to whom")
                .subcommand_required(true)
                .subcommand(Command::new("verify").about("Check that no entry was changed, removed or put in between")),
        )
}

fn user_command() -> Command {
    let name = || Arg::new("name").value_name("NAME").required(true);
    let role = || Arg::new("role").value_name("ROLE").value_parser(["member", "moderator", "admin", "owner"]);
    let password = || {
        Arg::new("password-file")
            .long("password-file")
            .value_name("FILE")
            .help("Read the password from the first line of a file; without it, it is asked for")
    };
    Command::new("user")
        .about("Accounts, from the shell; also while the server runs")
        .subcommand_required(true)
        .subcommand(
            Command::new("create")
                .about("Make an account")
                .arg(name())
                .arg(role().long("role").default_value("member"))
                .arg(password()),
        )
        .subcommand(Command::new("set-role").about("Give an account a role").arg(name()).arg(role().required(true)))
        .subcommand(
            Command::new("reset-password")
                .about("Set a new password, remove the second factor, end all sessions")
                .arg(name())
                .arg(password()),
        )
        .subcommand(Command::new("disable").about("Close an account and end its sessions").arg(name()))
        .subcommand(Command::new("enable").about("Open a closed account again").arg(name()))
        .subcommand(Command::new("list").about("Show all accounts"))
}

/// Runs a command of the operator on the database.
fn operate(config: Config, name: &str, options: &ArgMatches) -> ExitCode {
    let (command, arguments) = options.subcommand().unwrap_or((name, options));
    with_app(config, async |app| operator_command(&app, command, arguments).await)
}

/// Opens the database for one piece of work, and says what came of it.
fn with_app(config: Config, work: impl AsyncFnOnce(Arc<App>) -> anyhow::Result<String>) -> ExitCode {
    telemetry::start_logging(&config);
    let prepared = match server::prepare(&config) {
        Ok(prepared) => prepared,
        Err(OpenError::Key(error)) => return fail(&error, BAD_KEY),
        Err(OpenError::Database(error)) => return fail(&explain(&error), FAILED),
    };
    let done = tokio::runtime::Runtime::new().map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            let app = Arc::new(server::build_alone(config, prepared)?);
            let done = work(app.clone()).await;
            app.db.close();
            done
        })
    });
    match done {
        Ok(line) => {
            say(&line);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("{error:#}"), FAILED),
    }
}

fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Internal(cause) => cause,
        error => anyhow::anyhow!("{error}"),
    }
}

/// What to say when it is done.
async fn operator_command(app: &Arc<App>, command: &str, arguments: &ArgMatches) -> anyhow::Result<String> {
    let text = |name| arguments.get_one::<String>(name).cloned().unwrap_or_default();
    let name = || Username::try_from(text("name")).map_err(|problem| anyhow::anyhow!("the name {problem}"));
    let role = || {
        let role = Role::ALL.into_iter().find(|role| role.name() == text("role"));
        role.ok_or_else(|| anyhow::anyhow!("there is no such role"))
    };
    match command {
        "create" => {
            let password = password(arguments)?;
            operator::create(app, name()?, role()?, password).await.map_err(told)?;
            Ok(format!("Made the account {} ({}).", text("name"), text("role")))
        }
        "set-role" => {
            operator::set_role(app, name()?, role()?).await.map_err(told)?;
            Ok(format!("{} is {} now.", text("name"), text("role")))
        }
        "reset-password" => {
            let password = password(arguments)?;
            operator::reset_password(app, name()?, password).await.map_err(told)?;
            Ok(format!("{} has a new password and no second factor; all sessions have ended.", text("name")))
        }
        "disable" | "enable" => {
            operator::set_disabled(app, name()?, command == "disable").await.map_err(told)?;
            Ok(format!("{} is {command}d.", text("name")))
        }
        "export" => export::export(app, &text("file"), arguments.get_one::<String>("files")).await,
        "verify" => match operator::verify_audit_log(app).await.map_err(told)? {
            Ok(count) => Ok(format!("The audit log is whole: {count} entries, each linked to the one before.")),
            Err(problem) => anyhow::bail!("the audit log has been tampered with or damaged: {problem}."),
        },
        _ => {
            let accounts = operator::list(app).await.map_err(told)?;
            let lines = accounts.iter().map(|account| {
                let states = [(account.disabled, "disabled"), (account.second_factor, "second factor")];
                let states: Vec<_> = states.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
                format!("{:<10} {} {}", account.role.name(), account.username.as_str(), states.join(", "))
                    .trim_end()
                    .to_owned()
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// From a file, from the person at the terminal, or from what is piped in. Never from the command line: others see that.
fn password(arguments: &ArgMatches) -> anyhow::Result<NewPassword> {
    let text = match arguments.get_one::<String>("password-file") {
        Some(file) => first_line(file)?,
        None if std::io::stdin().is_terminal() => asked_twice("Password", "passwords")?,
        None => {
            let mut line = Zeroizing::new(String::new());
            std::io::stdin().read_line(&mut line)?;
            Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned())
        }
    };
    NewPassword::try_from(text.to_string()).map_err(|problem| anyhow::anyhow!("the password {problem}"))
}

/// What the command is about.
fn file(arguments: &ArgMatches) -> String {
    arguments.get_one::<String>("file").cloned().unwrap_or_default()
}

/// Asks twice for something new that is to be known later; `several` is what more than one of it are called.
fn asked_twice(what: &str, several: &str) -> anyhow::Result<Zeroizing<String>> {
    let given = Zeroizing::new(rpassword::prompt_password(format!("{what}: "))?);
    let again = Zeroizing::new(rpassword::prompt_password("Again: ")?);
    anyhow::ensure!(given == again, "these are two different {several}");
    Ok(given)
}

/// The first line of a file that holds a password.
fn first_line(file: &str) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?);
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// Makes a file that must not be there yet, readable for its owner alone.
fn new_file(path: &str) -> anyhow::Result<File> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.with_context(|| format!("cannot make {path}; nothing was written"))
}

/// Makes a new file with this content; nothing is left of one that cannot be written.
fn write_new_file(path: &str, content: &[u8]) -> anyhow::Result<()> {
    let mut made = new_file(path)?;
    let written = made.write_all(content).and_then(|()| made.sync_all());
    written.inspect_err(|_| drop(std::fs::remove_file(path))).with_context(|| format!("cannot write {path}"))
}

fn given_settings(matches: &ArgMatches, options: &ArgMatches) -> HashMap<&'static str, String> {
    let open = SETTINGS.iter().filter(|setting| !setting.secret);
    open.filter_map(|setting| {
        let given = [options, matches].into_iter().find_map(|level| level.get_one::<String>(setting.name));
        Some((setting.name, given?.clone()))
    })
    .collect()
}

fn show(config: &Config) -> ExitCode {
    for line in config.lines() {
        say(&line);
    }
    for warning in &config.warnings {
        eprintln!("Warning: {warning}.");
    }
    ExitCode::SUCCESS
}

fn serve(config: Config) -> ExitCode {
    telemetry::start_logging(&config);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    // Each connection is an open file; the usual limit of 1024 is soft.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let tls = match config.tls.clone().map(Tls::load).transpose() {
        Ok(tls) => tls,
        Err(error) => return fail(&format!("{error:#}."), BAD_SETTING),
    };
    // Before anything is written there.
    let sole = match sole::take(&config.database) {
        Ok(sole) => sole,
        Err(error) => return fail(&format!("{error}."), FAILED),
    };
    let prepared = match server::prepare(&config) {
        Ok(prepared) => prepared,
        Err(error) => {
            sole.give_up();
            return match error {
                OpenError::Key(error) => fail(&error, BAD_KEY),
                OpenError::Database(error) => fail(&explain(&error), FAILED),
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, FAILED),
    };
    match runtime.block_on(run_server(config, prepared, tls)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}."), FAILED),
    }
}

async fn run_server(config: Config, prepared: Prepared, tls: Option<Tls>) -> anyhow::Result<()> {
    // Before anything is announced: whoever reads the announcement may send the signal.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = server::listen(&config).await?;
    if let Some(addr) = config.metrics_addr {
        let addr = telemetry::serve_metrics(addr).await?;
        say(&format!("Metrics are at http://{addr}/metrics"));
    }
    announce(&prepared, &config);
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server::run(config, prepared, listener, tls, say_started, shutdown).await
}

/// Where it listens; and on a server without an owner, how to become it.
fn say_started(started: Started) {
    if let Some(invite) = started.owner_invite {
        let host = match started.addr.ip() {
            ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
            _ => started.addr.ip().to_string(),
        };
        let (scheme, port) = (started.scheme, started.addr.port());
        say(&format!(
            "Nobody owns this server yet. Whoever opens this link first, within 30 minutes, does: {scheme}://{host}:{port}/account#invite={}",
            invite.as_str()
        ));
    }
    say(&format!("secure-chat listens on {}://{}", started.scheme, started.addr));
}

/// At the first start: what was made, where, and what to back up.
fn announce(prepared: &Prepared, config: &Config) {
    let place = std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default();
    if prepared.made_database {
        say(&format!("Made the database {} (in {place}).", config.database.describe()));
    }
    if let Some(key) = &prepared.made_key {
        say(&format!("Made the key {}, which opens it. Only you can read the file.", key.display()));
        say("Back up both, apart from each other: without the key nobody can ever read the messages again.");
    }
}

/// Adds what to do where the machine's own words do not say it.
fn explain(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let advice = match text.as_str() {
        text if text.contains("database is locked") => " Another program is using it: stop that one first.",
        text if text.contains("unable to open database file") || text.contains("os error") => {
            " Does the folder exist, and may this user write there? DATABASE_URL says where it is."
        }
        text if text.contains("readonly database") => " This user may not write to it.",
        text if text.contains("file is not a database") => {
            " It is no SQLite file, or a damaged one. Choose another DATABASE_URL; nothing was changed."
        }
        _ => "",
    };
    format!("{text}.{advice}")
}

fn fail(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("secure-chat: {error}");
    ExitCode::from(code)
}

/// A line on standard output. Whoever closed that end does not want it.
fn say(line: &str) {
    if line.is_empty() {
        return;
    }
    let _ = writeln!(std::io::stdout(), "{line}");
}
