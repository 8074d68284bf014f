// Numbers over time as drawings, each with a table that says the same. uPlot draws on a canvas, so colours are set here.
import { element } from './dom.js';
import { formatClock, formatDate, formatNumber, formatSize, formatTime, t } from './i18n.js';
import { onThemeChange } from './theme.js';

const HEIGHT = 180;
// Up to so many days every sample is shown; past it, days are summed up.
const FEW_DAYS = 7;
const last = (values) => values.at(-1);
const sum = (values) => values.reduce((all, value) => all + value, 0);
const most = (values) => Math.max(...values);
const PLOTS = [
  { name: 'messages', bars: true, join: sum, format: formatNumber },
  { name: 'people', bars: true, join: most, format: formatNumber },
  { name: 'accounts', join: last, format: formatNumber },
  { name: 'rooms', join: last, format: formatNumber },
  { name: 'bytes', join: last, format: formatSize },
];

let library = null; // promise of uPlot
let drawn = []; // what is shown: {plot, times, values, place, days, chart}

const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const one = drawn.find(({ place }) => place === target);
    if (one && contentRect.width > 0) one.chart.setSize({ width: Math.floor(contentRect.width), height: HEIGHT });
  }
});

onThemeChange(() => drawn.forEach(draw));

/** Shows all numbers of these samples in place of what is there. */
export async function showPlots(root, samples, days) {
  const uPlot = await load();
  const opened = new Set([...root.querySelectorAll('details[open]')].map((details) => details.dataset.of));
  const hadFocus = root.contains(document.activeElement) && document.activeElement.closest('details')?.dataset.of;
  resized.disconnect();
  drawn.forEach(({ chart }) => chart.destroy());
  drawn = [];
  root.replaceChildren();
  if (samples.length === 0) return;
  const spans = days > FEW_DAYS ? byDay(samples) : samples.map((sample) => [sample]);
  const times = spans.map((span) => new Date(last(span).at));
  for (const plot of PLOTS) {
    const values = spans.map((span) => plot.join(span.map((sample) => sample[plot.name])));
    const one = { uPlot, plot, times, values, days, place: element('div', { className: 'canvas', ariaHidden: 'true' }), chart: null };
    const title = t(`account.plot_${plot.name}`);
    root.append(element('figure', { className: 'plot' }, element('figcaption', { textContent: title }), one.place, table(one, title, opened)));
    drawn.push(one);
    draw(one);
    resized.observe(one.place);
  }
  if (hadFocus) root.querySelector(`details[data-of="${hadFocus}"] summary`)?.focus();
}

/** Fetched when it is first needed: few come here. */
function load() {
  library ??= (async () => {
    const style = element('link', { rel: 'stylesheet', href: new URL('../vendor/uPlot.min.css', import.meta.url).href });
    const [{ default: uPlot }] = await Promise.all([import('../vendor/uPlot.esm.js'), loaded(style)]);
    return uPlot;
  })();
  return library;
}

function loaded(style) {
  return new Promise((resolve) => {
    style.addEventListener('load', resolve);
    style.addEventListener('error', resolve);
    document.head.append(style);
  });
}

/** Samples of the same day, as the reader's own clock has it. */
function byDay(samples) {
  return [...Map.groupBy(samples, ({ at }) => new Date(at).toDateString()).values()];
}

function draw(one) {
  const { uPlot, plot, times, values, place, days } = one;
  one.chart?.destroy();
  const { color: accent, borderTopColor: line, fontFamily } = getComputedStyle(place);
  const muted = getComputedStyle(place.parentElement).color;
  const axis = { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: `12px ${fontFamily}` };
  const when = days > 1 ? (second) => formatDate(second * 1000, { short: true }) : (second) => formatClock(second * 1000);
  const series = { stroke: accent, width: 2, points: { show: values.length < 40, fill: accent } };
  if (plot.bars) Object.assign(series, { fill: accent, width: 0, paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false } });
  const options = {
    width: Math.max(100, place.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 12, 0, 0],
    scales: { x: { range: xRange(times, days) }, y: { range: (_, low, high) => yRange(plot, low, high) } },
    series: [{}, series],
    axes: [
      { ...axis, space: 70, values: (_, splits) => once(splits.map(when)) },
      { ...axis, size: 72, values: (_, splits) => once(splits.map((value) => (Number.isInteger(value) ? plot.format(value) : ''))) },
    ],
  };
  one.chart = new uPlot(options, [times.map((time) => time.getTime() / 1000), values], place);
}

/** What is rounded to the same as the one before is not said again. */
const once = (labels) => labels.map((label, i) => (label === labels[i - 1] ? '' : label));

/** From the first sample on, and wide enough for one alone. */
function xRange(times, days) {
  const [first, newest] = [times[0], last(times)].map((time) => time.getTime() / 1000);
  const least = days > FEW_DAYS ? 86_400 : 60;
  const margin = Math.max((newest - first) / Math.max(times.length - 1, 1) / 2, least / 2);
  return () => [first - margin, newest + margin];
}

/** What is counted begins at 0; a size is looked at for how it changes. */
function yRange({ bars }, low, high) {
  const top = Math.max(high ?? 0, 1);
  const margin = Math.max((top - low) * 0.2, top * 0.05, 1);
  return bars ? [0, top * 1.1] : [Math.max(0, low - margin), top + margin];
}

/** The same as a table, which is read out and can be copied. */
function table({ plot, times, values, days }, title, opened) {
  const when = days > FEW_DAYS ? formatDate : formatTime;
  const head = element('tr', {}, element('th', { scope: 'col', textContent: t('account.plot_time') }), element('th', { scope: 'col', textContent: t('account.plot_value') }));
  const rows = times.map((time, i) =>
    element('tr', {}, element('th', { scope: 'row' }, element('time', { dateTime: time.toISOString(), textContent: when(time) })), element('td', { textContent: plot.format(values[i]) })),
  );
  const body = element('table', { ariaLabel: title }, element('thead', {}, head), element('tbody', {}, ...rows.reverse()));
  const scroller = element('div', { className: 'scroller', tabIndex: 0, role: 'region', ariaLabel: t('account.plot_table_of', { title }) }, body);
  const summary = element('summary', { ariaLabel: t('account.plot_table_of', { title }), textContent: t('account.plot_table') });
  return element('details', { data: { of: plot.name }, open: opened.has(plot.name) }, summary, scroller);
}
