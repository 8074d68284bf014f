// Signing in, and making an account.
import { enter } from './api.js';
import { byId, onSubmit, showError } from './dom.js';
import { t } from './i18n.js';

/** `invitation()` is the token that the page was opened with, or null; `entered({ made })` runs once somebody is signed in, or has made an account. */
export function setUpSignIn({ invitation, entered }) {
  onSubmit(byId('sign-in-form'), () => signIn(entered));
  onSubmit(byId('create-form'), () => createAccount(invitation(), entered));
}

export function showInvitation(invited) {
  byId('by-invitation').hidden = !invited;
}

async function signIn(entered) {
  const form = byId('sign-in-form');
  const { username, password, code } = form.elements;
  const credentials = { username: username.value, password: password.value };
  if (code.value) credentials.code = code.value;
  const answer = await enter('/api/login', credentials);
  if (!answer.ok) return refused(answer.error, form);
  askForCode(false);
  form.reset();
  await entered({ made: false });
}

/** The first time that a code is asked for, nothing is wrong yet. */
function refused(error, form) {
  if (error.field !== 'code' || !byId('sign-in-code-field').hidden) return showError(error, form);
  askForCode(true);
  byId('sign-in-code').focus();
}

function askForCode(asked) {
  byId('sign-in-code-field').hidden = !asked;
}

async function createAccount(invite, entered) {
  const form = byId('create-form');
  const { username, password } = form.elements;
  if (!isTheSame(form)) return;
  const account = { username: username.value, password: password.value };
  const answer = await enter('/api/register', invite ? { ...account, invite } : account);
  if (!answer.ok) return showError(answer.error, form);
  form.reset();
  await entered({ made: true });
}

/** Whether a new password was typed twice alike; says so where it was not. */
export function isTheSame(form) {
  const { password, again } = form.elements;
  if (password.value === again.value) return true;
  showError({ field: 'again', message: t('common.not_same_password'), local: true }, form);
  return false;
}
