/**
 * Frames of HTTP/2 by their numbers (RFC 9113 section 6), and how they are written.
 *
 * @module
 */

/** The types of frames. */
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** The flags of frames. */
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITIZED = 0x20;

/** The settings. */
export const HEADER_TABLE_SIZE = 1;
export const ENABLE_PUSH = 2;
export const MAX_CONCURRENT_STREAMS = 3;
export const INITIAL_WINDOW_SIZE = 4;
export const MAX_FRAME_SIZE = 5;
export const MAX_HEADER_LIST_SIZE = 6;

/** How long a frame's header is, in bytes. */
export const FRAME_HEADER_BYTES = 9;
/** The default for the longest payload of a frame, in bytes. */
export const DEFAULT_FRAME_BYTES = 16_384;
/** The longest payload that anybody may allow, in bytes. */
export const MOST_FRAME_BYTES = 0xff_ffff;
/** The default size of a window, in bytes. */
export const DEFAULT_WINDOW = 65_535;
/** How large a window may be, in bytes. */
export const MOST_WINDOW = 0x7fff_ffff;
/** The highest number of a stream. */
export const MOST_STREAM_ID = 0x7fff_ffff;

/** What a client sends first (section 3.4). */
export const PREFACE: Uint8Array = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const SLAB_BYTES = 32_768;

/**
 * Gathers frames until they are taken, in one piece. What was taken is never written to again, so a
 * socket may hold it; the memory around it belongs to other frames, so go by its offset.
 */
export class FrameWriter {
  /** Where frames are written to. Read it again after `reserve()`. */
  bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #at = 0;

  /** How many bytes have not been taken yet. */
  get length(): number {
    return this.#at - this.#start;
  }

  /** Makes room for bytes, and returns the position that they begin at. */
  reserve(length: number): number {
    if (this.#at + length > this.bytes.length) {
      const kept = this.bytes.subarray(this.#start, this.#at);
      const bytes = new Uint8Array(Math.max(SLAB_BYTES, (kept.length + length) * 2));
      bytes.set(kept);
      this.bytes = bytes;
      this.#start = 0;
      this.#at = kept.length;
    }
    return this.#at;
  }

  /** Says up to where it was written. */
  advance(at: number): void {
    this.#at = at;
  }

  /** Takes what was written since the last time; undefined if nothing was. */
  take(): Uint8Array | undefined {
    if (this.#start === this.#at) return undefined;
    const taken = this.bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return taken;
  }

  /** Writes the header of a frame at a position that has room for it. */
  header(at: number, length: number, type: number, flags: number, streamId: number): void {
    const { bytes } = this;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = streamId >>> 24;
    bytes[at + 6] = streamId >>> 16;
    bytes[at + 7] = streamId >>> 8;
    bytes[at + 8] = streamId;
  }

  /** Writes a frame whose payload is there. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    const at = this.reserve(FRAME_HEADER_BYTES + payload.length);
    this.header(at, payload.length, type, flags, streamId);
    this.bytes.set(payload, at + FRAME_HEADER_BYTES);
    this.advance(at + FRAME_HEADER_BYTES + payload.length);
  }

  /** Writes a frame whose payload is one number, as of RST_STREAM and WINDOW_UPDATE. */
  word(type: number, streamId: number, value: number): void {
    const at = this.reserve(FRAME_HEADER_BYTES + 4);
    this.header(at, 4, type, 0, streamId);
    this.#word(at + FRAME_HEADER_BYTES, value);
    this.advance(at + FRAME_HEADER_BYTES + 4);
  }

  /** Writes GOAWAY: this side names no stream, for a server that may not push has none. */
  goaway(code: number): void {
    const at = this.reserve(FRAME_HEADER_BYTES + 8);
    this.header(at, 8, GOAWAY, 0, 0);
    this.#word(at + FRAME_HEADER_BYTES, 0);
    this.#word(at + FRAME_HEADER_BYTES + 4, code);
    this.advance(at + FRAME_HEADER_BYTES + 8);
  }

  /** Writes SETTINGS. */
  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    let at = this.reserve(FRAME_HEADER_BYTES + settings.length * 6);
    this.header(at, settings.length * 6, SETTINGS, 0, 0);
    at += FRAME_HEADER_BYTES;
    for (const [id, value] of settings) {
      this.bytes[at] = id >>> 8;
      this.bytes[at + 1] = id;
      this.#word(at + 2, value);
      at += 6;
    }
    this.advance(at);
  }

  /** Writes PING, with a number for its payload. */
  ping(value: number): void {
    const at = this.reserve(FRAME_HEADER_BYTES + 8);
    this.header(at, 8, PING, 0, 0);
    this.#word(at + FRAME_HEADER_BYTES, 0);
    this.#word(at + FRAME_HEADER_BYTES + 4, value);
    this.advance(at + FRAME_HEADER_BYTES + 8);
  }

  #word(at: number, value: number): void {
    const { bytes } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }
}
