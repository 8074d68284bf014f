// Files on their way to the server, before the message that brings them is sent.
import { t } from './account/i18n.js';
import { bearer } from './files.js';
import { isNotYet } from './route.js';
import { tell } from './toasts.js';

const MOST = 10; // in one message

let number = 0;

export const isUploading = (room) => room.uploads.value.some(({ file, error }) => !file && !error);

/** Begins to upload files, dropped, pasted or chosen. */
export function attach(room, files) {
  if (isNotYet(room)) return tell(t('chat.fileNeedsMessage'));
  const fitting = [...files].slice(0, Math.max(0, MOST - room.uploads.value.length));
  if (fitting.length < files.length) tell(t('chat.tooManyFiles', { count: MOST }));
  for (const file of fitting) upload(room, file);
}

async function upload(room, file) {
  const key = ++number;
  const update = (what) => (room.uploads.value = room.uploads.value.map((one) => (one.key === key ? { ...one, ...what } : one)));
  // fetch tells nothing of how far an upload has come.
  const call = new XMLHttpRequest();
  const failed = (error) => update({ error: error ?? { local: true, code: 'unavailable', message: t('chat.uploadBroke') } });
  call.open('POST', `/api/rooms/${encodeURIComponent(room.name)}/attachments?name=${encodeURIComponent(file.name)}`);
  call.setRequestHeader('Content-Type', 'application/octet-stream');
  call.responseType = 'json';
  call.upload.onprogress = ({ loaded, total }) => update({ done: loaded / total });
  call.onerror = () => failed();
  call.onload = () => (call.status < 300 && call.response ? update({ file: fileOf(call.response.attachment) }) : failed(call.response?.error));
  room.uploads.value = [...room.uploads.value, { key, name: file.name, size: file.size, done: 0, call }];
  for (const [name, value] of Object.entries(await bearer())) call.setRequestHeader(name, value);
  call.send(file);
}

const fileOf = ({ id, name, type, size, width, height }) => ({ id, name, type, size, ...(width ? { width, height } : {}) });

export async function cancel(room, { key, file, call }) {
  room.uploads.value = room.uploads.value.filter((one) => one.key !== key);
  if (file) await fetch(`/api/attachments/${file.id}`, { method: 'DELETE', headers: await bearer() }).catch(() => {}); // the server removes it later
  else call?.abort();
}
