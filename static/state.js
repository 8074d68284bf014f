// What the page knows, as signals: who one is, the rooms, what is shown. Screens read it, handlers of events change it.
import { computed, signal } from './vendor/signals.js';
import { t } from './account/i18n.js';
import { Timeline } from './timeline.js';

export const PUBLIC = 'public'; // the wire's name of the public room; no group can have it

/** 'starting', 'outside' (nobody yet), 'inside', or 'gone' (the server has ended the connection on purpose). */
export const phase = signal('starting');
/** `{username, account}`: `account` is what /api/me says, and null for a guest. */
export const me = signal(null);
export const connection = signal('connecting'); // 'connecting', 'connected', 'reconnecting', 'offline'
export const rooms = signal(new Map()); // name → Room: those one is in, and rooms of two
export const groups = signal([]); // the names of all groups, as the server lists them
export const blocked = signal(new Set());
export const selected = signal(PUBLIC); // the name of the room that is shown
export const pane = signal('room'); // on a phone: 'rooms' or 'room'
export const drawer = signal(null); // null, 'people', 'pins', 'search' or 'room'
export const hidden = signal(false); // whether one appears offline to others
export const attentive = signal(true); // whether somebody is looking at the page

export const room = computed(() => rooms.value.get(selected.value) ?? null);

/** A room, a group or a room of two, and what the page has of it. */
export class Room {
  constructor(name, kind, partner = null) {
    this.name = name;
    this.kind = kind; // 'public', 'group' or 'direct'
    this.partner = partner; // the other one's name, in a room of two
    this.timeline = new Timeline(this);
    this.members = signal([]);
    this.unread = signal(0);
    this.mentions = signal(0);
    this.muted = signal(false);
    this.info = signal(null); // {role, slow_mode, retention_days}: what one is there, and what is set
    this.closed = signal(''); // why nothing can be said here any more
    this.typing = signal(new Map()); // name → timer
    this.reply = signal(null); // the message that is answered
    this.editing = signal(null); // one's own message that is changed
    this.uploads = signal([]);
    this.read = null; // the `seq` up to which it is read; null where nothing was marked yet
    this.last = 0; // the `seq` of its newest message
    this.counted = 0; // and of the newest one that the server had counted, when it told what is new
    this.uncounted = []; // {seq, isMentioned} of those that are new and came after that
    this.password = ''; // in memory only: a guest needs it to come back
  }
}

/** What a room is called on the page. */
export const titleOf = ({ name, kind, partner }) => (kind === 'public' ? t('chat.publicRoom') : (partner ?? name));

export function addRoom(room) {
  rooms.value = new Map(rooms.value).set(room.name, room);
  return room;
}

export function removeRoom(name) {
  const left = new Map(rooms.value);
  left.delete(name);
  rooms.value = left;
}

export const isSelf = (username) => sameName(username, me.value?.username);
/** Who wrote under a name with another capital letter is the same person. */
export const sameName = (one, other) => one?.toLowerCase() === other?.toLowerCase();

const MODERATORS = ['moderator', 'admin', 'owner'];
const roleIsOneOf = (roles) => Boolean(me.value?.account) && !me.value.account.second_factor_needed && roles.includes(me.value.account.role);
/** An admin's rights sleep until the second factor is set up, where the server asks for one. */
export const isModerator = () => roleIsOneOf(MODERATORS);
export const isAdmin = () => roleIsOneOf(['admin', 'owner']);
const isIn = ({ kind, info }, roles) => kind === 'group' && roles.includes(info.value?.role);
export const mayModerate = (room) => isModerator() || isIn(room, ['moderator', 'owner']);
/** Gives roles in the room, and says how long it keeps messages. */
export const mayRun = (room) => isAdmin() || isIn(room, ['owner']);
