// The panel that looks for what was said: words, filters, hits with the words marked, opened in their place.
import { signal } from './vendor/signals.js';
import { useEffect, useRef } from './vendor/preact-hooks.js';
import { describeError, formatTime, t } from './account/i18n.js';
import { patiently } from './connection.js';
import { html } from './html.js';
import { goTo } from './route.js';
import { rooms, titleOf } from './state.js';

const wanted = signal({ query: '', here: false, from: '', since: '', until: '' }); // days, both of them included
const found = signal({ hits: [], next: null, state: 'idle', error: null }); // 'idle', 'looking', 'done'
let number = 0;

export function Search({ room }) {
  const input = useRef(null);
  useEffect(() => input.current.focus(), []);
  const set = (name) => ({ currentTarget: { type, checked, value } }) => (wanted.value = { ...wanted.value, [name]: type === 'checkbox' ? checked : value });
  const { query, here, from, since, until } = wanted.value;
  const { hits, next, state, error } = found.value;
  return html`<form class="search" role="search" noValidate onSubmit=${(event) => { event.preventDefault(); look(room); }}>
    <input ref=${input} type="search" aria-label=${t('chat.searchWords')} placeholder=${t('chat.searchWords')} value=${query} onInput=${set('query')} />
    <label class="check"><input type="checkbox" checked=${here} onChange=${set('here')} /> ${t('chat.searchHere')}</label>
    <details>
      <summary>${t('chat.searchMore')}</summary>
      <div class="field"><label for="search-from">${t('chat.searchFrom')}</label><input id="search-from" value=${from} autocomplete="off" onInput=${set('from')} /></div>
      <div class="pair">
        <div class="field"><label for="search-since">${t('chat.searchSince')}</label><input id="search-since" type="date" value=${since} onInput=${set('since')} /></div>
        <div class="field"><label for="search-until">${t('chat.searchUntil')}</label><input id="search-until" type="date" value=${until} onInput=${set('until')} /></div>
      </div>
      <p class="note">${t('chat.searchHelp')}</p>
    </details>
    <button type="submit">${t('chat.searchButton')}</button>
  </form>
  <p role="status" class="note">${error ? describeError(error) : state === 'looking' ? t('chat.loading') : state === 'done' ? t('chat.hits', { count: hits.length }) : ''}</p>
  <ul class="hits" aria-label=${t('chat.searchResults')}>${hits.map((hit) => html`<${Hit} key=${hit.id} hit=${hit} />`)}</ul>
  ${next && html`<button type="button" class="quiet" onClick=${() => look(room, next)}>${t('chat.moreHits')}</button>`}`;
}

function Hit({ hit }) {
  const room = rooms.value.get(hit.room);
  return html`<li><button type="button" class="hit" onClick=${() => goTo(hit.room, hit.seq)}>
    <span class="note"><bdi>${hit.username}</bdi> · <bdi>${room ? titleOf(room) : hit.room}</bdi> · ${formatTime(hit.timestamp)}</span>
    <span class="hit-text" dir="auto">${hit.parts.map(({ text, hit: marked }) => (marked ? html`<mark>${text}</mark>` : text))}</span>
  </button></li>`;
}

/** A page may be empty and have others behind it: then the next one is asked for. */
async function look(room, before = null) {
  const mine = ++number;
  const query = queryText();
  found.value = { hits: before ? found.value.hits : [], next: null, state: query ? 'looking' : 'idle', error: null };
  if (!query) return;
  let next = before;
  let hits = found.value.hits;
  do {
    const ack = await patiently('search_messages', { query, ...(wanted.value.here && room ? { room: room.name } : {}), ...(next ? { before: next } : {}) });
    if (mine !== number) return;
    if (!ack.ok) return void (found.value = { hits, next: null, state: 'done', error: ack.error });
    hits = [...hits, ...ack.hits];
    next = ack.next;
    found.value = { hits, next, state: next && hits.length === 0 ? 'looking' : 'done', error: null };
  } while (next && hits.length === 0);
}

/** The filters in the words of the query language. */
function queryText() {
  const { query, from, since, until } = wanted.value;
  const quoted = (text) => `"${text.replaceAll('"', '')}"`;
  return [query.trim(), from.trim() && `from:${quoted(from.trim())}`, since && `after:${since}`, until && `before:${dayAfter(until)}`].filter(Boolean).join(' ');
}

/** The day after a day such as 2026-11-30; what the calendar does not have is left as it is, for the server to refuse. */
function dayAfter(day) {
  const next = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(next.getTime())) return day;
  next.setUTCDate(next.getUTCDate() + 1);
  return next.toISOString().slice(0, 10);
}
