// The dialogs of the chat: a new room, somebody to write to, an invitation, blocked people, appearance, keys, a text to copy.
import { signal } from './vendor/signals.js';
import { useEffect, useRef, useState } from './vendor/preact-hooks.js';
import { isLoopback, post } from './account/api.js';
import { describeError, language, languages, setLanguage, t } from './account/i18n.js';
import { setTheme, theme } from './account/theme.js';
import { request } from './connection.js';
import { html } from './html.js';
import { NotificationSettings } from './notifications.js';
import { goTo, goToPerson } from './route.js';
import { groupPayload, unblock } from './session.js';
import { blocked, isSelf, rooms, sameName, titleOf } from './state.js';
import { tell } from './toasts.js';
import { copy } from './actions.js';

const open = signal(null); // {kind, …}

export const openDialog = (what) => (open.value = what);
const close = () => (open.value = null);

const KINDS = { room: NewRoom, password: RoomPassword, direct: NewDirect, invite: Invite, blocked: Blocked, appearance: Appearance, keys: Keys, copy: CopyByHand, notifications: NotificationSettings };

export function Dialogs() {
  const { value: what } = open;
  return what && html`<${Dialog} key=${what.kind} title=${t(`chat.dialog.${what.kind}`)}><${KINDS[what.kind]} ...${what} /><//>`;
}

function Dialog({ title, children }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} class="card chat-dialog" aria-labelledby="dialog-title" onClose=${close}>
    <h2 id="dialog-title" tabindex="-1">${title}</h2>
    ${children}
    <div class="actions"><button type="button" class="quiet" onClick=${() => dialog.current.close()}>${t('chat.close')}</button></div>
  </dialog>`;
}

const done = () => document.querySelector('.chat-dialog')?.close();

function Field({ id, label, error, field, hint, ...input }) {
  const told = error?.field === field ? error : null;
  return html`<div class="field"><label for=${id}>${label}</label>
    <input id=${id} name=${field} aria-describedby=${`${id}-error`} aria-invalid=${told ? 'true' : undefined} autocomplete="off" ...${input} />
    ${hint && html`<p class="note">${hint}</p>`}
    <p id=${`${id}-error`} class="field-error" role="alert">${told && describeError(told)}</p></div>`;
}

/** A form that stays open, and says why, until the server has agreed. */
function useForm(act, fields) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    const answer = await act(event.target.elements);
    setBusy(false);
    setError(answer?.ok === false ? answer.error : null);
    if (answer?.ok === false) event.target.elements.namedItem(answer.error.field ?? '')?.focus?.();
  };
  const general = error && !fields.includes(error.field) ? describeError(error) : '';
  return { error, submit, general };
}

function NewRoom() {
  const { error, submit, general } = useForm(async ({ group_name: name, password }) => {
    const ack = await request('create_group', groupPayload(name.value, password.value));
    if (!ack.ok) return ack;
    const made = name.value.normalize('NFC').trim();
    const joined = await request('join_group', groupPayload(made, password.value));
    if (!joined.ok) return joined;
    rooms.value.get(made).password = password.value;
    done();
    goTo(made);
  }, ['group_name', 'password']);
  return html`<form class="stack" noValidate onSubmit=${submit}>
    <${Field} id="group-name" field="group_name" label=${t('chat.groupName')} error=${error} autofocus />
    <${Field} id="group-password" field="password" type="password" autocomplete="new-password" label=${t('chat.groupPasswordOptional')} hint=${t('chat.newRoomHint')} error=${error} />
    <p class="field-error" role="alert">${general}</p>
    <button type="submit">${t('chat.createGroup')}</button>
  </form>`;
}

function RoomPassword({ room }) {
  const { error, submit, general } = useForm(async ({ password }) => {
    const ack = await request('set_room_password', { room: room.name, ...(password.value ? { password: password.value } : {}) });
    if (!ack.ok) return ack;
    room.password = password.value;
    room.info.value = { ...room.info.value, has_password: password.value !== '' };
    done();
    tell(t(password.value ? 'chat.passwordSet' : 'chat.passwordRemoved', { room: titleOf(room) }));
  }, ['password']);
  return html`<form class="stack" noValidate onSubmit=${submit}>
    <p class="note">${t('chat.passwordAbout')}</p>
    <${Field} id="room-password" field="password" type="password" autocomplete="new-password" label=${t('chat.groupPasswordOptional')} hint=${t('chat.newRoomHint')} error=${error} autofocus />
    <p class="field-error" role="alert">${general}</p>
    <button type="submit">${t('chat.setPassword')}</button>
  </form>`;
}

function NewDirect() {
  const known = new Set([...rooms.value.values()].flatMap(({ members, timeline }) => [...members.value, ...timeline.messages.value.map(({ username }) => username)]).filter((name) => !isSelf(name)));
  const { error, submit, general } = useForm(async ({ to }) => {
    const name = to.value.trim();
    if (name === '') return { ok: false, error: { local: true, field: 'to', code: 'invalid', message: t('chat.enterName') } };
    if (isSelf(name)) return { ok: false, error: { local: true, field: 'to', code: 'invalid', message: t('chat.thatIsYou') } };
    done();
    goToPerson([...known].find((other) => sameName(other, name)) ?? name);
  }, ['to']);
  return html`<form class="stack" noValidate onSubmit=${submit}>
    <${Field} id="direct-to" field="to" label=${t('chat.name')} error=${error} list="known-people" autocapitalize="none" spellcheck=${false} autofocus />
    <datalist id="known-people">${[...known].map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    <p class="field-error" role="alert">${general}</p>
    <button type="submit">${t('chat.write')}</button>
  </form>`;
}

function Invite() {
  const [link, setLink] = useState('');
  const { submit, general } = useForm(async ({ uses }) => {
    const answer = await post('/api/invites', { role: 'member', uses: Number(uses.value), days: 7 });
    if (!answer.ok) return answer;
    setLink(location.origin + answer.path);
  }, []);
  return html`<form class="stack" noValidate onSubmit=${submit}>
    <${Field} id="invite-uses" field="uses" type="number" min="1" max="1000" value="10" label=${t('chat.inviteFor')} />
    <p class="field-error" role="alert">${general}</p>
    <button type="submit">${t('chat.makeLink')}</button>
    ${link && isLoopback() && html`<p class="note">${t('common.localLink')}</p>`}
    ${link && html`<div class="field"><label for="invite-link">${t('chat.inviteLink')}</label><div class="copy-row"><input id="invite-link" class="code" readonly value=${link} onFocus=${({ currentTarget }) => currentTarget.select()} /><button type="button" class="quiet" onClick=${() => copy(link)}>${t('chat.copy')}</button></div></div>`}
  </form>`;
}

function Blocked() {
  const names = [...blocked.value];
  return html`<p class="note">${t(names.length > 0 ? 'chat.blockedHint' : 'chat.nobodyBlocked')}</p>
  <ul class="rows">${names.map((name) => html`<li class="row" key=${name}><bdi>${name}</bdi><button type="button" class="quiet" aria-label=${t('chat.unblock', { name })} onClick=${() => { unblock(name); document.querySelector('#dialog-title').focus(); }}>${t('chat.unblockButton')}</button></li>`)}</ul>`;
}

function Appearance() {
  return html`<div class="stack">
    <div class="field"><label for="theme">${t('chat.theme')}</label><select id="theme" value=${theme()} onChange=${({ currentTarget }) => setTheme(currentTarget.value)}>${['system', 'light', 'dark'].map((one) => html`<option key=${one} value=${one}>${t(`chat.themes.${one}`)}</option>`)}</select></div>
    <div class="field"><label for="language">${t('chat.language')}</label><select id="language" value=${language} onChange=${({ currentTarget }) => setLanguage(currentTarget.value)}>${languages.map(([code, name]) => html`<option key=${code} value=${code} lang=${code}>${name}</option>`)}</select></div>
  </div>`;
}

const SHORTCUTS = [['Enter', 'send'], ['Shift+Enter', 'break'], ['↑', 'edit'], ['@ :', 'complete'], ['Alt+↑ Alt+↓', 'rooms'], ['Ctrl+K', 'search'], ['↑ ↓', 'walk'], ['R', 'reply'], ['+', 'react'], ['Enter', 'menu'], ['Esc', 'escape']];

function Keys() {
  return html`<dl class="keys">${SHORTCUTS.map(([key, what]) => html`<dt key=${`${key}${what}`}><kbd>${key}</kbd></dt><dd>${t(`chat.shortcut.${what}`)}</dd>`)}</dl>`;
}

function CopyByHand({ text }) {
  return html`<div class="field"><label for="copy-text">${t('chat.copyByHand')}</label><textarea id="copy-text" readonly autofocus rows="4" onFocus=${({ currentTarget }) => currentTarget.select()}>${text}</textarea></div>`;
}
