// The room that is shown: its head, its log, and the box to write in.
import { useEffect, useRef, useState } from './vendor/preact-hooks.js';
import { describeError, t } from './account/i18n.js';
import { roomItems } from './actions.js';
import { Composer } from './composer.js';
import { reconnectNow, request } from './connection.js';
import { html } from './html.js';
import { IconButton, icon } from './icons.js';
import { Log } from './log.js';
import { openMenu } from './menu.js';
import { isNotYet, showRooms } from './route.js';
import { groupPayload } from './session.js';
import { connection, drawer, room, rooms, selected, titleOf } from './state.js';
import { attach } from './uploads.js';

export function Conversation() {
  const { value: shown } = room;
  return html`<section id="room" class="room" aria-labelledby="room-name">
    ${shown ? html`<${Open} key=${shown.name} room=${shown} />` : html`<${Closed} key=${selected.value} name=${selected.value} />`}
  </section>`;
}

function Open({ room }) {
  const [dropping, setDropping] = useState(false);
  const drop = {
    onDragOver: (event) => { if ([...event.dataTransfer.types].includes('Files')) { event.preventDefault(); setDropping(true); } },
    onDragLeave: (event) => event.currentTarget.contains(event.relatedTarget) || setDropping(false),
    onDrop: (event) => { event.preventDefault(); setDropping(false); attach(room, event.dataTransfer.files); },
  };
  return html`<div class=${`conversation ${dropping ? 'dropping' : ''}`} ...${drop}>
    <${Head} title=${titleOf(room)}>
      <${IconButton} name="people" label=${t('chat.people')} aria-expanded=${String(drawer.value === 'people')} onClick=${() => toggle('people')} />
      <${IconButton} name="pin" label=${t('chat.pins')} aria-expanded=${String(drawer.value === 'pins')} onClick=${() => toggle('pins')} />
      <${IconButton} name="search" label=${t('chat.search')} aria-expanded=${String(drawer.value === 'search')} onClick=${() => toggle('search')} />
      ${!isNotYet(room) && html`<${IconButton} name="more" label=${t('chat.roomActions')} aria-haspopup="menu" onClick=${({ currentTarget }) => openMenu(currentTarget, t('chat.roomActions'), roomItems(room))} />`}
    <//>
    <${Connection} />
    <${Log} room=${room} />
    <${Typing} room=${room} />
    ${room.closed.value ? html`<p class="closed notice">${room.closed.value}</p>` : html`<${Composer} room=${room} />`}
    ${dropping && html`<p class="drop-here">${t('chat.dropHere')}</p>`}
  </div>`;
}

const toggle = (which) => (drawer.value = drawer.value === which ? null : which);

function Head({ title, children }) {
  const elsewhere = [...rooms.value.values()].filter((other) => other.name !== selected.value && !other.muted.value).reduce((sum, { unread }) => sum + unread.value, 0);
  return html`<header class="room-head">
    <button type="button" class="icon only-phone" aria-label=${t('chat.allRooms') + (elsewhere > 0 ? `, ${t('chat.unread', { count: elsewhere })}` : '')} onClick=${showRooms}>${icon('back')}${elsewhere > 0 && html`<span class="badge">${elsewhere}</span>`}</button>
    <h2 id="room-name" tabindex="-1"><bdi>${title}</bdi></h2>
    ${children}
  </header>`;
}

/** Nothing while all is well, and in the first seconds of a break. */
function Connection() {
  const { value: state } = connection;
  const broken = state === 'reconnecting' || state === 'offline';
  return html`<div id="connection" role="status" data-state=${state} class=${broken ? 'connection' : ''}>
    ${broken && html`<span>${t(`chat.connection.${state}`)}</span>`}
    ${state === 'offline' && html`<button type="button" class="quiet" onClick=${reconnectNow}>${t('chat.reconnectNow')}</button>`}
  </div>`;
}

function Typing({ room }) {
  const names = [...room.typing.value.keys()];
  return html`<p class="typing note" aria-live="off">${names.length > 0 && t('chat.isTyping', { count: names.length, name: names.slice(0, 3).join(', ') })}</p>`;
}

/** A group that one is not in: its password opens it. */
function Closed({ name }) {
  const [error, setError] = useState(null);
  const input = useRef(null);
  useEffect(() => input.current.focus(), []);
  const join = async (event) => {
    event.preventDefault();
    const password = input.current.value;
    const ack = await request('join_group', groupPayload(name, password));
    if (!ack.ok) return setError(ack.error);
    rooms.value.get(name).password = password; // in memory only: for coming back after a break
  };
  return html`<div class="conversation">
    <${Head} title=${name} />
    <${Connection} />
    <form id="password-form" class="card" noValidate onSubmit=${join}>
      <h3>${t('chat.joinTitle')}</h3>
      <div class="field">
        <label for="join-password">${t('chat.groupPassword')}</label>
        <input id="join-password" ref=${input} type="password" autocomplete="off" aria-describedby="join-hint join-error" aria-invalid=${error ? 'true' : undefined} />
        <p id="join-hint" class="note">${t('chat.groupPasswordHint')}</p>
        <p id="join-error" class="field-error" role="alert">${error && describeError(error)}</p>
      </div>
      <button type="submit">${t('chat.joinGroup')}</button>
    </form>
  </div>`;
}
