// The rooms: which ones the server has, which ones this page is in, and the one that is shown.
import { byId, element } from './dom.js';
import { Log } from './messages.js';

export const PUBLIC = 'public'; // the wire's name of the public room; the server lets no group have it

const joined = new Map(); // name → room, in the order of joining
const items = new Map(); // name → its line in a list, kept so that the keyboard focus survives a new list
let groups = []; // the names of all groups, as the server lists them
let selected = PUBLIC;
let openRoom = () => {};

/** `onOpen(name)` is called when a person picks a room from a list. */
export function setUpRooms(onOpen) {
  openRoom = onOpen;
  byId('show-rooms').addEventListener('click', showList);
  byId('members-button').addEventListener('click', () => openMembers(byId('members').hidden));
  openMembers(matchMedia('(min-width: 60rem)').matches);
}

export const roomOf = (name) => joined.get(name);
export const selectedName = () => selected;
export const joinedGroups = () => [...joined.values()].filter(({ name }) => name !== PUBLIC);

/** Notes that this page is in a room (again), with what the server said about it. */
export function enterRoom(name, { history, members = [], isMine }) {
  const room = joined.get(name) ?? newRoom(name, isMine);
  room.members = new Set(members);
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
  const log = new Log(name, isMine);
  byId('logs').append(log.element);
  return { name, log, members: new Set(), password: '', draft: '', unread: 0 };
}

function noteAboutPerson(username, name, whatHappened) {
  joined.get(name)?.log.note(username, whatHappened);
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
  byId('composer').hidden = !room;
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
  byId('member-list').replaceChildren(
    ...members.map((name) => element('li', { data: { member: name } }, element('bdi', { textContent: name }))),
  );
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
  showCount(button.querySelector('.badge'), joined.get(name)?.unread ?? 0);
  return item;
}

function newItem(name) {
  const button = element('button', { type: 'button', className: 'room-button', data: { room: name } });
  button.append(element('bdi', { textContent: titleOf(name) }), element('span', { className: 'badge', hidden: true }));
  button.addEventListener('click', () => openRoom(name));
  return element('li', {}, button);
}

function showUnreadElsewhere() {
  const unread = [...joined.values()].reduce((sum, room) => sum + room.unread, 0);
  showCount(byId('unread-elsewhere'), unread);
}

function showCount(badge, count) {
  badge.hidden = count === 0;
  badge.replaceChildren(String(count), element('span', { className: 'visually-hidden', textContent: ' unread' }));
}

function titleOf(name) {
  return name === PUBLIC ? 'Public chat' : name;
}
