/**
 * Where the bytes of a head live while it arrives, and as long as its `ResponseHeaders` need them.
 *
 * @module
 */

import { LF } from "../chars.ts";

// A chunk is its giver's, so a head must be copied, and copying first makes scanning simple and
// fast. It goes to one slab that all buffers share, so that a connection between two heads holds no
// memory. Filling and scanning is one synchronous step that calls nobody, so heads never mix there;
// one that is not complete when its chunk ends moves to its own memory. The part of a slab that
// a complete head took is not written again, and the slab lives as long as somebody needs a part.
const SLAB_BYTES = 16_384;
/** How much is copied at a time: nearly every head in one go, and little of a body needlessly. */
const FILL_BYTES = 2_048;
/** There is a zero after the last byte, and four bytes may be read at a time. */
const SLACK_BYTES = 4;

let slab = new Uint8Array(SLAB_BYTES);
let slabView = new DataView(slab.buffer);
let slabAt = 0;

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(new ArrayBuffer(0));

/** Holds one head at a time. Positions are those in `bytes`, and change when a head moves. */
export class HeadBuffer {
  /** What holds the head, from `base` to `length`, and a zero after it. */
  bytes: Uint8Array = NO_BYTES;
  /** The same memory. */
  view: DataView = NO_VIEW;
  /** Where the head begins. Before it stands a line feed, as if a line had ended there. */
  base = 0;
  /** Where it ends so far. */
  length = 0;
  #shared = false;
  readonly #maxBytes: number;

  /** Makes a buffer that holds nothing, for heads of `maxBytes`. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Begins a head in the slab. `fill()` must follow at once. */
  begin(): void {
    if (slabAt + 1 + FILL_BYTES + SLACK_BYTES > SLAB_BYTES) {
      slab = new Uint8Array(SLAB_BYTES);
      slabView = new DataView(slab.buffer);
      slabAt = 0;
    }
    slab[slabAt] = LF;
    this.bytes = slab;
    this.view = slabView;
    this.#shared = true;
    this.base = slabAt + 1;
    this.length = this.base;
  }

  /** Copies from `chunk`, not necessarily all. Returns how many bytes. */
  fill(chunk: Uint8Array, from: number): number {
    const all = chunk.length - from;
    const count = all > FILL_BYTES ? FILL_BYTES : all;
    if (this.length + count + SLACK_BYTES > this.bytes.length) this.#move(count);
    const bytes = this.bytes;
    bytes.set(count === chunk.length ? chunk : chunk.subarray(from, from + count), this.length);
    this.length += count;
    bytes[this.length] = 0;
    return count;
  }

  /** Keeps an incomplete head beyond the current step. */
  keep(): void {
    if (this.#shared) this.#move(0);
  }

  /** Ends a head at `end`. Its bytes must not change afterwards: others may hold them. */
  finish(end: number): void {
    if (this.#shared) slabAt = end;
    this.release();
  }

  /** Drops the memory. */
  release(): void {
    this.bytes = NO_BYTES;
    this.view = NO_VIEW;
    this.#shared = false;
  }

  /** Moves to its own memory, `base` at 1, with room for `count` bytes more. */
  #move(count: number): void {
    const start = this.base - 1;
    const needed = this.length - start + count + SLACK_BYTES;
    // Whatever is here was scanned, and within the limit, but for what this step adds.
    const most = 1 + this.#maxBytes + FILL_BYTES + SLACK_BYTES;
    const bytes = new Uint8Array(Math.max(needed, Math.min(2 * needed, most)));
    bytes.set(this.bytes.subarray(start, this.length + 1));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.#shared = false;
    this.length -= start;
    this.base = 1;
  }
}
