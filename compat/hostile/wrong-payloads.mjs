// Wrong payloads without end, from a seed: every one of them is JSON, and has a flaw for which the server must refuse it.
// A payload is a list of frames, a packet head and its attachments, since much of this no client library would send.

const REQUIRED = {
  join_chat: ['username'],
  send_public_message: ['message'],
  create_group: ['group_name'],
  join_group: ['group_name'],
  send_group_message: ['group_name', 'message'],
  leave_group: ['group_name'],
  register: ['username', 'password'],
  login: ['username', 'password'],
  block_user: ['username'],
  unblock_user: ['username'],
  mute_room: ['room'],
  kick_user: ['username'],
  ban_user: ['username'],
  unban_user: ['username'],
  mute_user: ['username'],
  set_role: ['username', 'role'],
  set_slow_mode: ['room', 'seconds'],
  delete_message: ['id'],
  report_message: ['id'],
  resolve_report: ['report_id'],
};
const WITHOUT_ARGUMENT = ['get_user_stats', 'backup_database'];
const UNKNOWN = [
  'connect', 'disconnect', 'disconnecting', 'connect_error', 'error', 'message', 'chat_joined', 'new_message', '__proto__',
  'constructor', 'toString', '', ' join_chat', 'JOIN_CHAT', '💥', 'x'.repeat(5_000),
];

/** Yields `{event, frames(id)}`; `id` is the number the ack shall carry, or '' for none. */
export function* wrongPayloads(seed) {
  const random = new Random(seed);
  for (;;) {
    const event = random.pick([...Object.keys(REQUIRED), ...WITHOUT_ARGUMENT, random.pick(UNKNOWN)]);
    const wrong = wrongArguments(random, event);
    yield { event: JSON.parse(`"${event}"`), frames: (id) => frames(event, wrong, id) };
  }
}

function frames(event, { args, attachments = [] }, id) {
  const type = attachments.length ? `45${attachments.length}-` : '42';
  return [`${type}${id}[${[`"${event}"`, ...args].join(',')}]`, ...attachments];
}

/** Arguments as raw JSON text, for much of this no `JSON.stringify` would write. */
function wrongArguments(random, event) {
  if (UNKNOWN.includes(event)) return { args: random.some(() => anyValue(random)) };
  if (WITHOUT_ARGUMENT.includes(event)) return { args: [anyValue(random), ...random.some(() => anyValue(random))] };
  return random.pick([missing, noPayload, extraArgument, binary, wrongField, wrongField, wrongField, wrongField])(random, REQUIRED[event]);
}

const missing = (random) => ({ args: random.pick([[], ['{}'], ['{"usernam":"x","messag":"x","group_nam":"x"}'], ['{"__proto__":{"username":"x"}}']]) });

const noPayload = (random) => ({ args: [random.pick(NOT_A_PAYLOAD)(random)] });

const extraArgument = (random, fields) => ({ args: [object(fields, () => '"fine"'), anyValue(random)] });

/** Attachments where a string belongs: some in their place, some that no placeholder fits. */
function binary(random, fields) {
  const num = random.pick([0, 0, 0, 1, 7, -1, 4_294_967_296]);
  const placeholder = `{"_placeholder":true,"num":${num}}`;
  return { args: random.pick([[placeholder], [object(fields, () => placeholder)]]), attachments: [Buffer.from([0, 255, 1])] };
}

/** One field is wrong, the others are fine. */
function wrongField(random, fields) {
  const wrong = random.pick(fields);
  const kind = random.pick([...NOT_TEXT, ...(WRONG_TEXT[wrong] ?? [])]);
  return { args: [object(fields, (field) => (field === wrong ? kind(random) : '"fine"'))] };
}

const object = (fields, valueOf) => `{${fields.map((field) => `"${field}":${valueOf(field)}`).join(',')}}`;

const NOT_TEXT = [
  () => 'null',
  () => 'true',
  (random) => String(random.below(1e9)),
  () => '1' + '0'.repeat(400),
  () => '-1e999',
  () => '[]',
  () => '{}',
  (random) => nested(random, '[', ']'),
  (random) => nested(random, '{"a":', '}'),
  () => '"\\ud83d"',
  () => '"a\\udc00b"',
  () => '{"_placeholder":true,"num":0}',
];
const NOT_A_PAYLOAD = [...NOT_TEXT, () => '"text"', () => '["fine"]', () => '["fine","fine"]'];

/** Characters that neither a name nor a message may have. */
const FORBIDDEN = ['\\u0000', '\\u0007', '\\u001b', '\\u007f', '\\u202e', '\\u2066'];

const wrongMessage = (random) =>
  random.pick([() => '""', () => `"a${random.pick(FORBIDDEN)}b"`, () => `"${'m'.repeat(10_001 + random.below(20_000))}"`])();

const wrongName = (random) =>
  random.pick([
    () => '""',
    () => `"a${random.pick([...FORBIDDEN, '\\n', '<', '>', '\\"', '\\\\'])}b"`,
    () => `"${random.pick(['n', 'ñ', '🎉'])}"`.replace(/[^"]+/, (letter) => letter.repeat(65 + random.below(5_000))),
  ])();

const WRONG_TEXT = { message: [wrongMessage], username: [wrongName], group_name: [wrongName], room: [wrongName] };

const anyValue = (random) => random.pick([...NOT_TEXT, () => '"text"', () => object(['message'], () => '"fine"')])(random);

/** Deeper than any parser's stack should be asked to go. */
function nested(random, open, close) {
  const depth = random.pick([2, 100, 127, 128, 129, 1_000, 20_000]);
  return open.repeat(depth) + '1' + close.repeat(depth);
}

/** mulberry32: the same seed, the same payloads, everywhere. */
class Random {
  #state;

  constructor(seed) {
    this.#state = seed;
  }

  #next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit) {
    return Math.floor(this.#next() * limit);
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  some(make) {
    return Array.from({ length: this.below(4) }, make);
  }
}
