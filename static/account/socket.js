// The Socket.IO connection of the account page: made when moderation first needs it. The session's cookie signs it in,
// and nobody in the chat sees it come.
import { get } from './api.js';
import { t } from './i18n.js';

const ACK_TIMEOUT_MS = 15_000;

let connecting = null; // promise of the connected socket

/** Sends an event and resolves with its ack, `{ok:true,…}` or `{ok:false,error}`; it never rejects. `timeout` is in ms; some events take no payload: null. */
export async function send(event, payload = {}, { timeout = ACK_TIMEOUT_MS } = {}) {
  try {
    connecting ??= connect();
    const socket = await connecting;
    return await socket.timeout(timeout).emitWithAck(event, ...(payload === null ? [] : [payload]));
  } catch (error) {
    const said = error.fromServer ? { message: error.message } : { message: t('common.no_answer'), local: true };
    return { ok: false, error: { code: 'unavailable', ...said } };
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
