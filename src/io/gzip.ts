/**
 * Decompressing gzip, bounded.
 *
 * A few kilobytes of gzip can stand for gigabytes, so whoever decompresses says how many bytes are of use, and the stream
 * is dropped as soon as it exceeds them: memory follows what was promised, not what a hostile file contains.
 */

/** What came out of a gzip stream. */
export interface Inflated {
  /** The bytes that came out, at most one chunk more than were wanted. */
  readonly bytes: Uint8Array;
  /** Whether the stream ended well (its checksum held), ended early, was damaged, or was dropped for exceeding the bound. */
  readonly end: 'whole' | 'early' | 'damaged' | 'dropped';
}

/** Do the bytes begin as a gzip file does? */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * Decompress until the stream ends or has given more than `atMost` bytes.
 *
 * It does not reject: a damaged stream gives what came before the damage.
 */
export const gunzip = (bytes: Uint8Array, atMost: number): Promise<Inflated> => decompress('gzip', bytes, atMost);

/** {@link gunzip} of a zlib stream, as PNG has it. */
export const unzlib = (bytes: Uint8Array, atMost: number): Promise<Inflated> => decompress('deflate', bytes, atMost);

async function decompress(format: 'gzip' | 'deflate', bytes: Uint8Array, atMost: number): Promise<Inflated> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  const reader = inflating(format, bytes).getReader();
  try {
    while (total <= atMost) {
      const { done, value } = await reader.read();
      if (done) return { bytes: joined(chunks, total), end: 'whole' };
      chunks.push(value);
      total += value.length;
    }
    await reader.cancel();
    return { bytes: joined(chunks, total), end: 'dropped' };
  } catch (error) {
    return { bytes: joined(chunks, total), end: endedEarly(error) ? 'early' : 'damaged' };
  }
}

function inflating(format: 'gzip' | 'deflate', bytes: Uint8Array): ReadableStream<Uint8Array> {
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      controller.enqueue(new Uint8Array(bytes));
      controller.close();
    },
  });
  return source.pipeThrough(new DecompressionStream(format));
}

// Node gives zlib's code; the browsers say it in words only.
const endedEarly = (error: unknown): boolean => {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === 'Z_BUF_ERROR' || /unexpected end|truncated/i.test(String(message));
};

function joined(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
