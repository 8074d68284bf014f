// Completion in the box: @ for people of the room, : for emoji. The list is walked with the arrow keys while the focus stays in the box.
import { signal } from './vendor/signals.js';
import { t } from './account/i18n.js';
import { findEmoji } from './emoji.js';
import { html } from './html.js';
import { isSelf, room } from './state.js';

const MOST = 8;
const STARTS = /(^|[\s(])([@:])([\p{L}\p{N}_+\-.]{0,30})$/u;

const open = signal(null); // {from, to, items: [{label, text}], at, box}

/** Offers what fits the word before the cursor; `null` closes the list. */
export async function complete(box) {
  const found = box && STARTS.exec(box.value.slice(0, box.selectionStart));
  if (!found) return void (open.value = null);
  const [, , sign, word] = found;
  const items = sign === '@' ? people(word) : word.length > 1 ? await emoji(word) : [];
  const to = box.selectionStart;
  open.value = items.length > 0 ? { box, from: to - word.length - 1, to, items, at: 0 } : null;
}

function people(word) {
  const names = new Map();
  const add = (name) => !isSelf(name) && names.set(name.toLowerCase(), name);
  for (const { username } of [...room.value.timeline.messages.value].reverse()) add(username);
  for (const name of room.value.members.value) add(name);
  if (room.value.partner) add(room.value.partner);
  const wanted = word.toLowerCase();
  const fitting = [...names.entries()].filter(([key]) => key.startsWith(wanted)).map(([, name]) => name);
  return fitting.slice(0, MOST).map((name) => ({ label: name, text: /^[\p{L}\p{N}_-]+$/u.test(name) ? `@${name} ` : `@"${name}" ` }));
}

async function emoji(word) {
  return (await findEmoji(word, MOST)).map(([symbol, , [code]]) => ({ label: `${symbol} ${code ?? ''}`, text: `${symbol} ` }));
}

/** Whether a key was for the list. */
export function completionKey(event, box) {
  const { value: list } = open;
  if (!list) return false;
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps) open.value = { ...list, at: (list.at + steps[event.key] + list.items.length) % list.items.length };
  else if (event.key === 'Escape') open.value = null;
  else if (event.key === 'Tab' || (event.key === 'Enter' && !event.shiftKey)) choose(list.items[list.at], box);
  else return false;
  event.preventDefault();
  return true;
}

function choose({ text }, box) {
  const { from, to } = open.value;
  open.value = null;
  box.setRangeText(text, from, to, 'end');
  box.focus();
  box.dispatchEvent(new Event('input'));
}

export function Completion() {
  const { value: list } = open;
  if (!list) return null;
  return html`<ul id="completion" class="completion" role="listbox" aria-label=${t('chat.suggestions')}>${list.items.map((item, place) => html`<li key=${item.label} role="option" aria-selected=${String(place === list.at)} onPointerDown=${(event) => { event.preventDefault(); choose(item, list.box); }}>${item.label}</li>`)}</ul>
  <p class="visually-hidden" aria-live="polite">${list.items[list.at].label}</p>`;
}
