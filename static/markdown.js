// The markup of messages: a small part of Markdown, read into elements. What is not in it is shown as it was typed; HTML never is markup.
import { Marked } from './vendor/marked.js';
import { html } from './html.js';

// Left out: headings, tables, images, HTML, entities, backslashes: in a chat they are typed for themselves more often than not.
const LEFT_OUT = ['heading', 'lheading', 'hr', 'html', 'def', 'table', 'escape', 'tag', 'reflink', 'code', 'list', 'br'];
const FENCED = /^ {0,3}`{3,}[\w+#.-]{0,20}[ \t]*\n\s*[^\s`]/;
const DEEPEST = 6; // quotes in quotes, strong in strong: deeper ones break a page, and mean nothing
const SAFE_LINK = /^(https?:|mailto:)/i;

const reader = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    ...Object.fromEntries(LEFT_OUT.map((name) => [name, () => undefined])),
    // Between lines of its own, of backticks, behind which at most a language is named: all else would be lost.
    fences: (text) => (FENCED.test(text) ? false : undefined),
    // Underscores stand in names of files and in ¯\_(ツ)_/¯; stars make words strong, unless they multiply: 2*3*4.
    emStrong: (text, masked, before) => (text.startsWith('_') || /[\p{L}\p{N}*]/u.test(before) ? undefined : false),
    // One tilde stands before a home: ~/bin:~/lib.
    del: (text) => (text.startsWith('~~') ? false : undefined),
  },
});
// message → what was read. Not its elements: each knows the one above it, and so all messages that were shown together.
const known = new WeakMap();

/** A message's text as elements; `mentions` are the names whose `@name` is marked. */
export function markdown(message, mentions = []) {
  if (!known.has(message)) known.set(message, read(message.message));
  return blocks(known.get(message), mentions);
}

/** What is nested so deeply that reading it fails is shown as it was typed. */
function read(text) {
  try {
    return reader.lexer(text);
  } catch {
    return [{ type: 'text', raw: text }];
  }
}

function blocks(tokens, mentions, depth = 0) {
  return tokens.map((token) => {
    if (depth > DEEPEST) return html`<p dir="auto">${token.raw}</p>`;
    switch (token.type) {
      case 'space':
        return null;
      case 'code':
        return html`<pre class="code" tabindex="0"><code>${token.text}</code></pre>`;
      case 'blockquote':
        return html`<blockquote dir="auto">${blocks(token.tokens, mentions, depth + 1)}</blockquote>`;
      case 'paragraph':
      case 'text':
        return html`<p dir="auto">${inline(token.tokens ?? [{ type: 'text', raw: token.raw }], mentions)}</p>`;
      default:
        return html`<p dir="auto">${token.raw}</p>`;
    }
  });
}

const INLINE = { strong: 'strong', em: 'em', del: 'del' };

function inline(tokens, mentions, depth = 0) {
  return tokens.map((token) => {
    if (depth > DEEPEST) return token.raw;
    if (INLINE[token.type]) return html`<${INLINE[token.type]}>${inline(token.tokens, mentions, depth + 1)}<//>`;
    if (token.type === 'codespan') return html`<code>${codeText(token.raw)}</code>`;
    if (isLink(token)) return html`<a href=${token.href} target="_blank" rel="noopener noreferrer nofollow" title=${token.href}>${token.text}</a>`;
    return withMentions(token.raw, mentions);
  });
}

/** A link whose text says another address than where it leads would lie: it is shown as it was typed. */
function isLink({ type, href, text, raw }) {
  if (type !== 'link' || !SAFE_LINK.test(href)) return false;
  const namesAnother = /^(https?:\/\/|www\.)/i.test(text) && raw !== text && href !== text;
  return !namesAnother;
}

/** What a message says, in one line and without its markup: for where it is only hinted at. */
export const plainText = (text) => plain(read(text)).replace(/\s+/g, ' ').trim() || text;

const plain = (tokens) => tokens.map((token) => {
  const { type, tokens: inner, raw, text } = token;
  if (type === 'codespan') return codeText(raw);
  if (type === 'code' || isLink(token)) return text;
  return inner && type !== 'link' ? plain(inner) : raw;
}).join('');

const codeText = (raw) => raw.replace(/^(`+)([\s\S]*)\1$/, '$2');

function withMentions(text, mentions) {
  if (mentions.length === 0) return text;
  const names = mentions.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).sort((one, other) => other.length - one.length);
  return text.split(new RegExp(`(@(?:${names.join('|')}|"(?:${names.join('|')})"))`, 'i')).map((piece, place) => (place % 2 === 1 ? html`<strong class="mention">${piece}</strong>` : piece));
}
