// Writing: the box, its drafts, completion, files, answers and changes.
import { useLayoutEffect, useRef } from './vendor/preact-hooks.js';
import { signal } from './vendor/signals.js';
import { describeError, formatSize, t } from './account/i18n.js';
import { Completion, complete, completionKey } from './completion.js';
import { isConnected, request } from './connection.js';
import { pickEmoji } from './emoji.js';
import { isNamesAlone } from './files.js';
import { html } from './html.js';
import { IconButton, icon } from './icons.js';
import { discard, post } from './outbox.js';
import { plainText } from './markdown.js';
import { isSelf, me, titleOf } from './state.js';
import { attach, cancel, isUploading } from './uploads.js';
import { isNotYet } from './route.js';
import { tell } from './toasts.js';

const TYPING_EVERY_MS = 3_000;

const draftPlace = (room) => `draft:${me.value.username.toLowerCase()}:${room.kind === 'direct' ? `@${room.partner.toLowerCase()}` : room.name}`;
const failure = signal(null); // {room, error}: why a change was refused
let box = null; // the textarea
let typedAt = 0;

export function Composer({ room }) {
  const input = useRef(null);
  // Before the next key: what is typed at once must not be overwritten.
  useLayoutEffect(() => {
    box = input.current;
    box.value = room.editing.peek()?.message ?? localStorage.getItem(draftPlace(room)) ?? '';
    grow();
    if (!matchMedia('(pointer: coarse)').matches && !document.querySelector('dialog[open], .message:focus')) box.focus();
  }, [room]);
  const { value: editing } = room.editing;
  const { value: reply } = room.reply;
  useLayoutEffect(() => {
    if (!editing && !reply) return;
    if (editing) setText(editing.message);
    box.focus();
  }, [editing, reply]);
  const refused = failure.value?.room === room ? failure.value.error : null;
  return html`<form id="composer" class="composer" noValidate onSubmit=${(event) => { event.preventDefault(); submit(room); }}>
    ${reply && html`<${Context} label=${t('chat.answering', { name: reply.username })} text=${plainText(reply.message)} onCancel=${() => { room.reply.value = null; box.focus(); }} />`}
    ${editing && html`<${Context} label=${t('chat.editing')} text=${editing.message} onCancel=${() => stopEditing(room)} />`}
    <${Uploads} room=${room} />
    <div class="writing">
      <label class="icon attach" title=${t('chat.attach')}>${icon('attach')}<span class="visually-hidden">${t('chat.attach')}</span><input class="visually-hidden" type="file" multiple onChange=${({ currentTarget }) => { attach(room, currentTarget.files); currentTarget.value = ''; }} /></label>
      <label for="message" class="visually-hidden">${t('chat.messageLabel')}</label>
      <textarea id="message" ref=${input} rows="1" dir="auto" autocomplete="off" aria-describedby="message-error" placeholder=${t('chat.writeIn', { room: titleOf(room) })}
        onInput=${() => typed(room)} onKeyDown=${(event) => onKey(event, room)} onPaste=${(event) => paste(event, room)} onBlur=${() => setTimeout(() => complete(null), 150)} />
      <${IconButton} name="react" label=${t('chat.emoji')} onClick=${({ currentTarget }) => pickEmoji(currentTarget, insert)} />
      <button type="submit" class="icon send" aria-label=${t('chat.send')} title=${t('chat.send')}>${icon('send')}</button>
    </div>
    <${Completion} room=${room} />
    <p id="message-error" class="field-error" role="alert">${refused && describeError(refused)}</p>
  </form>`;
}

function Context({ label, text, onCancel }) {
  return html`<div class="context"><p><strong>${label}</strong> <span dir="auto">${text}</span></p><${IconButton} name="close" label=${t('chat.cancel')} onClick=${onCancel} /></div>`;
}

function Uploads({ room }) {
  if (room.uploads.value.length === 0) return null;
  return html`<ul class="uploads" aria-label=${t('chat.files')}>${room.uploads.value.map((upload) => html`<li key=${upload.key} class=${upload.error ? 'failed' : ''}>
    <span><bdi>${upload.name}</bdi> <span class="note">${upload.error ? describeError(upload.error) : upload.file ? formatSize(upload.size) : html`<progress max="1" value=${upload.done} aria-label=${t('chat.uploading', { name: upload.name })}></progress>`}</span></span>
    <${IconButton} name="close" label=${t('chat.removeFile', { name: upload.name })} onClick=${() => cancel(room, upload)} />
  </li>`)}</ul>`;
}

async function submit(room) {
  const text = box.value.trim() === '' ? '' : box.value;
  failure.value = null;
  if (room.editing.value) return change(room, text);
  if (isUploading(room)) return tell(t('chat.stillUploading'));
  const attachments = room.uploads.value.filter(({ file }) => file).map(({ file }) => file);
  if (text === '' && attachments.length === 0) return;
  post(room, { text, replyTo: quoted(room.reply.value), attachments });
  room.uploads.value = room.uploads.value.filter(({ error }) => error); // what was refused stays, with the reason
  room.reply.value = null;
  setText('');
  keepDraft(room);
  dispatchEvent(new CustomEvent('posted'));
}

const quoted = (message) => message && { id: message.id, seq: message.seq, username: message.username, message: message.message.slice(0, 200) };

async function change(room, text) {
  const { id, message } = room.editing.value;
  if (text === message || text === '') return stopEditing(room);
  const ack = await request('edit_message', { id, message: text });
  if (ack.ok) stopEditing(room);
  else failure.value = { room, error: ack.error };
}

function stopEditing(room) {
  room.editing.value = null;
  failure.value = null;
  setText(localStorage.getItem(draftPlace(room)) ?? '');
  box.focus();
}

/** A message that could not be sent comes back into the box. */
export function takeBack(room, entry) {
  discard(entry.id);
  setText([entry.text, box.value].filter(Boolean).join('\n'));
  room.reply.value = entry.replyTo;
  room.uploads.value = entry.attachments.map((file) => ({ key: file.id, name: file.name, size: file.size, file }));
  keepDraft(room);
  box.focus();
}

function setText(text) {
  box.value = text;
  grow();
}

function keepDraft(room) {
  if (room.editing.value) return;
  if (box.value) localStorage.setItem(draftPlace(room), box.value);
  else localStorage.removeItem(draftPlace(room));
}

export const hasDraft = (room) => Boolean(localStorage.getItem(draftPlace(room)));

function typed(room) {
  grow();
  keepDraft(room);
  complete(box);
  if (!box.value || isNotYet(room) || !isConnected() || Date.now() - typedAt < TYPING_EVERY_MS) return;
  typedAt = Date.now();
  request('typing', { room: room.name });
}

/** As high as its text, where the browser does not do that by itself. */
function grow() {
  if (CSS.supports('field-sizing', 'content')) return;
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + 2}px`;
}

function onKey(event, room) {
  if (event.isComposing || completionKey(event, box)) return;
  if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    box.form.requestSubmit();
  } else if (event.key === 'ArrowUp' && box.value === '' && !room.editing.value) {
    event.preventDefault();
    room.editing.value = room.timeline.messages.value.findLast((message) => isSelf(message.username) && message.message && !isNamesAlone(message)) ?? null;
  } else if (event.key === 'Escape' && (room.editing.value || room.reply.value)) {
    room.reply.value = null;
    if (room.editing.value) stopEditing(room);
  }
}

function paste(event, room) {
  if (event.clipboardData.files.length === 0) return;
  event.preventDefault();
  attach(room, event.clipboardData.files);
}

/** Puts a text where the cursor is. */
function insert(text) {
  box.setRangeText(text, box.selectionStart, box.selectionEnd, 'end');
  box.focus();
  box.dispatchEvent(new Event('input'));
}

