// One's own account: password, second factor, sessions, signing out.
import { get, post, remove } from './api.js';
import { actionButton, byId, copy, details, element, fillList, onClick, onSubmit, row, showError, showFailure, showStatus, timeElement } from './dom.js';
import { formatDate, pieces, t } from './i18n.js';
import { isTheSame } from './sign-in.js';

// What a user agent names itself by, the more particular first: nearly all of them say "Safari".
const BROWSERS = [['Edg', 'Edge'], ['OPR', 'Opera'], ['Firefox', 'Firefox'], ['Chrome', 'Chrome'], ['Safari', 'Safari']];
const SYSTEMS = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'macOS'], ['Linux', 'Linux']];

/** `changed()` looks the account up again, `left(text)` runs after signing out. */
export function setUpProfile({ changed, left }) {
  onClick(byId('sign-out'), () => signOut(left));
  onClick(byId('sign-out-everywhere'), () => signOutEverywhere(left));
  onSubmit(byId('password-form'), changePassword);
  onSubmit(byId('factor-begin'), beginFactor);
  onSubmit(byId('factor-confirm'), confirmFactor);
  onSubmit(byId('factor-remove'), () => removeFactor(changed));
  byId('factor-stop').addEventListener('click', () => {
    showStep('off');
    byId('factor-password').focus();
  });
  onClick(byId('factor-secret-copy'), () => copy(byId('factor-secret').textContent.replaceAll(' ', ''), byId('factor-secret')));
  onClick(byId('factor-codes-copy'), () => copy(byId('factor-codes').innerText, byId('factor-codes')));
  onClick(byId('factor-codes-kept'), async () => {
    byId('factor-codes').replaceChildren();
    await changed();
  });
  onClick(byId('end-others'), endOthers);
}

export function showProfile({ username, role, created_at: since, second_factor: factor, second_factor_needed: needed }) {
  byId('own-name').textContent = username;
  byId('own-username').textContent = username;
  byId('own-role').textContent = t(`common.role_${role}`);
  byId('own-since').textContent = formatDate(since);
  byId('own-factor').textContent = factor ? t('account.on') : t('account.off');
  byId('factor-needed').hidden = !needed;
  byId('password-form').elements.username.value = username;
}

async function signOut(left) {
  const answer = await post('/api/logout');
  if (!answer.ok) return showFailure(answer.error);
  left(t('account.signed_out'));
}

/** The others first: this session is needed to end them. */
async function signOutEverywhere(left) {
  const others = await remove('/api/sessions');
  if (!others.ok) return showFailure(others.error);
  const answer = await post('/api/logout');
  if (!answer.ok) return showFailure(answer.error);
  left(t('account.signed_out_everywhere'));
}

async function changePassword() {
  const form = byId('password-form');
  const { username, old_password: old, password } = form.elements;
  if (!isTheSame(form)) return;
  const answer = await post('/api/password', { old_password: old.value, password: password.value });
  if (!answer.ok) return showError(answer.error, form);
  const name = username.value;
  form.reset();
  username.value = name;
  showStatus(t('account.password_changed'));
}

// The second factor: off, begun (a secret is shown), codes (recovery codes are shown), on.

export function showFactor({ second_factor: isOn }) {
  showStep(isOn ? 'on' : 'off');
}

function showStep(step) {
  for (const part of document.querySelectorAll('[data-factor]')) part.hidden = part.dataset.factor !== step;
  byId('factor-begin').reset();
  byId('factor-confirm').reset();
  byId('factor-remove').reset();
}

async function beginFactor() {
  const form = byId('factor-begin');
  const answer = await post('/api/second-factor', { password: form.elements.password.value });
  if (!answer.ok) return showError(answer.error, form);
  showStep('begun');
  byId('factor-qr').src = `data:image/svg+xml,${encodeURIComponent(answer.qr_svg)}`;
  byId('factor-secret').textContent = answer.secret.match(/.{1,4}/g).join(' '); // as one reads it out
  byId('factor-code').focus();
}

async function confirmFactor() {
  const form = byId('factor-confirm');
  const answer = await post('/api/second-factor/confirm', { code: form.elements.code.value });
  if (!answer.ok) return showError(answer.error, form);
  byId('factor-qr').removeAttribute('src');
  byId('factor-secret').textContent = '';
  showStep('codes');
  byId('factor-codes').replaceChildren(...answer.recovery_codes.map((code) => element('li', { textContent: code })));
  byId('factor-codes-title').focus();
}

async function removeFactor(changed) {
  const form = byId('factor-remove');
  const answer = await post('/api/second-factor/remove', {
    password: form.elements.password.value,
    code: form.elements.code.value,
  });
  if (!answer.ok) return showError(answer.error, form);
  await changed();
  showStatus(t('account.factor_removed'));
}

// Sessions

export async function loadSessions() {
  const answer = await get('/api/sessions');
  if (!answer.ok) return showFailure(answer.error);
  fillList(byId('session-list'), answer.sessions.map(sessionRow));
  byId('end-others').hidden = answer.sessions.length < 2;
}

function sessionRow({ id, current, created_at: since, last_seen: seen, user_agent: agent, address }) {
  const name = browserName(agent);
  const title = element('p', { className: 'title', title: agent }, element('bdi', { textContent: name }));
  if (current) title.append(' ', element('span', { className: 'mark', textContent: t('account.this_one') }));
  const content = [title, details(...pieces('account.session_details', { address, since: timeElement(since), seen: timeElement(seen) }))];
  return current ? row(content) : row(content, actionButton(t('account.end'), () => endSession(id), { ariaLabel: t('account.end_of', { browser: name, address }) }));
}

function browserName(agent) {
  const [browser, system] = [BROWSERS, SYSTEMS].map((known) => known.find(([mark]) => agent.includes(mark))?.[1]);
  if (!browser) return agent.slice(0, 60) || t('account.unknown_browser');
  return system ? t('account.browser_on', { browser, system }) : browser;
}

async function endSession(id) {
  const answer = await remove(`/api/sessions/${id}`);
  if (!answer.ok) return showFailure(answer.error);
  showStatus(t('account.session_ended'));
  await loadSessions();
}

async function endOthers() {
  const answer = await remove('/api/sessions');
  if (!answer.ok) return showFailure(answer.error);
  showStatus(t('account.sessions_ended', { count: answer.ended }));
  await loadSessions();
  byId('sessions-title').focus(); // the button is gone
}
