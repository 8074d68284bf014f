// Texts that attack a page which puts them anywhere but into plain text; each would set window.__xss, open a dialog, load something or disfigure the page.

const RUN = 'window.__xss=1';

const WRITTEN_BY_HAND = [
  `<script>${RUN}</script>`,
  `<SCRIPT SRC=/static/nowhere.js></SCRIPT>`,
  `<img src=x onerror=${RUN}>`,
  `<img src="x" onerror="alert(1)">`,
  `<svg onload=${RUN}>`,
  `<svg><script>${RUN}</script></svg>`,
  `<svg><animate onbegin=${RUN} attributeName=x dur=1s>`,
  `<body onload=${RUN}>`,
  `<iframe srcdoc="<script>parent.__xss=1</script>"></iframe>`,
  `<iframe src="javascript:parent.__xss=1"></iframe>`,
  `<object data="javascript:${RUN}"></object>`,
  `<embed src="javascript:${RUN}">`,
  `<a href="javascript:${RUN}">click</a>`,
  `<math><mi xlink:href="javascript:${RUN}">x</mi></math>`,
  `<details open ontoggle=${RUN}>x</details>`,
  `<input autofocus onfocus=${RUN}>`,
  `<video><source onerror=${RUN}></video>`,
  `<marquee onstart=${RUN}>x</marquee>`,
  `<style>*{display:none}</style>`,
  `<link rel=stylesheet href=//example.invalid/x.css>`,
  `<meta http-equiv=refresh content="0;url=//example.invalid">`,
  `<base href=//example.invalid/>`,
  `<form action=//example.invalid><button>Join</button></form>`,
  `<template><script>${RUN}</script></template>`,
  `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `<!--><img src=x onerror=${RUN}>-->`,
  `<![CDATA[<script>${RUN}</script>]]>`,
  `</textarea><script>${RUN}</script>`,
  `</title><script>${RUN}</script>`,
  `</div></main></body></html><script>${RUN}</script>`,
  `"><script>${RUN}</script>`,
  `'><script>${RUN}</script>`,
  `" onmouseover="${RUN}" x="`,
  `' onmouseover='${RUN}' x='`,
  `' onfocus=${RUN} autofocus tabindex=1 x='`,
  `');${RUN};('`,
  `';${RUN};//`,
  `";${RUN};//`,
  `\\';${RUN};//`,
  '`${window.__xss=1}`',
  `\${${RUN}}`,
  `javascript:${RUN}`,
  `data:text/html,<script>${RUN}</script>`,
  `{{ ${RUN} }}`,
  `{{constructor.constructor('${RUN}')()}}`,
  `{% include '/etc/passwd' %}`,
  `&lt;script&gt;${RUN}&lt;/script&gt;`,
  `&#60;img src=x onerror=${RUN}&#62;`,
  `%3Cscript%3E${RUN}%3C/script%3E`,
  `\u003cscript\u003e${RUN}\u003c/script\u003e`,
  `__proto__`,
  `constructor`,
  `hasOwnProperty`,
  `toString`,
  `null`,
  `"]{display:none}[x="`,
  `../../../../etc/passwd`,
  `a'; DROP TABLE users; --`,
  `user\u202Egpj.exe`,
  `\u2066hidden\u2069`,
  `zero\u200Bwidth`,
  `nul\u0000byte`,
  `escape\u001B[2Jsequence`,
  `line\u2028separator`,
  `e\u0301 and \u00E9`,
  `Z\u0351\u0351\u0351\u0351\u0351\u0351\u0351\u0351\u0351\u0351\u0351\u0351algo`,
  `مرحبا <b>שלום</b>`,
  `👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿`,
  `  spaces   count  `,
  'x'.repeat(300),
  '<b>'.repeat(50),
];

const TAGS = ['img', 'svg', 'body', 'video', 'audio', 'input', 'details', 'iframe', 'a', 'p', 'select', 'object', 'math', 'x-y', 'dialog', 'template'];
const HANDLERS = ['onerror', 'onload', 'onclick', 'onfocus', 'ontoggle', 'onanimationstart', 'onpointerenter', 'onbeforetoggle'];
const QUOTES = [(code) => code, (code) => `"${code}"`, (code) => `'${code}'`, (code) => `\`${code}\``];

/** Each tag with two of the handlers, each in one of the ways to quote it. */
const MARKUP = TAGS.flatMap((tag, row) =>
  HANDLERS.filter((_, column) => (row + column) % 2 === 0).map((handler, column) => `<${tag} src=x tabindex=0 autofocus open ${handler}=${QUOTES[(row + column) % QUOTES.length](RUN)}>`),
);

const SCHEMES = [
  'javascript:', 'JaVaScRiPt:', 'java\tscript:', ' javascript:', 'javascript&colon;', '&#106;avascript:', '%6Aavascript:', 'vbscript:', 'livescript:',
  'data:text/html,', 'data:image/svg+xml,', 'blob:', 'file:///etc/', 'filesystem:', 'view-source:', 'about:blank#', 'chrome://settings/', 'intent://', 'ws://example.invalid/', '//example.invalid/',
];
const NOTATIONS = [
  (link) => `[click](${link})`,
  (link) => `[click](<${link}>)`,
  (link) => `[click](${link} "title")`,
  (link) => `![picture](${link})`,
  (link) => `<${link}>`,
  (link) => `[click][1]\n\n[1]: ${link}`,
  (link) => `[![picture](${link})](${link})`,
];
const LINKS = SCHEMES.flatMap((scheme, row) => NOTATIONS.filter((_, column) => (row + column) % 2 === 0).map((write) => write(`${scheme}${RUN}`)));

const MARKDOWN = [
  '[https://bank.example](https://example.invalid)', '[www.bank.example](https://example.invalid/login)', '[a](https://example.invalid/"onmouseover="window.__xss=1)',
  'https://example.invalid/<script>window.__xss=1</script>', 'https://example.invalid/"><img src=x onerror=window.__xss=1>', 'www.example.invalid', 'https://user:pass@example.invalid@evil.invalid/',
  'mailto:a@example.invalid?subject=<b>', 'a@example.invalid', '<a@example.invalid>', 'https://example.invalid/\u202Egpj.exe', 'http://xn--80ak6aa92e.invalid', 'https://аpple.invalid',
  '**bold *it _under_ `code` it* bold**', '***', '**', '*', '****a****', '*a**b*c**', '~~~~', '~~a', '~~~a~~~', '`', '``', '```', '````', '`a``b`', '``a`b``', '```js\nwindow.__xss=1\n```', '```"onclick=window.__xss=1\nx\n```',
  '```\n</code></pre><script>window.__xss=1</script>\n```', '`<img src=x onerror=window.__xss=1>`', '**<svg onload=window.__xss=1>**', '> <script>window.__xss=1</script>', '>'.repeat(40), '> > > > a', '> a\n> > b\n> c',
  '# heading', '####### seven', 'line\n===', 'line\n---', '---', '* * *', '- a\n- b', '1. a\n2. b', '- [ ] task', '- [x] task', '| a | b |\n|---|---|\n| c | d |', '    indented', '\tindented', '\\*not strong\\*', '\\<b\\>', 'a  \nb', 'a\\\nb',
  '&amp; &lt; &gt; &quot; &#39; &nbsp; &copy;', '&#x3C;script&#x3E;', '&notanentity;', '[^1]\n\n[^1]: note', '[](https://example.invalid)', '[ ]( )', '[a]()', '[a', 'a](b)', '[[a](b)](c)', '[a](b(c)d)', '[a](<b c>)', '!', '![', '![]()', ':::', '$$x$$', '==mark==', '||spoiler||',
  '*'.repeat(200), '_'.repeat(200), '`'.repeat(201), '['.repeat(200), '('.repeat(200), '[a]('.repeat(60), '**a '.repeat(60), '> '.repeat(60), '~~a~~'.repeat(40), '*a_b'.repeat(60),
  '> '.repeat(4_900), '>'.repeat(9_900), '*a **b '.repeat(1_400), '[a]('.repeat(2_400), '*a_b'.repeat(2_400),
  '@everyone', '@"', '@""', '@(.*)', '@[a-z]+', '@@a', ':smile:', '::', ':)',
];

const INJECTIONS = [
  '${alert(1)}', '${`${window.__xss=1}`}', '`+window.__xss+`', '<${Menu} />', '<//>', '</${x}>', '<${0}>', '...${x}', 'html`<b>`', 'h("b")', '{"type":"script","props":{},"key":null}', '[object Object]', '{"__html":"<b>"}', '{"dangerouslySetInnerHTML":{"__html":"<b>"}}',
  '{{7*7}}', '#{7*7}', '<%= 7*7 %>', '{%raw%}', '{name}', '{count}', '{room}', '{0}', '%s %d %o', '%c styled', '$&', "$`", "$'", '$1', '$<name>', '\\u003cb\\u003e', '\\x3cb\\x3e', '\\0', '\\n',
  "' OR '1'='1", "'; DROP TABLE messages; --", '" OR ""="', '1; SELECT 1', "') UNION SELECT 1 --", '/* */', '-- ', '#', '*/', '; ls', '| cat /etc/passwd', '$(id)', '`id`', '&& id', '../', '..%2f..%2f', '%00', '%0d%0aSet-Cookie:x=1', '%', '%E0%A4%A', '%zz', '?', '&', '=', '+', '/', '\\', '#/room/public', '#/direct/bob', '#new-room', 'room/public', 'a/b', 'a/b/1', '/1',
  '(?:', '[a-z', '(a+)+$', '.*', '^$', '\\', '*)(uid=*', 'from:', 'from:"', 'before:', 'after:x', '"', '""', '"a', '*', 'a*', '-a', 'AND', 'NEAR(a b)', 'a:b',
];

const NAMES = [
  '__proto__', 'prototype', 'constructor', 'constructor.prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', 'isPrototypeOf', 'then', 'toJSON', 'length', 'name', 'key', 'ref', 'children', 'props', 'style', 'className', 'innerHTML', 'srcdoc',
  'null', 'undefined', 'NaN', 'Infinity', 'true', 'false', '0', '-0', '-1', '1e999', '0x10', '[]', '{}', 'None', 'nil', 'NULL', 'void', 'this', 'self', 'window', 'document', 'location', 'alert', 'parent', 'top', 'event',
  'app', 'log', 'message', 'composer', 'rooms', 'room', 'drawer', 'ask', 'sanction', 'username', 'join-form', 'room-name', 'drawer-title', 'connection', 'completion', 'dialog-title', 'own-name', 'public', 'Public', 'PUBLIC', 'direct:0', 'admin', 'system', 'server', 'moderator', 'guest', 'you',
].flatMap((name) => [name, `@${name}`]);

const LETTERS = [
  '\u202Dleft\u202C', '\u202Eright\u202C', '\u200Frtl mark', '\u200Eltr mark', '\u061Carabic mark', 'abc \u05D0\u05D1\u05D2 def', '\u0645\u0631\u062D\u0628\u0627 123 abc', '\u05E9\u05DC\u05D5\u05DD', '\u200B', '\u200D', '\u2060', '\uFEFF', 'a\u200Bb', 'a\u200Cb', 'a\u00ADb', 'a\u180Eb', '\u3164', '\u115F', '\u2800',
  'a\u0300\u0301\u0302\u0303', '\u0301', 'Z̛̟͚̰̓a̷̡͖l̶g̸o', 'ﷺ', '﷽', '𒐫', '꧅', 'ＦＵＬＬ', 'ｓｃｒｉｐｔ', '＜script＞', '‹script›', 'ſcript', 'İ', 'ı', 'ß', 'ẞ', 'ǅ', 'Å', 'Å', 'A\u030A', 'ﬁ', '①', '𝒜𝓁𝒾𝒸𝑒', 'раураl', 'аdmin', 'аlice',
  '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇩🇪', '🇩', '👍🏽', '🏽', '❤️', '❤', '☺︎', '1️⃣', '#️⃣', '⃣', '🦀'.repeat(30), '\u{E0041}', '\u{1F9D1}\u200D\u{1F680}', '\u{10FFFF}', '\uFFFD', '\uFFFE', '\uFFFF', '\uE000', '\uD800', '\uDC00', 'a\uD83D', '\uDE00b',
  '\u0000', '\u0001', '\u0007', '\u0008', '\u000B', '\u000C', '\u001B[31mred', '\u007F', '\u0085', '\u009B', '\u2028', '\u2029', '\r', '\r\n', '\n', '\t', ' ', '  ', '\u00A0', '\u3000', '\u2003', ' a', 'a ', 'a\n', '\na', 'a\n\n\n\nb', 'a\tb', 'a\rb', 'a\r\nb', 'a  b', '\u00A0a\u00A0', '',
  'W'.repeat(64), 'W'.repeat(65), 'a'.repeat(500), 'a b '.repeat(200), 'Ä'.repeat(64), '‮'.repeat(10), 'm'.repeat(9999), '\n'.repeat(50) + 'x', 'a\n'.repeat(100), '\u0301'.repeat(50), 'ก็็็็็็็็็็็็็็็็็็็็', 'https://example.invalid/' + 'a'.repeat(300),
];

/** All of them, each once. */
export const HOSTILE_TEXTS = [...new Set([...WRITTEN_BY_HAND, ...MARKUP, ...LINKS, ...MARKDOWN, ...INJECTIONS, ...NAMES, ...LETTERS])];
