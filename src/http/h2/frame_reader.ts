/**
 * Reads frames off a stream of bytes that comes in whatever pieces, and checks each as it stands
 * alone: its length, its stream, its padding (RFC 9113 sections 4 and 6).
 *
 * @module
 */

import {
  connectionError,
  type Http2Error,
  type Http2ErrorName,
  protocolError,
} from "./error_codes.ts";
import {
  ACK,
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_BYTES,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PRIORITIZED,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "./frames.ts";

/** Takes frames. Bytes are the sink's only until it returns. What a method throws, the reader throws. */
export interface FrameSink {
  /**
   * A part of DATA. `credit` is what it takes of the windows, padding included, and `isEnd` says
   * that it is the last one of its stream.
   */
  onData(streamId: number, bytes: Uint8Array, credit: number, isEnd: boolean): void;
  /** DATA begins with nothing but padding, and does not end its stream. */
  onEmptyData(): void;
  /** A whole header block, of HEADERS and its CONTINUATIONs. */
  onHeaders(streamId: number, bytes: Uint8Array, start: number, end: number, isEnd: boolean): void;
  /** The stream was ended by the peer. */
  onReset(streamId: number, code: number): void;
  /** One setting. */
  onSetting(id: number, value: number): void;
  /** All settings of a frame were passed on. */
  onSettingsEnd(): void;
  /** The peer has acknowledged our settings. */
  onSettingsAck(): void;
  /** A PING, or the answer to one. */
  onPing(payload: Uint8Array, isAnswer: boolean): void;
  /** The peer goes away after a stream, with a code. */
  onGoaway(lastId: number, code: number): void;
  /** A window has grown: the connection's if the stream is 0. */
  onWindow(streamId: number, increment: number): void;
  /** A frame that is passed over: PRIORITY, or of a type that nobody knows. */
  onIgnored(): void;
  /** A frame is wrong in a way that ends its stream alone. */
  onStreamError(streamId: number, code: Http2ErrorName, detail: string): void;
}

const NOTHING = new Uint8Array(0);

/** CONTINUATIONs of one block, at the least: see `mostContinuations`. */
const LEAST_CONTINUATIONS = 5;

/** Reads the frames of one connection. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** How many CONTINUATIONs a block may have: a fourth more than a block within its limit needs. */
  readonly #mostContinuations: number;
  /** The bytes of a frame other than DATA, until it is whole. */
  #kept = NOTHING;
  #keptLength = 0;
  /** The DATA under way: how much of it is to come, besides its padding. */
  #dataLeft = 0;
  #padLeft = 0;
  #dataId = 0;
  #dataEnds = false;
  /** The stream of the header block under way; -1 if there is none. */
  #blockId = -1;
  #blockEnds = false;
  #block = NOTHING;
  #blockLength = 0;
  #continuations = 0;
  #isFirst = true;

  /** Makes a reader, with a limit on the bytes of a header list. */
  constructor(sink: FrameSink, maxHeaderBytes: number) {
    this.#sink = sink;
    this.#mostContinuations = Math.max(
      LEAST_CONTINUATIONS,
      Math.ceil(maxHeaderBytes * 1.25 / DEFAULT_FRAME_BYTES),
    );
  }

  /**
   * Takes bytes.
   *
   * @throws {Http2Error} The connection must end
   */
  push(bytes: Uint8Array): void {
    let at = 0;
    const { length } = bytes;
    while (at < length) {
      if (this.#dataLeft + this.#padLeft > 0) {
        at = this.#dataPart(bytes, at);
      } else if (this.#keptLength > 0) {
        at = this.#keep(bytes, at);
      } else {
        const next = this.#frame(bytes, at, length);
        if (next === at) {
          this.#startKeeping(bytes, at);
          return;
        }
        at = next;
      }
    }
  }

  /** Reads a frame that is there in full, or the beginning of DATA; returns where it was read to. */
  #frame(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < FRAME_HEADER_BYTES) return at;
    const size = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const id = (bytes[at + 5]! & 0x7f) << 24 | bytes[at + 6]! << 16 | bytes[at + 7]! << 8
      | bytes[at + 8]!;
    if (this.#isFirst && (type !== SETTINGS || (flags & ACK) !== 0)) {
      throw protocolError("the peer did not begin with SETTINGS: is it HTTP/2?");
    }
    if (size > DEFAULT_FRAME_BYTES) throw sizeError("a frame is longer than the limit");
    if (this.#blockId >= 0 && (type !== CONTINUATION || id !== this.#blockId)) {
      throw protocolError("another frame stands within a header block");
    }
    this.#isFirst = false;
    const start = at + FRAME_HEADER_BYTES;
    if (type === DATA) {
      if (id === 0) throw protocolError("DATA has no stream");
      const isPadded = (flags & PADDED) !== 0;
      if (isPadded && end === start && size > 0) return at;
      return this.#data(bytes, start, size, isPadded, id, (flags & END_STREAM) !== 0);
    }
    if (end - start < size) return at;
    this.#whole(type, flags, id, bytes, start, start + size);
    return start + size;
  }

  #data(
    bytes: Uint8Array,
    at: number,
    size: number,
    isPadded: boolean,
    id: number,
    isEnd: boolean,
  ): number {
    let pad = 0;
    if (isPadded) {
      if (size === 0) throw sizeError("padded DATA has no length of its padding");
      pad = bytes[at++]!;
      size--;
      if (pad > size) throw protocolError("DATA has more padding than there is");
    }
    this.#dataId = id;
    this.#dataEnds = isEnd;
    this.#dataLeft = size - pad;
    this.#padLeft = pad;
    if (this.#dataLeft === 0 && !isEnd) this.#sink.onEmptyData();
    // The length of the padding counts as well.
    if (isPadded && size > 0) this.#sink.onData(id, NOTHING, 1, false);
    else if (size === 0) this.#sink.onData(id, NOTHING, isPadded ? 1 : 0, isEnd);
    return at;
  }

  #dataPart(bytes: Uint8Array, at: number): number {
    const there = bytes.length - at;
    const length = Math.min(there, this.#dataLeft);
    const pad = Math.min(there - length, this.#padLeft);
    this.#dataLeft -= length;
    this.#padLeft -= pad;
    const isEnd = this.#dataEnds && this.#dataLeft + this.#padLeft === 0;
    const isWhole = at === 0 && length === bytes.length;
    const part = isWhole ? bytes : bytes.subarray(at, at + length);
    this.#sink.onData(this.#dataId, part, length + pad, isEnd);
    return at + length + pad;
  }

  #startKeeping(bytes: Uint8Array, at: number): void {
    const rest = bytes.length - at;
    this.#reserve(Math.max(rest, FRAME_HEADER_BYTES + 1));
    this.#kept.set(bytes.subarray(at));
    this.#keptLength = rest;
  }

  /** Adds to what was kept just enough to make a frame whole; returns where bytes were read to. */
  #keep(bytes: Uint8Array, at: number): number {
    const kept = this.#keptLength;
    let needed = FRAME_HEADER_BYTES;
    if (kept >= FRAME_HEADER_BYTES) {
      const head = this.#kept;
      const size = head[0]! << 16 | head[1]! << 8 | head[2]!;
      // Of DATA that is padded the header was kept, for want of one byte more.
      needed += head[3] === DATA ? 1 : size;
    }
    const length = Math.min(needed - kept, bytes.length - at);
    this.#reserve(needed);
    this.#kept.set(bytes.subarray(at, at + length), kept);
    this.#keptLength += length;
    if (this.#keptLength < needed) return at + length;
    if (this.#frame(this.#kept, 0, needed) > 0) this.#keptLength = 0;
    return at + length;
  }

  #reserve(length: number): void {
    if (this.#kept.length >= length) return;
    const kept = new Uint8Array(Math.max(length, 256));
    kept.set(this.#kept.subarray(0, this.#keptLength));
    this.#kept = kept;
  }

  #whole(
    type: number,
    flags: number,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const size = end - start;
    const sink = this.#sink;
    switch (type) {
      case HEADERS:
        this.#headers(flags, id, bytes, start, end);
        break;
      case CONTINUATION:
        this.#continuation(flags, id, bytes, start, end);
        break;
      case WINDOW_UPDATE: {
        if (size !== 4) throw sizeError("WINDOW_UPDATE is not 4 bytes long");
        const increment = wordAt(bytes, start) & 0x7fff_ffff;
        if (increment > 0) sink.onWindow(id, increment);
        else if (id === 0) throw protocolError("WINDOW_UPDATE opens the window by nothing");
        else sink.onStreamError(id, "PROTOCOL_ERROR", "WINDOW_UPDATE opens the window by nothing");
        break;
      }
      case RST_STREAM:
        if (id === 0) throw protocolError("RST_STREAM has no stream");
        if (size !== 4) throw sizeError("RST_STREAM is not 4 bytes long");
        sink.onReset(id, wordAt(bytes, start) >>> 0);
        break;
      case SETTINGS:
        this.#settings(flags, id, bytes, start, end);
        break;
      case PING:
        if (id !== 0) throw protocolError("PING has a stream");
        if (size !== 8) throw sizeError("PING is not 8 bytes long");
        sink.onPing(bytes.subarray(start, end), (flags & ACK) !== 0);
        break;
      case GOAWAY:
        if (id !== 0) throw protocolError("GOAWAY has a stream");
        if (size < 8) throw sizeError("GOAWAY is shorter than 8 bytes");
        sink.onGoaway(wordAt(bytes, start) & 0x7fff_ffff, wordAt(bytes, start + 4) >>> 0);
        break;
      case PRIORITY:
        if (id === 0) throw protocolError("PRIORITY has no stream");
        if (size !== 5) sink.onStreamError(id, "FRAME_SIZE_ERROR", "PRIORITY is not 5 bytes long");
        else sink.onIgnored();
        break;
      case PUSH_PROMISE:
        throw protocolError("the peer has pushed, which it was told not to");
      default:
        sink.onIgnored();
    }
  }

  #headers(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id === 0) throw protocolError("HEADERS has no stream");
    if ((flags & (PADDED | PRIORITIZED)) !== 0) {
      const size = end - start;
      const least = ((flags & PADDED) === 0 ? 0 : 1) + ((flags & PRIORITIZED) === 0 ? 0 : 5);
      if (size < least) throw sizeError("HEADERS is shorter than its flags say");
      if ((flags & PADDED) !== 0) end -= bytes[start]!;
      start += least;
      if (end < start) throw protocolError("HEADERS has more padding than there is");
    }
    const isEnd = (flags & END_STREAM) !== 0;
    if ((flags & END_HEADERS) !== 0) {
      this.#sink.onHeaders(id, bytes, start, end, isEnd);
      return;
    }
    this.#beginBlock(id, isEnd, bytes, start, end);
  }

  #beginBlock(id: number, isEnd: boolean, bytes: Uint8Array, start: number, end: number): void {
    this.#blockId = id;
    this.#blockEnds = isEnd;
    this.#continuations = 0;
    this.#blockLength = 0;
    this.#addToBlock(bytes, start, end);
  }

  #addToBlock(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#blockLength + end - start;
    if (length > this.#block.length) {
      const block = new Uint8Array(Math.max(length, this.#block.length * 2));
      block.set(this.#block.subarray(0, this.#blockLength));
      this.#block = block;
    }
    this.#block.set(bytes.subarray(start, end), this.#blockLength);
    this.#blockLength = length;
  }

  #continuation(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#blockId < 0) throw protocolError("CONTINUATION continues nothing");
    if (++this.#continuations > this.#mostContinuations) {
      const detail = `a header block has more than ${this.#mostContinuations} CONTINUATION frames`;
      throw connectionError("ENHANCE_YOUR_CALM", detail);
    }
    this.#addToBlock(bytes, start, end);
    if ((flags & END_HEADERS) === 0) return;
    this.#blockId = -1;
    const block = this.#block;
    // Few blocks are so long: the memory of one is not kept for the next.
    this.#block = NOTHING;
    this.#sink.onHeaders(id, block, 0, this.#blockLength, this.#blockEnds);
  }

  #settings(flags: number, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (id !== 0) throw protocolError("SETTINGS has a stream");
    const size = end - start;
    if ((flags & ACK) !== 0) {
      if (size !== 0) throw sizeError("SETTINGS that acknowledges has a payload");
      this.#sink.onSettingsAck();
      return;
    }
    if (size % 6 !== 0) throw sizeError("SETTINGS is not a multiple of 6 bytes long");
    for (let at = start; at < end; at += 6) {
      this.#sink.onSetting(bytes[at]! << 8 | bytes[at + 1]!, wordAt(bytes, at + 2) >>> 0);
    }
    this.#sink.onSettingsEnd();
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}

function sizeError(detail: string): Http2Error {
  return connectionError("FRAME_SIZE_ERROR", detail);
}
