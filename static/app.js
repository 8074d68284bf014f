// The page's entry: wires forms and server events to the rooms.
import { setUpDialogs } from './account/dialogs.js';
import { byId, clearAlert, formatTime, onSubmit, showError } from './account/dom.js';
import { setUpComposer } from './composer.js';
import { connect, on, request } from './connection.js';
import { setUpMenu } from './menu.js';
import { openMemberMenu, openMessageMenu, setUpModeration } from './moderation.js';
import { roleSet, sanctioned, sentAway, slowModeSet } from './notices.js';
import { setUpPeople } from './people.js';
import { addMessage, dropMessage, enterRoom, focusOnRoom, forgetRoom, personJoined, personLeft, roomOf, selectRoom, selectedName, setGroups, setMuted, setUpRooms } from './rooms.js';
import { chatJoined, comeBack, groupPayload, isMine, isSelf, joinByName } from './session.js';

let newGroupPassword = '';

setUpRooms({ onOpen: openRoom, onMessageMenu: openMessageMenu, onMemberMenu: openMemberMenu, isSelf });
setUpComposer();
setUpDialogs();
setUpMenu();
setUpModeration();
setUpPeople();
setUpForms();
setUpEvents();
connect({ comeBack, sentAway });

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
  on('message_deleted', ({ room, id }) => dropMessage(room, id));
  on('user_joined', personJoined);
  on('user_left', personLeft);
  on('user_stats', showStats);
  on('sanctioned', sanctioned);
  on('slow_mode_set', slowModeSet);
  on('role_set', roleSet);
  on('room_muted', ({ room, muted }) => setMuted(room, muted));
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
