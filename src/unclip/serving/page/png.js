/** What a PNG says made it: the JSON in its iTXt chunk "unclip". */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const KEYWORD = "unclip";

/** Whether these bytes are a PNG. */
export const isPNG = (bytes) => SIGNATURE.every((value, place) => bytes[place] === value);

/** The object that unclip wrote into a PNG, or null. */
export function madeBy(bytes) {
  for (const chunk of chunks(bytes)) {
    const text = chunk.type === "iTXt" ? international(chunk.data) : null;
    if (text !== null) return object(text);
  }
  return null;
}

/** Length (4 bytes), type (4), data, checksum (4): until the end, or where a chunk is cut off. */
function* chunks(bytes) {
  if (!isPNG(bytes)) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at), end = at + 8 + length;
    if (end + 4 > bytes.length) return;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    yield { type, data: bytes.subarray(at + 8, end) };
    at = end + 4;
  }
}

/** keyword 0 compressed method language 0 translated-keyword 0 text; null for another keyword, or compressed text. */
function international(data) {
  const keyword = data.indexOf(0);
  if (keyword < 0 || new TextDecoder("latin1").decode(data.subarray(0, keyword)) !== KEYWORD) return null;
  if (data[keyword + 1] !== 0) return null;
  const language = data.indexOf(0, keyword + 3), translated = data.indexOf(0, language + 1);
  if (language < 0 || translated < 0) return null;
  return new TextDecoder().decode(data.subarray(translated + 1));
}

function object(text) {
  try {
    const found = JSON.parse(text);
    return found && typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}
