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
    if file == "-" {
        let lines = write_lines(app, std::io::stdout()).await?;
        export_files(app, folder).await?;
        // Standard output is the export.
        eprintln!("{lines} lines.");
        return Ok(String::new());
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let made = made.with_context(|| format!("cannot make {file}; nothing was written"))?;
    let written = async {
        let lines = write_lines(app, &made).await?;
        made.sync_all()?;
        anyhow::Ok((lines, export_files(app, folder).await?))
    };
    let written = written.await.inspect_err(|_| drop(std::fs::remove_file(file)));
    let (lines, files) = written.context("the export did not come to its end, and was removed")?;
    Ok(format!("Wrote {lines} lines to {file}{files}. It is not encrypted: who has it can read everything."))
}

async fn write_lines(app: &Arc<App>, output: impl Write) -> anyhow::Result<u64> {
    let mut output = BufWriter::new(output);
    let mut lines = server_export::everything(app).await.map_err(told)?;
    let mut count = 0;
    while let Some(line) = lines.recv().await {
        serde_json::to_writer(&mut output, &line.map_err(told)?)?;
        output.write_all(b"\n")?;
        count += 1;
    }
    output.flush()?;
    Ok(count)
}

async fn export_files(app: &Arc<App>, folder: Option<&String>) -> anyhow::Result<String> {
    let Some(folder) = folder else { return Ok(String::new()) };
    let made = DirBuilder::new().mode(0o700).create(folder);
    made.with_context(|| format!("cannot make the folder {folder}"))?;
    let written = server_export::files(app, folder.as_ref()).await;
    let count = written.inspect_err(|_| drop(std::fs::remove_dir_all(folder))).map_err(told)?;
    Ok(format!(", and {count} files to {folder}"))
}
