// The log of one room: its messages and its "who joined, who left" lines, each message once.
import { LEGACY_LABEL, decodeLegacy } from './crypto.js';
import { element, formatTime } from './dom.js';

const HISTORY_LENGTH = 50; // what the server sends when a room is joined
const NEAR_END_PX = 48;

export class Log {
  #room;
  #isMine;
  #messages = new Map(); // id → element
  #clientIds = new Set();
  #follows = true; // whether the reader is at the end and wants to stay there

  constructor(room, isMine) {
    this.#room = room;
    this.#isMine = isMine;
    this.element = element('div', { className: 'log', role: 'log', tabIndex: 0, ariaLabel: `Messages in ${room}`, data: { log: room } });
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
    let next = null;
    for (const message of [...history].reverse()) {
      next = this.#messages.get(message.id) ?? this.#insert(message, next);
    }
    this.#scrollToEnd();
  }

  /** A line about a person, such as "bob joined". */
  note(username, whatHappened) {
    this.#append(notice(element('bdi', { textContent: username }), ` ${whatHappened}`));
    this.#scrollToEnd();
  }

  /** Whether a message that was sent under this client id is here. */
  hasSent(clientId) {
    return this.#clientIds.has(clientId);
  }

  #insert(message, next) {
    const made = messageElement(message, this.#room, this.#isMine(message));
    this.element.insertBefore(made, next);
    this.#messages.set(message.id, made);
    if (message.client_id) this.#clientIds.add(message.client_id);
    markFollowUp(made);
    markFollowUp(made.nextElementSibling);
    return made;
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
