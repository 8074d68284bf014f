// The list on the left: rooms, rooms of two, other groups, with what is new in each; and oneself.
import { t } from './account/i18n.js';
import { html } from './html.js';
import { IconButton, icon } from './icons.js';
import { hasDraft } from './composer.js';
import { openDialog } from './dialogs.js';
import { openMenu } from './menu.js';
import { Avatar } from './message.js';
import { ownItems } from './own-menu.js';
import { linkTo } from './route.js';
import { blocked, drawer, groups, isAdmin, me, rooms, sameName, selected, titleOf } from './state.js';

export function Sidebar() {
  const all = [...rooms.value.values()];
  const directs = all.filter(({ kind, partner }) => kind === 'direct' && ![...blocked.value].some((name) => sameName(name, partner))).sort((one, other) => other.last - one.last);
  const others = groups.value.filter((name) => !rooms.value.has(name));
  return html`<nav id="rooms" class="rooms" aria-label=${t('chat.rooms')}>
    <div class="rooms-head">
      <p class="brand" aria-hidden="true">Secure Chat</p>
      <${IconButton} name="search" label=${t('chat.searchAll')} onClick=${() => (drawer.value = 'search')} />
    </div>
    <div class="rooms-list">
      <${Section} title=${t('chat.rooms')} add=${t('chat.newRoom')} onAdd=${() => openDialog({ kind: 'room' })}>
        ${all.filter(({ kind }) => kind !== 'direct').map((room) => html`<${Item} key=${room.name} room=${room} />`)}
      <//>
      <${Section} title=${t('chat.directs')} add=${t('chat.newDirect')} onAdd=${() => openDialog({ kind: 'direct' })}>
        ${directs.map((room) => html`<${Item} key=${room.name} room=${room} />`)}
      <//>
      ${others.length > 0 && html`<${Section} title=${t('chat.otherGroups')}>
        ${others.map((name) => html`<li key=${name}><a class="room-link" href=${linkTo({ name, kind: 'group' })} data-room=${name} aria-current=${name === selected.value ? 'page' : undefined}><bdi>${name}</bdi></a></li>`)}
      <//>`}
    </div>
    ${isAdmin() && html`<p class="invite"><button type="button" class="quiet" onClick=${() => openDialog({ kind: 'invite' })}>${t('chat.invite')}</button></p>`}
    <p class="note">${t('chat.encryption')}</p>
    <button type="button" class="own" aria-haspopup="menu" onClick=${({ currentTarget }) => openMenu(currentTarget, t('chat.ownMenu'), ownItems())}>
      <${Avatar} name=${me.value.username} /><bdi id="own-name">${me.value.username}</bdi><span class="note">${me.value.account ? '' : t('chat.guest')}</span>
    </button>
  </nav>`;
}

function Section({ title, add, onAdd, children }) {
  return html`<section aria-label=${title}>
    <div class="section-head"><h2>${title}</h2>${onAdd && html`<${IconButton} name="add" label=${add} onClick=${onAdd} />`}</div>
    <ul>${children}</ul>
  </section>`;
}

function Item({ room }) {
  const [unread, mentions, muted] = [room.unread.value, room.mentions.value, room.muted.value];
  const isNew = unread > 0 && !muted;
  const isShown = room.name === selected.value;
  return html`<li><a class=${`room-link ${isNew ? 'new' : ''}`} href=${linkTo(room)} data-room=${room.partner ?? room.name} aria-current=${isShown ? 'page' : undefined}>
    ${room.kind === 'direct' && html`<${Avatar} name=${room.partner} />`}<bdi>${titleOf(room)}</bdi>
    ${!isShown && hasDraft(room) && html`<span class="note">${t('chat.draft')}</span>`}
    ${muted && html`<span class="note">${icon('muted')}<span class="visually-hidden">${t('chat.muted')}</span></span>`}
    ${unread > 0 && !muted && html`<span class=${mentions > 0 || room.kind === 'direct' ? 'badge loud' : 'badge'}>${mentions > 0 ? '@' : ''}${unread > 99 ? '99+' : unread}<span class="visually-hidden"> ${t('chat.unread', { count: unread })}${mentions > 0 ? `, ${t('chat.mentions', { count: mentions })}` : ''}</span></span>`}
  </a></li>`;
}
