//! What is wrong with an installation, seen from inside and through its public address, and what to do about it.
//! Nothing here changes anything.

mod address;
mod arrival;
mod certificate;
mod client;
mod data;
mod files;
mod idle;
mod machine;
mod proxy;
mod redis;
mod socket;

use serde::Serialize;

pub use self::client::Target;
pub use self::proxy::ProxyLines;
use crate::config::Config;

/// What is to be looked at.
pub struct Options {
    /// The public address.
    pub target: Option<Target>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Without holding a connection for as long as the server is silent.
    pub fast: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// Works, but should be known.
    Note,
    Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Machine,
    Address,
}

/// What one check came to.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub level: Level,
    pub check: &'static str,
    pub message: String,
    /// Commands of a shell that cure it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// What to add to the configuration of a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Box<ProxyLines>>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Ok, check, message: message.into(), run: Vec::new(), lines: None }
    }

    fn note(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::ok(check, message) }
    }

    fn problem(check: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Problem, ..Self::ok(check, message) }
    }

    fn run(mut self, command: String) -> Self {
        self.run.push(command);
        self
    }

    fn lines(mut self, lines: ProxyLines) -> Self {
        self.lines = Some(Box::new(lines));
        self
    }
}

/// Where findings go, in the order in which they are made.
pub type Tell<'a> = dyn FnMut(Part, Finding) + 'a;

/// Carries out all checks.
pub async fn examine(config: &Config, options: &Options, tell: &mut Tell<'_>) {
    let mut here = |finding| tell(Part::Machine, finding);
    machine::settings(config).into_iter().for_each(&mut here);
    data::key_and_database(config).await.into_iter().for_each(&mut here);
    files::disks(config).into_iter().for_each(&mut here);
    files::modes(config).into_iter().for_each(&mut here);
    here(machine::open_files());
    here(machine::clock());
    if let Some(queue) = &config.flask_queue {
        here(redis::check(&queue.client).await);
    }
    here(machine::port(config).await);
    if let Some(target) = &options.target {
        address::check(config, options, target.clone(), &mut |finding| tell(Part::Address, finding)).await;
    }
}

/// `1 file`, `2 files`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
