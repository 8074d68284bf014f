// For administrators: accounts and their roles, invitations. What concerns the server itself is in server.js.
import { get, isLoopback, post, remove } from './api.js';
import { ask } from './dialogs.js';
import { actionButton, byId, copy, details, element, fillList, nameElement, onClick, onSubmit, row, showError, showFailure, showStatus, timeElement } from './dom.js';
import { formatDate, pieces, t } from './i18n.js';
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
  if (!answer.ok) return showFailure(answer.error);
  accounts = answer.accounts;
  showAccounts();
}

function showAccounts() {
  const wanted = byId('accounts-filter').value.toLowerCase();
  const found = accounts.filter(({ username }) => username.toLowerCase().includes(wanted));
  fillList(byId('account-list'), found.map(accountRow), byId('no-accounts'));
}

function accountRow({ username: name, role, disabled, second_factor: factor, created_at: since }) {
  const title = element('p', { className: 'title' }, nameElement(name), ' ', element('span', { className: 'mark', textContent: t(`common.role_${role}`) }));
  if (disabled) title.append(' ', element('span', { className: 'mark bad', textContent: t('account.disabled') }));
  const options = ROLES.map((one) => new Option(t(`common.role_${one}`), one, false, one === role));
  const roles = element('select', { ariaLabel: t('account.role_of', { name }) }, ...options);
  const day = element('time', { dateTime: since, textContent: formatDate(since) });
  return row(
    [title, details(...pieces(factor ? 'account.with_factor' : 'account.without_factor', { since: day }))],
    roles,
    actionButton(t('account.set_role'), () => setRole(name, roles.value), { ariaLabel: t('account.set_role_of', { name }) }),
    disabled
      ? actionButton(t('account.enable'), () => enable(name), { ariaLabel: t('account.enable_of', { name }) })
      : actionButton(t('account.disable_dots'), () => disable(name), { ariaLabel: t('account.disable_of', { name }) }),
  );
}

async function setRole(username, role) {
  const ack = await send('set_role', { username, role });
  if (!ack.ok) return showFailure(ack.error);
  await loadAccounts();
  showStatus(t('account.role_set', { name: username, role: t(`common.role_${role}`) }));
}

async function disable(username) {
  const answer = await ask({
    title: t('account.disable_title', { name: username }),
    text: t('account.disable_about'),
    label: t('account.reason_for_log'),
    button: t('account.disable'),
    danger: true,
    act: (reason) => post('/api/accounts/disable', { username, disabled: true, reason }),
  });
  if (!answer) return;
  await loadAccounts();
  showStatus(t('account.is_disabled', { name: username }));
}

async function enable(username) {
  const answer = await post('/api/accounts/disable', { username, disabled: false });
  if (!answer.ok) return showFailure(answer.error);
  await loadAccounts();
  showStatus(t('account.is_enabled', { name: username }));
}

// Invitations

export async function loadInvites() {
  byId('invite-made').hidden = true;
  byId('invite-link').value = '';
  await listInvites();
}

async function listInvites() {
  const answer = await get('/api/invites');
  if (!answer.ok) return showFailure(answer.error);
  fillList(byId('invite-list'), answer.invites.map(inviteRow), byId('no-invites'));
}

function inviteRow({ id, role, uses_left: count, expires_at: until, made_by: by }) {
  const what = t('account.invite_what', { role: t(`common.role_${role}`), count });
  const made = by === null ? pieces('account.invite_by_server', { until: timeElement(until) }) : pieces('account.invite_by', { name: nameElement(by), until: timeElement(until) });
  return row(
    [element('p', { className: 'title', textContent: what }), details(...made)],
    actionButton(t('account.revoke'), () => revoke(id), { ariaLabel: t('account.revoke_of', { what }) }),
  );
}

async function invite() {
  const form = byId('invite-form');
  const { role, uses, days } = form.elements;
  const answer = await makeInvitation({ role: role.value, uses: uses.valueAsNumber, days: days.valueAsNumber });
  if (!answer.ok) return showError(answer.error, form);
  byId('invite-link').value = answer.link;
  byId('invite-made').hidden = false;
  byId('invite-copy').focus();
  await listInvites();
  warnOfLocalLink();
}

/** Makes an invitation; `link` of the answer opens this page with it. */
export async function makeInvitation(wanted) {
  const answer = await post('/api/invites', wanted);
  return answer.ok ? { ...answer, link: location.origin + answer.path } : answer;
}

/** A link to `localhost` leads everybody else to their own machine. */
export function warnOfLocalLink() {
  if (isLoopback()) showStatus(t('common.localLink'));
}

async function revoke(id) {
  const answer = await remove(`/api/invites/${id}`);
  if (!answer.ok) return showFailure(answer.error);
  await listInvites();
  showStatus(t('account.revoked'));
}
