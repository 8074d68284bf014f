// Markup as tagged templates: makes elements, never parses HTML, so that no text of a person can become markup.
import htm from './vendor/htm.js';
import { Component, h } from './vendor/preact.js';
import './vendor/signals.js'; // a component that reads a signal is drawn again when that changes

export const html = htm.bind(h);

/** A component that is drawn again only when one of its properties is another one. */
export function memo(draw) {
  return class extends Component {
    shouldComponentUpdate(next) {
      const names = new Set([...Object.keys(this.props), ...Object.keys(next)]);
      return [...names].some((name) => this.props[name] !== next[name]);
    }
    render(props) {
      return draw(props);
    }
  };
}
