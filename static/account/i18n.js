// The page's language: texts from one file a language, numbers and times as the reader is used to them. Whoever imports this
// has the texts at once: the module is ready only when its language is loaded.
import { FIELDS, SENTENCES } from './sentences.js';

const LANGUAGES = { en: 'English', de: 'Deutsch' };
const CHOICE = 'language'; // in localStorage

export const language = pick();
const { default: texts } = await import(`./lang/${language}.js`);
// English is not English: who reads it in London wants London's dates.
const locale = navigator.languages.find((wanted) => base(wanted) === language) ?? language;
const plural = new Intl.PluralRules(language);
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
document.documentElement.lang = language;

export const languages = Object.entries(LANGUAGES);

function pick() {
  return [chosen(), ...navigator.languages.map(base)].find((code) => Object.hasOwn(LANGUAGES, code)) ?? 'en';
}

function base(tag) {
  return tag.toLowerCase().split('-')[0];
}

/** What was chosen on this machine before; without storage nothing ever is. */
function chosen() {
  try {
    return localStorage.getItem(CHOICE) ?? '';
  } catch {
    return '';
  }
}

/** Remembers the language, and loads the page anew in it. */
export function setLanguage(code) {
  if (!Object.hasOwn(LANGUAGES, code)) return;
  try {
    localStorage.setItem(CHOICE, code);
  } catch {
    return; // it would come back in the same language
  }
  location.reload();
}

/** The text of a key such as `account.sign_in`; `{name}` in it is replaced by that value. */
export function t(key, values = {}) {
  return pieces(key, values).join('');
}

/** As `t`, for values that are elements: what to append to the element that holds the text. */
export function pieces(key, values = {}) {
  return pattern(key, values.count)
    .split(/(\{\w+\})/)
    .filter((piece) => piece !== '')
    .map((piece) => (piece.startsWith('{') ? shown(values[piece.slice(1, -1)] ?? piece) : piece));
}

function shown(value) {
  return typeof value === 'number' ? formatNumber(value) : value;
}

function pattern(key, count) {
  const text = find(key);
  if (text === undefined) return key;
  return typeof text === 'string' ? text : (text[plural.select(count ?? 0)] ?? text.other);
}

function find(key) {
  return key.split('.').reduce((section, name) => section?.[name], texts);
}

const ATTRIBUTES = { tLabel: 'aria-label', tPlaceholder: 'placeholder', tTitle: 'title', tAlt: 'alt' };

/** Fills in the texts of all elements below that name one: data-t its text, data-t-label, -placeholder, -title, -alt an attribute. */
export function translate(root = document) {
  for (const element of root.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    const selector = `[data-${name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}]`;
    for (const element of root.querySelectorAll(selector)) element.setAttribute(attribute, t(element.dataset[name]));
  }
}

/** An error of the server's in the reader's language. English is the server's own; `local` ones the page has made itself. */
export function describeError(error) {
  const { code, field, message, local, retry_ms: wait, request_id: number } = error;
  const text = (language === 'en' || local) && message ? named(message, field) : (said(message) ?? meant(code, field));
  if (wait > 0) return `${text} ${t('common.try_again_in', { count: Math.ceil(wait / 1000) })}`;
  return number && text !== message ? `${text} ${t('common.error_number', { number })}` : text;
}

/** "username must not be empty", as people say it. */
function named(message, field) {
  const name = Object.hasOwn(FIELDS, field ?? '') && message.startsWith(`${field} `) ? FIELDS[field] : null;
  return name ? name + message.slice(field.length) : message;
}

function said(message) {
  return Object.hasOwn(SENTENCES, message ?? '') ? t(`common.said_${SENTENCES[message]}`) : undefined;
}

function meant(code, field) {
  const keys = [`common.error_${code}_${field}`, `common.error_${code}`, 'common.error_internal'];
  return t(keys.find((key) => find(key) !== undefined));
}

/** A point in time as the reader's own clock shows it; the date only when it is not today. */
export function formatTime(timestamp) {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return String(timestamp);
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString(locale, { timeStyle: 'short', ...(today ? {} : { dateStyle: 'medium' }) });
}

const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'short' }); // made once: there are many messages
const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(locale, { dateStyle: 'full' });

/** The time of day alone. */
export const formatClock = (timestamp) => clock.format(new Date(timestamp));

/** Day and time in full. */
export const formatMoment = (timestamp) => moment.format(new Date(timestamp));

/** "Today", "Yesterday", or the day in full. */
export function dayName(timestamp) {
  const noon = (time) => new Date(time).setHours(12, 0, 0, 0);
  const days = Math.round((noon(Date.now()) - noon(timestamp)) / 86_400_000);
  if (days > 1 || days < 0) return day.format(new Date(timestamp));
  const name = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(-days, 'day');
  return name[0].toLocaleUpperCase(locale) + name.slice(1);
}

/** A day, without its year where `short`. */
export function formatDate(timestamp, { short = false } = {}) {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return String(timestamp);
  return time.toLocaleDateString(locale, short ? { day: 'numeric', month: 'short' } : { dateStyle: 'medium' });
}

export const formatNumber = (number) => whole.format(number);

/** Bytes, in units of 1000. */
export function formatSize(bytes) {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const options = { style: 'unit', unit: units[step], unitDisplay: 'short', maximumFractionDigits: 1 };
  return new Intl.NumberFormat(locale, options).format(bytes / 1000 ** step);
}

/** For how long something has been going on, in the largest unit that fits. */
export function formatDuration(seconds) {
  const [unit, length] = [['day', 86_400], ['hour', 3_600], ['minute', 60]].find(([, length]) => seconds >= length) ?? ['second', 1];
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(Math.floor(seconds / length));
}
