// The one Socket.IO connection of the page: requests with acks, the shown state, and coming back after a break.
import { io } from './vendor/socket.io.esm.min.js';
import { describeError } from './account/i18n.js';
import { connection } from './state.js';

const ACK_TIMEOUT_MS = 15_000;
const QUIET_MS = 2_000; // a break that is over sooner is not shown
const RECONNECTING_MS = 15_000; // after that, the state is called what it is

// This page comes back by itself, and says then who it is and where it was.
const socket = io({ autoConnect: false, auth: { resume: false }, reconnectionDelay: 500, reconnectionDelayMax: 5_000 });
const waitingForAck = new Map(); // event name → how many requests wait for their ack
let timers = [];

/**
 * Connects. `comeBack` runs after each connect: the state turns to "connected" only when it is done. `sentAway(message)`
 * runs when the server has ended the connection on purpose: the client does not connect again by itself.
 * `tell(error)` gets what nobody waits for.
 */
export function connect({ comeBack, sentAway, tell }) {
  let goodbye = null;
  socket.on('connect', async () => {
    goodbye = null;
    await comeBack();
    if (socket.connected) show('connected');
  });
  socket.on('disconnect', (why) => {
    waitBeforeShowing();
    if (why === 'io server disconnect') sentAway(goodbye);
  });
  socket.on('connect_error', (error) => {
    waitBeforeShowing();
    if (!socket.active) sentAway(describeError({ code: 'forbidden', message: error.message, ...error.data })); // refused by the server: the client does not try again by itself
  });
  socket.on('error', (error) => {
    if (error.code === 'unauthenticated' && !error.event) goodbye = describeError(error);
    else if (!waitingForAck.get(error.event)) tell(error); // else the ack of the request says the same
  });
  addEventListener('online', () => socket.disconnect().connect()); // what was open before leads nowhere any more
  addEventListener('offline', () => show('offline'));
  socket.connect();
}

export const on = (event, handler) => socket.on(event, handler);
export const isConnected = () => socket.connected && connection.value === 'connected';

/** Sends an event and resolves with its ack, `{ok:true,…}` or `{ok:false,error}`; it never rejects. */
export async function request(event, payload) {
  if (!socket.connected) return unavailable();
  waitingForAck.set(event, (waitingForAck.get(event) ?? 0) + 1);
  try {
    return await socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, ...(payload ? [payload] : []));
  } catch {
    return unavailable();
  } finally {
    waitingForAck.set(event, waitingForAck.get(event) - 1);
  }
}

/** Waits as long as the server asks for when many requests come at once. */
export async function patiently(event, payload) {
  const ack = await request(event, payload);
  if (ack.ok || ack.error.code !== 'too_many') return ack;
  await new Promise((resolve) => setTimeout(resolve, ack.error.retry_ms));
  return patiently(event, payload);
}

export function reconnectNow() {
  if (!socket.connected) socket.disconnect().connect();
}

function unavailable() {
  return { ok: false, error: { code: 'unavailable', message: 'The server did not answer. It may or may not have been done.' } };
}

function waitBeforeShowing() {
  if (timers.length > 0 || connection.value === 'offline') return;
  timers = [
    setTimeout(() => (connection.value = 'reconnecting'), QUIET_MS),
    setTimeout(() => (connection.value = 'offline'), RECONNECTING_MS),
  ];
}

function show(state) {
  for (const timer of timers.splice(0)) clearTimeout(timer);
  connection.value = state;
}
