// What this page knows about encryption. Today that is little, and it says so: the server seals everything it stores and
// can read it; nothing is encrypted between people. The original's "Encrypt" button was an XOR under a key made from the
// room's name, which anybody in the room's list can compute. We never send such text, but old pages still do, so it can
// be read here, under a label that calls it what it is.

/** Reads what an original page put into `encrypted_content`; text that is not base64 comes back as it is. */
export function decodeLegacy(room, content) {
  const key = legacyKey(room);
  const bytes = fromBase64(content);
  if (bytes === null) return content;
  return Array.from(bytes, (unit, i) => String.fromCharCode(unit.charCodeAt(0) ^ key.charCodeAt(i % key.length))).join('');
}

/** The original's 32-bit rolling hash over UTF-16 units, as hexadecimal without padding. */
function legacyKey(room) {
  let hash = 0;
  const seed = `${room}encryption-seed`;
  for (let i = 0; i < seed.length; i += 1) hash = (Math.imul(hash, 31) + seed.charCodeAt(i)) | 0;
  return Math.abs(hash).toString(16);
}

function fromBase64(content) {
  try {
    return atob(content);
  } catch {
    return null;
  }
}
