// Who is in a room, and who of them is here now; the panel that lists them.
import { signal } from './vendor/signals.js';
import { useEffect } from './vendor/preact-hooks.js';
import { formatTime, t } from './account/i18n.js';
import { personItems } from './actions.js';
import { patiently } from './connection.js';
import { html } from './html.js';
import { IconButton } from './icons.js';
import { openMenu } from './menu.js';
import { Avatar } from './message.js';
import { isNotYet } from './route.js';
import { isSelf, room as shown, rooms, sameName } from './state.js';

const ORDER = ['online', 'away', 'offline'];
const AGAIN_MS = 5_000; // in large rooms the server does not tell who comes and goes

const people = signal({ room: null, list: [], error: null }); // of the room whose panel is open

export function personJoined({ username, room: name }) {
  const room = rooms.value.get(name);
  if (room && !room.members.value.some((member) => sameName(member, username))) room.members.value = [...room.members.value, username];
  changePresence({ room: name, username, presence: 'online' });
}

export function personLeft({ username, room: name }) {
  const room = rooms.value.get(name);
  if (room) room.members.value = room.members.value.filter((member) => !sameName(member, username));
  if (people.value.room === name) load(name);
}

export function changePresence({ room, ...person }) {
  if (people.value.room !== room) return;
  const isOther = ({ username }) => !sameName(username, person.username);
  const known = people.value.list.find((one) => !isOther(one));
  people.value = { ...people.value, list: [...people.value.list.filter(isOther), { ...known, ...person }] };
}

export function roleChanged(room) {
  if (people.value.room === room) load(room);
}

async function load(name) {
  const ack = await patiently('get_presence', { room: name });
  if (shown.value?.name !== name) return;
  people.value = { room: name, list: ack.ok ? ack.people : [], error: ack.ok ? null : ack.error };
}

export function People({ room }) {
  useEffect(() => {
    if (isNotYet(room)) return;
    load(room.name);
    const timer = setInterval(() => load(room.name), AGAIN_MS);
    return () => {
      clearInterval(timer);
      people.value = { room: null, list: [], error: null };
    };
  }, [room]);
  const listed = people.value.room === room.name ? people.value.list : [];
  const sorted = [...listed].sort((one, other) => ORDER.indexOf(one.presence) - ORDER.indexOf(other.presence) || one.username.localeCompare(other.username));
  return html`<ul class="people">${sorted.map((person) => html`<${Person} key=${person.username} room=${room} person=${person} />`)}</ul>
  ${sorted.length === 0 && html`<p class="note">${t('chat.nobodyElse')}</p>`}`;
}

function Person({ room, person: { username, presence, last_seen: seen, role } }) {
  return html`<li class="person">
    <${Avatar} name=${username} />
    <div><bdi data-member=${username}>${username}</bdi>${isSelf(username) && html` <span class="note">${t('chat.you')}</span>`}${role && html` <span class="mark">${t(`common.role_${role}`)}</span>`}
      <p class="note presence" data-presence=${presence}>${t(`chat.presence.${presence}`)}${presence === 'offline' && seen ? `, ${t('chat.lastSeen', { time: formatTime(seen) })}` : ''}</p></div>
    ${!isSelf(username) && html`<${IconButton} name="more" label=${t('chat.actionsForPerson', { name: username })} aria-haspopup="menu" onClick=${({ currentTarget }) => openMenu(currentTarget, username, personItems(room, username))} />`}
  </li>`;
}
