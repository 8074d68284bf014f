// The log of a room: days, lines, messages. It stays where the reader is while pages are added above and below.
import { createRef, Component } from './vendor/preact.js';
import { signal } from './vendor/signals.js';
import { dayName, t } from './account/i18n.js';
import { html } from './html.js';
import { icon } from './icons.js';
import { Message, Waiting } from './message.js';
import { outbox } from './outbox.js';
import { setAtEnd } from './reading.js';
import { leaveMessage } from './route.js';
import { isSelf, sameName, titleOf } from './state.js';

const NEAR_PX = 60; // this near to the end is at the end
// Before an end, at which the next page is asked for: in screens, but never so much that a page added at one end makes the other end ask.
const AHEAD = 1.5;
const MOST_AHEAD_PX = 1_500;
const ABOVE_NEW_PX = 80; // what is seen above the line "new messages"
const TOGETHER_MS = 5 * 60_000;

export class Log extends Component {
  box = createRef();
  anchors = []; // {id, top}: messages that are seen; the first that is still there stays where it is
  follows = true; // the reader is at the end, and stays there
  shown = null; // the last target that was shown
  seenTop = 0; // `scrollTop` when the log was looked at last

  componentDidMount() {
    this.resized = new ResizeObserver(() => this.settle());
    this.resized.observe(this.box.current);
    this.resized.observe(this.box.current.firstElementChild);
    addEventListener('posted', this.toEnd);
    this.settle();
  }

  componentWillUnmount() {
    this.resized.disconnect();
    removeEventListener('posted', this.toEnd);
    setAtEnd(this.props.room, false);
  }

  componentDidUpdate() {
    this.settle();
    if (this.focused?.isConnected === false && document.activeElement === document.body) this.box.current.focus({ preventScroll: true });
  }

  /** The message, or its tool, that has the focus: when it is deleted, the keyboard stays in the log. */
  noticeFocus = ({ type, target, relatedTarget }) => {
    if (type === 'focusin') this.focused = target;
    else if (relatedTarget) this.focused = null;
  };

  /** Puts the reader where they were: at the end, or with what they see where it was. */
  settle() {
    const { timeline } = this.props.room;
    const target = timeline.target.value;
    if (!timeline.loaded.value) return this.wait();
    if (target && target !== this.shown) this.show(target);
    else if (this.follows && timeline.atEnd.value) this.scrollToEnd();
    else this.restore();
    this.noticeScroll();
  }

  /** Nothing is here yet: what is shown next begins at the end, if nothing else is wanted. */
  wait() {
    this.follows = true;
    this.anchors = [];
    setAtEnd(this.props.room, false);
  }

  restore() {
    for (const { id, top } of this.anchors) {
      const line = this.lineOf(id);
      if (line) return void (this.box.current.scrollTop += line.getBoundingClientRect().top - top);
    }
  }

  scrollToEnd() {
    this.box.current.scrollTop = this.box.current.scrollHeight;
  }

  lineOf(id) {
    return this.box.current.querySelector(`[data-id="${id}"]`);
  }

  show(target) {
    const { newAfter, messages } = this.props.room.timeline;
    const atNew = newAfter.value === target.seq;
    this.shown = target;
    this.follows = target.seq === null;
    if (this.follows) return this.scrollToEnd();
    const wanted = messages.value.find(({ seq }) => (atNew ? seq > target.seq : seq >= target.seq)) ?? messages.value.at(-1);
    const line = wanted && this.lineOf(wanted.id);
    if (!line) return;
    const { current: box } = this.box;
    const above = atNew ? ABOVE_NEW_PX : Math.max(0, (box.clientHeight - line.offsetHeight) / 2);
    box.scrollTop += line.getBoundingClientRect().top - box.getBoundingClientRect().top - above;
    if (!atNew) line.focus({ preventScroll: true });
  }

  /** Also for what `settle` has scrolled itself: by now the page may have another layout, which it has not seen yet. */
  onScroll = () => {
    if (Math.abs(this.box.current.scrollTop - this.seenTop) >= 1) this.noticeScroll();
  };

  noticeScroll() {
    const { current: box } = this.box;
    const { room } = this.props;
    const { timeline } = room;
    if (!box || !timeline.loaded.value) return;
    if (box.clientHeight === 0) return setAtEnd(room, false); // on a phone, behind the list of rooms
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    const ahead = Math.min(box.clientHeight * AHEAD, MOST_AHEAD_PX);
    this.follows = below < NEAR_PX && timeline.atEnd.value;
    if (this.follows !== timeline.following) setAtEnd(room, this.follows);
    this.remember(box);
    this.seenTop = box.scrollTop;
    if (box.scrollTop < ahead) timeline.older();
    if (below < ahead) timeline.newer();
    if (away.value !== !this.follows) away.value = !this.follows;
  }

  /** The messages that are seen. One that is cut off comes last: what is added to it grows out of view. */
  remember(box) {
    const { top: edge, bottom } = box.getBoundingClientRect();
    const lines = box.querySelectorAll('[data-id]');
    const seen = [];
    for (let at = firstBelow(lines, edge); at < lines.length; at += 1) {
      const { top } = lines[at].getBoundingClientRect();
      if (top > bottom) break;
      seen.push({ id: lines[at].dataset.id, top });
    }
    if (seen.length > 1 && seen[0].top < edge) seen.push(seen.shift());
    this.anchors = seen;
  }

  /** Where the reader came to by a message's link, they have left it now: a reload does not lead back to it. */
  toEnd = () => {
    leaveMessage();
    this.props.room.timeline.toEnd();
  };

  /** The arrow keys walk through the messages. */
  onKey = (event) => {
    const lines = [...this.box.current.querySelectorAll('.message')];
    const at = lines.indexOf(document.activeElement.closest('.message')); // or one of its tools, which a menu gives the focus back to
    if (document.activeElement !== this.box.current && at < 0) return;
    const next = { ArrowUp: at < 0 ? lines.length - 1 : at - 1, ArrowDown: at + 1, Home: 0, End: lines.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (lines[next]) lines[next].focus();
    else if (event.key === 'ArrowDown') document.querySelector('#message')?.focus();
  };

  render({ room }) {
    const { timeline } = room;
    const waiting = outbox.value.filter((entry) => entry.room === room.name || (room.partner && sameName(entry.to, room.partner)));
    return html`<div class="log-place">
      <div id="log" class="log" ref=${this.box} tabindex="0" role="group" aria-label=${t('chat.messagesIn', { room: titleOf(room) })} data-log=${room.name} onScroll=${this.onScroll} onKeyDown=${this.onKey} onfocusin=${this.noticeFocus} onfocusout=${this.noticeFocus}>
        <div class="log-inner">
          ${timeline.atStart.value ? html`<p class="notice">${t(timeline.messages.value.length === 0 && waiting.length === 0 ? 'chat.nothingYet' : 'chat.beginning')}</p>` : html`<p class="notice" aria-hidden="true">${timeline.error.value || t('chat.loading')}</p>`}
          ${lines(room, timeline)}
          ${timeline.atEnd.value && waiting.map((entry) => html`<${Waiting} key=${entry.id} room=${room} entry=${entry} />`)}
        </div>
      </div>
      <${ToLatest} room=${room} onClick=${this.toEnd} />
    </div>`;
  }
}

/** Where the first line is that reaches below an edge. */
function firstBelow(lines, edge) {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].getBoundingClientRect().bottom <= edge) low = middle + 1;
    else high = middle;
  }
  return low;
}

const away = signal(false); // whether the reader is further up

function ToLatest({ room, onClick }) {
  const count = room.timeline.sinceLeftEnd.value;
  if (!away.value || !room.timeline.loaded.value) return null;
  return html`<button type="button" class="to-latest" onClick=${() => { onClick(); document.querySelector('#message')?.focus(); }}>${icon('down')} ${count > 0 ? t('chat.toLatestNew', { count }) : t('chat.toLatest')}</button>`;
}

/** The messages with what stands between them. */
function lines(room, timeline) {
  const marked = timeline.target.value?.seq;
  const newAfter = timeline.newAfter.value;
  const made = [];
  let before = null;
  let isLineDrawn = newAfter === null || !(timeline.atStart.value || timeline.first <= newAfter); // it may be further up
  for (const message of timeline.messages.value) {
    const isNewDay = !before || dayOf(before) !== dayOf(message);
    const beginsNew = !isLineDrawn && message.seq > newAfter && !isSelf(message.username);
    isLineDrawn ||= beginsNew;
    if (isNewDay) made.push(html`<p class="day" key=${`day ${message.id}`}><span>${dayName(message.timestamp)}</span></p>`);
    if (beginsNew) made.push(html`<p class="new-line" key="new"><span>${t('chat.newMessages')}</span></p>`);
    const followUp = !isNewDay && !beginsNew && !message.reply_to && sameName(before.username, message.username) && Date.parse(message.timestamp) - Date.parse(before.timestamp) < TOGETHER_MS;
    made.push(html`<${Message} key=${message.id} room=${room} message=${message} followUp=${followUp} marked=${marked === message.seq && marked !== newAfter} />`);
    before = message;
  }
  return made;
}

const days = new Map(); // timestamp's hour → day, since making dates is slow and there are many messages

function dayOf({ timestamp }) {
  const hour = timestamp.slice(0, 13);
  if (!days.has(hour)) days.set(hour, new Date(timestamp).toDateString());
  return days.get(hour);
}

/** For screen readers: what just came, and nothing of the past. */
const heard = signal([]);

export function announce({ id, username, message }) {
  heard.value = [...heard.value.slice(-9), { id, text: t('chat.messageOf', { name: username, text: message || t('chat.aFile') }) }];
}

export function Announcer() {
  return html`<div role="log" class="visually-hidden" aria-label=${t('chat.newMessages')}>${heard.value.map(({ id, text }) => html`<p key=${id}>${text}</p>`)}</div>`;
}

