// The address: #/room/NAME and #/direct/NAME, each with /SEQ behind it for a message. The browser's back button works by it.
import { batch } from './vendor/signals.js';
import { pane, phase, PUBLIC, rooms, sameName, selected, drawer, Room, addRoom } from './state.js';

const PLACE = /^#\/(room|direct)\/([^/]+)(?:\/(\d+))?$/;
const LAST = 'last-room';
const NOT_YET = '\u0000'; // begins the name of a room of two that the server does not have yet

export const isNotYet = ({ name }) => name.startsWith(NOT_YET);

export function linkTo({ name, kind, partner }, seq = null) {
  const where = kind === 'direct' ? `direct/${encodeURIComponent(partner)}` : `room/${encodeURIComponent(name)}`;
  return `#/${where}${seq === null ? '' : `/${seq}`}`;
}

/** The same, to be given to somebody. */
export const fullLinkTo = (...place) => `${location.origin}${location.pathname}${linkTo(...place)}`;

/** Shows a room that one is in, or could join. */
export function goTo(name, seq = null) {
  const room = rooms.value.get(name) ?? { name, kind: 'group' };
  const address = linkTo(room, seq);
  if (location.hash === address) followAddress();
  else location.hash = address;
}

/** Shows the room of two with somebody; it need not have a message yet. */
export function goToPerson(username) {
  location.hash = linkTo({ kind: 'direct', partner: username });
}

export function showRooms() {
  location.hash = '#/';
}

export function followAddress() {
  if (phase.value !== 'inside') return;
  const [, kind, encoded, seq] = PLACE.exec(location.hash) ?? [];
  if (!kind) return showNowhere();
  const wanted = decode(encoded);
  const name = kind === 'direct' ? directWith(wanted).name : wanted;
  const isOther = name !== selected.value || pane.value !== 'room';
  batch(() => {
    selected.value = name;
    pane.value = 'room';
    if ((isOther || seq !== undefined) && panelCovers()) drawer.value = null;
  });
  sessionStorage.setItem(LAST, location.hash);
  opened?.(rooms.value.get(name) ?? null, seq === undefined ? null : Number(seq));
}

/** The address names a room as a whole from here on, and no message of it. */
export function leaveMessage() {
  const [, , , seq] = PLACE.exec(location.hash) ?? [];
  if (seq === undefined) return;
  history.replaceState(null, '', location.hash.slice(0, -seq.length - 1));
  sessionStorage.setItem(LAST, location.hash);
}

/** Where it lies over the conversation, the panel does not stay when another place is shown. */
const panelCovers = () => matchMedia('(max-width: 60rem)').matches;

let opened = null;

/** `onOpen(room, seq)` runs whenever an address is followed; `room` is null for a group that one is not in. */
export function setUpRoute(onOpen) {
  opened = onOpen;
  addEventListener('hashchange', followAddress);
}

/** Without a place in the address: on a phone the list of rooms, elsewhere the room of last time. */
function showNowhere() {
  if (matchMedia('(max-width: 45rem)').matches && location.hash === '#/') {
    return batch(() => {
      pane.value = 'rooms';
      drawer.value = null;
    });
  }
  history.replaceState(null, '', sessionStorage.getItem(LAST) ?? linkTo({ name: PUBLIC, kind: 'public' }));
  followAddress();
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A room of two that has no message yet is one of the page alone; its name can be none of the server's. */
function directWith(username) {
  const known = [...rooms.value.values()].find(({ partner }) => partner !== null && sameName(partner, username));
  return known ?? addRoom(newDirect(username));
}

function newDirect(username) {
  const room = new Room(`${NOT_YET}${username.toLowerCase()}`, 'direct', username);
  for (const fact of ['loaded', 'atStart', 'atEnd']) room.timeline[fact].value = true;
  return room;
}
