// The menus of messages, people and rooms: what one can do about them, oneself or as a moderator. Whether one may, the
// server decides: in groups the page cannot know who is their owner or moderator, so there it offers all, and shows the refusal.
import { ask, askForSanction } from './account/dialogs.js';
import { byId, clearErrors, onSubmit, showAlert, showError } from './account/dom.js';
import { request } from './connection.js';
import { openMenu } from './menu.js';
import { block, toggleMuted } from './people.js';
import { PUBLIC, isMuted, noteIn, selectedName } from './rooms.js';
import { isModerator } from './session.js';

const DONE = { kick: 'was sent away', ban: 'was banned', mute: 'was muted' };

export function setUpModeration() {
  byId('room-button').addEventListener('click', ({ currentTarget: button }) => openMenu(button, roomItems(selectedName())));
  onSubmit(byId('slow-mode-form'), setSlowMode);
  byId('slow-mode-cancel').addEventListener('click', () => byId('slow-mode').close());
}

export function openMessageMenu(button, message, mine) {
  openMenu(button, mine ? [{ label: 'Delete…', danger: true, run: () => deleteOwn(message) }] : messageItems(message));
}

function messageItems(message) {
  const { username, room } = message;
  const items = [
    { label: 'Report…', run: () => report(message) },
    { label: `Block ${username}`, run: () => block(username) },
  ];
  if (!mayOffer(room)) return items;
  return [...items, { label: 'Delete…', danger: true, run: () => deleteOther(message) }, ...sanctionItems(username, room)];
}

export function openMemberMenu(button, username, room) {
  const role = (name) => () => setRoomRole(username, room, name);
  openMenu(button, [
    { label: `Block ${username}`, run: () => block(username) },
    ...sanctionItems(username, room),
    { label: 'Make a moderator', run: role('moderator') },
    { label: 'Make an ordinary member', run: role('member') },
    { label: 'Hand the group over…', run: () => handOver(username, room) },
  ]);
}

function roomItems(room) {
  const items = [{ label: isMuted(room) ? 'Unmute this room' : 'Mute this room', run: () => toggleMuted(room) }];
  return mayOffer(room) ? [...items, { label: 'Slow mode…', run: () => byId('slow-mode').showModal() }] : items;
}

const mayOffer = (room) => isModerator() || room !== PUBLIC;

function sanctionItems(username, room) {
  const act = (action) => async () => {
    const done = await askForSanction({ action, username, room, server: isModerator(), send: request });
    if (!done) return;
    const more = done.messages_removed > 0 ? ` ${done.messages_removed} of their messages were removed.` : '';
    noteIn(selectedName(), username, `${DONE[action]}.${more}`);
  };
  return [
    { label: 'Mute…', run: act('mute') },
    { label: 'Kick…', danger: true, run: act('kick') },
    { label: 'Ban…', danger: true, run: act('ban') },
  ];
}

async function report({ id, username, message }) {
  const done = await ask({
    title: `Report this message of ${username}?`,
    text: message,
    label: 'Reason',
    button: 'Report',
    act: (reason) => request('report_message', { id, reason }),
  });
  if (done) noteIn(selectedName(), username, 'was reported. The moderators will look at the message.');
}

async function deleteOwn({ id, message }) {
  await ask({ title: 'Delete your message?', text: message, button: 'Delete', danger: true, act: () => request('delete_message', { id }) });
  keepFocus();
}

async function deleteOther({ id, username, message }) {
  await ask({
    title: `Delete this message of ${username}?`,
    text: message,
    label: 'Reason, for the audit log',
    button: 'Delete',
    danger: true,
    act: (reason) => request('delete_message', { id, reason }),
  });
  keepFocus();
}

/** The button that opened the dialog went with its message. */
function keepFocus() {
  if (document.activeElement === document.body) byId('room-name').focus();
}

async function setRoomRole(username, room, role) {
  const ack = await request('set_role', { username, room, role });
  if (!ack.ok) showAlert(ack.error.message);
}

async function handOver(username, room) {
  await ask({
    title: `Make ${username} the owner of ${room}?`,
    text: 'The owner so far stays as a moderator.',
    button: 'Hand over',
    act: () => request('set_role', { username, room, role: 'owner' }),
  });
}

async function setSlowMode() {
  const form = byId('slow-mode-form');
  clearErrors(form);
  const ack = await request('set_slow_mode', { room: selectedName(), seconds: Number(form.elements.seconds.value) });
  if (!ack.ok) return showError(ack.error, form);
  byId('slow-mode').close();
}
