// The panel on the right: people, pinned messages, search, or the settings of the room.
import { useEffect, useLayoutEffect, useRef, useState } from './vendor/preact-hooks.js';
import { describeError, formatTime, t } from './account/i18n.js';
import { copy, leave, pin } from './actions.js';
import { patiently, request } from './connection.js';
import { html } from './html.js';
import { IconButton } from './icons.js';
import { NotifyRoom } from './notifications.js';
import { People } from './people.js';
import { fullLinkTo, goTo, isNotYet } from './route.js';
import { Search } from './search.js';
import { toggleMuted } from './session.js';
import { drawer, mayModerate, room as shown, titleOf } from './state.js';
import { tell } from './toasts.js';

const PANELS = { people: People, pins: Pins, search: Search, room: RoomSettings };

export function Drawer() {
  const { value: which } = drawer;
  const { value: room } = shown;
  const title = useRef(null);
  const opener = useRef(null);
  // Before the panel takes the focus.
  useLayoutEffect(() => {
    opener.current = which ? (opener.current ?? document.activeElement) : null;
  }, [which]);
  useEffect(() => {
    if (!which) return;
    if (which !== 'search') title.current?.focus();
  }, [which]);
  if (!which || (!room && which !== 'search')) return null;
  const close = () => {
    drawer.value = null;
    opener.current?.isConnected ? opener.current.focus() : document.querySelector('#message')?.focus();
    opener.current = null;
  };
  return html`<section id="drawer" class="drawer" aria-labelledby="drawer-title" onKeyDown=${(event) => event.key === 'Escape' && !event.defaultPrevented && close()}>
    <header><h2 id="drawer-title" ref=${title} tabindex="-1">${t(`chat.drawer.${which}`)}</h2><${IconButton} name="close" label=${t('chat.close')} onClick=${close} /></header>
    <div class="drawer-content"><${PANELS[which]} key=${room?.name} room=${room} /></div>
  </section>`;
}

function Pins({ room }) {
  const [state, setState] = useState({ pins: [], loaded: false, error: null });
  const load = async () => {
    if (isNotYet(room)) return setState({ pins: [], loaded: true, error: null });
    const ack = await patiently('list_pins', { room: room.name });
    setState({ pins: ack.ok ? ack.pins : [], loaded: true, error: ack.ok ? null : ack.error });
  };
  useEffect(() => {
    load();
    const changed = ({ detail }) => detail.room === room.name && load();
    addEventListener('pins-changed', changed);
    return () => removeEventListener('pins-changed', changed);
  }, [room]);
  if (state.error) return html`<p class="field-error">${describeError(state.error)}</p>`;
  if (state.loaded && state.pins.length === 0) return html`<p class="note">${t('chat.noPins')}</p>`;
  return html`<ul class="hits">${state.pins.map(({ message, pinned_by: by, pinned_at: at }) => html`<li key=${message.id}>
    <button type="button" class="hit" onClick=${() => goTo(room.name, message.seq)}>
      <span class="note"><bdi>${message.username}</bdi> · ${formatTime(message.timestamp)}</span>
      <span class="hit-text" dir="auto">${message.message || t('chat.aFile')}</span>
    </button>
    <p class="note">${t('chat.pinnedByAt', { name: by, time: formatTime(at) })}</p>
    ${(mayModerate(room) || room.kind === 'direct') && html`<button type="button" class="quiet" onClick=${() => pin(message, false)}>${t('chat.unpin')}</button>`}
  </li>`)}</ul>`;
}

const SLOW_MODES = [0, 5, 15, 60, 300, 3600];
const KEPT_DAYS = [0, 1, 7, 30, 90, 365];

function RoomSettings({ room }) {
  const set = (event, payload, done) => async ({ currentTarget: { value } }) => {
    const ack = await request(event, { room: room.name, ...payload(Number(value)) });
    tell(ack.ok ? t(done) : describeError(ack.error));
  };
  return html`<div class="stack">
    <h3><bdi>${titleOf(room)}</bdi></h3>
    <label class="check"><input type="checkbox" checked=${room.muted.value} onChange=${() => toggleMuted(room)} /> ${t('chat.muteRoom')}</label>
    <${NotifyRoom} room=${room} />
    ${mayModerate(room) && html`
      <${Choice} id="slow-mode" label=${t('chat.slowMode')} options=${SLOW_MODES.map((seconds) => [seconds, seconds === 0 ? t('chat.off') : t('chat.seconds', { count: seconds })])} onChange=${set('set_slow_mode', (seconds) => ({ seconds }), 'chat.saved')} />
      <${Choice} id="retention" label=${t('chat.retention')} options=${KEPT_DAYS.map((days) => [days, days === 0 ? t('chat.forEver') : t('chat.days', { count: days })])} onChange=${set('set_retention', (days) => ({ days }), 'chat.saved')} />`}
    ${room.kind !== 'direct' && html`<button type="button" class="quiet" onClick=${() => copy(fullLinkTo(room))}>${t('chat.copyRoomLink')}</button>`}
    ${room.kind === 'group' && html`<button type="button" class="danger" onClick=${() => leave(room)}>${t('chat.leave')}</button>`}
  </div>`;
}

/** The server does not tell what is set: the first entry asks to choose. */
function Choice({ id, label, options, onChange }) {
  return html`<div class="field"><label for=${id}>${label}</label><select id=${id} onChange=${onChange}><option value="" disabled selected>${t('chat.choose')}</option>${options.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></div>`;
}
