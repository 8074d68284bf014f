//! `secure-chat export`: everything as JSON lines.

use std::fs::{DirBuilder, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::Context;
use clap::{Arg, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::{new_file, told};
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
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let made = match file {
        "-" => None,
        file => Some(new_file(file)?),
    };
    let remove_file = || drop(made.as_ref().map(|_| std::fs::remove_file(file)));
    if let Some(folder) = folder {
        let made = DirBuilder::new().mode(0o700).create(folder).inspect_err(|_| remove_file());
        made.with_context(|| format!("cannot make the folder {folder}; nothing was written"))?;
    }
    let written = tokio::select! {
        written = write(app, file, made.as_ref(), folder) => written,
        _ = terminate.recv() => Err(anyhow::anyhow!("it was interrupted")),
        _ = interrupt.recv() => Err(anyhow::anyhow!("it was interrupted")),
    };
    // What is half written is as readable as the whole.
    let written = written.inspect_err(|_| {
        remove_file();
        drop(folder.map(std::fs::remove_dir_all));
    });
    let (line, lost) = written.context("the export did not come to its end, and was removed")?;
    if !lost.is_empty() {
        let lost: Vec<_> = lost.iter().map(ToString::to_string).collect();
        anyhow::bail!("{line} These files are damaged, or not there: {}", lost.join(", "));
    }
    Ok(line)
}

/// What to say when it is done, and the files that could not be read. `made`: where the lines go; else to standard output.
async fn write(
    app: &Arc<App>,
    file: &str,
    made: Option<&File>,
    folder: Option<&String>,
) -> anyhow::Result<(String, Vec<AttachmentId>)> {
    let lines = match made {
        Some(mut made) => {
            let lines = write_lines(app, &mut made).await?;
            made.sync_all()?;
            lines
        }
        None => write_lines(app, std::io::stdout()).await?,
    };
    let (files, lost) = write_files(app, folder).await?;
    let line = format!("Wrote {lines} lines to {file}{files}. It is not encrypted: who has it can read everything.");
    match made {
        Some(_) => Ok((line, lost)),
        // Standard output is the export.
        None => {
            eprintln!("{line}");
            Ok((String::new(), lost))
        }
    }
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
