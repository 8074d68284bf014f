// What draws a person's attention while they are elsewhere: the page's title, notifications of the system, pushes when no page is open.
// An account's settings are on the server, which pushes by them; a guest's are in this browser.
import { effect, signal } from './vendor/signals.js';
import { useEffect } from './vendor/preact-hooks.js';
import { get, post } from './account/api.js';
import { t } from './account/i18n.js';
import { html } from './html.js';
import { linkTo } from './route.js';
import { attentive, me, rooms, selected, titleOf } from './state.js';
import { tellError } from './toasts.js';

const LEVELS = ['all', 'mentions', 'none'];
const LOCAL = 'notifications'; // {on, text} of this browser, and a guest's settings
const NOBODY = { default: 'mentions', rooms: {}, quiet_hours: null };

const local = signal(JSON.parse(localStorage.getItem(LOCAL) ?? '{}'));
const settings = signal(NOBODY); // {default, rooms, quiet_hours, public_key?}

function setLocal(what) {
  local.value = { ...local.value, ...what };
  localStorage.setItem(LOCAL, JSON.stringify(local.value));
}

export function setUpNotifications() {
  effect(() => {
    const all = [...rooms.value.values()].filter(({ muted }) => !muted.value);
    const loud = all.reduce((sum, { kind, unread, mentions }) => sum + (kind === 'direct' ? unread.value : mentions.value), 0);
    const any = all.some(({ unread }) => unread.value > 0);
    const shown = rooms.value.get(selected.value);
    document.title = `${loud > 0 ? `(${loud}) ` : any ? '• ' : ''}${shown ? `${titleOf(shown)} – ` : ''}Secure Chat`;
    if (navigator.setAppBadge && !attentive.value) (loud > 0 ? navigator.setAppBadge(loud) : navigator.clearAppBadge()).catch(() => {});
  });
}

export async function loadNotifications() {
  if (!me.value.account) return void (settings.value = { ...NOBODY, ...local.value.settings });
  const answer = await get('/api/notifications');
  if (!answer.ok) return;
  settings.value = answer;
  if (local.value.on) await subscribe({ quietly: true }); // signing out has ended it
}

/** A message came that is not read: tells the system, where that is wanted. */
export function notify(room, message, isLoud) {
  if (attentive.value || room.muted.value || !local.value.on || Notification.permission !== 'granted') return;
  const level = settings.value.rooms[room.name] ?? settings.value.default;
  if (level === 'none' || (level === 'mentions' && !isLoud) || isQuiet(settings.value.quiet_hours)) return;
  const title = room.kind === 'direct' ? message.username : `${message.username}, ${titleOf(room)}`;
  show(title, { body: local.value.text ? message.message.slice(0, 200) : t('chat.newMessage'), tag: room.name, data: { address: `/${linkTo(room, message.seq)}` } });
}

async function show(title, options) {
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) return worker.showNotification(title, options);
  const shown = new Notification(title, options);
  shown.onclick = () => {
    focus();
    location.hash = options.data.address.slice(1);
  };
}

function isQuiet(hours) {
  if (!hours) return false;
  const parts = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: hours.time_zone }).format(new Date());
  return hours.from <= hours.to ? parts >= hours.from && parts < hours.to : parts >= hours.from || parts < hours.to;
}

async function save(what) {
  if (!me.value.account) {
    settings.value = { ...settings.value, ...what, rooms: { ...settings.value.rooms, ...what.rooms } };
    return setLocal({ settings: { default: settings.value.default, rooms: settings.value.rooms, quiet_hours: settings.value.quiet_hours } });
  }
  const answer = await post('/api/notifications', what);
  if (!answer.ok) return tellError(answer.error);
  settings.value = answer;
}

/** The box shows what came of it, which may be a refusal of the browser's. */
async function turn(box) {
  await (box.checked ? turnOn() : turnOff());
  box.checked = Boolean(local.value.on);
}

async function turnOn() {
  if (!('Notification' in window)) return tellError({ local: true, code: 'unavailable', message: t('chat.noNotifications') });
  const permission = await Notification.requestPermission();
  if (permission !== 'granted') return tellError({ local: true, code: 'forbidden', message: t('chat.notificationsDenied') });
  setLocal({ on: true });
  await subscribe();
}

/** By a push service, so that something comes also when no page is open: with an account alone, since guests go with their page. */
async function subscribe({ quietly = false } = {}) {
  const worker = me.value.account && settings.value.public_key && (await navigator.serviceWorker?.getRegistration());
  if (!worker?.pushManager) return;
  try {
    const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: settings.value.public_key });
    const { endpoint, keys } = subscription.toJSON();
    const answer = await post('/api/push/subscribe', { endpoint, keys });
    if (!answer.ok) tellError(answer.error);
  } catch {
    if (!quietly) tellError({ local: true, code: 'unavailable', message: t('chat.noPush') });
  }
}

async function turnOff() {
  setLocal({ on: false });
  const worker = await navigator.serviceWorker?.getRegistration();
  const subscription = await worker?.pushManager?.getSubscription();
  if (!subscription) return;
  await post('/api/push/unsubscribe', { endpoint: subscription.endpoint });
  await subscription.unsubscribe();
}

export function NotificationSettings() {
  useEffect(() => void loadNotifications(), []);
  const { default: level, quiet_hours: quiet } = settings.value;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const setQuiet = (what) => save({ quiet_hours: { from: '22:00', to: '07:00', ...quiet, ...what, time_zone: zone } });
  return html`<div class="stack">
    <label class="check"><input type="checkbox" checked=${Boolean(local.value.on)} onChange=${({ currentTarget }) => turn(currentTarget)} /> ${t('chat.notifyHere')}</label>
    <label class="check"><input type="checkbox" checked=${Boolean(local.value.text)} onChange=${({ currentTarget }) => setLocal({ text: currentTarget.checked })} /> ${t('chat.notifyText')}</label>
    <${Level} id="notify-default" label=${t('chat.notifyDefault')} value=${level} levels=${LEVELS} onChange=${(value) => save({ default: value })} />
    <label class="check"><input type="checkbox" checked=${Boolean(quiet)} onChange=${({ currentTarget }) => (currentTarget.checked ? setQuiet({}) : save({ quiet_hours: null }))} /> ${t('chat.quietHours')}</label>
    ${quiet && html`<div class="pair">
      <div class="field"><label for="quiet-from">${t('chat.quietFrom')}</label><input id="quiet-from" type="time" value=${quiet.from} onChange=${({ currentTarget }) => currentTarget.value && setQuiet({ from: currentTarget.value })} /></div>
      <div class="field"><label for="quiet-to">${t('chat.quietTo')}</label><input id="quiet-to" type="time" value=${quiet.to} onChange=${({ currentTarget }) => currentTarget.value && setQuiet({ to: currentTarget.value })} /></div>
    </div>`}
    <p class="note">${t(me.value.account ? 'chat.pushHint' : 'chat.guestPushHint')}</p>
  </div>`;
}

export function NotifyRoom({ room }) {
  return html`<${Level} id="notify-room" label=${t('chat.notifyRoom')} value=${settings.value.rooms[room.name] ?? ''} levels=${['', ...LEVELS]} onChange=${(value) => save({ rooms: { [room.name]: value || null } })} />`;
}

function Level({ id, label, value, levels, onChange }) {
  return html`<div class="field"><label for=${id}>${label}</label><select id=${id} value=${value} onChange=${({ currentTarget }) => onChange(currentTarget.value)}>${levels.map((level) => html`<option key=${level} value=${level}>${t(`chat.level.${level || 'usual'}`)}</option>`)}</select></div>`;
}
