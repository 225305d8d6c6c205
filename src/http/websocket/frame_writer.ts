/**
 * Writes the frames of a client, which are masked (RFC 6455 section 5.3).
 *
 * @module
 */

import { FIN, MASKED, RSV1 } from "./frame.ts";

/** Frames are written to a slab that is never written twice: a socket may hold on to them. */
const SLAB_BYTES = 16_384;
/** What is longer gets its own memory. */
const SMALL_BYTES = 4_096;
/**
 * A payload begins this far into its room, or more: behind the longest head, which ends with the
 * mask, and where four bytes can be masked at a time.
 */
const HEAD_BYTES = 16;
/** How many masks are drawn at once. */
const MASKS = 1_024;

const encoder = new TextEncoder();
const masks = new Int32Array(MASKS);
let masksUsed = MASKS;
let slab = new Uint8Array(0);
let slabWords = new Int32Array(0);
let slabAt = 0;

/**
 * Makes one frame of a payload, which stays as it is. Nobody will change the frame; the memory
 * around it belongs to others, so go by its offset.
 *
 * @param compressed Whether the payload is that of a message which is compressed
 */
export function encodeFrame(opcode: number, payload: Uint8Array, compressed = false): Uint8Array {
  const { length } = payload;
  const first = FIN | (compressed ? RSV1 : 0) | opcode;
  if (length <= SMALL_BYTES) {
    const at = reserve(length);
    slab.set(payload, at);
    return finish(slab, slabWords, at, length, first);
  }
  const room = new Uint8Array(HEAD_BYTES + ((length + 3) & ~3));
  room.set(payload, HEAD_BYTES);
  return finish(room, new Int32Array(room.buffer), HEAD_BYTES, length, first);
}

/** Makes one frame of a text. Half of a surrogate pair is sent as U+FFFD. */
export function encodeText(opcode: number, text: string): Uint8Array {
  const { length } = text;
  // No character has more than three bytes, one that is half of a pair included.
  if (length * 3 > SMALL_BYTES) return encodeFrame(opcode, encoder.encode(text));
  const at = reserve(length * 3);
  const { written } = encoder.encodeInto(text, slab.subarray(at));
  return finish(slab, slabWords, at, written, FIN | opcode);
}

/** How long a text is when it is sent, in bytes. */
export function payloadBytes(frame: Uint8Array): number {
  const length = frame[1]! & 0x7f;
  if (length < 126) return length;
  return frame.length - (length === 126 ? 8 : 14);
}

/** Finds room for a payload in the slab, and returns where it begins. */
function reserve(length: number): number {
  if (slabAt + HEAD_BYTES + length + 3 > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabWords = new Int32Array(slab.buffer);
    slabAt = 0;
  }
  return slabAt + HEAD_BYTES;
}

/** Masks a payload where it stands, and puts its head before it. */
function finish(
  bytes: Uint8Array,
  words: Int32Array,
  at: number,
  length: number,
  first: number,
): Uint8Array {
  const end = at + length;
  if (bytes === slab) slabAt = (end + 3) & ~3;
  const mask = nextMask();
  const word = at >> 2;
  words[word - 1] = mask;
  // Up to three bytes behind its end change too: they are unused.
  for (let i = word, last = (end + 3) >> 2; i < last; i++) words[i]! ^= mask;
  let head = at - 6;
  if (length < 126) bytes[head + 1] = MASKED | length;
  else if (length < 65_536) {
    head -= 2;
    bytes[head + 1] = MASKED | 126;
    bytes[head + 2] = length >> 8;
    bytes[head + 3] = length;
  } else {
    head -= 8;
    bytes[head + 1] = MASKED | 127;
    let rest = length;
    for (let i = head + 9; i > head + 1; i--) {
      bytes[i] = rest;
      rest = Math.floor(rest / 256);
    }
  }
  bytes[head] = first;
  return bytes.subarray(head, end);
}

/** A mask that nobody can foresee (RFC 6455 section 10.3). */
function nextMask(): number {
  if (masksUsed === MASKS) {
    crypto.getRandomValues(masks);
    masksUsed = 0;
  }
  return masks[masksUsed++]!;
}
