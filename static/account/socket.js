// The Socket.IO connection of the account page: made when moderation first needs it. The session's cookie signs it in,
// and nobody in the chat sees it come.
import { get } from './api.js';

const ACK_TIMEOUT_MS = 15_000;

let connecting = null; // promise of the connected socket

/** Sends an event and resolves with its ack, `{ok:true,…}` or `{ok:false,error}`; it never rejects. */
export async function send(event, payload = {}) {
  try {
    connecting ??= connect();
    const socket = await connecting;
    return await socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, payload);
  } catch (error) {
    const message = error.fromServer ? error.message : 'The server did not answer. It may or may not have been done.';
    return { ok: false, error: { code: 'unavailable', message } };
  }
}

export async function hangUp() {
  const last = connecting;
  connecting = null;
  const socket = await last?.catch(() => null);
  socket?.disconnect();
}

async function connect() {
  try {
    const { io } = await import('../vendor/socket.io.esm.min.js');
    const socket = io({ forceNew: true });
    socket.on('disconnect', (why) => why === 'io server disconnect' && sentAway());
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', (error) => {
        const fromServer = !socket.active; // refused: the client does not try again by itself
        socket.disconnect();
        reject(Object.assign(error, { fromServer }));
      });
    });
    return socket;
  } catch (error) {
    connecting = null;
    throw error;
  }
}

/** Mostly since the session was ended: asking who is signed in tells the page. */
function sentAway() {
  connecting = null;
  get('/api/me');
}
