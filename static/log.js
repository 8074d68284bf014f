// The log of a room: days, lines, messages. It stays where the reader is while pages are added above and below.
import { createRef, Component } from './vendor/preact.js';
import { signal } from './vendor/signals.js';
import { dayName, t } from './account/i18n.js';
import { html } from './html.js';
import { icon } from './icons.js';
import { Message, Waiting } from './message.js';
import { outbox } from './outbox.js';
import { isAtEnd, setAtEnd } from './reading.js';
import { isSelf, sameName } from './state.js';

const NEAR_PX = 60; // this near to the end is at the end
const AHEAD = 1.5; // screens before an end at which the next page is asked for
const TOGETHER_MS = 5 * 60_000;

export class Log extends Component {
  box = createRef();
  anchor = null; // {id, top}: the message that stays where it is

  componentDidMount() {
    setAtEnd(false);
    this.room = this.props.room;
    this.resized = new ResizeObserver(() => this.settle());
    this.resized.observe(this.box.current);
    this.resized.observe(this.box.current.firstElementChild);
    this.follows = true;
    addEventListener('posted', this.toEnd);
    this.settle();
  }

  componentWillUnmount() {
    this.resized.disconnect();
    removeEventListener('posted', this.toEnd);
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

  /** Puts the reader where they were: at the end, or with the message at the top of the view where it was. */
  settle() {
    const { current: box } = this.box;
    const { timeline } = this.props.room;
    const target = timeline.target.value;
    if (target && target !== this.shown) return this.show(target);
    if (this.follows && timeline.atEnd.value) {
      box.scrollTop = box.scrollHeight;
    } else if (this.anchor) {
      const line = box.querySelector(`[data-id="${this.anchor.id}"]`);
      if (line) box.scrollTop += line.getBoundingClientRect().top - this.anchor.top;
    }
    this.noticeScroll();
  }

  show(target) {
    const { timeline } = this.props.room;
    const wanted = timeline.messages.value.find(({ seq }) => (timeline.newAfter.value === target.seq ? seq > target.seq : seq >= target.seq)) ?? timeline.messages.value.at(-1);
    const line = wanted && this.box.current.querySelector(`[data-id="${wanted.id}"]`);
    if (!line) return;
    this.shown = target;
    this.follows = false;
    const atNew = timeline.newAfter.value === target.seq;
    line.scrollIntoView({ block: atNew ? 'start' : 'center' });
    if (atNew) this.box.current.scrollTop -= 80;
    if (!atNew) line.focus({ preventScroll: true });
    this.noticeScroll();
  }

  noticeScroll = () => {
    const { current: box } = this.box;
    if (!box) return;
    const { timeline } = this.props.room;
    const below = box.scrollHeight - box.scrollTop - box.clientHeight;
    this.follows = below < NEAR_PX && timeline.atEnd.value;
    if (this.follows !== isAtEnd()) setAtEnd(this.follows);
    this.remember(box);
    if (!timeline.loaded.value) return;
    if (box.scrollTop < box.clientHeight * AHEAD) timeline.older();
    if (below < box.clientHeight * AHEAD) timeline.newer();
    if (away.value !== !this.follows) away.value = !this.follows;
  };

  /** The first message that is seen. */
  remember(box) {
    const edge = box.getBoundingClientRect().top;
    const lines = box.querySelectorAll('[data-id]');
    let [low, high] = [0, lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lines[middle].getBoundingClientRect().bottom < edge) low = middle + 1;
      else high = middle;
    }
    this.anchor = lines[low] ? { id: lines[low].dataset.id, top: lines[low].getBoundingClientRect().top } : null;
  }

  toEnd = async () => {
    const { timeline } = this.props.room;
    if (!timeline.atEnd.value) await timeline.toEnd();
    this.follows = true;
    this.settle();
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
      <div id="log" class="log" ref=${this.box} tabindex="0" role="group" aria-label=${t('chat.messagesIn', { room: room.partner ?? (room.kind === 'public' ? t('chat.publicRoom') : room.name) })} data-log=${room.name} onScroll=${this.noticeScroll} onKeyDown=${this.onKey} onfocusin=${this.noticeFocus} onfocusout=${this.noticeFocus}>
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
  for (const message of timeline.messages.value) {
    const isNewDay = !before || dayOf(before) !== dayOf(message);
    const beginsNew = newAfter !== null && message.seq > newAfter && (before === null || before.seq <= newAfter) && !isSelf(message.username);
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

