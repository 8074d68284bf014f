// What can be done about a message, a person or a room, and what it is called in a menu. Whether one may, the server decides.
import { ask, askForSanction } from './account/dialogs.js';
import { t } from './account/i18n.js';
import { request } from './connection.js';
import { pickEmoji } from './emoji.js';
import { openDialog } from './dialogs.js';
import { roleChanged } from './people.js';
import { fullLinkTo, goTo, goToPerson } from './route.js';
import { block, toggleMuted } from './session.js';
import { blocked, drawer, isModerator, isSelf, mayModerate, mayRun, me, PUBLIC } from './state.js';
import { tell, tellError } from './toasts.js';

export async function react(message, emoji, remove = false) {
  const ack = await request('react', { id: message.id, emoji, ...(remove ? { remove } : {}) });
  if (!ack.ok) tellError(ack.error);
}

export function messageItems(room, message) {
  const mine = isSelf(message.username);
  const moderates = mayModerate(room);
  return [
    { label: t('chat.reply'), run: () => (room.reply.value = message) },
    { label: t('chat.react'), run: () => pickEmoji(document.activeElement, (emoji) => react(message, emoji)) },
    mine && { label: t('chat.edit'), run: () => (room.editing.value = message) },
    message.message && { label: t('chat.copyText'), run: () => copy(message.message) },
    { label: t('chat.copyLink'), run: () => copy(fullLinkTo(room, message.seq)) },
    (moderates || (room.kind === 'direct' && me.value.account)) && { label: t('chat.pin'), run: () => pin(message, true) },
    (moderates || room.kind === 'direct') && message.pinned && { label: t('chat.unpin'), run: () => pin(message, false) },
    !mine && { label: t('chat.reportMenu'), run: () => report(message) },
    (mine || moderates) && { label: t('chat.deleteMenu'), danger: true, run: () => remove(message, mine) },
    ...(mine ? [] : personItems(room, message.username)),
  ];
}

export function personItems(room, username) {
  if (isSelf(username)) return [{ label: t('chat.profile'), run: () => location.assign('/account') }];
  const sanction = (action) => () => punish(action, username, room);
  return [
    room.kind !== 'direct' && { label: t('chat.writeTo', { name: username }), run: () => goToPerson(username) },
    !blocked.value.has(username) && { label: t('chat.block', { name: username }), run: () => block(username) },
    ...(mayModerate(room)
      ? [
          { label: t('chat.mutePerson'), danger: true, run: sanction('mute') },
          { label: t('chat.kick'), danger: true, run: sanction('kick') },
          { label: t('chat.ban'), danger: true, run: sanction('ban') },
        ]
      : []),
    ...(room.kind === 'group' && mayRun(room) ? roleItems(room, username) : []),
  ];
}

function roleItems(room, username) {
  const set = (role) => async () => {
    const ack = await request('set_role', { username, room: room.name, role });
    if (!ack.ok) return tellError(ack.error);
    roleChanged(room.name);
  };
  return [
    { label: t('chat.makeModerator'), run: set('moderator') },
    { label: t('chat.makeMember'), run: set('member') },
    { label: t('chat.handOver'), danger: true, run: () => handOver(room, username) },
  ];
}

export function roomItems(room) {
  return [
    { label: t(room.muted.value ? 'chat.unmuteRoom' : 'chat.muteRoom'), run: () => toggleMuted(room) },
    { label: t('chat.roomSettings'), run: () => (drawer.value = 'room') },
    { label: t('chat.copyRoomLink'), run: () => copy(fullLinkTo(room)) },
    room.kind === 'group' && { label: t('chat.leave'), danger: true, run: () => leave(room) },
  ];
}

export async function pin(message, wanted) {
  const ack = await request(wanted ? 'pin_message' : 'unpin_message', { id: message.id });
  if (!ack.ok) return tellError(ack.error);
  tell(t(wanted ? 'chat.isPinned' : 'chat.isUnpinned'));
}

async function report({ id, username, message }) {
  const done = await ask({
    title: t('chat.reportTitle', { name: username }), text: message, label: t('chat.reportReason'), button: t('chat.report'),
    act: (reason) => request('report_message', { id, reason }),
  });
  if (done) tell(t('chat.reported'));
}

async function remove({ id, username, message }, mine) {
  await ask({
    title: mine ? t('chat.deleteOwnTitle') : t('chat.deleteTitle', { name: username }), text: message, button: t('chat.delete'), danger: true,
    ...(mine ? {} : { label: t('chat.reasonForLog') }),
    act: (reason) => request('delete_message', { id, ...(mine ? {} : { reason }) }),
  });
  keepFocus();
}

/** What had the focus may have gone with its message; the closed dialog then keeps it for a moment, and loses it. */
function keepFocus() {
  const { activeElement: focused } = document;
  if (focused === document.body || focused.closest('dialog:not([open])')) document.querySelector('#log')?.focus();
}

async function punish(action, username, room) {
  const done = await askForSanction({ action, username, room: room.kind === 'direct' ? null : room.name, server: isModerator(), send: request });
  if (!done) return;
  tell(t(`chat.done.${action}`, { name: username }) + (done.messages_removed > 0 ? ` ${t('chat.messagesRemoved', { count: done.messages_removed })}` : ''));
}

async function handOver(room, username) {
  await ask({
    title: t('chat.handOverTitle', { name: username, room: room.name }), text: t('chat.handOverText'), button: t('chat.handOverButton'),
    act: () => request('set_role', { username, room: room.name, role: 'owner' }),
  });
}

export async function leave(room) {
  const done = await ask({ title: t('chat.leaveTitle', { room: room.name }), text: t('chat.leaveText'), button: t('chat.leave'), danger: true, act: () => request('leave_group', { group_name: room.name }) });
  if (done) goTo(PUBLIC);
}

/** Without TLS browsers have no clipboard for pages: then the text is shown, to be copied by hand. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell(t('chat.copied'));
  } catch {
    openDialog({ kind: 'copy', text });
  }
}

