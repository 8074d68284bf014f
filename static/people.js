// Whom one has blocked and which rooms one has muted. The server keeps both for an account. A guest is somebody new to it
// after every connect, so for guests the page remembers, and says it again.
import { actionButton, byId, element, nameElement, showAlert } from './account/dom.js';
import { patiently, request } from './connection.js';
import { dropPerson, isMuted, mutedRooms, setMuted } from './rooms.js';

let blocked = new Set();

export function setUpPeople() {
  byId('blocked-button').addEventListener('click', () => {
    showBlocked();
    byId('blocked').showModal();
  });
}

/** Takes over what the server knows of an account. */
export function setPreferences({ blocked: names, muted_rooms: rooms }) {
  blocked = new Set(names);
  for (const room of new Set([...mutedRooms(), ...rooms])) setMuted(room, rooms.includes(room));
}

/** Tells the server again, after a guest has come back. */
export async function repeatPreferences() {
  for (const username of blocked) await patiently('block_user', { username });
  for (const username of blocked) dropPerson(username);
  for (const room of mutedRooms()) await patiently('mute_room', { room, muted: true });
}

export async function block(username) {
  const ack = await request('block_user', { username });
  if (!ack.ok) return showAlert(ack.error.message);
  blocked.add(username);
  dropPerson(username);
}

async function unblock(username) {
  const ack = await request('unblock_user', { username });
  if (!ack.ok) return showAlert(ack.error.message);
  blocked.delete(username);
  showBlocked();
}

function showBlocked() {
  const rows = [...blocked].map((username) =>
    element('li', {}, nameElement(username), actionButton('Unblock', () => unblock(username), { ariaLabel: `Unblock ${username}` })),
  );
  byId('blocked-list').replaceChildren(...rows);
  byId('nobody-blocked').hidden = rows.length > 0;
  byId('blocked-title').focus(); // the button that had it may be gone
}

export async function toggleMuted(room) {
  const ack = await request('mute_room', { room, muted: !isMuted(room) });
  if (!ack.ok) showAlert(ack.error.message);
}
