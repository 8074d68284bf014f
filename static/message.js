// One message as it is shown: who, when, what, its files and reactions, and what can be done with it.
import { describeError, formatClock, formatMoment, formatTime, t } from './account/i18n.js';
import { decodeLegacy } from './crypto.js';
import { pickEmoji } from './emoji.js';
import { Files, isNamesAlone } from './files.js';
import { html, memo } from './html.js';
import { IconButton, icon } from './icons.js';
import { markdown, plainText } from './markdown.js';
import { messageItems, personItems, react } from './actions.js';
import { openMenu } from './menu.js';
import { discard, retry } from './outbox.js';
import { goTo } from './route.js';
import { isSelf, me } from './state.js';
import { takeBack } from './composer.js';

const TONES = 8;

/** The same person has the same colour everywhere. */
export function Avatar({ name }) {
  const sum = [...name.toLowerCase()].reduce((hash, letter) => (Math.imul(hash, 31) + letter.codePointAt(0)) | 0, 7);
  return html`<span class="avatar" data-tone=${Math.abs(sum) % TONES} aria-hidden="true">${[...name][0]?.toUpperCase() ?? ''}</span>`;
}

export const Message = memo(({ room, message, followUp, fresh, marked }) => {
  const mine = isSelf(message.username);
  const mentionsMe = (message.mentions ?? []).some(isSelf);
  const classes = ['message', mine && 'mine', followUp && 'follow-up', mentionsMe && 'mentions-me', marked && 'marked', fresh && 'fresh'].filter(Boolean).join(' ');
  return html`<article class=${classes} data-id=${message.id} data-seq=${message.seq} data-author=${message.username} tabindex="-1" aria-label=${nameOf(message)} onKeyDown=${(event) => onKey(event, room, message)}>
    ${followUp ? html`<time class="gutter" dateTime=${message.timestamp} aria-hidden="true">${formatClock(message.timestamp)}</time>` : html`<${Avatar} name=${message.username} />`}
    <div class="content">
      <header class=${followUp ? 'visually-hidden' : ''}>
        <button type="button" class="author" tabindex="-1" onClick=${({ currentTarget }) => openMenu(currentTarget, message.username, personItems(room, message.username))}><bdi>${message.username}</bdi></button>
        <time dateTime=${message.timestamp} title=${formatMoment(message.timestamp)}>${formatClock(message.timestamp)}</time>
        ${message.pinned && html`<span class="note">${t('chat.pinned')}</span>`}
      </header>
      ${message.reply_to && html`<${Quote} room=${room} quote=${message.reply_to} />`}
      <${Text} room=${room} message=${message} />
      <${Files} files=${message.attachments ?? []} />
      <${ReactionList} message=${message} />
    </div>
    ${mine && html`<span class="state" title=${t('chat.sent')}>${icon('check')}<span class="visually-hidden">${t('chat.sent')}</span></span>`}
    <${Tools} room=${room} message=${message} />
  </article>`;
});

const nameOf = ({ username, message }) => t('chat.messageOf', { name: username, text: message.slice(0, 80) });

function Text({ room, message }) {
  return html`<div class="text">
    ${message.message && !isNamesAlone(message) && markdown(message, message.mentions)}
    ${message.edited_at && html`<span class="note edited" title=${formatTime(message.edited_at)}>${t('chat.edited')}</span>`}
    ${message.encrypted_content && html`<${Legacy} room=${room} message=${message} />`}
  </div>`;
}

/** The obfuscated twin of a text from an old page; its content is shown only where it says something else. */
function Legacy({ room, message: { message, encrypted_content: content } }) {
  const decoded = decodeLegacy(room.name, content);
  return html`<p class="note legacy">${t('chat.legacy')}${decoded !== message && html`: <bdi>${decoded}</bdi>`}</p>`;
}

function Quote({ room, quote }) {
  const text = quote.username === undefined ? t('chat.quoteGone') : plainText(quote.message);
  return html`<button type="button" class="quote-link" tabindex="-1" onClick=${() => goTo(room.name, quote.seq)}>
    <span class="visually-hidden">${t('chat.answerTo')} </span>${quote.username !== undefined && html`<bdi class="quoted-name">${quote.username}</bdi> `}<span dir="auto">${text}</span>
  </button>`;
}

function ReactionList({ message }) {
  const { reactions = [] } = message;
  if (reactions.length === 0) return null;
  return html`<ul class="reactions" aria-label=${t('chat.reactions')}>${reactions.map(({ emoji, usernames }) => {
    const own = usernames.some(isSelf);
    const who = usernames.slice(0, 12).join(', ') + (usernames.length > 12 ? ' …' : '');
    return html`<li key=${emoji}><button type="button" class="reaction" tabindex="-1" aria-pressed=${String(own)} aria-label=${t('chat.reactionBy', { emoji, who, count: usernames.length })} title=${who} onClick=${() => react(message, emoji, own)}>${emoji} <span>${usernames.length}</span></button></li>`;
  })}</ul>`;
}

function Tools({ room, message }) {
  const menu = ({ currentTarget }) => openMenu(currentTarget, t('chat.actionsFor', { name: message.username }), messageItems(room, message));
  return html`<div class="tools">
    <${IconButton} name="react" tabindex="-1" class="tool" label=${t('chat.react')} onClick=${({ currentTarget }) => pickEmoji(currentTarget, (emoji) => react(message, emoji))} />
    <${IconButton} name="reply" tabindex="-1" class="tool" label=${t('chat.reply')} onClick=${() => (room.reply.value = message)} />
    <${IconButton} name="more" tabindex="-1" class="tool more" label=${t('chat.actionsFor', { name: message.username })} aria-haspopup="menu" onClick=${menu} />
  </div>`;
}

/** On a message that has the focus: Enter opens its menu; single letters are for those who know them. */
function onKey(event, room, message) {
  const isOpening = event.key === 'Enter' || event.key === ' ';
  if ((isOpening && event.target !== event.currentTarget) || event.ctrlKey || event.metaKey || event.altKey) return;
  const { currentTarget: article } = event;
  const click = (name) => article.querySelector(name).click();
  const act = {
    Enter: () => click('.tool.more'),
    ' ': () => click('.tool.more'),
    ContextMenu: () => click('.tool.more'),
    r: () => (room.reply.value = message),
    '+': () => click('.tool'),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** A message that waits, is on its way, or could not be sent. */
export function Waiting({ room, entry }) {
  const failed = entry.state === 'failed';
  return html`<article class=${`message mine waiting ${failed ? 'failed' : ''}`} data-waiting=${entry.state}>
    <${Avatar} name=${me.value.username} />
    <div class="content">
      <header><bdi class="author">${me.value.username}</bdi></header>
      ${entry.replyTo && html`<p class="quote-link"><bdi class="quoted-name">${entry.replyTo.username}</bdi> <span dir="auto">${plainText(entry.replyTo.message)}</span></p>`}
      <div class="text">${entry.text && markdown({ message: entry.text })}</div>
      <${Files} files=${entry.attachments} />
      ${failed && html`<p class="field-error" role="alert">${describeError(entry.error)}</p>
      <div class="actions start">
        <button type="button" class="quiet" onClick=${() => retry(entry.id)}>${t('chat.retry')}</button>
        <button type="button" class="quiet" onClick=${() => takeBack(room, entry)}>${t('chat.changeIt')}</button>
        <button type="button" class="quiet" onClick=${() => discard(entry.id)}>${t('chat.discard')}</button>
      </div>`}
    </div>
    ${!failed && html`<span class="state" title=${t('chat.waiting')}>${icon('clock')}<span class="visually-hidden">${t('chat.waiting')}</span></span>`}
  </article>`;
}
