//! `secure-chat export`: everything as JSON lines.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::sync::Arc;

use anyhow::Context;
use clap::{Arg, Command};

use super::told;
use crate::app::App;
use crate::chat::server_export;
use crate::types::AttachmentId;

pub fn command() -> Command {
    Command::new("export")
        .about("Write all that people said and made as JSON lines, readable by anyone; also while the server runs")
        .arg(Arg::new("file").value_name("FILE").required(true).help("A new file, or - for standard output"))
        .arg(
            Arg::new("files")
                .long("files")
                .value_name("FOLDER")
                .help("Also write the content of attachments there, each under its id"),
        )
}

/// Writes everything; what was begun and does not come to its end is removed.
pub async fn export(app: &Arc<App>, file: &str, folder: Option<&String>) -> anyhow::Result<String> {
    if let Some(folder) = folder {
        let made = DirBuilder::new().mode(0o700).create(folder);
        made.with_context(|| format!("cannot make the folder {folder}; nothing was written"))?;
    }
    let remove_folder = || folder.map(std::fs::remove_dir_all);
    let written = tokio::select! {
        written = write(app, file, folder) => written,
        _ = tokio::signal::ctrl_c() => {
            drop((file != "-").then(|| std::fs::remove_file(file)));
            Err(anyhow::anyhow!("interrupted"))
        }
    };
    let (line, lost) = written.inspect_err(|_| drop(remove_folder()))?;
    if !lost.is_empty() {
        let lost: Vec<_> = lost.iter().map(ToString::to_string).collect();
        anyhow::bail!("{line} These files are damaged, or not there: {}", lost.join(", "));
    }
    Ok(line)
}

/// What to say when it is done, and the files that could not be read.
async fn write(app: &Arc<App>, file: &str, folder: Option<&String>) -> anyhow::Result<(String, Vec<AttachmentId>)> {
    if file == "-" {
        let lines = write_lines(app, std::io::stdout()).await?;
        let (_, lost) = write_files(app, folder).await?;
        // Standard output is the export.
        eprintln!("{lines} lines.");
        return Ok((String::new(), lost));
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let made = made.with_context(|| format!("cannot make {file}; nothing was written"))?;
    let written = async {
        let lines = write_lines(app, &made).await?;
        made.sync_all()?;
        let (files, lost) = write_files(app, folder).await?;
        anyhow::Ok((lines, files, lost))
    };
    let written = written.await.inspect_err(|_| drop(std::fs::remove_file(file)));
    let (lines, files, lost) = written.context("the export did not come to its end, and was removed")?;
    let line = format!("Wrote {lines} lines to {file}{files}. It is not encrypted: who has it can read everything.");
    Ok((line, lost))
}

async fn write_lines(app: &Arc<App>, output: impl Write) -> anyhow::Result<u64> {
    let mut output = BufWriter::new(output);
    let mut lines = server_export::everything(app).await.map_err(told)?;
    let mut count = 0;
    while let Some(line) = lines.next().await {
        serde_json::to_writer(&mut output, &line.map_err(told)?)?;
        output.write_all(b"\n")?;
        count += 1;
    }
    output.flush()?;
    Ok(count)
}

async fn write_files(app: &Arc<App>, folder: Option<&String>) -> anyhow::Result<(String, Vec<AttachmentId>)> {
    let Some(folder) = folder else { return Ok((String::new(), Vec::new())) };
    let (count, lost) = server_export::files(app, folder.as_ref()).await.map_err(told)?;
    Ok((format!(", and {count} files to {folder}"), lost))
}
