// The one Socket.IO connection of the page: requests with acks, the shown state, and coming back after a break.
import { io } from 'socket.io-client';
import { byId, showAlert } from './account/dom.js';

const ACK_TIMEOUT_MS = 15_000;
const STATES = { connecting: 'Connecting…', connected: 'Connected', offline: 'Offline' };

// This page comes back by itself, and says then who it is and where it was.
const socket = io({ autoConnect: false, auth: { resume: false } });
const waitingForAck = new Map(); // event name → how many requests wait for their ack
let state = 'offline';
const waitingForState = []; // resolvers of promises

/**
 * Connects. `comeBack` runs after each connect: the state turns to "connected" only when it is done. `sentAway(message)`
 * runs when the server has ended the connection on purpose: the client does not connect again by itself.
 */
export function connect({ comeBack, sentAway }) {
  let goodbye = null;
  socket.on('connect', async () => {
    goodbye = null;
    await comeBack();
    if (socket.connected) show('connected');
  });
  socket.on('disconnect', (why) => {
    show('offline');
    if (why === 'io server disconnect' && goodbye) sentAway(goodbye);
  });
  socket.on('connect_error', (error) => {
    show('offline');
    if (!socket.active) showAlert(error.message); // refused by the server: the client does not try again by itself
  });
  socket.io.on('reconnect_attempt', () => show('connecting'));
  socket.on('error', (error) => {
    if (error.code === 'unauthenticated' && !error.event) goodbye = error.message;
    else showUnasked(error);
  });
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

/** Waits as long as the server asks for when many requests come at once. */
export async function patiently(event, payload) {
  const ack = await request(event, payload);
  if (ack.ok || ack.error.code !== 'too_many') return ack;
  await new Promise((resolve) => setTimeout(resolve, ack.error.retry_ms));
  return patiently(event, payload);
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
