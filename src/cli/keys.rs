//! `secure-chat keys`: the master key and what is sealed under it, for life.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use clap::{Arg, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use zeroize::Zeroizing;

use super::{asked_twice, file, first_line, told, write_new_file};
use crate::app::App;
use crate::chat::operator;
use crate::store::keys::{Progress, Retired, Status, Verified};
use crate::types::KeySource;

pub fn command() -> Command {
    Command::new("keys")
        .about("The keys: what is under which, new ones, the old ones out of use; all of it also while the server runs")
        .subcommand_required(true)
        .subcommand(Command::new("status").about("Show the keys, and how much is under the newest ones"))
        .subcommand(Command::new("rotate").about("Put new keys to use: all that is written from now on is under them"))
        .subcommand(
            Command::new("reencrypt").about("Seal everything anew under the newest keys; goes on where it was cut off"),
        )
        .subcommand(Command::new("retire").about("Remove the old keys, once nothing is under them any more"))
        .subcommand(
            Command::new("export")
                .about("Write the master key to a new file, under a passphrase of its own: to be kept elsewhere")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .required(true)
                        .help("A new file; it can be used as MASTER_KEY_FILE with MASTER_KEY_PASSPHRASE"),
                )
                .arg(
                    Arg::new("passphrase-file")
                        .long("passphrase-file")
                        .value_name("FILE")
                        .help("Read the passphrase from the first line of a file; without it, it is asked for"),
                ),
        )
        .subcommand(
            Command::new("verify")
                .about("Open every row and file, and look whether anything is under an older key")
                .arg(
                    Arg::new("old")
                        .long("old")
                        .value_name("FILE")
                        .help("Also show that the keys in this file, which were retired, open nothing any more"),
                ),
        )
}

/// What to say when it is done.
pub async fn run(app: &Arc<App>, command: &str, arguments: &ArgMatches) -> anyhow::Result<String> {
    match command {
        "rotate" => rotate(app).await,
        "reencrypt" => reencrypt(app).await,
        "retire" => retire(app).await,
        "export" => export(app, arguments),
        "verify" => verify(app, arguments.get_one::<String>("old")).await,
        _ => Ok(status_lines(&app.db.key_status(app.files.clone()).await.map_err(told)?)),
    }
}

fn status_lines(status: &Status) -> String {
    let mut lines = vec![format!("Master key: {}", status.source)];
    for (number, (name, count)) in status.master.iter().enumerate() {
        let state = if number == 0 { "in use" } else { "old" };
        lines.push(format!("  {name}  {state}, seals {count} of {} data keys", status.data_keys));
    }
    let Status { data_keys, replaced, sealed, older, .. } = status;
    lines.push(format!("Data keys: {}, and {replaced} that were replaced", data_keys - replaced));
    lines.push(format!("Sealed values and files: {sealed}, {older} of them under an older key"));
    lines.push(match (older, *replaced > 0 || status.master.len() > 1) {
        (0, false) => "All is under the newest keys, and there are no others.".into(),
        (0, true) => "Nothing is under the old keys any more: `secure-chat keys retire` removes them.".into(),
        _ => "`secure-chat keys reencrypt` seals these anew.".into(),
    });
    lines.join("\n")
}

async fn rotate(app: &Arc<App>) -> anyhow::Result<String> {
    let rotated = operator::rotate_keys(app).await.map_err(told)?;
    let data_keys = rotated.data_keys;
    Ok(match rotated.master {
        Some(name) => format!(
            "New master key {name}, and new keys for {data_keys} purposes and rooms. Back up the key now: what is written from here on opens with the new one alone. Then: `secure-chat keys reencrypt`."
        ),
        None => format!(
            "New keys for {data_keys} purposes and rooms, under the same master key, since MASTER_KEY comes from the environment: to replace that too, put a new one in front of it (see README), start again, and rotate once more."
        ),
    })
}

async fn reencrypt(app: &Arc<App>) -> anyhow::Result<String> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let report = |progress: Progress| {
        bar.set_message(progress.step);
        bar.set_length(progress.all as u64);
        bar.set_position(progress.done as u64);
    };
    let done = app.db.reencrypt(app.files.clone(), app.now(), &report).await;
    bar.finish_and_clear();
    let done = done.map_err(told)?;
    Ok(format!("{done} values, indexes and files were under older keys and are under the newest ones now."))
}

async fn retire(app: &Arc<App>) -> anyhow::Result<String> {
    let Retired { data_keys, master, by_hand } = operator::retire_keys(app).await.map_err(told)?;
    let mut lines = vec![format!("Removed {data_keys} old data keys.")];
    if !master.is_empty() {
        lines.push(match by_hand {
            true => format!(
                "Take the old master keys out of MASTER_KEY: {}. They open nothing any more.",
                master.join(", ")
            ),
            false => format!("Removed from the key file: {}. They open nothing any more.", master.join(", ")),
        });
    }
    lines.push(
        "Backups from before open with the old master key alone: keep it, apart, as long as you keep them.".into(),
    );
    Ok(lines.join("\n"))
}

fn export(app: &Arc<App>, arguments: &ArgMatches) -> anyhow::Result<String> {
    let file = file(arguments);
    let passphrase = passphrase(arguments)?;
    let lines = app.db.master_key_lines(&passphrase).map_err(told)?;
    write_new_file(&file, lines.as_bytes())?;
    Ok(format!(
        "Wrote the master key to {file}. It opens with the passphrase alone: keep both, apart from each other and from the database."
    ))
}

fn passphrase(arguments: &ArgMatches) -> anyhow::Result<Zeroizing<String>> {
    /// Short ones are found by trying, in spite of all rounds.
    const SHORTEST: usize = 12;

    let passphrase = match arguments.get_one::<String>("passphrase-file") {
        Some(file) => first_line(file)?,
        None if std::io::stdin().is_terminal() => asked_twice("New passphrase", "passphrases")?,
        None => bail!("a passphrase is needed: --passphrase-file FILE"),
    };
    anyhow::ensure!(passphrase.chars().count() >= SHORTEST, "the passphrase needs at least {SHORTEST} characters");
    Ok(passphrase)
}

async fn verify(app: &Arc<App>, old: Option<&String>) -> anyhow::Result<String> {
    let Verified { opened, damaged, older, lost } = app.db.verify_keys(app.files.clone()).await.map_err(told)?;
    let mut lines = vec![format!("{opened} values and files were opened.")];
    let mut problems = Vec::new();
    problems.extend(
        damaged.iter().map(|(column, count)| format!("{count} values of {column} do not open: damaged or moved")),
    );
    problems.extend(lost.iter().map(|id| format!("the file of the attachment {id} is damaged, or not there")));
    if older > 0 {
        problems.push(format!("{older} values are under an older key: run `secure-chat keys reencrypt`"));
    }
    if let Some(file) = old {
        let source = KeySource::File(Path::new(file).to_owned(), None);
        match app.db.opened_by(source).await.map_err(told)? {
            (0, all) => lines.push(format!("The keys in {file} open none of the {all} data keys.")),
            (count, all) => problems.push(format!("the keys in {file} open {count} of the {all} data keys")),
        }
    }
    if !problems.is_empty() {
        bail!("{} But {}.", lines.join(" "), problems.join("; "));
    }
    lines.push("Nothing is under an older key.".into());
    Ok(lines.join("\n"))
}
