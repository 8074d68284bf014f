// Emoji: the data, which is loaded when it is first needed, looking for one by name, and the picker.
import { signal } from './vendor/signals.js';
import { useEffect, useRef, useState } from './vendor/preact-hooks.js';
import { t } from './account/i18n.js';
import { html } from './html.js';

const RECENT = 'recent-emoji';
const USUAL = ['👍', '❤️', '😂', '🎉', '😮', '😢', '🙏', '👀'];
const MOST_FOUND = 60;

const picking = signal(null); // {opener, done}
let loading = null;

/** Groups of `{name, emoji: [[emoji, name, short names, keywords]]}`. */
function groups() {
  const language = document.documentElement.lang === 'de' ? 'de' : 'en';
  loading ??= fetch(new URL(`./vendor/emoji-${language}.json`, import.meta.url)).then((response) => response.json()).catch(() => {
    loading = null;
    return [];
  });
  return loading;
}

/** Those whose short name or name begins with a word, the best first. */
export async function findEmoji(word, most) {
  const wanted = word.toLowerCase();
  const ranked = [];
  for (const { emoji } of await groups()) {
    for (const one of emoji) {
      const rank = rankOf(one, wanted);
      if (rank > 0) ranked.push([rank, one]);
    }
  }
  return ranked.sort(([one], [other]) => other - one).slice(0, most).map(([, one]) => one);
}

function rankOf([, name, codes, keywords], wanted) {
  if (codes.includes(wanted)) return 4;
  if (codes.some((code) => code.startsWith(wanted))) return 3;
  if (name.toLowerCase().split(/[^\p{L}\p{N}]+/u).some((part) => part.startsWith(wanted))) return 2;
  return keywords.split(' ').some((part) => part.startsWith(wanted)) ? 1 : 0;
}

/** Opens the picker at a button; `done` gets the emoji. */
export function pickEmoji(opener, done) {
  picking.value = picking.value?.opener === opener ? null : { opener, done };
}

function recent() {
  const kept = JSON.parse(localStorage.getItem(RECENT) ?? '[]');
  return [...new Set([...kept, ...USUAL])].slice(0, 16);
}

export function EmojiPicker() {
  const { value: wanted } = picking;
  const [all, setAll] = useState([]);
  const [word, setWord] = useState('');
  const [found, setFound] = useState([]);
  const panel = useRef(null);
  useEffect(() => {
    if (!wanted) return;
    setWord('');
    setFound([]);
    groups().then(setAll);
    place(panel.current, wanted.opener);
    panel.current.querySelector('input').focus();
    const outside = ({ target }) => !panel.current?.contains(target) && !wanted.opener.contains(target) && close(false);
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [wanted]);
  if (!wanted) return null;
  const search = async ({ currentTarget: { value } }) => {
    setWord(value);
    setFound(value.trim() ? await findEmoji(value.trim(), MOST_FOUND) : []);
  };
  const sections = word.trim() ? [{ name: t('chat.emojiFound'), emoji: found }] : [{ name: t('chat.emojiRecent'), emoji: recent().map((emoji) => [emoji, emoji]) }, ...all];
  return html`<div class="picker" role="dialog" aria-label=${t('chat.emoji')} ref=${panel} onKeyDown=${onKey}>
    <input type="search" aria-label=${t('chat.emojiSearch')} placeholder=${t('chat.emojiSearch')} value=${word} onInput=${search} />
    <div class="picker-list">
      ${sections.map(({ name, emoji }) => html`<section key=${name} aria-label=${name}><h3>${name}</h3><div class="picker-grid">${emoji.map(([symbol, label]) => html`<button type="button" key=${symbol} tabindex="-1" aria-label=${label} title=${label} onClick=${() => choose(symbol)}>${symbol}</button>`)}</div></section>`)}
      ${word.trim() && found.length === 0 && html`<p class="note">${t('chat.emojiNone')}</p>`}
    </div>
  </div>`;
}

function choose(emoji) {
  const { done } = picking.value;
  localStorage.setItem(RECENT, JSON.stringify([emoji, ...recent().filter((other) => other !== emoji)].slice(0, 8)));
  close(true);
  done(emoji);
}

function close(giveBack) {
  const { opener } = picking.value;
  picking.value = null;
  if (giveBack) opener.focus();
}

function onKey(event) {
  const buttons = [...event.currentTarget.querySelectorAll('.picker-grid button')];
  const at = buttons.indexOf(document.activeElement);
  const row = Math.max(1, Math.round(event.currentTarget.querySelector('.picker-grid').clientWidth / (buttons[0]?.offsetWidth || 40)));
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: at < 0 ? 1 : row, ArrowUp: -row };
  if (event.key === 'Escape' || event.key === 'Tab') {
    event.preventDefault();
    event.stopPropagation();
    close(true);
  } else if (event.key === 'Enter' && at < 0 && buttons.length > 0) {
    event.preventDefault();
    buttons[0].click();
  } else if (event.key in steps && (at >= 0 || event.key === 'ArrowDown')) {
    event.preventDefault();
    (buttons[at + steps[event.key]] ?? (at + steps[event.key] < 0 ? event.currentTarget.querySelector('input') : buttons.at(-1))).focus();
  }
}

function place(panel, opener) {
  const { top, bottom, right } = opener.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = panel;
  const above = top - height - 4 > 4;
  panel.style.top = `${above ? top - height - 4 : Math.max(4, Math.min(bottom + 4, innerHeight - height - 4))}px`;
  panel.style.left = `${Math.max(4, Math.min(right - width, innerWidth - width - 4))}px`;
}
