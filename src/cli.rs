//! The command line.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, SETTINGS};
use crate::store::{OpenError, Prepared};
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
            .global(true)
    });
    Command::new("secure-chat")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A self-hosted chat server, encrypted at rest. Settings come from options, the environment and .env.")
        .after_help("Secrets (SECRET_KEY, MASTER_KEY, REDIS_URL) come from the environment or .env alone: others can see a command line.")
        .args(settings)
        .subcommand(Command::new("serve").about("Run the server (what happens without a command)"))
        .subcommand(Command::new("config").about("Show the settings in force and where each came from"))
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
    let prepared = match server::prepare(&config) {
        Ok(prepared) => prepared,
        Err(OpenError::Key(error)) => return fail(&error, BAD_KEY),
        Err(OpenError::Database(error)) => return fail(&explain(&error), FAILED),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, FAILED),
    };
    match runtime.block_on(run_server(config, prepared)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}."), FAILED),
    }
}

async fn run_server(config: Config, prepared: Prepared) -> anyhow::Result<()> {
    // Before anything is announced: whoever reads the announcement may send the signal.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = server::listen(&config).await?;
    if let Some(addr) = config.metrics_addr {
        let addr = telemetry::serve_metrics(addr).await?;
        say(&format!("Metrics are at http://{addr}/metrics"));
    }
    announce(&prepared, &config);
    say(&format!("secure-chat listens on http://{}", listener.local_addr()?));
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server::run(config, prepared, listener, shutdown).await
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
    let _ = writeln!(std::io::stdout(), "{line}");
}
