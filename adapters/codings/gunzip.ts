/**
 * The gzip format (RFC 1952): any number of members, and whatever follows them.
 *
 * @module
 */

import type * as Zlib from "node:zlib";
import type { CodedInput } from "./coded_input.ts";
import { inflateBy } from "./engine.ts";

const HEAD_BYTES = 10;
const TRAILER_BYTES = 8;
const HAS_CHECK = 2;
const HAS_EXTRA = 4;
const HAS_NAME = 8;
const HAS_COMMENT = 16;

/**
 * Decodes gzip. Zeros may follow the last member, because some programs leave them there.
 *
 * @throws {TypeError} It is no gzip, ends too soon, is not what its checksum says, or is followed by
 * something else
 */
export async function* gunzip(zlib: typeof Zlib, input: CodedInput): AsyncGenerator<Uint8Array> {
  for (let members = 0; await readHead(input, members === 0); members++) {
    let sum = 0;
    let bytes = 0;
    const parts = inflateBy(zlib.inflateRawSync, () => zlib.createInflateRaw(), input);
    for await (const part of parts) {
      sum = zlib.crc32(part, sum);
      bytes = (bytes + part.length) >>> 0;
      yield part;
    }
    const trailer = await take(input, TRAILER_BYTES);
    const view = new DataView(trailer.buffer);
    if (view.getUint32(0, true) !== sum || view.getUint32(4, true) !== bytes) {
      throw new TypeError("The body is not what its gzip checksum says");
    }
  }
}

/** Reads a member's head; false if there is none. */
async function readHead(input: CodedInput, isFirst: boolean): Promise<boolean> {
  const magic = await input.take(2);
  if (magic[0] !== 0x1f || magic[1] !== 0x8b) {
    if (isFirst) throw new TypeError("The body is not valid gzip");
    input.unread(magic);
    await input.finish(true);
    return false;
  }
  const [method, flags = 0] = await take(input, HEAD_BYTES - 2);
  if (method !== 8) throw new TypeError("The body is gzip of a kind that cannot be decoded");
  if (flags & HAS_EXTRA) {
    const [low = 0, high = 0] = await take(input, 2);
    await take(input, low + 256 * high);
  }
  if (flags & HAS_NAME) await skipText(input);
  if (flags & HAS_COMMENT) await skipText(input);
  if (flags & HAS_CHECK) await take(input, 2);
  return true;
}

/** Reads past a text and the zero behind it, however long it is. */
async function skipText(input: CodedInput): Promise<void> {
  for (;;) {
    const piece = await input.next();
    if (piece === null) throw new TypeError("The gzip body ends too soon");
    const end = piece.indexOf(0);
    if (end >= 0) return input.unread(piece.subarray(end + 1));
  }
}

async function take(input: CodedInput, length: number): Promise<Uint8Array> {
  const bytes = await input.take(length);
  if (bytes.length < length) throw new TypeError("The gzip body ends too soon");
  return bytes;
}
