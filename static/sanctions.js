// Who is banned from a room or muted there, for those who run it; and the way to lift that.
import { useEffect, useState } from './vendor/preact-hooks.js';
import { describeError, formatTime, t } from './account/i18n.js';
import { patiently, request } from './connection.js';
import { html } from './html.js';
import { tell } from './toasts.js';

export function Sanctions({ room }) {
  const [{ sanctions, error }, setState] = useState({ sanctions: null, error: null });
  const load = async () => {
    const ack = await patiently('list_sanctions', { room: room.name });
    setState({ sanctions: ack.ok ? ack.sanctions : [], error: ack.ok ? null : ack.error });
  };
  useEffect(() => void load(), [room]);
  const lift = (event, payload) => async () => {
    const ack = await request(event, { room: room.name, ...payload });
    tell(ack.ok ? t('chat.lifted', { name: payload.username }) : describeError(ack.error));
    await load();
    document.querySelector('#sanctions-title')?.focus();
  };
  if (!sanctions) return null;
  return html`<section class="stack" aria-labelledby="sanctions-title">
    <h3 id="sanctions-title" tabindex="-1">${t('chat.sanctions')}</h3>
    ${error && html`<p class="field-error">${describeError(error)}</p>`}
    ${!error && sanctions.length === 0 && html`<p class="note">${t('chat.noSanctions')}</p>`}
    <ul class="rows">${sanctions.map(({ username, banned, banned_until: bannedUntil, muted, muted_until: mutedUntil, by, reason }) => html`<li class="row" key=${username}>
      <div><bdi>${username}</bdi>
        <p class="note">${[banned && whatHolds('banned', bannedUntil), muted && whatHolds('muted', mutedUntil)].filter(Boolean).join(', ')}. ${t('chat.sanctionedBy', { name: by })} ${reason && t('chat.reason', { reason })}</p></div>
      ${banned && html`<button type="button" class="quiet" aria-label=${t('chat.unban', { name: username })} onClick=${lift('unban_user', { username })}>${t('chat.unbanButton')}</button>`}
      ${muted && html`<button type="button" class="quiet" aria-label=${t('chat.unmute', { name: username })} onClick=${lift('mute_user', { username, minutes: 0 })}>${t('chat.unmuteButton')}</button>`}
    </li>`)}</ul>
  </section>`;
}

const whatHolds = (what, until) => (until === null ? t(`chat.${what}ForEver`) : t(`chat.${what}Until`, { time: formatTime(until) }));
