/**
 * Bytes that tell their own place in a stream, so that loss, doubling and disorder show.
 *
 * @module
 */

/** The bytes of the pattern from `offset` on. */
export function pattern(offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = byteAt(offset + i);
  return bytes;
}

/** Where `bytes` first differ from the pattern at `offset`, as an offset; -1 where they do not. */
export function mismatch(offset: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== byteAt(offset + i)) return offset + i;
  return -1;
}

// The period is far longer than any buffer on the way.
function byteAt(offset: number): number {
  return (offset ^ (offset >> 7) ^ (offset >> 15)) & 0xff;
}
