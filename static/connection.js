// The one Socket.IO connection of the page: requests with acks, the shown state, and coming back after a break.
import { io } from 'socket.io-client';
import { byId, showAlert } from './dom.js';

const ACK_TIMEOUT_MS = 15_000;
const STATES = { connecting: 'Connecting…', connected: 'Connected', offline: 'Offline' };

const socket = io({ autoConnect: false });
const waitingForAck = new Map(); // event name → how many requests wait for their ack
let state = 'offline';
const waitingForState = []; // resolvers of promises

/** Connects. `comeBack` runs after each connect: the state turns to "connected" only when it is done. */
export function connect(comeBack) {
  socket.on('connect', async () => {
    await comeBack();
    if (socket.connected) show('connected');
  });
  socket.on('disconnect', () => show('offline'));
  socket.on('connect_error', (error) => {
    show('offline');
    if (!socket.active) showAlert(error.message); // refused by the server: the client does not try again by itself
  });
  socket.io.on('reconnect_attempt', () => show('connecting'));
  socket.on('error', showUnasked);
  byId('reconnect').addEventListener('click', reconnectNow);
  show('connecting');
  socket.connect();
}

export const on = (event, handler) => socket.on(event, handler);

/** Waits while the page connects and goes back to its rooms: what a person sends earlier would be refused. */
export async function settled() {
  while (state === 'connecting') await new Promise((resolve) => waitingForState.push(resolve));
}

/** Sends an event and resolves with its ack, `{ok:true,…}` or `{ok:false,error}`; it never rejects. */
export async function request(event, payload) {
  if (!socket.connected) return failure('You are offline. Nothing was sent.');
  waitingForAck.set(event, (waitingForAck.get(event) ?? 0) + 1);
  try {
    return await socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, ...(payload ? [payload] : []));
  } catch {
    return failure('The connection broke before the server answered. It may or may not have arrived.');
  } finally {
    waitingForAck.set(event, waitingForAck.get(event) - 1);
  }
}

function failure(message) {
  return { ok: false, error: { code: 'unavailable', message } };
}

/** An `error` event repeats what the ack of the same request says; only one that no request waits for is news. */
function showUnasked(error) {
  if (!waitingForAck.get(error.event)) showAlert(error.message);
}

function reconnectNow() {
  show('connecting');
  socket.disconnect().connect();
}

function show(newState) {
  state = newState;
  byId('connection').dataset.state = state;
  byId('connection-text').textContent = STATES[state];
  byId('reconnect').hidden = state !== 'offline';
  for (const resolve of waitingForState.splice(0)) resolve();
}
