// For moderators: the queue of reports, bans and mutes by name; and the audit log, which administrators read.
import { ask, askForSanction } from './dialogs.js';
import { actionButton, byId, clearErrors, details, element, fillList, letScroll, nameElement, onClick, row, showError, showFailure, showStatus, timeElement } from './dom.js';
import { pieces, t } from './i18n.js';
import { send } from './socket.js';

const PAGE = 50;

let oldest = null; // number of the last entry of the audit log that is shown

export function setUpModeration() {
  onClick(byId('reports-refresh'), loadReports);
  byId('reports-all').addEventListener('change', loadReports);
  byId('people-form').addEventListener('submit', (event) => {
    event.preventDefault();
    actOnPerson(event.submitter.value);
  });
  byId('people-room').addEventListener('change', loadSanctions);
  onClick(byId('audit-older'), loadOlder);
}

// Reports

export async function loadReports() {
  const ack = await send('list_reports', { all: byId('reports-all').checked });
  if (!ack.ok) return showFailure(ack.error);
  fillList(byId('report-list'), ack.reports.map(reportRow), byId('no-reports'));
  byId('report-list').querySelectorAll('.quote').forEach(letScroll);
}

function reportRow(report) {
  const { message, room, by, reason, at, resolved } = report;
  const content = [
    titleOf('account.report_title', { name: nameElement(message.username), room: nameElement(room), at: timeElement(message.timestamp) }),
    element('blockquote', { className: 'quote', dir: 'auto', textContent: message.message }),
    details(...pieces(reason ? 'account.report_by_because' : 'account.report_by', { name: nameElement(by), at: timeElement(at) })),
  ];
  if (reason) content.push(element('p', { className: 'words', dir: 'auto', textContent: reason }));
  if (resolved) return row([...content, ...resolution(resolved)]);
  const name = message.username;
  return row(
    content,
    actionButton(t('account.delete_message'), () => deleteMessage(message), { ariaLabel: t('account.delete_of', { name }) }),
    actionButton(t('account.ban'), () => sanction('ban', name, room), { ariaLabel: t('account.ban_of', { name }) }),
    actionButton(t('account.resolve_dots'), () => resolve(report), { ariaLabel: t('account.resolve_of', { name }) }),
  );
}

function resolution({ by, note, at }) {
  const line = details(...pieces(note ? 'account.resolved_by_note' : 'account.resolved_by', { name: nameElement(by), at: timeElement(at) }));
  return note ? [line, element('p', { className: 'words', dir: 'auto', textContent: note })] : [line];
}

async function deleteMessage({ id, username, message }) {
  const done = await ask({
    title: t('account.delete_title', { name: username }),
    text: message,
    label: t('account.reason_for_log'),
    button: t('account.delete'),
    danger: true,
    act: (reason) => send('delete_message', { id, reason }),
  });
  if (done) showStatus(t('account.deleted'));
}

async function resolve({ id }) {
  const done = await ask({
    title: t('account.resolve_title'),
    label: t('account.resolve_note'),
    button: t('account.resolve'),
    act: (note) => answerOnReason(send('resolve_report', { report_id: id, note })),
  });
  if (!done) return;
  await loadReports();
  showStatus(t('account.resolved'));
}

/** The dialog has one text, whatever the event calls it. */
async function answerOnReason(acked) {
  const ack = await acked;
  if (ack.error?.field === 'note') ack.error.field = 'reason';
  return ack;
}

// Bans and mutes

async function actOnPerson(action) {
  const form = byId('people-form');
  const { username, room } = form.elements;
  clearErrors(form);
  const places = room.value ? { room: room.value, server: false } : { room: null, server: true };
  if (!username.value) return showError({ field: 'username', message: t('account.enter_name'), local: true }, form);
  await sanction(action, username.value, places.room, places.server);
}

/** Who is muted or banned where the form says: in a group, or on the whole server. */
export async function loadSanctions() {
  const room = byId('people-room').value;
  const ack = await send('list_sanctions', room ? { room } : {});
  if (!ack.ok) return showFailure(ack.error);
  fillList(byId('sanction-list'), ack.sanctions.map((one) => sanctionRow(one, room)), byId('no-sanctions'));
}

function sanctionRow(found, room) {
  const { username, banned, by, reason } = found;
  const content = [
    element('p', { className: 'title' }, nameElement(username)),
    details(...pieces(reason ? 'account.sanctioned_by_because' : 'account.sanctioned_by', { what: whatHolds(found), name: nameElement(by) })),
  ];
  if (reason) content.push(element('p', { className: 'words', dir: 'auto', textContent: reason }));
  const label = t(banned ? 'account.lift_ban' : 'account.change_mute');
  const ariaLabel = t(banned ? 'account.lift_ban_of' : 'account.change_mute_of', { name: username });
  return row(content, actionButton(label, () => sanction(banned ? 'unban' : 'mute', username, room || null, !room), { ariaLabel }));
}

function whatHolds({ muted, muted_until: mutedUntil, banned, banned_until: bannedUntil }) {
  const what = (name, until) => (until === null ? [t(`account.${name}_for_ever`)] : pieces(`account.${name}_until`, { until: timeElement(until) }));
  const both = [...(banned ? what('banned', bannedUntil) : []), ...(banned && muted ? [', '] : []), ...(muted ? what('muted', mutedUntil) : [])];
  return element('span', {}, ...both);
}

async function sanction(action, username, room, server = true) {
  const done = await askForSanction({ action, username, room, server, send });
  if (!done) return;
  await loadSanctions();
  const said = t(done.unbanned === false ? 'account.was_not_banned' : `account.done_${action}`, { name: username });
  const count = done.messages_removed ?? 0;
  showStatus(count > 0 ? `${said} ${t('account.messages_removed', { count })}` : said);
}

// The audit log

export async function loadAuditLog() {
  oldest = null;
  byId('audit-list').replaceChildren();
  await loadOlder();
}

async function loadOlder() {
  const isFirst = oldest === null;
  const ack = await send('audit_log', { limit: PAGE, ...(oldest === null ? {} : { before: oldest }) });
  if (!ack.ok) return showFailure(ack.error);
  const { entries } = ack;
  const list = byId('audit-list');
  if (isFirst) list.replaceChildren(); // a second call may have overtaken this one
  list.append(...entries.map(entryRow));
  oldest = entries.at(-1)?.seq ?? oldest;
  byId('no-entries').hidden = !isFirst || entries.length > 0;
  const { activeElement: focused } = document;
  byId('audit-older').hidden = entries.length < PAGE;
  if (focused === byId('audit-older') && entries.length < PAGE) byId('audit-title').focus(); // the button is gone
}

function entryRow({ seq, at, by, action, target, room, reason }) {
  const key = `account.entry${target === null ? '' : '_on'}${room === null ? '' : '_in'}`;
  const title = titleOf(key, {
    by: by === null ? t('account.the_server') : nameElement(by),
    action: element('code', { textContent: action }),
    target: target === null ? '' : nameElement(target),
    room: room === null ? '' : nameElement(room),
  });
  const content = [title, details(...pieces('account.entry_number', { number: seq, at: timeElement(at) }))];
  if (reason) content.push(element('p', { className: 'words', dir: 'auto', textContent: reason }));
  return row(content);
}

const titleOf = (key, values) => element('p', { className: 'title' }, ...pieces(key, values));
