// Who one is here, a guest or an account: joins the chat, and comes back after a lost connection.
import { get } from './account/api.js';
import { describeError, t } from './account/i18n.js';
import { patiently, request } from './connection.js';
import { flush } from './outbox.js';
import { attentive, blocked, connection, groups, hidden, me, phase, PUBLIC, Room, addRoom, removeRoom, rooms, sameName, selected } from './state.js';
import { markRead } from './reading.js';
import { followAddress, isNotYet } from './route.js';
import { tell, tellError } from './toasts.js';

let memberOf = []; // an account's groups, as the server knows them

/** A guest comes in under a name. Gives the server's answer. */
export async function joinByName(username) {
  const ack = await request('join_chat', { username });
  if (ack.ok) await settleIn();
  return ack;
}

export function chatJoined({ username, public_messages: messages, available_groups: names, member_of: member = [] }) {
  memberOf = member;
  me.value = { ...me.value, username };
  groups.value = names;
  const room = rooms.value.get(PUBLIC) ?? addRoom(new Room(PUBLIC, 'public'));
  room.closed.value = '';
  room.timeline.begin(messages);
}

/** After every connect: the server may not know this page any more, so it says again who it is and where it was. */
export async function comeBack() {
  for (const { timeline } of rooms.value.values()) timeline.pause();
  if (!(await lookUpAccount())) return;
  if (!me.value) return void (phase.value = 'outside');
  const ack = await patiently('join_chat', { username: me.value.username });
  if (!ack.ok) return ack.error.code === 'unavailable' ? undefined : sentAway(describeError(ack.error));
  connection.value = 'connected';
  await settleIn();
}

/** What comes after joining: the other rooms, what is new in each, and what was missed in those that are open. */
async function settleIn() {
  await Promise.all([comeIntoGroups(), listDirects(), learnHidden()]);
  await countUnread();
  if (phase.value !== 'inside') phase.value = 'inside';
  if (!me.value.account) await repeatPreferences(); // before anything is read again
  const open = [...rooms.value.values()].filter(({ timeline }) => timeline.loaded.value);
  const first = open.filter(({ name }) => name === selected.value);
  for (const { timeline } of [...first, ...open.filter((room) => !first.includes(room))]) await timeline.refresh();
  const shown = rooms.value.get(selected.value);
  if (shown && !shown.timeline.loaded.value) followAddress(); // it was opened while there was no connection
  if (attentive.value) markRead();
  flush();
}

/** The server keeps it over a reload. */
async function learnHidden() {
  const ack = await patiently('set_presence', {});
  if (ack.ok) hidden.value = ack.hidden;
}

async function comeIntoGroups() {
  const known = [...rooms.value.values()].filter(({ kind }) => kind === 'group').map(({ name }) => name);
  for (const name of new Set([...known, ...memberOf])) await comeIntoGroup(name);
}

async function comeIntoGroup(name) {
  const room = rooms.value.get(name);
  const ack = await patiently('join_group', groupPayload(name, room?.password));
  if (ack.ok || ack.error.code === 'unavailable') return;
  removeRoom(name);
  tell(t('chat.noLongerIn', { room: name }));
}

export function groupPayload(group, password) {
  return password ? { group_name: group, password } : { group_name: group };
}

export async function listDirects() {
  const ack = await patiently('list_directs', {});
  if (!ack.ok) return;
  for (const { room: name, username, last } of ack.directs) {
    const room = rooms.value.get(name) ?? addRoom(new Room(name, 'direct', username));
    room.last = Math.max(room.last, last);
    takePlaceOf(username);
  }
}

/** The room of two that the page had shown before there was one. */
function takePlaceOf(username) {
  const before = [...rooms.value.values()].find((room) => isNotYet(room) && sameName(room.partner, username));
  if (!before) return;
  removeRoom(before.name);
  if (selected.value === before.name) followAddress();
}

async function countUnread() {
  const ack = await patiently('get_unread', {});
  if (!ack.ok) return;
  for (const counted of ack.rooms) {
    noteUnread(counted);
    const { room: name, read, last } = counted;
    if (read === null && last > 0 && rooms.value.get(name)?.kind === 'direct') await countFromStart(name);
  }
}

/** Where nothing was marked, the server counts nothing; but what somebody has written to one alone is all new until one has opened it. */
async function countFromStart(name) {
  const ack = await patiently('mark_read', { room: name, seq: 0 });
  if (ack.ok) noteUnread({ ...ack, room: name });
}

export function noteUnread({ room: name, read, last, unread, mentions }) {
  const room = rooms.value.get(name);
  if (!room || last < room.counted) return; // a later count has overtaken this one
  room.read = read;
  room.last = Math.max(room.last, last);
  room.counted = last;
  room.uncounted = room.uncounted.filter(({ seq }) => seq > last); // messages may overtake a count, too
  room.unread.value = unread + room.uncounted.length;
  room.mentions.value = mentions + room.uncounted.filter(({ isMentioned }) => isMentioned).length;
  markRead(); // it may be in view
}

/**
 * Finds out whether this browser is signed in, false when that cannot be told. Over the socket first: a refusal of
 * /api/me would stand in the console of every guest as an error.
 */
async function lookUpAccount() {
  const preferences = await patiently('list_blocked', {});
  if (preferences.error?.code === 'unauthenticated') return isStillGuest();
  if (!preferences.ok) return false;
  const account = await get('/api/me');
  if (!account.ok) return false;
  me.value = { username: account.username, account };
  setPreferences(preferences);
  return true;
}

/** Whoever was here as an account does not come back as a guest. */
function isStillGuest() {
  if (!me.value?.account) return true;
  sentAway(t('chat.signedOutMeanwhile'));
  return false;
}

/** The server has ended the connection, and the page does not come back by itself. */
export function sentAway(message) {
  phase.value = 'gone';
  farewell.message ??= message ?? t('chat.sentAway'); // what was told of a kick or ban says more
}

/** What was said about the reason, before the server ended the connection. */
export const farewell = { message: null };

let mutedAtStart = new Set();

function setPreferences({ blocked: names, muted_rooms: muted }) {
  blocked.value = new Set(names);
  mutedAtStart = new Set(muted);
  for (const room of rooms.value.values()) room.muted.value = mutedAtStart.has(room.name);
}

export const isMutedAtStart = (name) => mutedAtStart.has(name);

/** A guest's blocks and mutes are known to the server for as long as the connection lasts. */
async function repeatPreferences() {
  for (const username of blocked.value) await patiently('block_user', { username });
  for (const { name, muted } of rooms.value.values()) if (muted.value) await patiently('mute_room', { room: name, muted: true });
}

export async function block(username) {
  const ack = await request('block_user', { username });
  if (!ack.ok) return tellError(ack.error);
  blocked.value = new Set(blocked.value).add(username);
  for (const { timeline } of rooms.value.values()) timeline.drop((message) => sameName(message.username, username));
  tell(t('chat.isBlocked', { name: username }), { label: t('chat.undo'), run: () => unblock(username) });
}

export async function unblock(username) {
  const ack = await request('unblock_user', { username });
  if (!ack.ok) return tellError(ack.error);
  blocked.value = new Set([...blocked.value].filter((name) => name !== username));
  for (const { timeline } of rooms.value.values()) await timeline.refresh();
}

export async function toggleMuted(room) {
  const muted = !room.muted.value;
  const ack = await request('mute_room', { room: room.name, muted });
  if (!ack.ok) return tellError(ack.error);
  room.muted.value = muted;
}
