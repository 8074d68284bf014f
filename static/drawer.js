// The panel on the right: people, pinned messages, search, or the settings of the room.
import { useEffect, useLayoutEffect, useRef, useState } from './vendor/preact-hooks.js';
import { describeError, formatTime, t } from './account/i18n.js';
import { pin } from './actions.js';
import { patiently } from './connection.js';
import { html } from './html.js';
import { IconButton } from './icons.js';
import { People } from './people.js';
import { RoomSettings } from './room-settings.js';
import { goTo, isNotYet } from './route.js';
import { Search } from './search.js';
import { drawer, mayModerate, room as shown } from './state.js';

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
