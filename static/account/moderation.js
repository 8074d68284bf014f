// For moderators: the queue of reports, bans and mutes by name; and the audit log, which administrators read.
import { ask, askForSanction } from './dialogs.js';
import { actionButton, byId, clearErrors, details, element, fillList, nameElement, onClick, row, showAlert, showError, showStatus, timeElement } from './dom.js';
import { send } from './socket.js';

const PAGE = 50;
const DONE = { ban: 'is banned', mute: 'is muted', kick: 'was sent away', unban: 'is no longer banned' };

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
  if (!ack.ok) return showAlert(ack.error.message);
  fillList(byId('report-list'), ack.reports.map(reportRow), byId('no-reports'));
}

function reportRow(report) {
  const { message, room, by, reason, at, resolved } = report;
  const content = [
    element('p', { className: 'title' }, nameElement(message.username), ' in ', nameElement(room), ', ', timeElement(message.timestamp)),
    element('blockquote', { className: 'quote', dir: 'auto', textContent: message.message }),
    details('Reported by ', nameElement(by), ', ', timeElement(at), reason ? ':' : ', without a reason.'),
  ];
  if (reason) content.push(element('p', { className: 'words', dir: 'auto', textContent: reason }));
  if (resolved) return row([...content, ...resolution(resolved)]);
  const of = `the message of ${message.username}`;
  return row(
    content,
    actionButton('Delete message…', () => deleteMessage(message), { ariaLabel: `Delete ${of}` }),
    actionButton('Ban author…', () => sanction('ban', message.username, room), { ariaLabel: `Ban ${message.username}` }),
    actionButton('Resolve…', () => resolve(report), { ariaLabel: `Resolve the report about ${of}` }),
  );
}

function resolution({ by, note, at }) {
  const line = details('Dealt with by ', nameElement(by), ', ', timeElement(at), note ? ':' : '.');
  return note ? [line, element('p', { className: 'words', dir: 'auto', textContent: note })] : [line];
}

async function deleteMessage({ id, username, message }) {
  const done = await ask({
    title: `Delete this message of ${username}?`,
    text: message,
    label: 'Reason, for the audit log',
    button: 'Delete',
    danger: true,
    act: (reason) => send('delete_message', { id, reason }),
  });
  if (done) showStatus('The message is deleted. The report stays until you resolve it.');
}

async function resolve({ id }) {
  const done = await ask({
    title: 'Resolve this report?',
    label: 'What came of it',
    button: 'Resolve',
    act: (note) => answerOnReason(send('resolve_report', { report_id: id, note })),
  });
  if (!done) return;
  await loadReports();
  showStatus('The report is dealt with.');
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
  if (!username.value) return showError({ field: 'username', message: 'Enter the name.' }, form);
  await sanction(action, username.value, places.room, places.server);
}

/** Who is muted or banned where the form says: in a group, or on the whole server. */
export async function loadSanctions() {
  const room = byId('people-room').value;
  const ack = await send('list_sanctions', room ? { room } : {});
  if (!ack.ok) return showAlert(ack.error.message);
  fillList(byId('sanction-list'), ack.sanctions.map((one) => sanctionRow(one, room)), byId('no-sanctions'));
}

function sanctionRow({ username, muted, muted_until: mutedUntil, banned, banned_until: bannedUntil, by, reason }, room) {
  const what = (name, until) => [`${name} `, until === null ? 'for ever' : element('span', {}, 'until ', timeElement(until))];
  const content = [
    element('p', { className: 'title' }, nameElement(username)),
    details(...(banned ? what('banned', bannedUntil) : []), banned && muted ? ', ' : '', ...(muted ? what('muted', mutedUntil) : []), ', by ', nameElement(by), reason ? ':' : '.'),
  ];
  if (reason) content.push(element('p', { className: 'words', dir: 'auto', textContent: reason }));
  const [label, action] = banned ? ['Lift the ban', 'unban'] : ['Change the mute', 'mute'];
  return row(content, actionButton(`${label}…`, () => sanction(action, username, room || null, !room), { ariaLabel: `${label} of ${username}` }));
}

async function sanction(action, username, room, server = true) {
  const done = await askForSanction({ action, username, room, server, send });
  if (!done) return;
  await loadSanctions();
  const more = done.messages_removed > 0 ? ` ${done.messages_removed} of their messages are removed.` : '';
  showStatus(done.unbanned === false ? `${username} was not banned.` : `${username} ${DONE[action]}.${more}`);
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
  if (!ack.ok) return showAlert(ack.error.message);
  const { entries } = ack;
  const list = byId('audit-list');
  if (isFirst) list.replaceChildren(); // a second call may have overtaken this one
  list.append(...entries.map(entryRow));
  oldest = entries.at(-1)?.seq ?? oldest;
  byId('no-entries').hidden = !isFirst || entries.length > 0;
  byId('audit-older').hidden = entries.length < PAGE;
}

function entryRow({ seq, at, by, action, target, room, reason }) {
  const title = element('p', { className: 'title' }, by === null ? 'The server' : nameElement(by), ' ', element('code', { textContent: action }));
  if (target !== null) title.append(' ', nameElement(target));
  if (room !== null) title.append(' in ', nameElement(room));
  const content = [title, details(`No. ${seq}, `, timeElement(at))];
  if (reason) content.push(element('p', { className: 'words', dir: 'auto', textContent: reason }));
  return row(content);
}
