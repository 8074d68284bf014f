//! Reports: complaints about messages, and the queue in which moderators find them.

use schemars::JsonSchema;
use serde::Serialize;

use super::audit;
use super::facts::Facts;
use super::facts::{FoundMessage, find_message};
use super::policy::{self, Action};
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::Lane;
use crate::store::people::timestamp;
use crate::store::reports::{self, Report, Resolution};
use crate::types::{Actor, MessageId, Network, Reason, ReportId, RoomName, Timestamp, Username};

/// Complains about a message. The moderators find a copy of it in their queue.
pub async fn report(app: &App, actor: &Actor, id: MessageId, reason: Reason) -> Result<ReportId> {
    app.limits.send(actor.user, Network::of(actor.address))?;
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            let FoundMessage { room, written, standing, there } = find_message(facts, tx, &actor, id)?;
            policy::in_room(Action::Report, standing, there)?;
            let message = serde_json::to_value(&written.message).map_err(Error::internal)?;
            let report = Report {
                message,
                room: room.name,
                by: actor.name.clone(),
                reason,
                at: facts.at.micros(),
                resolved: None,
            };
            let id = reports::id_of(tx, &actor.identity, id)?;
            // Who complains twice is heard once; about the same message anew when somebody has dealt with it.
            if reports::get(tx, id)?.is_none_or(|earlier| earlier.resolved.is_some()) {
                reports::set(tx, id, &report)?;
            }
            Ok(id)
        })
        .await
}

/// A report as moderators see it.
#[derive(Serialize, JsonSchema)]
pub struct ReportInfo {
    pub id: ReportId,
    pub message: serde_json::Value,
    pub room: RoomName,
    pub by: Username,
    pub reason: Reason,
    pub at: Timestamp,
    pub resolved: Option<ResolutionInfo>,
}

#[derive(Serialize, JsonSchema)]
pub struct ResolutionInfo {
    pub by: Username,
    pub note: Reason,
    pub at: Timestamp,
}

/// Reports that one answer holds.
const PAGE: usize = 100;

/// The oldest reports that nobody has dealt with; with `all` the newest ones, the others too. Always in their order.
pub async fn list(app: &App, actor: &Actor, all: bool) -> Result<Vec<ReportInfo>> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .read(move |reader| {
            policy::on_server(Action::ResolveReports, facts.standing(reader, &actor)?)?;
            let mut reports = reports::all(reader)?;
            reports.retain(|(_, report)| all || report.resolved.is_none());
            let skipped = if all { reports.len().saturating_sub(PAGE) } else { 0 };
            reports.into_iter().skip(skipped).take(PAGE).map(|(id, report)| shown(id, report)).collect()
        })
        .await
}

fn shown(id: ReportId, report: Report) -> Result<ReportInfo> {
    let shown = |resolution: Resolution| -> Result<ResolutionInfo> {
        Ok(ResolutionInfo { at: timestamp(resolution.at)?, by: resolution.by, note: resolution.note })
    };
    Ok(ReportInfo {
        id,
        at: timestamp(report.at)?,
        resolved: report.resolved.map(shown).transpose()?,
        message: report.message,
        room: report.room,
        by: report.by,
        reason: report.reason,
    })
}

/// Closes a report, with a note of what came of it.
pub async fn resolve(app: &App, actor: &Actor, id: ReportId, note: Reason) -> Result<()> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    app.db
        .write(Lane::People, move |tx| {
            policy::on_server(Action::ResolveReports, facts.standing(tx, &actor)?)?;
            let report = reports::get(tx, id)?.ok_or_else(|| Error::NotFound("There is no such report.".into()))?;
            if report.resolved.is_some() {
                return Err(Error::Conflict("Somebody has dealt with this report already.".into()));
            }
            let author = report.message["username"].as_str().and_then(|name| Username::try_from(name.to_owned()).ok());
            let room = report.room.clone();
            let resolved = Some(Resolution { by: actor.name.clone(), note: note.clone(), at: facts.at.micros() });
            reports::set(tx, id, &Report { resolved, ..report })?;
            audit::note(tx, facts.at, Some(&actor), "resolve_report", author.as_ref(), Some(&room), note);
            Ok(())
        })
        .await
}
