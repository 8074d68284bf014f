// The account page's entry: who is signed in, and which part of the page is shown. The address's fragment names the part.
import { loadAccounts, loadInvites, loadServer, setUpAdmin } from './admin.js';
import { get, onSessionEnd } from './api.js';
import { setUpDialogs } from './dialogs.js';
import { byId, clearAlert, showAlert, showStatus } from './dom.js';
import { loadAuditLog, loadReports, loadSanctions, setUpModeration } from './moderation.js';
import { loadSessions, setUpProfile, showFactor, showProfile } from './profile.js';
import { setUpSignIn, showInvitation } from './sign-in.js';
import { hangUp } from './socket.js';

const RANKS = ['member', 'moderator', 'admin', 'owner'];
const INVITATION = /^#invite=(.+)$/;
// What a view has to fetch when it is shown.
const LOADERS = {
  'you': showProfile,
  'second-factor': showFactor,
  'sessions': loadSessions,
  'reports': loadReports,
  'people': loadSanctions,
  'accounts': loadAccounts,
  'invitations': loadInvites,
  'audit-log': loadAuditLog,
  'server': loadServer,
};

let me = null; // the account that is signed in
let invitation = null; // in memory only: whoever has it can use it

takeInvitation();
setUpDialogs();
setUpSignIn({ invitation: () => invitation, entered });
setUpProfile({ changed: () => lookUp({ focus: true }), left: signedOut });
setUpModeration();
setUpAdmin();
onSessionEnd(sessionEnded);
byId('alert-close').addEventListener('click', clearAlert);
addEventListener('hashchange', () => {
  takeInvitation();
  clearAlert();
  showStatus('');
  lookUp({ focus: true });
});
lookUp({ focus: false }).then(() => {
  if (me && invitation) showStatus('You are signed in already. To use the invitation, sign out first.');
});

/** Takes an invitation out of the address bar, where others could read it, and the history keep it. */
function takeInvitation() {
  const [, token] = INVITATION.exec(location.hash) ?? [];
  if (!token) return;
  invitation = token;
  history.replaceState(null, '', location.pathname);
}

/** Asks the server who is signed in, and shows that. */
async function lookUp({ focus }) {
  const answer = await get('/api/me');
  if (!answer.ok && answer.error.code !== 'unauthenticated') return showAlert(answer.error.message);
  me = answer.ok ? answer : null;
  show({ focus: focus || !me });
}

async function entered() {
  hangUp(); // of whoever was signed in before
  invitation = null;
  history.replaceState(null, '', '#you');
  await lookUp({ focus: true });
  if (me) showStatus(`You are signed in as ${me.username}.`);
}

function signedOut() {
  leave();
  showStatus('You are signed out.');
}

function sessionEnded() {
  if (!me) return;
  leave();
  showAlert('Your session is over. Sign in again.');
}

function leave() {
  hangUp();
  me = null;
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  for (const form of document.querySelectorAll('form')) form.reset();
  history.replaceState(null, '', '#sign-in');
  show({ focus: true });
}

function show({ focus }) {
  byId('signed-in').hidden = !me;
  byId('signed-out').hidden = Boolean(me);
  showInvitation(invitation !== null);
  const area = byId(me ? 'signed-in' : 'signed-out');
  for (const gated of area.querySelectorAll('[data-needs]')) gated.hidden = !mayUse(gated);
  const views = [...area.querySelectorAll('[data-view]')].filter(mayUse);
  const usual = invitation && !me ? 'create-account' : views[0].dataset.view;
  const view = views.find(({ dataset }) => dataset.view === location.hash.slice(1)) ?? views.find(({ dataset }) => dataset.view === usual);
  for (const other of area.querySelectorAll('[data-view]')) other.hidden = other !== view;
  for (const link of area.querySelectorAll('nav a')) markCurrent(link, link.hash === `#${view.dataset.view}`);
  if (me) LOADERS[view.dataset.view]?.(me);
  const title = view.querySelector('h2');
  document.title = `${title.textContent} – Secure Chat`;
  if (focus) (me ? title : view.querySelector('input')).focus();
}

function mayUse({ dataset }) {
  const rank = me && !me.second_factor_needed ? RANKS.indexOf(me.role) : 0;
  return rank >= RANKS.indexOf(dataset.needs ?? 'member');
}

function markCurrent(link, current) {
  if (current) link.setAttribute('aria-current', 'page');
  else link.removeAttribute('aria-current');
}
