// The message form: sends to the shown room, and gives the text back when it did not arrive.
import { request, settled } from './connection.js';
import { byId, clearErrors, showError } from './account/dom.js';
import { PUBLIC, giveBack, roomOf, selectedName } from './rooms.js';

export function setUpComposer() {
  const form = byId('composer');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(form);
  });
  byId('message').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
}

async function send(form) {
  const room = roomOf(selectedName());
  const input = byId('message');
  const text = input.value;
  if (!room || text === '') return;
  clearErrors(form);
  input.value = '';
  input.focus();
  const clientId = clientIdFor(room, text);
  await settled();
  const ack = await request(...sendEvent(room, { message: text, client_id: clientId }));
  if (ack.ok || room.log.hasSent(clientId)) return;
  room.unsure = { text, clientId };
  giveBack(room, text);
  showError(ack.error, form);
}

function sendEvent({ name }, draft) {
  return name === PUBLIC ? ['send_public_message', draft] : ['send_group_message', { group_name: name, ...draft }];
}

/** A text that is sent again because no answer came keeps its id, so that the server can tell a repetition from a new message. */
function clientIdFor(room, text) {
  if (room.unsure?.text === text) return room.unsure.clientId;
  // crypto.randomUUID is missing on pages without TLS.
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16).padStart(8, '0')).join('');
}
