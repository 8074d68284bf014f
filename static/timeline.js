// A stretch of a room's history without gaps, as long as the page has use for: pages are added at one end and dropped at the other.
import { signal } from './vendor/signals.js';
import { patiently } from './connection.js';

export const PAGE = 50;
const MOST = 200; // messages that are kept, and so stand in the page

export class Timeline {
  #room;
  #generation = 0; // pages that were asked for earlier are not added any more
  #loading = { older: false, newer: false };

  constructor(room) {
    this.#room = room;
    this.messages = signal([]); // by `seq`
    this.atStart = signal(false);
    this.atEnd = signal(false);
    this.loaded = signal(false);
    this.error = signal('');
    this.newAfter = signal(null); // the `seq` after which the line "new messages" stands
    this.target = signal(null); // {seq}: the message to be shown next, another object each time
    this.sinceLeftEnd = signal(0); // messages that came while the reader was further up
  }

  get first() {
    return this.messages.value[0]?.seq ?? 0;
  }

  get last() {
    return this.messages.value.at(-1)?.seq ?? 0;
  }

  /** What the server sent when the room was joined: its newest messages. */
  begin(messages) {
    if (this.loaded.value) return;
    this.#replace({ messages, prev: messages.length < PAGE ? null : messages[0].seq, next: null }, true);
  }

  /** Opens at the first message that was not read yet, else at the newest. */
  async open() {
    const { read, last } = this.#room;
    const isNew = read !== null && read < last && this.#room.unread.value > 0;
    this.newAfter.value = isNew ? read : null;
    if (isNew) await this.around(read);
    else if (!this.loaded.value || !this.atEnd.value) await this.toEnd();
  }

  /** Loads the messages around one of them, and shows it. */
  async around(seq) {
    if (!this.#has(seq)) {
      const generation = ++this.#generation;
      const [before, after] = await Promise.all([this.#ask({ before: seq + 1 }), this.#ask({ after: seq })]);
      if (generation !== this.#generation || !before || !after) return;
      this.#replace({ messages: [...before.messages, ...after.messages], prev: before.prev, next: after.next }, after.next === null);
    }
    this.target.value = { seq };
  }

  /** Loads the newest messages. */
  async toEnd() {
    const generation = ++this.#generation;
    const page = await this.#ask({});
    if (page && generation === this.#generation) this.#replace(page, true);
    this.sinceLeftEnd.value = 0;
  }

  async older() {
    if (this.atStart.value || this.#loading.older || !this.loaded.value) return;
    const page = await this.#page('older', { before: this.first });
    if (!page) return;
    const all = merge(page.messages, this.messages.value);
    this.atStart.value = page.prev === null;
    if (all.length > MOST) this.atEnd.value = false;
    this.messages.value = all.slice(0, MOST);
  }

  async newer() {
    if (this.atEnd.value || this.#loading.newer || !this.loaded.value) return;
    const page = await this.#page('newer', { after: this.last });
    if (!page) return;
    const all = merge(this.messages.value, page.messages);
    this.atEnd.value = page.next === null;
    if (all.length > MOST) this.atStart.value = false;
    this.messages.value = all.slice(-MOST);
  }

  /** A message that just came; `following` is whether the reader is at the end. False where it is here already. */
  receive(message, following) {
    if (!this.loaded.value) return true;
    if (this.messages.value.some(({ id }) => id === message.id)) return false;
    if (!following) this.sinceLeftEnd.value += 1;
    if (!this.atEnd.value) return true;
    const all = merge(this.messages.value, [message]);
    // Nothing is taken away from above a reader: what does not fit is loaded when they come there.
    if (all.length > MOST && !following) {
      this.atEnd.value = false;
      return true;
    }
    if (all.length > MOST) this.atStart.value = false;
    this.messages.value = all.slice(-MOST);
    return true;
  }

  change(id, how) {
    this.messages.value = this.messages.value.map((message) => (message.id === id ? how(message) : message));
  }

  drop(isUnwanted) {
    const left = this.messages.value.filter((message) => !isUnwanted(message));
    if (left.length !== this.messages.value.length) this.messages.value = left;
  }

  find(id) {
    return this.messages.value.find((message) => message.id === id);
  }

  /** After a break: what is here as the server has it now, and what was missed. */
  async refresh() {
    if (!this.loaded.value) return;
    if (!this.atEnd.value) return this.#readAgain();
    const generation = ++this.#generation;
    const known = this.messages.value.length;
    let found = [];
    let after = this.atStart.value ? 0 : this.first - 1;
    while (after !== null) {
      const page = await this.#ask({ after, limit: 100 });
      if (!page || generation !== this.#generation) return;
      found = found.concat(page.messages);
      after = page.next;
      if (found.length > known + MOST) break;
    }
    this.atEnd.value = after === null;
    if (found.length > MOST && after === null) this.atStart.value = false;
    this.messages.value = after === null ? found.slice(-MOST) : found.slice(0, MOST);
  }

  async #readAgain() {
    const middle = this.messages.value[Math.floor(this.messages.value.length / 2)];
    if (!middle) return this.toEnd();
    const generation = ++this.#generation;
    const [before, after] = await Promise.all([this.#ask({ before: middle.seq + 1, limit: 100 }), this.#ask({ after: middle.seq, limit: 100 })]);
    if (generation !== this.#generation || !before || !after) return;
    this.#replace({ messages: [...before.messages, ...after.messages], prev: before.prev }, after.next === null);
  }

  #has(seq) {
    return this.loaded.value && this.first <= seq && (seq < this.last || this.atEnd.value);
  }

  #replace({ messages, prev }, atEnd) {
    this.messages.value = messages;
    this.atStart.value = prev === null;
    this.atEnd.value = atEnd;
    this.loaded.value = true;
  }

  async #page(direction, wanted) {
    const generation = this.#generation;
    this.#loading[direction] = true;
    try {
      const page = await this.#ask(wanted);
      return generation === this.#generation ? page : null;
    } finally {
      this.#loading[direction] = false;
    }
  }

  async #ask(wanted) {
    const ack = await patiently('get_history', { room: this.#room.name, limit: PAGE, ...wanted });
    this.error.value = ack.ok || ack.error.code === 'unavailable' ? '' : ack.error.message;
    return ack.ok ? ack : null;
  }
}

/** Two stretches that follow each other, each message once. */
function merge(older, newer) {
  const known = new Set(older.map(({ id }) => id));
  const all = [...older, ...newer.filter(({ id }) => !known.has(id))];
  return all.every(({ seq }, place) => place === 0 || all[place - 1].seq < seq) ? all : all.sort((one, other) => one.seq - other.seq);
}
