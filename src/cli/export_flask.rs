//! `secure-chat export-flask`: back to the original.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::import_flask::given;
use super::{BAD_SETTING, fail, file, told, with_app, write_new_file};
use crate::config::Config;
use crate::flask::chat_data::Key;
use crate::flask::export::{Exported, export};

pub fn command() -> Command {
    Command::new("export-flask")
        .about("Write a chat_data.db that the original opens; also while the server runs")
        .after_help(
            "The password must be the one in the original's source. Direct messages, files, reactions and earlier versions have \
             no place there. Groups with a password get a new one, which is shown: here there are hashes alone.",
        )
        .arg(Arg::new("file").value_name("FILE").required(true).help("A new file"))
        .arg(Arg::new("timezone").long("timezone").value_name("ZONE").help("Where the original's clock stands"))
        .arg(
            Arg::new("password-file")
                .long("password-file")
                .value_name("FILE")
                .help("Read the new file's password from the first line of a file"),
        )
}

pub fn run(config: Config, arguments: &ArgMatches) -> ExitCode {
    let (zone, password) = match given(arguments) {
        Ok(given) => given,
        Err(error) => return fail(&format!("{error:#}"), BAD_SETTING),
    };
    let file = file(arguments);
    with_app(config, async |app| {
        let exported = export(&app, Key::of(&password), zone).await.map_err(told)?;
        write_new_file(&file, exported.token.as_bytes())?;
        Ok(report(&file, &exported))
    })
}

fn report(file: &str, exported: &Exported) -> String {
    let Exported { users, messages, passwords, directs, .. } = exported;
    let mut lines = vec![format!("Wrote {users} users and {messages} messages to {file}.")];
    if *directs > 0 {
        lines.push(format!("Left out {directs} conversations of two people: the original has none."));
    }
    if !passwords.is_empty() {
        lines.push("The groups with a password have new ones in this file:".into());
        lines.extend(passwords.iter().map(|(group, password)| format!("  {group}: {password}")));
    }
    lines.join("\n")
}
