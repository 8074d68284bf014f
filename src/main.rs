//! Runs the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    secure_chat::cli::run()
}
