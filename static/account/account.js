// The account page's entry: who is signed in, and which part of the page is shown. The address's fragment names the part.
import { loadAccounts, loadInvites, setUpAdmin } from './admin.js';
import { get, onSessionEnd } from './api.js';
import { setUpDialogs } from './dialogs.js';
import { byId, clearAlert, showAlert, showFailure, showStatus } from './dom.js';
import { t, translate } from './i18n.js';
import { loadAuditLog, loadReports, loadSanctions, setUpModeration } from './moderation.js';
import { loadSessions, setUpProfile, showFactor, showProfile } from './profile.js';
import { loadKeys, loadServer, loadSettings, setUpServer } from './server.js';
import { setUpSignIn, showInvitation } from './sign-in.js';
import { hangUp } from './socket.js';
import { setUpSwitches } from './switches.js';
import { setUpWelcome } from './welcome.js';

const RANKS = ['member', 'moderator', 'admin', 'owner'];
const INVITATION = /^#invite=(.+)$/;
const KEPT = 'invitation'; // in this tab's memory: a reload must not make a plain member of an owner
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
  'settings': loadSettings,
  'keys': loadKeys,
};

let me = null; // the account that is signed in
let invitation = sessionStorage.getItem(KEPT); // whoever has it can use it
let wanted = ''; // the part that somebody came for, or was in: there they go once they are signed in

translate();
takeInvitation();
rememberWanted();
setUpSwitches();
setUpDialogs();
setUpSignIn({ invitation: () => invitation, entered });
setUpProfile({ changed: () => lookUp({ focus: true }), left: signedOut });
setUpModeration();
setUpAdmin();
setUpServer();
setUpWelcome();
onSessionEnd(sessionEnded);
byId('alert-close').addEventListener('click', dismissAlert);
addEventListener('hashchange', () => {
  takeInvitation();
  rememberWanted();
  clearAlert();
  showStatus('');
  lookUp({ focus: true });
});
lookUp({ focus: false }).then(() => {
  if (me && invitation) showStatus(t('account.signed_in_already'));
});

/** Takes an invitation out of the address bar, where others could read it, and the history keep it. */
function takeInvitation() {
  const [, token] = INVITATION.exec(location.hash) ?? [];
  if (!token) return;
  keepInvitation(token);
  history.replaceState(null, '', location.pathname);
}

function keepInvitation(token) {
  invitation = token;
  if (token) sessionStorage.setItem(KEPT, token);
  else sessionStorage.removeItem(KEPT);
}

function rememberWanted() {
  const name = location.hash.slice(1);
  const isPart = [...byId('signed-in').querySelectorAll('[data-view]')].some(({ dataset }) => dataset.view === name);
  if (isPart) wanted = name;
}

/** The button goes with the alert. */
function dismissAlert() {
  clearAlert();
  [...document.querySelectorAll('[data-view] h2')].find((title) => title.checkVisibility())?.focus();
}

/** Asks the server who is signed in, and shows that. */
async function lookUp({ focus }) {
  const answer = await get('/api/me');
  if (!answer.ok && answer.error.code !== 'unauthenticated') return showFailure(answer.error);
  me = answer.ok ? answer : null;
  show({ focus: focus || !me });
}

/** Into the chat, unless there is something to do here: for an owner who is new, or who came for a part of this page. */
async function entered({ made }) {
  hangUp(); // of whoever was signed in before
  keepInvitation(null);
  const answer = await get('/api/me');
  const isNewOwner = answer.ok && made && answer.role === 'owner';
  const goal = isNewOwner ? (answer.second_factor_needed ? 'second-factor' : 'welcome') : wanted;
  if (answer.ok && !goal) return location.assign(byId('chat-link').href);
  history.replaceState(null, '', `#${goal || 'you'}`);
  await lookUp({ focus: true });
  if (me) showStatus(t('account.signed_in_as', { name: me.username }));
}

function signedOut(text) {
  wanted = '';
  leave();
  showStatus(text);
}

function sessionEnded() {
  if (!me) return;
  leave();
  showAlert(t('account.session_over'));
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
  document.title = t('account.page_title', { title: title.textContent });
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
