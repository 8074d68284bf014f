//! Events about reports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Context, Entry, Event};
use crate::answer::Done;
use crate::chat::reports::{self, ReportInfo};
use crate::error::Result;
use crate::types::{MessageId, Reason, ReportId};

pub const EVENTS: &[Entry] = &[Entry::of::<ReportMessage>(), Entry::of::<ListReports>(), Entry::of::<ResolveReport>()];

#[derive(Deserialize, JsonSchema)]
struct ReportMessage {
    id: MessageId,
    #[serde(default)]
    reason: Reason,
}

#[derive(Serialize, JsonSchema)]
struct Reported {
    report_id: ReportId,
}

impl Event for ReportMessage {
    const NAME: &'static str = "report_message";
    const ABOUT: &'static str = "Tells the moderators about a message.";
    type Ack = Reported;

    async fn handle(self, context: &mut Context<'_>) -> Result<Reported> {
        let report_id = reports::report(context.app, context.actor()?, self.id, self.reason).await?;
        Ok(Reported { report_id })
    }
}

#[derive(Deserialize, JsonSchema)]
struct ListReports {
    /// Those too that were dealt with.
    #[serde(default)]
    all: bool,
}

#[derive(Serialize, JsonSchema)]
struct Reports {
    reports: Vec<ReportInfo>,
}

impl Event for ListReports {
    const NAME: &'static str = "list_reports";
    const ABOUT: &'static str = "What was reported, for moderators.";
    type Ack = Reports;

    async fn handle(self, context: &mut Context<'_>) -> Result<Reports> {
        let reports = reports::list(context.app, context.actor()?, self.all).await?;
        Ok(Reports { reports })
    }
}

#[derive(Deserialize, JsonSchema)]
struct ResolveReport {
    report_id: ReportId,
    #[serde(default)]
    note: Reason,
}

impl Event for ResolveReport {
    const NAME: &'static str = "resolve_report";
    const ABOUT: &'static str = "A report was dealt with.";
    type Ack = Done;

    async fn handle(self, context: &mut Context<'_>) -> Result<Done> {
        reports::resolve(context.app, context.actor()?, self.report_id, self.note).await?;
        Ok(Done {})
    }
}
