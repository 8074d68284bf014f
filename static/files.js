// The files of messages. An account's browser asks for them by its cookie; a guest, who has none, shows a pass.
import { useEffect, useState } from './vendor/preact-hooks.js';
import { formatSize, t } from './account/i18n.js';
import { request } from './connection.js';
import { html } from './html.js';
import { icon } from './icons.js';
import { me } from './state.js';
import { tell } from './toasts.js';

const LARGEST = { width: 320, height: 240 }; // of a small picture, in CSS pixels

/** The headers by which the server knows who asks. */
export async function bearer() {
  if (me.value.account) return {};
  const ack = await request('get_pass', {});
  return ack.ok ? { Authorization: `Bearer ${ack.pass}` } : {};
}

/** Whether a message says nothing but the names of its files, which stand in it for pages that know of no files. */
export const isNamesAlone = ({ message, attachments = [] }) => attachments.length > 0 && message === attachments.map(({ name }) => name).join(', ');

export function Files({ files }) {
  if (files.length === 0) return null;
  return html`<ul class="files" aria-label=${t('chat.files')}>${files.map((file) => html`<li key=${file.id}>${file.width ? html`<${Picture} file=${file} />` : html`<${FileLink} file=${file} />`}</li>`)}</ul>`;
}

/** Its place is kept before it is loaded. */
function Picture({ file }) {
  const { id, name, width, height } = file;
  const shrink = Math.min(1, LARGEST.width / width, LARGEST.height / height);
  const [w, h] = [width, height].map((side) => Math.max(24, Math.round(side * shrink)));
  const address = useAddress(`/api/attachments/${id}/thumbnail`);
  return html`<a class="picture" tabindex="-1" href=${`/api/attachments/${id}`} target="_blank" rel="noopener" onClick=${(event) => openAsGuest(event, file)}><img src=${address} alt=${name} width=${w} height=${h} loading="lazy" decoding="async" /></a>`;
}

function FileLink({ file }) {
  const { id, name, size } = file;
  return html`<a class="file" tabindex="-1" href=${`/api/attachments/${id}`} download=${name} onClick=${(event) => openAsGuest(event, file)}>${icon('file')}<bdi>${name}</bdi> <span class="note">${formatSize(size)}</span></a>`;
}

/** Where an `img` finds a file: for a guest, in this page's own memory. */
function useAddress(path) {
  const [address, setAddress] = useState(me.value.account ? path : undefined);
  useEffect(() => {
    if (me.value.account) return;
    let made = null;
    load(path).then((blob) => blob && setAddress((made = URL.createObjectURL(blob))));
    return () => made && URL.revokeObjectURL(made);
  }, [path]);
  return address;
}

async function load(path) {
  const response = await fetch(path, { headers: await bearer() }).catch(() => null);
  return response?.ok ? response.blob() : null;
}

async function openAsGuest(event, { id, name }) {
  if (me.value.account) return;
  event.preventDefault();
  const blob = await load(`/api/attachments/${id}`);
  if (!blob) return tell(t('chat.fileGone'));
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
