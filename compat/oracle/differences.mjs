// The differences that CONTRACT.md, part 2, allows: the course each recorded scenario takes on our server.
// Everything that is not written here must be as the original did it.

import assert from 'node:assert/strict';

// The lines of part 2, by what stands in their first column.
const LINE = {
  posting: "anyone who knows a group's name may post into it",
  foreignRooms: 'a group named `public`, "" , null, or like a socket id enters foreign rooms',
  malformed: 'malformed payload: silence',
  anyText: 'names and messages of any type and length',
  anyName: 'any name may be typed, `admin` is admin',
  adminOpen: '`/admin/stats`, `backup_database` open',
  errors: '`error {message, code, event, field?, retry_ms?}`', // codes where it had a sentence, an `error` where it was silent
  pages: '`GET /` is the page, `/static/*` its files', // part 1: which page and files, it leaves open
};

/** In stored messages the original shows these to everybody ("history carries internal tokens"): ours never. */
export const INTERNAL_KEYS = ['encrypted_message', 'double_encrypted_content', 'stored_at'];

const CHECK_PASSWORD = 'Failed to join group. Check password.';
const NO_GROUP = 'Group does not exist';

const DIFFERENCES = {
  backup_database_admin: [
    refused(LINE.anyName, 'forbidden', [3, 6]),
    statsForbidden(4),
    refused(LINE.malformed, 'invalid', [5]),
  ],
  binary_payloads: [
    refused(LINE.malformed, 'invalid', [5], { field: 'message' }),
    refused(LINE.malformed, 'invalid', [6], { field: 'encrypted_content' }),
  ],
  create_group_basic: [statsForbidden(10)],
  create_group_before_join: [refused(LINE.errors, 'unauthenticated', [4, 5])],
  create_group_duplicate: [refused(LINE.errors, 'conflict', [6, 7])],
  create_group_empty_name: [
    refused(LINE.foreignRooms, 'invalid', [5, 8], { field: 'group_name' }),
    refused(LINE.foreignRooms, 'invalid', [6], { field: 'group_name', message: CHECK_PASSWORD }),
    refused(LINE.foreignRooms, 'invalid', [7], { field: 'group_name', message: NO_GROUP }),
  ],
  create_group_named_public: [
    refused(LINE.foreignRooms, 'conflict', [5], { message: 'Group already exists' }),
    refused(LINE.foreignRooms, 'not_found', [6], { message: NO_GROUP }),
    vanishes(LINE.foreignRooms, [7]),
    // Leaving a group of that name no longer takes alice out of the public chat: she hears bob.
    alsoHears(LINE.foreignRooms, 8, 'A'),
  ],
  disconnect_in_public: [statsForbidden(7)],
  get_user_stats: [refused(LINE.malformed, 'invalid', [9, 10])],
  group_empty_name_reaches_everyone: [
    refused(LINE.foreignRooms, 'invalid', [6, 9], { field: 'group_name' }),
    refused(LINE.foreignRooms, 'invalid', [7], { field: 'group_name', message: NO_GROUP }),
    refused(LINE.foreignRooms, 'invalid', [8], { field: 'group_name', message: CHECK_PASSWORD }),
  ],
  group_message_before_join: [refused(LINE.errors, 'unauthenticated', [5])],
  group_message_nonmember: [refused(LINE.posting, 'forbidden', [6, 7])],
  group_named_like_a_sid: [
    // A group may have such a name, but alice no longer hears what is meant for bob alone.
    vanishes(LINE.foreignRooms, [5, 6, 7], ({ client, event }) => client === 'A' && /^(chat_joined|group_created|user_stats)$/.test(event)),
  ],
  group_null_name: [
    refused(LINE.malformed, 'invalid', [5, 6, 7, 8], { field: 'group_name' }),
  ],
  http_endpoints: [
    serves(LINE.pages, 1, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } }),
    statsForbidden(2),
    serves(LINE.pages, 4, { status: 200, headers: { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-cache' } }),
  ],
  huge_message_900k: [refused(LINE.anyText, 'too_large', [5], { field: 'message' })],
  join_chat_twice_same_client: [statsForbidden(7)],
  join_chat_unicode_and_html: [
    refused(LINE.anyText, 'invalid', [4], { field: 'username' }),
    refused(LINE.errors, 'unauthenticated', [5]),
  ],
  join_group_creator_needs_password: [refused(LINE.errors, 'forbidden', [4])],
  join_group_password: [refused(LINE.errors, 'forbidden', [6, 7, 8, 9])],
  join_group_unknown: [refused(LINE.errors, 'not_found', [3, 4])],
  leave_group_before_join: [refused(LINE.errors, 'unauthenticated', [5])],
  leave_group_member: [refused(LINE.posting, 'forbidden', [9])],
  malformed_create_group: [
    refused(LINE.malformed, 'invalid', [6, 7, 8, 9, 10, 11, 13]),
    refused(LINE.malformed, 'invalid', [5, 12, 14, ...span(15, 23)], { field: 'group_name' }),
    refused(LINE.foreignRooms, 'invalid', [24], { field: 'group_name' }),
    refused(LINE.malformed, 'invalid', [27, 28, 29, 32, 34], { field: 'password' }),
    reads(LINE.foreignRooms, { available_groups: (names) => names.filter((name) => name !== '') }),
  ],
  malformed_disconnect_and_connect_names: [refused(LINE.errors, 'not_found', [3, 4])],
  malformed_join_chat: [
    refused(LINE.malformed, 'invalid', [...span(5, 10), 12]),
    refused(LINE.malformed, 'invalid', [4, 11, 13], { field: 'username' }),
    refused(LINE.anyText, 'invalid', span(14, 23), { field: 'username' }),
  ],
  malformed_leave_group: [
    refused(LINE.malformed, 'invalid', [...span(7, 12), 14]),
    refused(LINE.malformed, 'invalid', [6, 13, 15, ...span(16, 25)], { field: 'group_name' }),
  ],
  malformed_send_group_message: [
    refused(LINE.malformed, 'invalid', [...span(8, 13), 15]),
    refused(LINE.malformed, 'invalid', [7, 14, 16, ...span(17, 26)], { field: 'group_name' }),
    refused(LINE.malformed, 'invalid', span(27, 35), { field: 'message' }),
    refused(LINE.anyText, 'invalid', [36], { field: 'message' }),
    refused(LINE.malformed, 'invalid', [38, 39, 40, 43, 45], { field: 'encrypted_content' }),
    reads(LINE.anyText, { messages: withoutEmpty, encrypted_content: textOrEmpty }),
  ],
  malformed_send_public_message: [
    refused(LINE.malformed, 'invalid', [...span(6, 11), 13]),
    refused(LINE.malformed, 'invalid', [5, 12, 14, ...span(15, 23)], { field: 'message' }),
    refused(LINE.anyText, 'invalid', [24], { field: 'message' }),
    refused(LINE.malformed, 'invalid', [26, 27, 28, 31, 33], { field: 'encrypted_content' }),
    reads(LINE.anyText, { public_messages: withoutEmpty, encrypted_content: textOrEmpty }),
  ],
  persistence_restart: [
    statsForbidden(7),
    // A guest of the same name is another person: no member until the password is given.
    refused(LINE.posting, 'forbidden', [10]),
    reads(LINE.posting, { messages: (entries) => entries.filter(({ message }) => !message.startsWith('member by name')) }),
    refused(LINE.errors, 'forbidden', [11]),
  ],
  public_message_before_join: [refused(LINE.errors, 'unauthenticated', [4, 5])],
};

/** The course of a recorded scenario on our server. */
export function courseOf(recorded) {
  const course = structuredClone(recorded);
  everywhere(course);
  for (const { line, apply } of DIFFERENCES[course.name] ?? []) {
    const before = JSON.stringify(course.expect);
    apply(course);
    assert.notEqual(JSON.stringify(course.expect), before, `${course.name}: this difference changes nothing: ${line}`);
  }
  return course;
}

/** What part 2 changes in every scenario: internal tokens, the room of `user_left`, the form of acks. */
function everywhere(course) {
  for (const entry of course.expect) {
    if (entry.event === 'user_left') entry.payload.room ??= 'public'; // all that was recorded without a room was in this one
    if (entry.ack) entry.ack = { ok: true };
    if (entry.http) entry.http = { status: entry.http.status, body: entry.http.body };
  }
  rewrite(course.expect, Object.fromEntries(INTERNAL_KEYS.map((key) => [key, () => undefined])));
}

/** At these steps nobody hears anything but the sender an `error` (and the ack of it, if one was asked for). */
function refused(line, code, steps, { field, message } = {}) {
  return { line, apply: (course) => steps.forEach((number) => refuse(course, number, { code, field, message })) };
}

function refuse(course, number, { code, field, message }) {
  const { client, emit, ack } = course.steps.find(({ step }) => step === number);
  const sentence = message ?? course.expect.find(({ after_step, event }) => after_step === number && event === 'error')?.payload.message;
  const refusal = { code, event: emit[0], ...(field && { field }), ...(sentence && { message: sentence }) };
  const answer = [{ refusal }, ...(ack ? [{ ack: { ok: false, error: refusal } }] : [])];
  replaceStep(course, number, answer.map((entry) => ({ after_step: number, client, ...entry })));
}

/** Entries of these steps that no longer come. */
function vanishes(line, steps, which = () => true) {
  return {
    line,
    apply(course) {
      course.expect = course.expect.filter((entry) => !(steps.includes(entry.after_step) && which(entry)));
    },
  };
}

/** One more client hears what the others hear at this step. */
function alsoHears(line, step, client) {
  return {
    line,
    apply(course) {
      const { event, payload } = course.expect.find(({ after_step }) => after_step === step);
      course.expect.push({ after_step: step, client, event, payload });
    },
  };
}

/** `/admin/stats` is for admins. */
function statsForbidden(step) {
  return serves(LINE.adminOpen, step, { status: 403, body: { ok: false, error: { code: 'forbidden' } } });
}

/** The HTTP answer of this step is another one. */
function serves(line, step, http) {
  return { line, apply: (course) => replaceStep(course, step, [{ after_step: step, http }]) };
}

/** These keys read differently, wherever they stand. */
function reads(line, changes) {
  return { line, apply: (course) => rewrite(course.expect, changes) };
}

function rewrite(value, changes) {
  if (value === null || typeof value !== 'object') return;
  for (const key of Object.keys(value)) {
    if (!Array.isArray(value) && changes[key]) value[key] = changes[key](value[key]);
    if (value[key] === undefined) delete value[key];
    else rewrite(value[key], changes);
  }
}

function replaceStep(course, number, entries) {
  course.expect = [...course.expect.filter(({ after_step }) => after_step !== number), ...entries];
}

function span(first, last) {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** The empty message was refused, so it is in no history. */
function withoutEmpty(entries) {
  return entries.filter(({ message }) => message !== '');
}

/** JSON's falsy values count as absent. */
function textOrEmpty(value) {
  return typeof value === 'string' ? value : '';
}
