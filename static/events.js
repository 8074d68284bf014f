// What the server tells without being asked, put into the state.
import { formatDuration, formatTime, t } from './account/i18n.js';
import { on } from './connection.js';
import { announce } from './log.js';
import { notify } from './notifications.js';
import { arrived } from './outbox.js';
import { changePresence, personJoined, personLeft, roleChanged } from './people.js';
import { isAtEnd, markRead } from './reading.js';
import { loadInfo } from './room-settings.js';
import { followAddress, goTo } from './route.js';
import { chatJoined, farewell, isMutedAtStart, listDirects, noteUnread } from './session.js';
import { addRoom, attentive, groups, isSelf, PUBLIC, removeRoom, Room, rooms, sameName, selected, titleOf } from './state.js';
import { tell } from './toasts.js';

const TYPING_MS = 6_000;

export function setUpEvents() {
  on('chat_joined', (joined) => {
    chatJoined(joined);
    changedRun(PUBLIC);
  });
  on('group_list_updated', ({ available_groups: names }) => (groups.value = names));
  on('group_created', ({ group_name: name }) => roomIn(name));
  on('group_joined', groupJoined);
  on('group_left', ({ group_name: name }) => forget(name));
  on('new_message', newMessage);
  on('message_edited', ({ id, room, ...changed }) => rooms.value.get(room)?.timeline.change(id, (message) => ({ ...message, ...changed })));
  on('message_deleted', ({ id, room }) => rooms.value.get(room)?.timeline.drop((message) => message.id === id));
  on('messages_expired', ({ room, before }) => rooms.value.get(room)?.timeline.drop(({ seq }) => seq < before));
  on('message_reacted', messageReacted);
  on('message_pinned', ({ id, room, pinned, username }) => pinChanged(room, id, pinned, username));
  on('unread_changed', noteUnread);
  on('room_muted', ({ room, muted }) => rooms.value.has(room) && (rooms.value.get(room).muted.value = muted));
  on('typing', somebodyTypes);
  on('user_joined', personJoined);
  on('user_left', personLeft);
  on('presence_changed', changePresence);
  on('role_set', ({ username, room, role }) => {
    roleChanged(room);
    changedRun(room);
    if (isSelf(username)) tell(t(`chat.roleSet.${role}`, { room: titleOfRoom(room) }));
  });
  on('slow_mode_set', ({ room, seconds }) => changedRun(room, seconds > 0 ? t('chat.slowModeOn', { time: formatDuration(seconds) }) : t('chat.slowModeOff')));
  on('retention_set', ({ room, days }) => changedRun(room, days > 0 ? t('chat.retentionOn', { count: days }) : t('chat.retentionOff')));
  on('sanctioned', sanctioned);
}

const roomIn = (name) => rooms.value.get(name) ?? addRoom(withMute(new Room(name, 'group')));
const titleOfRoom = (name) => titleOf(rooms.value.get(name) ?? { name });

function withMute(room) {
  room.muted.value = isMutedAtStart(room.name);
  return room;
}

function groupJoined({ group_name: name, messages, members }) {
  const isNew = !rooms.value.has(name);
  const room = roomIn(name);
  room.closed.value = '';
  room.members.value = members;
  room.last = Math.max(room.last, messages.at(-1)?.seq ?? 0);
  changedRun(name); // a role may have been given while this page was away
  if (isNew && name === selected.value) followAddress(); // its password was asked for: now it opens where the address says
}

/** How a room is run has changed; what it says of that, where it is in view. */
function changedRun(name, told = null) {
  const room = rooms.value.get(name);
  if (room?.info.value) loadInfo(room);
  if (told !== null && name === selected.value) tell(told);
}

function forget(name) {
  removeRoom(name);
  if (selected.value === name) goTo(PUBLIC);
}

async function newMessage(message) {
  arrived(message.client_id);
  const room = rooms.value.get(message.room) ?? (await newDirect(message.room));
  if (!room) return;
  const isShown = room.name === selected.value;
  const isReading = isShown && attentive.value && isAtEnd();
  const { last } = room;
  const isNew = room.timeline.receive(message);
  room.last = Math.max(last, message.seq);
  stopsTyping(room, message.username);
  if (isSelf(message.username)) return isOwn(room, isShown);
  if (!isNew) return;
  if (isShown) announce(message);
  if (isReading) return markRead();
  if (isShown && room.unread.value === 0) room.timeline.newAfter.value = last;
  const isMentioned = (message.mentions ?? []).some(isSelf);
  countNew(room, message, isMentioned);
  notify(room, message, isMentioned || room.kind === 'direct');
}

/** The first message of a room of two: all of it is new. */
async function newDirect(name) {
  await listDirects();
  const room = rooms.value.get(name);
  if (room) room.read ??= 0;
  return room;
}

function isOwn(room, isShown) {
  room.timeline.newAfter.value = null;
  if (isShown) markRead();
}

/** The server may have counted it already, or be about to tell a count without it. */
function countNew(room, { seq }, isMentioned) {
  if (seq <= room.counted) return;
  room.uncounted.push({ seq, isMentioned });
  room.unread.value += 1;
  if (isMentioned) room.mentions.value += 1;
}

function messageReacted({ id, room, username, emoji, added }) {
  rooms.value.get(room)?.timeline.change(id, (message) => {
    const others = (message.reactions ?? []).map((one) => (one.emoji === emoji ? { emoji, usernames: one.usernames.filter((name) => !sameName(name, username)) } : one));
    const known = others.find((one) => one.emoji === emoji);
    if (added && known) known.usernames.push(username);
    else if (added) others.push({ emoji, usernames: [username] });
    return { ...message, reactions: others.filter(({ usernames }) => usernames.length > 0) };
  });
}

function pinChanged(name, id, pinned, username) {
  const room = rooms.value.get(name);
  if (!room) return;
  room.timeline.change(id, (message) => ({ ...message, pinned }));
  dispatchEvent(new CustomEvent('pins-changed', { detail: { room: name } }));
  if (name === selected.value && !isSelf(username)) tell(t(pinned ? 'chat.pinnedBy' : 'chat.unpinnedBy', { name: username }));
}

function somebodyTypes({ username, room: name }) {
  const room = rooms.value.get(name);
  if (!room || isSelf(username)) return;
  clearTimeout(room.typing.value.get(username));
  room.typing.value = new Map(room.typing.value).set(username, setTimeout(() => stopsTyping(room, username), TYPING_MS));
}

function stopsTyping(room, username) {
  if (!room.typing.value.has(username)) return;
  clearTimeout(room.typing.value.get(username));
  const left = new Map(room.typing.value);
  left.delete(username);
  room.typing.value = left;
}

function sanctioned({ action, room: name, until, reason }) {
  const place = name === null ? t('chat.thisServer') : titleOfRoom(name);
  const told = t(`chat.sanctioned.${action}`, { place }) + (until ? ` ${t('chat.until', { time: formatTime(until) })}` : '') + (reason ? ` ${t('chat.reason', { reason })}` : '');
  const isOut = action === 'kick' || action === 'ban';
  if (isOut && name === null) return void (farewell.message = told); // the whole page says it
  tell(told);
  if (!isOut) return;
  if (name === PUBLIC) rooms.value.get(PUBLIC).closed.value = told;
  else forget(name);
}
