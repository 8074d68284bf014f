// The rooms: which ones the server has, which ones this page is in, and the one that is shown.
import { byId, element } from './account/dom.js';
import { Log } from './messages.js';

export const PUBLIC = 'public'; // the wire's name of the public room; the server lets no group have it

const joined = new Map(); // name → room, in the order of joining
const items = new Map(); // name → its line in a list, kept so that the keyboard focus survives a new list
let groups = []; // the names of all groups, as the server lists them
let selected = PUBLIC;
const muted = new Set(); // names of rooms that make no noise
let handlers; // what setUpRooms got

/**
 * `onOpen(name)` runs when a person picks a room from a list, `onMessageMenu(button, message, mine)` and
 * `onMemberMenu(button, username, room)` at the "⋯" of a message or a member; `isSelf(username)` tells who gets no menu.
 */
export function setUpRooms(given) {
  handlers = given;
  byId('show-rooms').addEventListener('click', showList);
  byId('members-button').addEventListener('click', () => openMembers(byId('members').hidden));
  openMembers(matchMedia('(min-width: 60rem)').matches);
}

export const roomOf = (name) => joined.get(name);
export const selectedName = () => selected;
export const isMuted = (name) => muted.has(name);
export const mutedRooms = () => [...muted];
export const joinedGroups = () => [...joined.values()].filter(({ name }) => name !== PUBLIC);

/** Notes that this page is in a room (again), with what the server said about it. */
export function enterRoom(name, { history, members = [], isMine }) {
  const room = joined.get(name) ?? newRoom(name, isMine);
  room.members = new Set(members);
  room.closed = false;
  room.log.merge(history);
  joined.set(name, room);
  showSelected();
}

export function forgetRoom(name) {
  const room = joined.get(name);
  if (!room) return;
  room.log.element.remove();
  joined.delete(name);
  if (selected === name) selectRoom(PUBLIC);
  else showLists();
}

/** Out of the public room: it stays to be read, and nothing can be said there until the page joins again. */
export function closePublic(why) {
  const room = joined.get(PUBLIC);
  if (!room) return;
  room.closed = true;
  room.log.line(why);
  showSelected();
}

export function setMuted(name, on) {
  if (on) muted.add(name);
  else muted.delete(name);
  showLists();
}

export function setGroups(names) {
  groups = names;
  showLists();
}

export function selectRoom(name) {
  keepDraft();
  selected = name;
  byId('message').value = joined.get(name)?.draft ?? '';
  byId('chat-view').dataset.pane = 'room';
  showSelected();
}

export function addMessage(message) {
  const room = joined.get(message.room);
  if (!room?.log.add(message) || room.name === selected) return;
  room.unread += 1;
  showLists();
}

export function dropMessage(name, id) {
  joined.get(name)?.log.drop((message) => message.id === id);
}

/** Takes all messages of a person off the page. Who wrote under this name with another capital letter is the same. */
export function dropPerson(username) {
  const key = username.toLowerCase();
  for (const { log } of joined.values()) log.drop((message) => message.username.toLowerCase() === key);
}

/** A line in a room about a person, such as "bob joined". */
export function noteIn(name, username, whatHappened) {
  joined.get(name)?.log.note(username, whatHappened);
}

export function lineIn(name, text) {
  joined.get(name)?.log.line(text);
}

export function personJoined({ username, room: name }) {
  joined.get(name)?.members.add(username);
  noteAboutPerson(username, name, 'joined');
}

export function personLeft({ username, room: name }) {
  joined.get(name)?.members.delete(username);
  noteAboutPerson(username, name, 'left');
}

/** Gives a text that could not be sent back to the input of its room, in front of what was typed since. */
export function giveBack(room, text) {
  keepDraft();
  room.draft = [text, room.draft].filter(Boolean).join('\n');
  if (room.name === selected) byId('message').value = room.draft;
}

function newRoom(name, isMine) {
  const log = new Log(name, isMine, (...about) => handlers.onMessageMenu(...about));
  byId('logs').append(log.element);
  return { name, log, members: new Set(), password: '', draft: '', unread: 0, closed: false };
}

function noteAboutPerson(username, name, whatHappened) {
  noteIn(name, username, whatHappened);
  if (name === selected) showMembers();
}

function keepDraft() {
  const room = joined.get(selected);
  if (room) room.draft = byId('message').value;
}

function showList() {
  byId('chat-view').dataset.pane = 'rooms';
  items.get(selected)?.firstElementChild.focus();
}

function openMembers(open) {
  byId('members').hidden = !open;
  byId('members-button').setAttribute('aria-expanded', String(open));
}

function showSelected() {
  const room = joined.get(selected);
  if (room) room.unread = 0;
  byId('room-name-text').textContent = titleOf(selected);
  byId('password-form').hidden = Boolean(room);
  byId('composer').hidden = !room || room.closed;
  byId('room-button').hidden = !room;
  for (const other of joined.values()) other.log.show(other === room);
  showMembers();
  showLists();
}

function showMembers() {
  const group = selected === PUBLIC ? undefined : joined.get(selected);
  const members = [...(group?.members ?? [])];
  byId('members-button').hidden = !group;
  byId('members-button').textContent = members.length === 1 ? '1 member' : `${members.length} members`;
  byId('members').classList.toggle('none', !group);
  byId('member-list').replaceChildren(...members.map(memberItem));
}

function memberItem(name) {
  const item = element('li', {}, element('bdi', { data: { member: name }, textContent: name }));
  if (handlers.isSelf(name)) return item;
  const button = element('button', { type: 'button', className: 'quiet more', textContent: '⋯', ariaLabel: `Actions for ${name}`, ariaHasPopup: 'menu', ariaExpanded: 'false' });
  button.addEventListener('click', () => handlers.onMemberMenu(button, name, selected));
  item.append(button);
  return item;
}

function showLists() {
  const focused = document.activeElement;
  const others = groups.filter((name) => !joined.has(name));
  byId('joined-rooms').replaceChildren(...[...joined.keys()].map(itemOf));
  byId('other-groups').replaceChildren(...others.map(itemOf));
  byId('other-groups-section').hidden = others.length === 0;
  if (focused !== document.activeElement) focused.focus();
  showUnreadElsewhere();
}

function itemOf(name) {
  const item = items.get(name) ?? newItem(name);
  items.set(name, item);
  const [button] = item.children;
  button.setAttribute('aria-current', String(name === selected));
  const unread = joined.get(name)?.unread ?? 0;
  showCount(button.querySelector('.badge'), isMuted(name) ? 0 : unread);
  showQuietMark(button.querySelector('.quiet-mark'), isMuted(name), unread > 0);
  return item;
}

function newItem(name) {
  const button = element('button', { type: 'button', className: 'room-button', data: { room: name } });
  button.append(
    element('bdi', { textContent: titleOf(name) }),
    element('span', { className: 'quiet-mark', hidden: true }),
    element('span', { className: 'badge', hidden: true }),
  );
  button.addEventListener('click', () => handlers.onOpen(name));
  return element('li', {}, button);
}

function showUnreadElsewhere() {
  const unread = [...joined.values()].reduce((sum, room) => sum + (isMuted(room.name) ? 0 : room.unread), 0);
  showCount(byId('unread-elsewhere'), unread);
}

function showCount(badge, count) {
  badge.hidden = count === 0;
  badge.replaceChildren(String(count), element('span', { className: 'visually-hidden', textContent: ' unread' }));
}

/** What a muted room has in place of a badge: that it is muted, and no number. */
function showQuietMark(mark, shown, hasNews) {
  mark.hidden = !shown;
  mark.textContent = hasNews ? 'muted, new' : 'muted';
}

function titleOf(name) {
  return name === PUBLIC ? 'Public chat' : name;
}

/** Moves on to what a person does next in the shown room; on a touch screen the keyboard must not jump up by itself. */
export function focusOnRoom() {
  const next = roomOf(selected) ? byId('message') : byId('join-password');
  (matchMedia('(pointer: coarse)').matches ? byId('room-name') : next).focus();
}
