//! `secure-chat backup` and `restore`: all data in one sealed file, and back.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{BAD_KEY, FAILED, fail, file, say, told};
use crate::app::App;
use crate::chat::backups;
use crate::config::Config;
use crate::store::backup::{self, BackupError, Manifest};

pub fn command() -> Command {
    Command::new("backup")
        .about("Write all data into one new sealed file, also while the server runs, and read it again")
        .after_help("It opens with the master key alone, which is not in it: back that up apart from it (secure-chat keys export).")
        .arg(Arg::new("file").value_name("FILE").required(true))
        .arg(Arg::new("verify").long("verify").action(ArgAction::SetTrue).help("Make none: read and check the one in FILE"))
}

pub fn restore_command() -> Command {
    Command::new("restore")
        .about("Put a backup into the places that the settings name, where nothing is yet")
        .after_help("The master key of the time of the backup must be there (MASTER_KEY_FILE or MASTER_KEY). All of the backup is checked first; nothing is ever overwritten.")
        .arg(Arg::new("file").value_name("FILE").required(true))
}

/// What to say when it is done.
pub async fn make(app: &Arc<App>, file: &str) -> anyhow::Result<String> {
    let manifest = backups::make(app, Path::new(file)).await.map_err(told)?;
    Ok(format!("Made the backup {file}, and read it again: {}.", described(&manifest)))
}

pub fn verify(config: &Config, arguments: &ArgMatches) -> ExitCode {
    let file = file(arguments);
    let verified = backup::verify(Path::new(&file), &config.master_key);
    told_of(verified.map(|manifest| format!("The backup {file} is whole: {}.", described(&manifest))))
}

pub fn restore(config: &Config, arguments: &ArgMatches) -> ExitCode {
    let file = file(arguments);
    let restored = backup::restore(Path::new(&file), &config.master_key, &config.database, &config.attachments_dir);
    told_of(restored.map(|manifest| format!("Restored {file}: {}. Start the server.", described(&manifest))))
}

fn told_of(done: Result<String, BackupError>) -> ExitCode {
    match done {
        Ok(line) => {
            say(&line);
            ExitCode::SUCCESS
        }
        Err(BackupError::Key(error)) => fail(&error, BAD_KEY),
        Err(error @ (BackupError::NoKey(_) | BackupError::WrongKey(..))) => fail(&format!("{error}."), BAD_KEY),
        Err(error) => fail(&format!("{error:#}."), FAILED),
    }
}

fn described(manifest: &Manifest) -> String {
    let Manifest { made_at, users, messages, attachments, version, .. } = manifest;
    format!("{messages} messages, {users} users, {attachments} files, of {made_at}, by version {version}")
}
