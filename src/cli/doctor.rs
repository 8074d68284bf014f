//! `secure-chat doctor`: what is wrong, and what to do.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::{FAILED, fail, say};
use crate::config::Config;
use crate::doctor::{Finding, Level, Options, Part, Target, examine};

/// Width of the names of checks.
const WIDTH: usize = 15;
/// Where what belongs to a line begins: after level and name.
const INDENT: usize = 2 + 8 + 1 + WIDTH + 1;

pub fn command() -> Command {
    let flag = |name: &'static str, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("doctor")
        .about("Look for what is wrong, here and through the public address; changes nothing")
        .after_help("Ends with 0 where there is no problem, else with 1.")
        .arg(
            Arg::new("url")
                .value_name("URL")
                .value_parser(|text: &str| text.parse::<Target>())
                .help("What people open, such as https://chat.example.org: goes through it as a browser does"),
        )
        .arg(flag("json", "Print a report for machines"))
        .arg(flag("fast", "Do not hold a connection for as long as the server is silent (PING_INTERVAL)"))
        .arg(flag("insecure", "Take any certificate"))
}

pub fn run(config: &Config, arguments: &ArgMatches) -> ExitCode {
    let options = Options {
        target: arguments.get_one::<Target>("url").cloned(),
        insecure: arguments.get_flag("insecure"),
        fast: arguments.get_flag("fast"),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, FAILED),
    };
    let json = arguments.get_flag("json");
    let mut report = Report::default();
    let printer = Printer::new(&options);
    runtime.block_on(examine(config, &options, &mut |part, finding| {
        if !json {
            printer.print(report.begins(part), part, &finding);
        }
        report.findings.push((part, finding));
    }));
    // Names are looked up in threads that nobody waits for.
    runtime.shutdown_background();
    say(&if json { report.json().to_string() } else { format!("\n{}", report.sum()) });
    if report.count(Level::Problem) == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

#[derive(Default)]
struct Report {
    findings: Vec<(Part, Finding)>,
}

impl Report {
    fn begins(&self, part: Part) -> bool {
        self.findings.last().is_none_or(|(last, _)| *last != part)
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|(_, finding)| finding.level == level).count()
    }

    fn sum(&self) -> String {
        let number = |level, one: &str, more: &str| match self.count(level) {
            0 => format!("no {one}"),
            1 => format!("1 {one}"),
            number => format!("{number} {more}"),
        };
        format!("{}, {}.", number(Level::Problem, "problem", "problems"), number(Level::Note, "note", "notes"))
    }

    fn json(&self) -> Value {
        let checks = self.findings.iter().map(|(part, finding)| {
            let mut check = json!({ "part": part });
            if let (Value::Object(check), Ok(Value::Object(finding))) = (&mut check, serde_json::to_value(finding)) {
                check.extend(finding);
            }
            check
        });
        json!({
            "ok": self.count(Level::Problem) == 0,
            "problems": self.count(Level::Problem),
            "notes": self.count(Level::Note),
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}

/// For people, line by line as it is found.
struct Printer {
    coloured: bool,
    address: String,
}

impl Printer {
    fn new(options: &Options) -> Self {
        let target = options.target.as_ref().map(|target| target.origin()).unwrap_or_default();
        let waits = if options.fast {
            ""
        } else {
            " (holds a connection for as long as the server is silent; --fast does not)"
        };
        Self {
            coloured: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            address: format!("{target}{waits}"),
        }
    }

    fn print(&self, begins: bool, part: Part, finding: &Finding) {
        if begins {
            say(match part {
                Part::Machine => "This machine",
                Part::Address => &self.address,
            });
        }
        say(&format!("  {} {:<WIDTH$} {}", self.level(finding.level), finding.check, finding.message));
        for command in &finding.run {
            say(&format!("{:INDENT$}{command}", ""));
        }
        let proxies = finding.lines.iter().flat_map(|lines| lines.shown());
        for (name, lines) in proxies {
            let names = std::iter::once(format!("{name}:")).chain(std::iter::repeat(String::new()));
            for (name, line) in names.zip(lines) {
                say(&format!("{:INDENT$}{name:<8}{line}", ""));
            }
        }
    }

    fn level(&self, level: Level) -> String {
        let (word, colour) = match level {
            Level::Ok => ("ok", 32),
            Level::Note => ("note", 33),
            Level::Problem => ("problem", 31),
        };
        match self.coloured {
            true => format!("\x1b[{colour}m{word:<8}\x1b[0m"),
            false => format!("{word:<8}"),
        }
    }
}
