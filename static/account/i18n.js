// The page's language: strings by key, plurals, dates and numbers. Only the language that is read is loaded.

export const languages = { en: 'English', de: 'Deutsch' };

const STORED = 'language';
const current = choose();
const { default: strings } = await import(`./lang/${current}.js`);
const plurals = new Intl.PluralRules(current);
const formats = new Map(); // making one is slow

document.documentElement.lang = current;

function choose() {
  const wanted = [localStorage.getItem(STORED), ...navigator.languages].filter(Boolean).map((one) => one.split('-')[0]);
  return wanted.find((one) => one in languages) ?? 'en';
}

export const language = () => current;

export function setLanguage(code) {
  localStorage.setItem(STORED, code);
  location.reload();
}

/** A string by its key, such as `chat.send`; `{name}` in it is replaced, and `count` picks among plural forms. */
export function t(key, values = {}) {
  const found = key.split('.').reduce((from, part) => from?.[part], strings);
  const text = typeof found === 'object' ? (found[plurals.select(values.count)] ?? found.other) : found;
  if (text === undefined) throw new Error(`there is no string ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The regional form of the language that the reader's browser has, such as de-AT. */
const locale = navigator.languages.find((one) => one.split('-')[0] === current) ?? current;

export function formatDate(timestamp, options) {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return String(timestamp);
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale, options));
  return formats.get(key).format(time);
}

/** A point in time as the reader's own clock shows it; the date only when it is not today. */
export function formatTime(timestamp) {
  const today = new Date(timestamp).toDateString() === new Date().toDateString();
  return formatDate(timestamp, { timeStyle: 'short', ...(today ? {} : { dateStyle: 'medium' }) });
}

/** "Today", "Yesterday", or the date. */
export function dayName(timestamp) {
  const day = new Date(timestamp);
  const days = Math.round((new Date().setHours(12, 0, 0, 0) - new Date(day).setHours(12, 0, 0, 0)) / 86_400_000);
  if (days > 1 || days < 0) return formatDate(timestamp, { dateStyle: 'full' });
  const name = new Intl.RelativeTimeFormat(current, { numeric: 'auto' }).format(-days, 'day');
  return name[0].toLocaleUpperCase(current) + name.slice(1);
}

/** The server explains errors in English; in other languages the page does, by their code. */
export function describeError({ code, field, message, retry_ms: wait }) {
  const own = current !== 'en' && (strings.errors?.[`${code}.${field}`] ?? strings.errors?.[code]);
  const text = own || message;
  return wait > 0 ? `${text} ${t('common.tryAgainIn', { seconds: Math.ceil(wait / 1000) })}` : text;
}

/** Fills in the texts of markup: `data-t` the content, `data-t-label`, `data-t-placeholder` and `data-t-title` attributes. */
export function translate(root) {
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const [data, attribute] of [['tLabel', 'aria-label'], ['tPlaceholder', 'placeholder'], ['tTitle', 'title']]) {
    for (const node of root.querySelectorAll(`[data-${data.replace('L', '-l').replace('P', '-p').replace('T', '-t')}]`)) node.setAttribute(attribute, t(node.dataset[data]));
  }
}
