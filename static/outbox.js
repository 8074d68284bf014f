// What was written and has not arrived yet: sent in order, room by room, and kept over a reload until the server has it.
import { signal } from './vendor/signals.js';
import { isConnected, request } from './connection.js';
import { me, PUBLIC, rooms } from './state.js';

/** Entries `{id, room, to, text, replyTo, attachments, at, state, error}`; `state` is 'waiting', 'sending' or 'failed'. */
export const outbox = signal([]);

const busy = new Set(); // rooms in which something is on its way
const place = () => `outbox:${me.value.account ? 'account' : 'guest'}:${me.value.username.toLowerCase()}`;

/** What was left from before the page was loaded. */
export function recallOutbox() {
  const kept = JSON.parse(localStorage.getItem(place()) ?? '[]');
  outbox.value = kept.map((entry) => ({ ...entry, state: entry.state === 'sending' ? 'waiting' : entry.state }));
}

function keep(entries) {
  outbox.value = entries;
  try {
    if (entries.length > 0) localStorage.setItem(place(), JSON.stringify(entries));
    else localStorage.removeItem(place());
  } catch {
    // The browser's place is full: what waits is still in this page.
  }
}

/** Puts a message behind those that wait. */
export function post(room, { text, replyTo = null, attachments = [] }) {
  keep([...outbox.value, { id: newId(), room: room.name, to: room.partner, text, replyTo, attachments, at: new Date().toISOString(), state: 'waiting', error: null }]);
  flush();
}

export function retry(id) {
  change(id, { state: 'waiting', error: null });
  flush();
}

export function discard(id) {
  keep(outbox.value.filter((entry) => entry.id !== id));
}

/** A message of one's own was heard: what waited under its id has arrived. */
export function arrived(clientId) {
  if (clientId && outbox.value.some(({ id }) => id === clientId)) discard(clientId);
}

/** Sends what waits, if there is a connection; in each room one after the other. */
export function flush() {
  if (!isConnected()) return;
  for (const room of new Set(outbox.value.map((entry) => entry.room))) sendFirst(room);
}

async function sendFirst(room) {
  const entry = outbox.value.find((one) => one.room === room && one.state === 'waiting');
  if (!entry || busy.has(room)) return;
  busy.add(room);
  change(entry.id, { state: 'sending' });
  const ack = await request(...eventOf(entry));
  busy.delete(room);
  if (ack.ok) return accepted(entry, ack);
  const { code, retry_ms: wait } = ack.error;
  if (code === 'too_many') setTimeout(flush, wait);
  if (code === 'too_many' || code === 'unavailable') change(entry.id, { state: 'waiting' });
  else change(entry.id, { state: 'failed', error: ack.error });
  if (code !== 'unavailable' && code !== 'too_many') sendFirst(room);
}

function accepted(entry, ack) {
  const room = rooms.value.get(ack.room ?? entry.room);
  const quoted = entry.replyTo && { id: entry.replyTo.id, username: entry.replyTo.username, message: entry.replyTo.message };
  room?.timeline.receive({
    id: ack.id, seq: ack.seq, timestamp: ack.timestamp, room: room.name, username: me.value.username, message: entry.text,
    encrypted_content: '', client_id: entry.id, ...(quoted ? { reply_to: quoted } : {}), attachments: entry.attachments,
  });
  discard(entry.id);
  sendFirst(entry.room);
}

function eventOf({ id, room, to, text, replyTo, attachments }) {
  const draft = {
    client_id: id,
    ...(text ? { message: text } : {}),
    ...(replyTo ? { reply_to: replyTo.id } : {}),
    ...(attachments.length > 0 ? { attachments: attachments.map((file) => file.id) } : {}),
  };
  if (room === PUBLIC) return ['send_public_message', draft];
  return to ? ['send_direct_message', { to, ...draft }] : ['send_group_message', { group_name: room, ...draft }];
}

function change(id, what) {
  keep(outbox.value.map((entry) => (entry.id === id ? { ...entry, ...what } : entry)));
}

/** crypto.randomUUID is missing on pages without TLS. */
function newId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16).padStart(8, '0')).join('');
}
