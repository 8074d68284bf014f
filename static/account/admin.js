// For administrators: accounts and their roles, invitations, numbers about the server.
import { get, post, remove } from './api.js';
import { ask } from './dialogs.js';
import { actionButton, byId, copy, details, element, fillList, formatTime, nameElement, onClick, onSubmit, row, showAlert, showError, showStatus, timeElement } from './dom.js';
import { send } from './socket.js';

const ROLES = ['member', 'moderator', 'admin', 'owner'];

let accounts = [];

export function setUpAdmin() {
  byId('accounts-filter').addEventListener('input', showAccounts);
  onSubmit(byId('invite-form'), invite);
  onClick(byId('invite-copy'), () => copy(byId('invite-link').value, byId('invite-link')));
}

// Accounts

export async function loadAccounts() {
  const answer = await get('/api/accounts');
  if (!answer.ok) return showAlert(answer.error.message);
  accounts = answer.accounts;
  showAccounts();
}

function showAccounts() {
  const wanted = byId('accounts-filter').value.toLowerCase();
  const found = accounts.filter(({ username }) => username.toLowerCase().includes(wanted));
  fillList(byId('account-list'), found.map(accountRow), byId('no-accounts'));
}

function accountRow({ username, role, disabled, second_factor: factor, created_at: since }) {
  const title = element('p', { className: 'title' }, nameElement(username), ' ', element('span', { className: 'mark', textContent: role }));
  if (disabled) title.append(' ', element('span', { className: 'mark bad', textContent: 'disabled' }));
  const roles = element('select', { ariaLabel: `Role of ${username}` }, ...ROLES.map((name) => new Option(name, name, false, name === role)));
  return row(
    [title, details('since ', timeElement(since), factor ? ' · with a second factor' : ' · without a second factor')],
    roles,
    actionButton('Set role', () => setRole(username, roles.value), { ariaLabel: `Set the role of ${username}` }),
    disabled
      ? actionButton('Enable', () => enable(username), { ariaLabel: `Enable the account of ${username}` })
      : actionButton('Disable…', () => disable(username), { ariaLabel: `Disable the account of ${username}` }),
  );
}

async function setRole(username, role) {
  const ack = await send('set_role', { username, role });
  if (!ack.ok) return showAlert(ack.error.message);
  await loadAccounts();
  showStatus(`${username} is ${role} now.`);
}

async function disable(username) {
  const answer = await ask({
    title: `Disable the account of ${username}?`,
    text: 'It is signed out everywhere and cannot sign in until it is enabled again. Its name stays taken.',
    label: 'Reason, for the audit log',
    button: 'Disable',
    danger: true,
    act: (reason) => post('/api/accounts/disable', { username, disabled: true, reason }),
  });
  if (!answer) return;
  await loadAccounts();
  showStatus(`The account of ${username} is disabled.`);
}

async function enable(username) {
  const answer = await post('/api/accounts/disable', { username, disabled: false });
  if (!answer.ok) return showAlert(answer.error.message);
  await loadAccounts();
  showStatus(`The account of ${username} is enabled.`);
}

// Invitations

export async function loadInvites() {
  byId('invite-made').hidden = true;
  byId('invite-link').value = '';
  await listInvites();
}

async function listInvites() {
  const answer = await get('/api/invites');
  if (!answer.ok) return showAlert(answer.error.message);
  fillList(byId('invite-list'), answer.invites.map(inviteRow), byId('no-invites'));
}

function inviteRow({ id, role, uses_left: uses, expires_at: until, made_by: by }) {
  const what = `${role}, ${uses === 1 ? 'once' : `${uses} times`}`;
  return row(
    [
      element('p', { className: 'title', textContent: what }),
      details('made by ', by === null ? 'the server' : nameElement(by), ' · until ', timeElement(until)),
    ],
    actionButton('Revoke', () => revoke(id), { ariaLabel: `Revoke the invitation: ${what}` }),
  );
}

async function invite() {
  const form = byId('invite-form');
  const { role, uses, days } = form.elements;
  const answer = await post('/api/invites', { role: role.value, uses: uses.valueAsNumber, days: days.valueAsNumber });
  if (!answer.ok) return showError(answer.error, form);
  byId('invite-link').value = location.origin + answer.path;
  byId('invite-made').hidden = false;
  byId('invite-copy').focus();
  await listInvites();
}

async function revoke(id) {
  const answer = await remove(`/api/invites/${id}`);
  if (!answer.ok) return showAlert(answer.error.message);
  await listInvites();
  showStatus('The invitation is revoked.');
}

// The server

export async function loadServer() {
  const answer = await get('/admin/stats');
  if (!answer.ok) return showAlert(answer.error.message);
  const { stats, database_info: database, groups } = answer;
  const facts = [
    ['Version', database.metadata.version],
    ['People', stats.total_users],
    ['Sessions', stats.active_sessions],
    ['Groups', stats.total_groups],
    ['Messages', stats.total_messages],
    ['of them in public', stats.public_messages],
    ['Database', database.file_path],
    ['Its size', sizeOf(database)],
    ['Since', formatTime(stats.created_at)],
  ];
  byId('server-numbers').replaceChildren(...facts.flatMap(([name, value]) => [element('dt', { textContent: name }), element('dd', { textContent: value })]));
  fillList(byId('group-list'), Object.values(groups).map(groupRow), byId('no-groups'));
}

function sizeOf({ file_exists: known, file_size_bytes: bytes }) {
  return known ? `${(bytes / 1e6).toLocaleString([], { maximumFractionDigits: 1 })} MB` : 'not known here';
}

function groupRow({ name, creator, has_password: closed, member_count: members, message_count: messages, created_at: since }) {
  return row([
    element('p', { className: 'title' }, nameElement(name)),
    details(
      `${members} ${members === 1 ? 'member' : 'members'} · ${messages} ${messages === 1 ? 'message' : 'messages'} · `,
      closed ? 'with a password · ' : 'without a password · ',
      ...(creator === null ? [] : ['made by ', nameElement(creator), ' ']),
      timeElement(since),
    ),
  ]);
}
