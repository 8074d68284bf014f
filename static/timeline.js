// A stretch of a room's history without gaps, as long as the page has use for: pages are added at one end and dropped at the other.
import { batch, signal } from './vendor/signals.js';
import { describeError } from './account/i18n.js';
import { patiently } from './connection.js';
import { isSelf } from './state.js';

export const PAGE = 50;
const MOST = 300; // messages that are kept, and so stand in the page: several screens more than a page, also on a large screen

export class Timeline {
  #room;
  #generation = 0; // pages that were asked for earlier are not added any more
  #loading = { older: false, newer: false };
  #before = null; // where older pages begin: the server may leave out all of a page, so that no message shows it
  #after = null;
  #loads = 0; // under way
  #isPaused = false;
  #meanwhile = []; // what was told since they began: a page may have been read before it
  #heard = new Set(); // ids of messages that came by themselves meanwhile

  constructor(room) {
    this.#room = room;
    this.messages = signal([]); // by `seq`
    this.atStart = signal(false);
    this.atEnd = signal(false);
    this.loaded = signal(false);
    this.error = signal('');
    this.newAfter = signal(null); // the `seq` after which the line "new messages" stands
    this.target = signal(null); // {seq}: the message to be shown next, `null` for the end; another object each time
    this.sinceLeftEnd = signal(0); // messages that came while the reader was further up
    this.following = false; // whether the reader is at the end; the log tells
    this.isSeeking = false; // another stretch is being loaded
  }

  get first() {
    return this.messages.value[0]?.seq ?? 0;
  }

  get last() {
    return this.messages.value.at(-1)?.seq ?? 0;
  }

  /** Whether the newest message is here. */
  get isAtNewest() {
    return this.loaded.value && this.atEnd.value && !this.isSeeking && !this.#isPaused;
  }

  /** What the server sent when the room was joined: its newest messages. */
  begin(messages) {
    if (this.loaded.value || this.isSeeking) return;
    this.#replace({ messages, prev: messages.length < PAGE ? null : messages[0].seq, next: null });
  }

  /** Opens at the first message that was not read yet, else at the newest. */
  async open() {
    const { read, last, unread } = this.#room;
    const isNew = read !== null && read < last && unread.value > 0;
    this.newAfter.value = isNew ? read : null;
    await (isNew ? this.around(read) : this.toEnd());
  }

  /** Loads the messages around one of them, and shows it. */
  async around(seq) {
    this.target.value = null; // a link that was followed earlier leads nowhere any more
    if (this.#has(seq)) return void (this.target.value = { seq });
    batch(() => {
      this.loaded.value = false; // or those that are here would be shown, and pass for read
      this.messages.value = [];
    });
    await this.#seek(async () => {
      const [before, after] = await Promise.all([this.#ask({ before: seq + 1 }), this.#ask({ after: seq })]);
      return before && after && { messages: [...before.messages, ...after.messages], prev: before.prev, next: after.next, show: { seq } };
    });
  }

  /** Shows the newest messages. */
  async toEnd() {
    this.target.value = null;
    const show = { seq: null };
    if (this.loaded.value && this.atEnd.value) this.target.value = show;
    else await this.#seek(async () => { const page = await this.#ask({}); return page && { ...page, show }; });
  }

  async older() {
    if (this.atStart.value || !this.#isFree('older')) return;
    await this.#page('older', { before: this.#before ?? this.first }, ({ messages, prev }) => {
      const all = merge(messages, this.messages.value);
      const isTooMuch = all.length > MOST;
      this.#set(all.slice(0, MOST), prev, isTooMuch ? all[MOST - 1].seq : this.#after, this.atEnd.value && !isTooMuch);
    });
  }

  async newer() {
    if (this.atEnd.value || !this.#isFree('newer')) return;
    await this.#page('newer', { after: this.#after ?? this.last }, ({ messages, next }) => {
      const all = merge(this.messages.value, messages);
      this.#set(all.slice(-MOST), all.length > MOST ? all.at(-MOST).seq : this.#before, next, next === null);
    });
  }

  /** A message that just came. False where it is here already. */
  receive(message) {
    if (this.#isHere(message)) return false;
    if (this.isSeeking || this.#isPaused) this.#heard.add(message.id);
    this.#tell(() => this.#add(message));
    if (!this.following) this.sinceLeftEnd.value += 1;
    return true;
  }

  change(id, how) {
    this.#tell(() => (this.messages.value = this.messages.value.map((message) => (message.id === id ? how(message) : message))));
  }

  drop(isUnwanted) {
    this.#tell(() => {
      const left = this.messages.value.filter((message) => !isUnwanted(message));
      if (left.length !== this.messages.value.length) this.messages.value = left;
    });
  }

  /** The connection is back, and what was missed is not here yet: until it is, nothing is added behind the gap. */
  pause() {
    this.#isPaused = true;
  }

  /** After a break: what is here as the server has it now, and what was missed. */
  async refresh() {
    if (!this.loaded.value) return;
    if (!this.atEnd.value) await this.#readAgain();
    else await this.#catchUp();
  }

  /** Reads on from the first message that is here. Where very much was missed, it ends before the newest, so that there is no gap. */
  async #catchUp() {
    const { last } = this;
    const before = this.atStart.value ? null : (this.#before ?? this.first);
    let [missed, isFollowing] = [[], false];
    const isDone = await this.#seek(async () => {
      const most = this.messages.value.length + MOST;
      let found = [];
      let after = this.atStart.value ? 0 : this.first - 1;
      do {
        const page = await this.#ask({ after, limit: 100 });
        if (!page) return null;
        found = found.concat(page.messages);
        after = page.next;
      } while (after !== null && found.length <= most);
      missed = found.filter(({ id, seq, username }) => seq > last && !isSelf(username) && !this.#heard.has(id));
      isFollowing = this.following;
      const first = missed.length > 0 ? found.indexOf(missed[0]) : found.length;
      const from = isFollowing ? Math.max(0, Math.min(found.length - MOST, first - MOST / 2)) : 0;
      return cut(found, from, before, after);
    });
    if (isDone && missed.length > 0) this.#showMissed(last, missed.length, isFollowing);
  }

  /** Whoever was at the end reads on from there. */
  #showMissed(last, count, isFollowing) {
    this.sinceLeftEnd.value += count;
    if (this.newAfter.value === null || isFollowing) this.newAfter.value = last;
    if (!isFollowing) return;
    this.following = false;
    this.target.value = { seq: last };
  }

  async #readAgain() {
    const middle = this.messages.value[Math.floor(this.messages.value.length / 2)];
    if (!middle) return this.toEnd();
    await this.#seek(async () => {
      const [before, after] = await Promise.all([this.#stretch('before', middle.seq + 1, this.first), this.#stretch('after', middle.seq, this.last)]);
      return before && after && { messages: [...before.messages, ...after.messages], prev: before.cursor, next: after.cursor };
    });
  }

  /** Page after page in one direction, until the message at `seq` is passed. */
  async #stretch(direction, from, seq) {
    const isPassed = (cursor) => (direction === 'before' ? cursor <= seq : cursor >= seq);
    let messages = [];
    let cursor = from;
    do {
      const page = await this.#ask({ [direction]: cursor, limit: 100 });
      if (!page) return null;
      messages = direction === 'before' ? [...page.messages, ...messages] : [...messages, ...page.messages];
      cursor = direction === 'before' ? page.prev : page.next;
    } while (cursor !== null && !isPassed(cursor));
    return { messages, cursor };
  }

  #isHere({ id }) {
    return this.messages.value.some((message) => message.id === id);
  }

  #has(seq) {
    return this.loaded.value && this.first <= seq && (seq < this.last || this.atEnd.value);
  }

  #isFree(direction) {
    return this.loaded.value && !this.isSeeking && !this.#isPaused && !this.#loading[direction];
  }

  #add(message) {
    if (!this.isAtNewest || this.#isHere(message)) return;
    const all = merge(this.messages.value, [message]);
    // Nothing is taken away from above a reader: what does not fit is loaded when they come there.
    if (all.length > MOST && !this.following) return this.#set(this.messages.value, this.#before, this.last, false);
    this.#set(all.slice(-MOST), all.length > MOST ? all.at(-MOST).seq : this.#before, null, true);
  }

  /** Does what the server told; again when a page comes that may not know of it yet. */
  #tell(change) {
    change();
    if (this.#loads > 0) this.#meanwhile.push(change);
  }

  /** `show` comes along: drawn without it, the end of the stretch would be shown, and pass for read. */
  #replace({ messages, prev, next, show = null }) {
    this.isSeeking = false;
    this.#isPaused = false;
    this.#heard.clear();
    this.#set(messages, prev, next, next === null);
    if (show) this.target.value = show;
    this.loaded.value = true;
  }

  #set(messages, before, after, atEnd) {
    this.#before = before;
    this.#after = after;
    this.messages.value = messages;
    this.atStart.value = before === null;
    this.atEnd.value = atEnd;
  }

  /** Loads another stretch in place of what is here. False where that failed, or was overtaken. */
  async #seek(load) {
    const generation = ++this.#generation;
    this.isSeeking = true;
    const found = await this.#load(load, generation, (stretch) => this.#replace(stretch));
    if (generation === this.#generation) this.isSeeking = false;
    return found;
  }

  async #page(direction, wanted, put) {
    this.#loading[direction] = true;
    await this.#load(() => this.#ask(wanted), this.#generation, put);
    this.#loading[direction] = false;
  }

  /** Loads something, puts it into its place, and does again what was told meanwhile. */
  async #load(load, generation, put) {
    this.#loads += 1;
    const found = await load();
    const isWanted = Boolean(found) && generation === this.#generation;
    if (isWanted) {
      batch(() => {
        put(found);
        for (const change of this.#meanwhile) change();
      });
    }
    this.#loads -= 1;
    if (this.#loads === 0) this.#meanwhile = [];
    return isWanted;
  }

  async #ask(wanted) {
    const ack = await patiently('get_history', { room: this.#room.name, limit: PAGE, ...wanted });
    this.error.value = ack.ok || ack.error.code === 'unavailable' ? '' : describeError(ack.error);
    return ack.ok ? ack : null;
  }
}

/** As many as are kept, from one of them on. */
function cut(found, from, prev, next) {
  const messages = found.slice(from, from + MOST);
  return { messages, prev: from > 0 ? messages[0].seq : prev, next: from + MOST < found.length ? messages.at(-1).seq : next };
}

/** Two stretches that follow each other, each message once. */
function merge(older, newer) {
  const known = new Set(older.map(({ id }) => id));
  const all = [...older, ...newer.filter(({ id }) => !known.has(id))];
  return all.every(({ seq }, place) => place === 0 || all[place - 1].seq < seq) ? all : all.sort((one, other) => one.seq - other.seq);
}
