// The page's icons: strokes on a 24 by 24 grid, in the colour of the text around them. What they mean is said by the button's label.
import { html } from './html.js';

const PATHS = {
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  more: 'M5 11.500v1M12 11.500v1M19 11.500v1',
  react: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8.5 14.5c1 1.3 2.2 2 3.500 2s2.500-.7 3.500-2M9 9.500h.01M15 9.500h.01',
  reply: 'M9 7l-5 5 5 5M4 12h10a6 6 0 0 1 6 6',
  attach: 'M20 11l-8.500 8.500a5 5 0 0 1-7-7L13 4a3.400 3.400 0 0 1 5 5l-8.600 8.600a1.700 1.700 0 0 1-2.500-2.500L14.500 7.500',
  send: 'M4 12l16-8-6 16-3-7z',
  search: 'M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13M15.500 15.500L20 20',
  people: 'M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7M2.500 20a6.500 6.500 0 0 1 13 0M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14a6.500 6.500 0 0 1 3.500 6',
  pin: 'M9 4h6l-1 6 3 3v1H7v-1l3-3zM12 14v6',
  room: 'M4 7h10M18 7h2M4 17h4M12 17h8M16 5v4M10 15v4',
  add: 'M12 5v14M5 12h14',
  down: 'M12 5v14M6 13l6 6 6-6',
  clock: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4l3 2',
  check: 'M5 13l4 4L19 7',
  file: 'M7 3h7l4 4v14H7zM14 3v4h4',
  muted: 'M6 10v4h3l4 4V6l-4 4zM17 10l4 4M21 10l-4 4',
};

export const icon = (name) => html`<svg class="icon-image" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>`;

/** A button that is a picture; `label` says what it does. */
export function IconButton({ name, label, class: more = '', ...rest }) {
  return html`<button type="button" class=${`icon ${more}`} aria-label=${label} title=${label} ...${rest}>${icon(name)}</button>`;
}
