// The page's entry: joins the chat, wires forms and server events to the rooms, and rejoins after a lost connection.
import { setUpComposer } from './composer.js';
import { connect, on, request, settled } from './connection.js';
import { byId, clearAlert, formatTime, onSubmit, showAlert, showError } from './dom.js';
import { PUBLIC, addMessage, enterRoom, forgetRoom, joinedGroups, personJoined, personLeft, roomOf, selectRoom, selectedName, setGroups, setUpRooms } from './rooms.js';

const ownIds = new Set(); // a guest gets a new user id with every join
const isMine = ({ user_id: id }) => ownIds.has(id);
let ownName = null; // null until the person has joined
let newGroupPassword = '';

setUpRooms(openRoom);
setUpComposer();
setUpForms();
setUpEvents();
connect(comeBack);

function setUpForms() {
  onSubmit(byId('join-form'), joinByName);
  onSubmit(byId('create-form'), createGroup);
  onSubmit(byId('password-form'), () => joinGroup(selectedName(), byId('join-password').value));
  byId('leave-button').addEventListener('click', leaveGroup);
  byId('stats-button').addEventListener('click', askForStats);
  byId('alert-close').addEventListener('click', clearAlert);
}

function setUpEvents() {
  on('chat_joined', chatJoined);
  on('group_created', ({ group_name: name }) => joinGroup(name, newGroupPassword));
  on('group_joined', ({ group_name: name, messages, members }) => enterRoom(name, { history: messages, members, isMine }));
  on('group_left', ({ group_name: name }) => forgetRoom(name));
  on('group_list_updated', ({ available_groups: names }) => setGroups(names));
  on('new_message', addMessage);
  on('user_joined', personJoined);
  on('user_left', personLeft);
  on('user_stats', showStats);
}

async function joinByName() {
  await settled();
  const username = byId('username').value;
  const ack = await request('join_chat', { username });
  if (!ack.ok) return showError(ack.error, byId('join-form'));
  ownName = username;
  focusOnRoom();
}

function chatJoined({ user_id: id, username, public_messages: history, available_groups: names }) {
  ownIds.add(id);
  byId('own-name').textContent = username;
  byId('account').hidden = false;
  byId('join-view').hidden = true;
  byId('chat-view').hidden = false;
  setGroups(names);
  enterRoom(PUBLIC, { history, isMine });
}

/** After every connect: the server may not know this page any more, so it says again who it is and where it was. */
async function comeBack() {
  if (ownName === null) return;
  const ack = await patiently('join_chat', { username: ownName });
  if (!ack.ok) return showAlert(ack.error.message);
  for (const { name, password } of joinedGroups()) await rejoin(name, password);
}

async function rejoin(name, password) {
  const ack = await patiently('join_group', groupPayload(name, password));
  if (ack.ok || ack.error.code === 'unavailable') return;
  forgetRoom(name);
  showAlert(`You are no longer in ${name}. ${ack.error.message}`);
}

/** Waits as long as the server asks for when many rooms are joined at once. */
async function patiently(event, payload) {
  const ack = await request(event, payload);
  if (ack.ok || ack.error.code !== 'too_many') return ack;
  await new Promise((resolve) => setTimeout(resolve, ack.error.retry_ms));
  return patiently(event, payload);
}

function openRoom(name) {
  clearAlert();
  byId('password-form').reset();
  selectRoom(name);
  focusOnRoom();
}

async function createGroup() {
  const form = byId('create-form');
  newGroupPassword = byId('group-password').value;
  const ack = await request('create_group', groupPayload(byId('group-name').value, newGroupPassword));
  if (!ack.ok) return showError(ack.error, form);
  form.reset();
  byId('create-group').open = false;
}

async function joinGroup(name, password) {
  const ack = await request('join_group', groupPayload(name, password));
  if (!ack.ok) return showError(ack.error, byId('password-form'));
  byId('password-form').reset();
  roomOf(name).password = password; // in memory only: for joining again after a lost connection
  selectRoom(name);
  focusOnRoom();
}

async function leaveGroup() {
  const name = selectedName();
  const ack = await request('leave_group', { group_name: name });
  if (!ack.ok) return showError(ack.error);
  forgetRoom(name);
  focusOnRoom();
}

async function askForStats() {
  const ack = await request('get_user_stats');
  if (!ack.ok) showError(ack.error);
}

function showStats(stats) {
  for (const place of document.querySelectorAll('[data-stat]')) {
    const value = stats[place.dataset.stat];
    place.textContent = typeof value === 'number' ? String(value) : formatTime(value);
  }
  byId('stats').showModal();
}

function groupPayload(name, password) {
  return password ? { group_name: name, password } : { group_name: name };
}

/** Moves on to what a person does next in the shown room; on a touch screen the keyboard must not jump up by itself. */
function focusOnRoom() {
  const next = roomOf(selectedName()) ? byId('message') : byId('join-password');
  (matchMedia('(pointer: coarse)').matches ? byId('room-name') : next).focus();
}
