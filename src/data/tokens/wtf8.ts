/**
 * UTF-8 of any string, also of one with halves of surrogate pairs: these are written as UTF-8 would write them (WTF-8), so that
 * every JavaScript string is bytes and comes back from them.
 */

const encoder = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Half of a surrogate pair, alone. */
const half = /\p{Cs}/u;

/** Bytes of a string. */
export function bytesOf(text: string): Uint8Array {
  if (!half.test(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0)!;
    if (point >= 0xd800 && point <= 0xdfff)
      bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else bytes.push(...encoder.encode(character));
  }
  return Uint8Array.from(bytes);
}

/** The string of bytes; what no string has becomes U+FFFD, as `TextDecoder` replaces it. */
export function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return replaced(bytes);
  }
}

const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** Halves of surrogate pairs as they are, all else between them as the platform decodes it. */
function replaced(bytes: Uint8Array): string {
  let text = '';
  let from = 0;
  for (let at = 0; at + 2 < bytes.length; at++) {
    const [a, b, c] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!];
    if (a !== 0xed || b < 0xa0 || b > 0xbf || c < 0x80 || c > 0xbf) continue;
    text += lenient.decode(bytes.subarray(from, at)) + String.fromCharCode(0xd000 | ((b & 63) << 6) | (c & 63));
    from = at + 3;
    at += 2;
  }
  return text + lenient.decode(bytes.subarray(from));
}
