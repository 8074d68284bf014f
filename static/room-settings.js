// How a room is run: what one is there, what is set, and the panel to change it.
import { ask } from './account/dialogs.js';
import { formatDuration, t } from './account/i18n.js';
import { copy, leave } from './actions.js';
import { patiently, request } from './connection.js';
import { openDialog } from './dialogs.js';
import { html } from './html.js';
import { NotifyRoom } from './notifications.js';
import { fullLinkTo, isNotYet } from './route.js';
import { Sanctions } from './sanctions.js';
import { toggleMuted } from './session.js';
import { mayModerate, mayRun, titleOf } from './state.js';
import { tellError } from './toasts.js';

const SLOW_MODES = [0, 5, 15, 60, 300, 3600];
const KEPT_DAYS = [0, 1, 7, 30, 90, 365];

/** Asks the server; again whenever it says that something has changed. */
export async function loadInfo(room) {
  if (isNotYet(room)) return;
  const ack = await patiently('get_room', { room: room.name });
  if (ack.ok) room.info.value = ack;
}

export function RoomSettings({ room }) {
  const { slow_mode: slowMode = 0, retention_days: keptDays = 0 } = room.info.value ?? {};
  return html`<div class="stack">
    <h3><bdi>${titleOf(room)}</bdi></h3>
    <label class="check"><input type="checkbox" checked=${room.muted.value} onChange=${() => toggleMuted(room)} /> ${t('chat.muteRoom')}</label>
    <${NotifyRoom} room=${room} />
    ${room.kind !== 'direct' && room.info.value && html`
      <${Choice} id="slow-mode" label=${t('chat.slowMode')} value=${slowMode} options=${SLOW_MODES} name=${nameOfPause} disabled=${!mayModerate(room)} onChoose=${(seconds) => setSlowMode(room, seconds)} />
      <${Choice} id="retention" label=${t('chat.retention')} value=${keptDays} options=${KEPT_DAYS} name=${nameOfTime} disabled=${!mayRun(room)} onChoose=${(days) => setRetention(room, days, keptDays)} />`}
    ${room.kind === 'group' && room.info.value && html`<p class="note">${t(room.info.value.has_password ? 'chat.hasPassword' : 'chat.hasNoPassword')}</p>`}
    ${room.kind === 'group' && mayRun(room) && html`<button type="button" class="quiet" onClick=${() => openDialog({ kind: 'password', room })}>${t('chat.changePassword')}</button>`}
    ${room.kind !== 'direct' && mayModerate(room) && html`<${Sanctions} room=${room} />`}
    ${room.kind !== 'direct' && html`<button type="button" class="quiet" onClick=${() => copy(fullLinkTo(room))}>${t('chat.copyRoomLink')}</button>`}
    ${room.kind === 'group' && html`<button type="button" class="danger" onClick=${() => leave(room)}>${t('chat.leave')}</button>`}
  </div>`;
}

/** Everybody in the room is told when it is done. */
async function setSlowMode(room, seconds) {
  await refusedOr(request('set_slow_mode', { room: room.name, seconds }));
  await loadInfo(room); // where it was refused, the old choice stands again
}

/** What goes does not come back: before a time becomes shorter, it is asked. */
async function setRetention(room, days, before) {
  const act = () => request('set_retention', { room: room.name, days });
  if (days === 0 || (before !== 0 && days >= before)) await refusedOr(act());
  else await ask({ title: t('chat.retentionTitle', { room: titleOf(room) }), text: t('chat.retentionText', { count: days }), button: t('chat.retentionButton'), danger: true, act });
  await loadInfo(room);
}

async function refusedOr(asked) {
  const ack = await asked;
  if (!ack.ok) tellError(ack.error);
}

const nameOfPause = (seconds) => (seconds === 0 ? t('chat.off') : formatDuration(seconds));
const nameOfTime = (days) => (days === 0 ? t('chat.forEver') : t('chat.days', { count: days }));

/** What is set may be none of what this page offers: then it is listed besides. */
function Choice({ id, label, value, options, name, disabled, onChoose }) {
  const all = [...new Set([...options, value])].sort((one, other) => one - other);
  return html`<div class="field"><label for=${id}>${label}</label><select id=${id} value=${value} disabled=${disabled} onChange=${({ currentTarget }) => onChoose(Number(currentTarget.value))}>${all.map((one) => html`<option key=${one} value=${one}>${name(one)}</option>`)}</select></div>`;
}
