// What others do to oneself or to a room, told to the person: sanctions, roles, slow mode, the end of the session.
import { formatTime, showAlert } from './account/dom.js';
import { PUBLIC, closePublic, forgetRoom, lineIn, noteIn } from './rooms.js';

const PLACES = { [PUBLIC]: 'the public chat' };
const DONE = { kick: 'sent out of', ban: 'banned from', mute: 'muted in' };

let farewell = null; // what was said about the reason, before the server ended the connection

export function sanctioned({ action, room, until, reason }) {
  const text = describe(action, room, until, reason);
  showAlert(text);
  if (action !== 'kick' && action !== 'ban') return;
  if (room === null) farewell = text;
  else if (room === PUBLIC) closePublic(text);
  else forgetRoom(room);
}

function describe(action, room, until, reason) {
  const place = room === null ? 'this server' : (PLACES[room] ?? room);
  const words = reason ? ` Reason: ${reason}` : '';
  if (action === 'unmute') return `You may speak in ${place} again.${words}`;
  return `You were ${DONE[action]} ${place}${until ? ` until ${formatTime(until)}` : ''}.${words}`;
}

/** The server has ended the connection, and the page does not come back by itself. */
export function sentAway(message) {
  showAlert(farewell ?? message, { withLink: true });
  farewell = null;
}

export function slowModeSet({ room, seconds }) {
  lineIn(room, seconds > 0 ? `Slow mode: one message in ${seconds} s from each person.` : 'Slow mode is off.');
}

export function roleSet({ username, room, role }) {
  noteIn(room, username, `is ${role} of this room now`);
}
