/**
 * What this side sends: blocks, bodies as far as the peer's windows allow, and answers.
 *
 * @module
 */

import { connectionError, errorNumber, type Http2ErrorName } from "./error_codes.ts";
import type { FloodGuard } from "./flood_guard.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER_BYTES,
  FrameWriter,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_HEADER_LIST_SIZE,
  MOST_WINDOW,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "./frames.ts";
import { type BlockField, HpackEncoder, mostBlockBytes } from "./hpack_encoder.ts";
import type { Http2Stream } from "./stream.ts";

/** How much is written ahead of the socket, in bytes, before bodies wait. */
const AHEAD_BYTES = 65_536;
/** How many answers may wait for a peer that does not read. */
const MOST_ANSWERS = 1_000;

/** What an outbox notifies. */
export interface OutboxUser {
  /** There is something to write: `take()` returns it. */
  onOutput(): void;
}

/** What is sent to the peer first. */
export interface Preface {
  /** How much it may send on a stream, in bytes. */
  readonly streamWindow: number;
  /** How much it may send on all streams, besides what it may without being told, in bytes. */
  readonly connectionCredit: number;
  /** How long a header list may be, in bytes. */
  readonly maxHeaderBytes: number;
}

/** A block that was written for a request, to be written again. */
interface KnownBlock {
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** Gathers what is to be written on one connection. */
export class Outbox {
  readonly #user: OutboxUser;
  readonly #guard: FloodGuard;
  readonly #writer = new FrameWriter();
  readonly #encoder = new HpackEncoder();
  readonly #blocks = new WeakMap<readonly BlockField[], KnownBlock>();
  /** Streams that have something to send and a window for it, in the order of their turns. */
  #queue: Http2Stream[] = [];
  #window = DEFAULT_WINDOW;
  #streamWindow = DEFAULT_WINDOW;
  /** Answers that were not taken yet. */
  #answers = 0;

  /** Makes an empty one. `guard` learns what the peer may answer. */
  constructor(user: OutboxUser, guard: FloodGuard) {
    this.#user = user;
    this.#guard = guard;
  }

  /** How many bytes are ready to be taken, without bodies that wait. */
  get length(): number {
    return this.#writer.length;
  }

  /** How much may be sent on all streams, in bytes. */
  get window(): number {
    return this.#window;
  }

  /** How much may be sent on a new stream, in bytes. */
  get streamWindow(): number {
    return this.#streamWindow;
  }

  /** Writes what a client sends first. */
  begin({ connectionCredit, maxHeaderBytes, streamWindow }: Preface): void {
    const writer = this.#writer;
    const at = writer.reserve(PREFACE.length);
    writer.bytes.set(PREFACE, at);
    writer.advance(at + PREFACE.length);
    writer.settings([
      [ENABLE_PUSH, 0],
      [INITIAL_WINDOW_SIZE, streamWindow],
      [MAX_HEADER_LIST_SIZE, maxHeaderBytes],
    ]);
    writer.word(WINDOW_UPDATE, 0, connectionCredit);
  }

  /** Writes the block of a request, or of trailers. The same array of fields is looked up once. */
  headers(id: number, fields: readonly BlockField[], isEnd: boolean): void {
    const encoder = this.#encoder;
    const writer = this.#writer;
    const flags = isEnd ? END_STREAM : 0;
    const known = this.#blocks.get(fields);
    if (known && known.version === encoder.version) {
      writer.frame(HEADERS, flags | END_HEADERS, id, known.bytes);
      this.#user.onOutput();
      return;
    }
    const { owes, version } = encoder;
    const at = writer.reserve(FRAME_HEADER_BYTES + mostBlockBytes(fields));
    const start = at + FRAME_HEADER_BYTES;
    const end = encoder.encode(fields, writer.bytes, start);
    const length = end - start;
    this.#user.onOutput();
    if (length > DEFAULT_FRAME_BYTES) {
      this.#longHeaders(id, flags, writer.bytes.slice(start, end));
      return;
    }
    writer.header(at, length, HEADERS, flags | END_HEADERS, id);
    writer.advance(end);
    if (owes || encoder.version !== version) return;
    this.#blocks.set(fields, { version, bytes: writer.bytes.slice(start, end) });
  }

  #longHeaders(id: number, flags: number, block: Uint8Array): void {
    const most = DEFAULT_FRAME_BYTES;
    for (let at = 0; at < block.length; at += most) {
      const isLast = at + most >= block.length;
      this.#writer.frame(
        at === 0 ? HEADERS : CONTINUATION,
        (at === 0 ? flags : 0) | (isLast ? END_HEADERS : 0),
        id,
        block.subarray(at, at + most),
      );
    }
  }

  /**
   * Takes a part of a body, which must not change until `onSent` is called: that may be before this
   * returns true. The end may have trailers.
   */
  body(
    stream: Http2Stream,
    bytes: Uint8Array,
    isEnd: boolean,
    trailers?: readonly BlockField[],
  ): boolean {
    stream.pending = bytes;
    stream.pendingAt = 0;
    stream.pendingEnds = isEnd;
    stream.trailers = trailers;
    const { length } = bytes;
    const fits = length <= stream.sendWindow && length <= this.#window
      && length <= DEFAULT_FRAME_BYTES && this.#queue.length === 0
      && this.#writer.length + length <= AHEAD_BYTES;
    if (fits || length === 0) this.#data(stream, length);
    else this.#enqueue(stream);
    this.#user.onOutput();
    return stream.pending === undefined;
  }

  /** Takes back what a stream has to send. */
  forget(stream: Http2Stream): void {
    stream.pending = undefined;
    if (stream.isQueued) this.#queue = this.#queue.filter((other) => other !== stream);
  }

  /** Takes back what all streams have to send. */
  forgetAll(): void {
    this.#queue = [];
  }

  /**
   * Opens the connection's window.
   *
   * @throws {Http2Error} It is larger than a window may be
   */
  openWindow(increment: number): void {
    this.#window += increment;
    if (this.#window > MOST_WINDOW) {
      throw connectionError("FLOW_CONTROL_ERROR", "the connection's window is over 2^31 - 1");
    }
    if (this.#queue.length > 0) this.#user.onOutput();
  }

  /** Opens a stream's window; false if it is larger than a window may be. */
  openWindowOf(stream: Http2Stream, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.sendWindow > MOST_WINDOW) return false;
    this.#unblock(stream);
    return true;
  }

  /**
   * Takes how large the windows of streams are, those that are open among them.
   *
   * @throws {Http2Error} One is larger than a window may be
   */
  resizeWindows(bytes: number, streams: Iterable<Http2Stream>): void {
    const detail = "SETTINGS make windows larger than 2^31 - 1";
    if (bytes > MOST_WINDOW) throw connectionError("FLOW_CONTROL_ERROR", detail);
    const change = bytes - this.#streamWindow;
    this.#streamWindow = bytes;
    for (const stream of streams) {
      stream.sendWindow += change;
      if (stream.sendWindow > MOST_WINDOW) throw connectionError("FLOW_CONTROL_ERROR", detail);
      if (change > 0) this.#unblock(stream);
    }
  }

  /** Takes the size that the peer allows the table of this side's blocks, in bytes. */
  resizeTable(bytes: number): void {
    this.#encoder.setMaxBytes(bytes);
  }

  /**
   * Acknowledges the peer's settings.
   *
   * @throws {Http2Error} The peer does not read its answers
   */
  acknowledge(): void {
    const at = this.#writer.reserve(FRAME_HEADER_BYTES);
    this.#writer.header(at, 0, SETTINGS, ACK, 0);
    this.#writer.advance(at + FRAME_HEADER_BYTES);
    this.#answer();
  }

  /**
   * Answers a PING.
   *
   * @throws {Http2Error} The peer does not read its answers
   */
  answerPing(payload: Uint8Array): void {
    this.#writer.frame(PING, ACK, 0, payload);
    this.#answer();
  }

  #answer(): void {
    if (++this.#answers > MOST_ANSWERS) {
      throw connectionError("ENHANCE_YOUR_CALM", "the peer asks, and does not read the answers");
    }
    this.#user.onOutput();
  }

  /** Writes a PING with a number. */
  ping(number: number): void {
    this.#writer.ping(number);
    this.#user.onOutput();
  }

  /** Resets a stream. */
  reset(id: number, code: Http2ErrorName): void {
    this.#writer.word(RST_STREAM, id, errorNumber(code));
    this.#user.onOutput();
  }

  /** Opens a window of the peer's: the connection's if the stream is 0. */
  credit(id: number, increment: number): void {
    this.#writer.word(WINDOW_UPDATE, id, increment);
    this.#user.onOutput();
  }

  /** Writes GOAWAY. */
  goaway(code: Http2ErrorName): void {
    this.#writer.goaway(errorNumber(code));
    this.#user.onOutput();
  }

  /** Takes what is to be written; undefined if there is nothing. */
  take(): Uint8Array | undefined {
    this.#answers = 0;
    return this.#writer.take();
  }

  /** Writes bodies, one frame of each at a time, as far as windows and the socket allow. */
  pump(): void {
    const writer = this.#writer;
    while (this.#queue.length > 0 && this.#window > 0 && writer.length < AHEAD_BYTES) {
      const stream = this.#queue.shift()!;
      stream.isQueued = false;
      const { pending, pendingAt, sendWindow } = stream;
      // A smaller window of new SETTINGS may be less than nothing. It is queued again when it opens.
      if (!pending || sendWindow <= 0) continue;
      const left = pending.length - pendingAt;
      this.#data(stream, Math.min(left, sendWindow, this.#window, DEFAULT_FRAME_BYTES));
      if (stream.pending) this.#enqueue(stream);
    }
  }

  #enqueue(stream: Http2Stream): void {
    if (stream.isQueued || stream.sendWindow <= 0) return;
    stream.isQueued = true;
    this.#queue.push(stream);
  }

  #unblock(stream: Http2Stream): void {
    if (!stream.pending) return;
    this.#enqueue(stream);
    this.#user.onOutput();
  }

  /** Writes this much of what a stream has to send. */
  #data(stream: Http2Stream, length: number): void {
    const { pending, pendingAt, trailers } = stream;
    if (!pending) return;
    const isWhole = pendingAt + length === pending.length;
    const isEnd = isWhole && stream.pendingEnds;
    if (length > 0 || (isEnd && !trailers)) {
      const flags = isEnd && !trailers ? END_STREAM : 0;
      const part = length === pending.length
        ? pending
        : pending.subarray(pendingAt, pendingAt + length);
      this.#writer.frame(DATA, flags, stream.id, part);
      this.#guard.noteSent();
    }
    stream.sendWindow -= length;
    this.#window -= length;
    stream.pendingAt += length;
    if (!isWhole) return;
    stream.pending = undefined;
    if (isEnd) {
      stream.isLocalEnd = true;
      if (trailers) this.headers(stream.id, trailers, true);
    }
    stream.user?.onSent();
  }
}
