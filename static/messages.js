// The log of one room: its messages and its "who joined, who left" lines, each message once.
import { LEGACY_LABEL, decodeLegacy } from './crypto.js';
import { element, formatTime } from './account/dom.js';

const HISTORY_LENGTH = 50; // what the server sends when a room is joined
const NEAR_END_PX = 48;

export class Log {
  #room;
  #isMine;
  #onMenu;
  #messages = new Map(); // id → {message, element}
  #clientIds = new Set();
  #tabStop = null; // the one menu button that Tab comes to; from there the arrow keys go to the others
  #follows = true; // whether the reader is at the end and wants to stay there

  /** `onMenu(button, message, mine)` runs when the "⋯" of a message is pressed. */
  constructor(room, isMine, onMenu) {
    this.#room = room;
    this.#isMine = isMine;
    this.#onMenu = onMenu;
    this.element = element('div', { className: 'log', role: 'log', tabIndex: 0, ariaLabel: `Messages in ${room}`, data: { log: room } });
    this.element.addEventListener('keydown', (event) => this.#moveAmongMenus(event));
    this.element.addEventListener('scroll', () => this.#noticeScroll());
    new ResizeObserver(() => this.#scrollToEnd()).observe(this.element);
  }

  show(visible) {
    this.element.hidden = !visible;
    this.#scrollToEnd();
  }

  /** Adds a message that just arrived; false when it is here already. */
  add(message) {
    if (this.#messages.has(message.id)) return false;
    if (this.#isMine(message)) this.#follows = true;
    this.#insert(message, null);
    this.#scrollToEnd();
    return true;
  }

  /** Adds the server's history: what is missing here goes in front of what followed it, so that the order is the server's. */
  merge(history) {
    const known = history.some(({ id }) => this.#messages.has(id));
    if (this.#messages.size > 0 && history.length >= HISTORY_LENGTH && !known) this.#append(notice('Some messages may be missing here.'));
    this.#dropMissing(history);
    let next = null;
    for (const message of [...history].reverse()) {
      next = this.#messages.get(message.id)?.element ?? this.#insert(message, next);
    }
    this.#scrollToEnd();
  }

  /** A line about a person, such as "bob joined". */
  note(username, whatHappened) {
    this.#append(notice(element('bdi', { textContent: username }), ` ${whatHappened}`));
    this.#scrollToEnd();
  }

  /** A line about the room. */
  line(text) {
    this.#append(notice(text));
    this.#scrollToEnd();
  }

  /** Takes messages off the page. */
  drop(isUnwanted) {
    for (const [id, { message, element: dropped }] of this.#messages) {
      if (!isUnwanted(message)) continue;
      const next = dropped.nextElementSibling;
      const hadFocus = dropped.contains(document.activeElement);
      dropped.remove();
      this.#messages.delete(id);
      markFollowUp(next);
      if (hadFocus) this.element.focus();
      if (dropped.contains(this.#tabStop)) this.#setTabStop([...this.element.querySelectorAll('.more')].at(-1) ?? null);
    }
  }

  /** Whether a message that was sent under this client id is here. */
  hasSent(clientId) {
    return this.#clientIds.has(clientId);
  }

  #insert(message, next) {
    const mine = this.#isMine(message);
    const made = messageElement(message, this.#room, mine);
    const button = menuButton(message);
    button.addEventListener('click', () => this.#onMenu(button, message, mine));
    made.append(button);
    this.element.insertBefore(made, next);
    this.#messages.set(message.id, { message, element: made });
    if (next === null && document.activeElement !== this.#tabStop) this.#setTabStop(button);
    if (message.client_id) this.#clientIds.add(message.client_id);
    markFollowUp(made);
    markFollowUp(made.nextElementSibling);
    return made;
  }

  /** What was deleted while the page was away: it is newer than the oldest of the history, and not in it. */
  #dropMissing(history) {
    const ids = new Set(history.map(({ id }) => id));
    const oldest = history.length < HISTORY_LENGTH ? 0 : history[0].seq;
    this.drop(({ id, seq }) => seq >= oldest && !ids.has(id));
  }

  #setTabStop(button) {
    if (this.#tabStop) this.#tabStop.tabIndex = -1;
    this.#tabStop = button;
    if (button) button.tabIndex = 0;
  }

  #moveAmongMenus(event) {
    const step = { ArrowUp: 'previousElementSibling', ArrowDown: 'nextElementSibling' }[event.key];
    if (!step || !event.target.matches('.more')) return;
    event.preventDefault();
    let line = event.target.parentElement[step];
    while (line && !menuOf(line)) line = line[step];
    if (!line) return;
    this.#setTabStop(menuOf(line));
    this.#tabStop.focus();
  }

  #append(line) {
    this.element.append(line);
  }

  #noticeScroll() {
    const { scrollHeight, scrollTop, clientHeight, hidden } = this.element;
    if (!hidden) this.#follows = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  #scrollToEnd() {
    if (this.#follows) this.element.scrollTop = this.element.scrollHeight;
  }
}

function messageElement(message, room, mine) {
  const made = element(
    'article',
    { className: mine ? 'message mine' : 'message', data: { messageId: message.id, author: message.user_id } },
    element(
      'header',
      {},
      element('bdi', { className: 'author', textContent: message.username }),
      ' ',
      element('time', { dateTime: message.timestamp, textContent: formatTime(message.timestamp) }),
    ),
    element('p', { className: 'text', dir: 'auto', textContent: message.message }),
  );
  if (message.encrypted_content) made.append(legacyElement(message, room));
  return made;
}

const menuOf = (line) => line.querySelector(':scope > .more');

function menuButton({ username, message }) {
  return element('button', {
    type: 'button',
    className: 'quiet more',
    textContent: '⋯',
    tabIndex: -1,
    ariaLabel: `Actions for the message of ${username}: ${message.slice(0, 40)}`,
    ariaHasPopup: 'menu',
    ariaExpanded: 'false',
  });
}

/** The obfuscated twin of a text from an old page; its content is shown only where it says something else. */
function legacyElement({ message, encrypted_content: content }, room) {
  const decoded = decodeLegacy(room, content);
  const made = element('p', { className: 'legacy' }, LEGACY_LABEL);
  if (decoded !== message) made.append(': ', element('bdi', { textContent: decoded }));
  return made;
}

function notice(...children) {
  return element('p', { className: 'notice' }, ...children);
}

/** A message right after one of the same person does not repeat the name for the eye. */
function markFollowUp(line) {
  if (!line?.dataset.author) return;
  line.classList.toggle('follow-up', line.previousElementSibling?.dataset.author === line.dataset.author);
}
