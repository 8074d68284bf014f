// How far one has read: where the reader is in the log, and what the server is told of it.
import { isConnected, patiently } from './connection.js';
import { attentive, room } from './state.js';

const SETTLE_MS = 400; // messages that follow each other faster are marked together

const marking = new Map(); // rooms of which the server will be told more

/** Whether the shown room is read at its end; the log tells. */
export const isAtEnd = () => Boolean(room.value?.timeline.following);

export function setAtEnd({ timeline }, value) {
  timeline.following = value;
  if (!value) return;
  timeline.sinceLeftEnd.value = 0;
  markRead();
}

/** The shown room is read up to its end, if somebody looks at it. */
export function markRead() {
  const shown = room.value;
  if (!shown || !attentive.value || !isAtEnd() || !shown.timeline.isAtNewest) return;
  if (shown.read !== null && shown.read >= shown.last && shown.unread.value === 0) return;
  shown.uncounted = [];
  shown.unread.value = 0;
  shown.mentions.value = 0;
  const seq = Math.max(shown.last, shown.timeline.last);
  if (marking.has(shown)) return void marking.set(shown, seq);
  marking.set(shown, null);
  setTimeout(() => markMore(shown), SETTLE_MS);
  mark(shown, seq);
}

/** What was read since the server was told. */
function markMore(shown) {
  const seq = marking.get(shown);
  marking.delete(shown);
  if (seq !== null) mark(shown, seq);
}

async function mark(shown, seq) {
  if (!isConnected()) return;
  const ack = await patiently('mark_read', { room: shown.name, seq });
  if (ack.ok) shown.read = Math.max(shown.read ?? 0, ack.read);
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
