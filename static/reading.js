// How far one has read: where the reader is in the log, and what the server is told of it.
import { isConnected, patiently } from './connection.js';
import { attentive, room } from './state.js';

const SETTLE_MS = 400; // several messages in a row are marked together

let atEnd = true;
let timer = null;

/** Whether the shown room is read at its end; the log tells. */
export const isAtEnd = () => atEnd;

export function setAtEnd(value) {
  atEnd = value;
  if (!value) return;
  if (room.value) room.value.timeline.sinceLeftEnd.value = 0;
  markRead();
}

/** The shown room is read up to its end, if somebody looks at it. */
export function markRead() {
  const shown = room.value;
  if (!shown || !attentive.value || !atEnd || !shown.timeline.loaded.value || !shown.timeline.atEnd.value) return;
  if (shown.read !== null && shown.read >= shown.last && shown.unread.value === 0) return;
  shown.unread.value = 0;
  shown.mentions.value = 0;
  clearTimeout(timer);
  timer = setTimeout(() => mark(shown), SETTLE_MS);
}

async function mark(shown) {
  if (!isConnected()) return;
  const seq = Math.max(shown.last, shown.timeline.last);
  const ack = await patiently('mark_read', { room: shown.name, seq });
  if (ack.ok) shown.read = ack.read;
}

export function watchAttention() {
  const look = () => {
    attentive.value = document.visibilityState === 'visible' && document.hasFocus();
    if (attentive.value) markRead();
  };
  for (const event of ['focus', 'blur']) addEventListener(event, look);
  document.addEventListener('visibilitychange', look);
  look();
}
