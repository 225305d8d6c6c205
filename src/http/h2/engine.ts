/**
 * HTTP/2 for a client (RFC 9113): bytes in, events out; requests in, bytes out. It has no socket,
 * no clock and no timers: whoever drives it has.
 *
 * @module
 */

import type { CheckedLimits } from "../limits.ts";
import {
  connectionError,
  errorName,
  errorNumber,
  Http2Error,
  type Http2ErrorName,
  streamError,
} from "./error_codes.ts";
import { FloodGuard } from "./flood_guard.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";
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
  HEADER_TABLE_SIZE,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  MAX_HEADER_LIST_SIZE,
  MOST_FRAME_BYTES,
  MOST_STREAM_ID,
  MOST_WINDOW,
  PING,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "./frames.ts";
import { HeadReader } from "./head_reader.ts";
import { type BlockField, HpackEncoder, mostBlockBytes } from "./hpack_encoder.ts";
import { Liveness } from "./liveness.ts";
import { Resets } from "./resets.ts";
import { Http2Stream, type StreamUser } from "./stream.ts";

/** What happens to the connection. */
export interface EngineHost {
  /** There is something to write: `take()` gives it. */
  onOutput(): void;
  /** How many streams there may be has changed, or whether there may be any. */
  onCapacity(): void;
  /** A PING of `ping()` was answered. */
  onPong(): void;
}

/** How much the peer may send on a stream, to begin with, in bytes. */
export const STREAM_WINDOW = 262_144;
/** How far that grows with a fast peer and a fast reader. */
const MOST_STREAM_WINDOW = 8_388_608;
/** Of a body whose reader has not stopped by then, the window may grow. */
const GROWS_AFTER = 2 * STREAM_WINDOW;
/**
 * How much the peer may send on all streams. It is given back as it comes, for what holds a slow
 * reader's body back is the stream's window: it starves no other stream.
 */
const CONNECTION_WINDOW = 16_777_216;
/** So many streams are opened before the peer has said how many there may be. */
const STREAMS_AT_FIRST = 100;
/** More are never opened at once. */
const MOST_STREAMS = 1_024;
/** So much is written ahead of the socket, in bytes, before bodies wait. */
const AHEAD_BYTES = 65_536;
/** So many answers may wait for a peer that does not read. */
const MOST_ANSWERS = 1_000;

/** A block that was written for a request, to be written again. */
interface KnownBlock {
  readonly encoder: HpackEncoder;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** Speaks HTTP/2 on one connection. */
export class Http2Engine implements FrameSink {
  /** The time, in milliseconds: to be set before anything else is called. */
  now = 0;
  readonly #host: EngineHost;
  readonly #limits: CheckedLimits;
  readonly #reader: FrameReader;
  readonly #heads: HeadReader;
  readonly #encoder = new HpackEncoder();
  readonly #writer = new FrameWriter();
  readonly #guard = new FloodGuard();
  readonly #resets = new Resets();
  readonly #liveness: Liveness;
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams that have something to send and a window for it, in turn. */
  #queue: Http2Stream[] = [];
  /** Streams that were given up, and may not be reset yet. */
  readonly #muted = new Set<Http2Stream>();
  readonly #blocks = new WeakMap<readonly BlockField[], KnownBlock>();
  #nextId: number;
  #lastId: number;

  #peerStreams = STREAMS_AT_FIRST;
  #isLimited = false;
  #peerWindow = DEFAULT_WINDOW;
  #peerHeaderBytes = Infinity;
  #sendWindow = DEFAULT_WINDOW;
  #receiveWindow = CONNECTION_WINDOW;
  #uncredited = 0;
  /** Answers that were not taken yet. */
  #answers = 0;
  #settingsSeen = false;
  /** The last stream that the peer has looked at, where it goes away. */
  #goawayId = MOST_STREAM_ID;
  #goaway: Http2Error | undefined;
  /** Whether the peer may keep much of the connection's window for bodies that it did not take. */
  #isSpent = false;
  #failure: unknown;
  #hasFailed = false;

  /** Begins, with the preface. Numbers of streams begin at `firstId`. */
  constructor(host: EngineHost, limits: CheckedLimits, now: number, firstId: number = 1) {
    this.#host = host;
    this.#limits = limits;
    this.now = now;
    this.#nextId = firstId;
    this.#lastId = firstId - 2;
    this.#reader = new FrameReader(this, limits.maxHeadBytes);
    this.#heads = new HeadReader(limits);
    this.#liveness = new Liveness(now);
    const writer = this.#writer;
    const at = writer.reserve(PREFACE.length);
    writer.bytes.set(PREFACE, at);
    writer.advance(at + PREFACE.length);
    writer.settings([
      [ENABLE_PUSH, 0],
      [INITIAL_WINDOW_SIZE, STREAM_WINDOW],
      [MAX_HEADER_LIST_SIZE, limits.maxHeadBytes],
    ]);
    writer.word(WINDOW_UPDATE, 0, CONNECTION_WINDOW - DEFAULT_WINDOW);
  }

  /** How many streams there may be at once, those that were reset of late left out. */
  get capacity(): number {
    if (this.#hasFailed || this.#goaway || this.#nextId > MOST_STREAM_ID) return 0;
    return Math.max(
      0,
      Math.min(this.#peerStreams, MOST_STREAMS) - this.#resets.slots - this.#muted.size,
    );
  }

  /** How many streams there are that somebody uses. */
  get active(): number {
    return this.#streams.size - this.#muted.size;
  }

  /** Whether no stream may begin any more: the peer goes away, numbers have run out, or it failed. */
  get isLeaving(): boolean {
    return this.#hasFailed || this.#goaway !== undefined || this.#nextId > MOST_STREAM_ID
      || this.#isSpent;
  }

  /** What the peer said when it went away. */
  get goaway(): Http2Error | undefined {
    return this.#goaway;
  }

  /** What ended it, where something has. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Whether the peer's settings are there. */
  get isReady(): boolean {
    return this.#settingsSeen;
  }

  /** The longest header list that the peer takes, as it says, in bytes. */
  get peerHeaderBytes(): number {
    return this.#peerHeaderBytes;
  }

  /**
   * Sends a request; undefined where there may not be another stream. Whoever has more to send than
   * `body` calls `send()`. Fields that are given again, the same array, are looked up only once.
   */
  request(
    fields: readonly BlockField[],
    body: Uint8Array | null,
    hasMore: boolean,
    isHead: boolean,
    user: StreamUser,
  ): Http2Stream | undefined {
    if (this.active >= this.capacity) return undefined;
    const id = this.#nextId;
    this.#nextId += 2;
    this.#lastId = id;
    const stream = new Http2Stream(id, user, isHead, this.#peerWindow, STREAM_WINDOW);
    stream.creditedAt = this.now;
    this.#streams.set(id, stream);
    this.#liveness.noteRequest(this.now);
    const isEnd = body === null && !hasMore;
    this.#headers(id, fields, isEnd);
    stream.isLocalEnd = isEnd;
    if (body !== null) this.send(stream, body, !hasMore);
    this.#host.onOutput();
    if (this.#nextId > MOST_STREAM_ID) this.#host.onCapacity();
    return stream;
  }

  /**
   * Sends a part of a body, which must not change until `onSent` is called: that may be before this
   * returns true. The end may have trailers.
   */
  send(
    stream: Http2Stream,
    bytes: Uint8Array,
    isEnd: boolean,
    trailers?: readonly BlockField[],
  ): boolean {
    if (stream.isLocalEnd || !this.#streams.has(stream.id)) return true;
    stream.pending = bytes;
    stream.pendingAt = 0;
    stream.pendingEnds = isEnd;
    stream.trailers = trailers;
    const { length } = bytes;
    const fits = length <= stream.sendWindow && length <= this.#sendWindow
      && length <= DEFAULT_FRAME_BYTES && this.#queue.length === 0
      && this.#writer.length + length <= AHEAD_BYTES;
    if (fits || length === 0) this.#data(stream, length);
    else this.#enqueue(stream);
    this.#host.onOutput();
    return stream.pending === undefined;
  }

  /** Gives up a stream that is not at its end. Its user hears nothing more. */
  cancel(stream: Http2Stream, code: Http2ErrorName = "CANCEL"): void {
    if (stream.user === undefined) return;
    stream.user = undefined;
    if (this.#hasFailed || this.#streams.get(stream.id) !== stream) return;
    stream.pending = undefined;
    stream.isPaused = true;
    // So as not to look like an attack, some streams run to their ends unheard.
    if (this.#resets.mayReset(this.now)) this.#reset(stream, code);
    else this.#muted.add(stream);
    this.#host.onCapacity();
  }

  /** Gives the peer no more window for a stream. */
  pause(stream: Http2Stream): void {
    stream.isPaused = true;
  }

  /** Gives the peer window for a stream again. */
  resume(stream: Http2Stream): void {
    stream.isPaused = false;
    if (this.#streams.has(stream.id)) this.#credit(stream);
  }

  /** Asks whether the peer is there: `onPong` is called when it answers. */
  ping(): void {
    if (this.#liveness.isAsking || this.#hasFailed) return;
    this.#writer.ping(this.#liveness.ask(this.now));
    this.#host.onOutput();
  }

  /** Looks at what has to do with time. To be called now and then while there are streams or PINGs. */
  tick(): void {
    if (this.#hasFailed) return;
    const verdict = this.#liveness.look(this.now, this.#streams.size > 0);
    if (verdict === "ask") this.ping();
    else if (verdict === "no-settings") {
      this.fail(
        connectionError("SETTINGS_TIMEOUT", "the peer did not acknowledge SETTINGS in time"),
      );
      return;
    } else if (verdict === "no-answer") {
      this.fail(connectionError("NO_ERROR", "the peer did not answer a PING in time"));
      return;
    }
    for (const stream of this.#muted) {
      if (!this.#resets.mayReset(this.now)) break;
      this.#muted.delete(stream);
      this.#reset(stream, "CANCEL");
    }
    if (this.#resets.expire(this.now)) this.#host.onCapacity();
  }

  /** Whether `tick()` has anything to look at. */
  get needsTicks(): boolean {
    return !this.#hasFailed
      && (this.#streams.size > 0 || this.#resets.slots > 0 || this.#liveness.isWaiting);
  }

  /** How much is there to be taken, in bytes; bodies that wait are not counted. */
  get outputLength(): number {
    return this.#writer.length;
  }

  /** Takes what is to be written, parts of bodies among it; undefined where there is nothing. */
  take(): Uint8Array | undefined {
    if (!this.#hasFailed) {
      this.#pump();
      if (this.#resets.wantsPing) {
        this.#resets.asked();
        this.#writer.ping(0);
      }
    }
    this.#answers = 0;
    return this.#writer.take();
  }

  /** Takes bytes that have come. What is wrong with them ends it: see `failure`. */
  push(bytes: Uint8Array): void {
    if (this.#hasFailed) return;
    this.#liveness.noteReceived(this.now);
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.fail(error);
    }
  }

  /** Ends it, and all streams. Where it knows why, it tells the peer by what `take()` gives. */
  fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#failure = error;
    if (error instanceof Http2Error && error.from === "here") {
      this.#writer.goaway(errorNumber(error.http2Code));
      this.#host.onOutput();
    }
    this.#queue = [];
    this.#muted.clear();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) this.#drop(stream, error, true);
    this.#host.onCapacity();
  }

  /** Says good-bye: no stream is there any more. */
  leave(): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#writer.goaway(0);
  }

  // What the peer sends.

  onData(streamId: number, bytes: Uint8Array, credit: number, isEnd: boolean): void {
    if (bytes.length > 0) this.#guard.noteData();
    this.#receiveWindow -= credit;
    if (this.#receiveWindow < 0) {
      throw connectionError("FLOW_CONTROL_ERROR", "the peer has overrun the connection's window");
    }
    this.#uncredited += credit;
    if (this.#uncredited >= CONNECTION_WINDOW / 2) {
      this.#writer.word(WINDOW_UPDATE, 0, this.#uncredited);
      this.#receiveWindow += this.#uncredited;
      this.#uncredited = 0;
      this.#host.onOutput();
    }
    const stream = this.#streamOf(streamId, "DATA");
    if (!stream) return;
    this.#resets.noteResponse();
    stream.receiveWindow -= credit;
    stream.uncredited += credit;
    stream.received += bytes.length;
    if (stream.receiveWindow < 0) {
      this.#end(stream, "FLOW_CONTROL_ERROR", "the peer has overrun the stream's window");
      return;
    }
    if (!stream.hasHead) {
      this.#end(stream, "PROTOCOL_ERROR", "DATA came before the head of the response");
      return;
    }
    const { contentLength } = stream;
    if (contentLength >= 0 && stream.received > contentLength) {
      this.#end(stream, "PROTOCOL_ERROR", "the body is longer than its content-length");
      return;
    }
    if (bytes.length > 0) stream.user?.onBody(bytes);
    if (isEnd) this.#remoteEnd(stream);
    else this.#credit(stream);
  }

  onEmptyData(): void {
    this.#guard.countEmptyData();
  }

  onHeaders(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    isEnd: boolean,
  ): void {
    const stream = this.#streamOf(streamId, "HEADERS");
    if (!stream) {
      this.#heads.skip(bytes, start, end);
      return;
    }
    this.#resets.noteResponse();
    const head = this.#heads.read(bytes, start, end, stream.hasHead);
    if (head.error) {
      this.#endWith(stream, head.error);
      return;
    }
    if (stream.hasHead) {
      if (!isEnd) {
        this.#end(stream, "PROTOCOL_ERROR", "a second head came within the body");
        return;
      }
      stream.user?.onTrailers(head.headers);
      this.#remoteEnd(stream);
      return;
    }
    const { status } = head;
    if (status < 200) {
      if (isEnd) this.#end(stream, "PROTOCOL_ERROR", "an interim response ended the stream");
      else if (++stream.interims > this.#limits.maxInterimResponses) {
        const limit = `more than ${this.#limits.maxInterimResponses} (maxInterimResponses)`;
        this.#end(stream, "ENHANCE_YOUR_CALM", `there are ${limit} interim responses`);
      }
      return;
    }
    stream.hasHead = true;
    stream.contentLength = stream.isHead || status === 204 || status === 304
      ? 0
      : head.contentLength;
    stream.user?.onHead(head);
    if (isEnd) this.#remoteEnd(stream);
  }

  onReset(streamId: number, code: number): void {
    const stream = this.#streamOf(streamId, "RST_STREAM");
    if (!stream) {
      this.#guard.count("reset", this.now);
      return;
    }
    this.#resets.noteResponse();
    const name = errorName(code);
    const error = new Http2Error(name, "stream", "the peer has reset it", "peer");
    this.#forget(stream);
    // What was refused was not looked at (section 8.7).
    this.#drop(stream, error, name !== "REFUSED_STREAM");
  }

  onSetting(id: number, value: number): void {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.#encoder.setMaxBytes(value);
        break;
      case ENABLE_PUSH:
        if (value !== 0) throw protocolError("a server has no push to allow");
        break;
      case MAX_CONCURRENT_STREAMS:
        this.#peerStreams = value;
        this.#isLimited = true;
        break;
      case INITIAL_WINDOW_SIZE:
        if (value > MOST_WINDOW) {
          throw connectionError("FLOW_CONTROL_ERROR", "SETTINGS make windows larger than 2^31 - 1");
        }
        this.#resizeWindows(value - this.#peerWindow);
        this.#peerWindow = value;
        break;
      case MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_BYTES || value > MOST_FRAME_BYTES) {
          throw protocolError("SETTINGS_MAX_FRAME_SIZE is out of its range");
        }
        // Longer frames than by default would only let others wait.
        break;
      case MAX_HEADER_LIST_SIZE:
        this.#peerHeaderBytes = value;
    }
  }

  onSettingsEnd(): void {
    this.#guard.count("settings", this.now);
    const isFirst = !this.#settingsSeen;
    this.#settingsSeen = true;
    // A peer that names no limit has none.
    if (isFirst && !this.#isLimited) this.#peerStreams = MOST_STREAMS;
    const at = this.#writer.reserve(FRAME_HEADER_BYTES);
    this.#writer.header(at, 0, SETTINGS, ACK, 0);
    this.#writer.advance(at + FRAME_HEADER_BYTES);
    this.#answer();
    this.#host.onCapacity();
  }

  onSettingsAck(): void {
    if (!this.#liveness.noteSettings(this.now)) {
      throw protocolError("SETTINGS are acknowledged that were not sent");
    }
  }

  onPromise(): void {
    throw protocolError("the peer has pushed, which it was told not to");
  }

  onPing(payload: Uint8Array, isAnswer: boolean): void {
    if (!isAnswer) {
      this.#guard.count("ping", this.now);
      this.#writer.frame(PING, ACK, 0, payload);
      this.#answer();
      return;
    }
    const number = payload[4]! << 24 | payload[5]! << 16 | payload[6]! << 8 | payload[7]!;
    if (number === 0) {
      this.#resets.answered();
      this.#host.onCapacity();
      if (this.#resets.wantsPing) this.#host.onOutput();
    } else if (this.#liveness.answered(number, this.now)) this.#host.onPong();
  }

  onGoaway(lastId: number, code: number): void {
    const name = errorName(code);
    this.#goawayId = Math.min(this.#goawayId, lastId);
    this.#goaway = new Http2Error(name, "connection", "the peer goes away", "peer");
    for (const stream of this.#streams.values()) {
      if (stream.id <= this.#goawayId) continue;
      this.#forget(stream);
      this.#drop(stream, this.#goaway, false);
    }
    this.#host.onCapacity();
  }

  onWindow(streamId: number, increment: number): void {
    this.#guard.count("window", this.now);
    if (streamId === 0) {
      this.#sendWindow += increment;
      if (this.#sendWindow > MOST_WINDOW) {
        throw connectionError("FLOW_CONTROL_ERROR", "the connection's window is over 2^31 - 1");
      }
      if (this.#queue.length > 0) this.#host.onOutput();
      return;
    }
    const stream = this.#streamOf(streamId, "WINDOW_UPDATE");
    if (!stream) return;
    stream.sendWindow += increment;
    if (stream.sendWindow > MOST_WINDOW) {
      this.#end(stream, "FLOW_CONTROL_ERROR", "the stream's window is over 2^31 - 1");
    } else this.#unblock(stream);
  }

  onIgnored(): void {
    this.#guard.count("other", this.now);
  }

  onStreamError(streamId: number, code: Http2ErrorName, detail: string): void {
    const stream = this.#streamOf(streamId, "PRIORITY");
    if (stream) this.#end(stream, code, detail);
    else this.#guard.count("other", this.now);
  }

  /** The stream of a frame; undefined where the frame comes late. */
  #streamOf(id: number, frame: string): Http2Stream | undefined {
    const stream = this.#streams.get(id);
    if (stream) return stream;
    if (frame === "PRIORITY") return undefined;
    if (id % 2 === 0) throw protocolError(`${frame} is on a stream of the peer's own`);
    if (id > this.#lastId) throw protocolError(`${frame} is on a stream that nobody has opened`);
    if (frame === "HEADERS" || frame === "DATA") {
      // What this side has reset, or was refused, the peer may have answered before it knew.
      if (!this.#resets.has(id) && id <= this.#goawayId) {
        throw connectionError("STREAM_CLOSED", `${frame} is on a stream that has ended`);
      }
      // DATA is counted by its window.
      if (frame === "HEADERS") this.#guard.count("other", this.now);
    }
    return undefined;
  }

  #remoteEnd(stream: Http2Stream): void {
    const { contentLength, user } = stream;
    if (contentLength >= 0 && stream.received !== contentLength) {
      this.#end(stream, "PROTOCOL_ERROR", "the body is shorter than its content-length");
      return;
    }
    // A response that is there before the request is out: the rest of it is not wanted.
    if (!stream.isLocalEnd) this.#reset(stream, "CANCEL");
    else this.#forget(stream);
    stream.user = undefined;
    user?.onEnd();
  }

  /** Ends a stream for what the peer did. */
  #end(stream: Http2Stream, code: Http2ErrorName, detail: string): void {
    this.#endWith(stream, streamError(code, detail));
  }

  #endWith(stream: Http2Stream, error: Http2Error): void {
    this.#reset(stream, error.http2Code);
    this.#drop(stream, error, true);
    this.#host.onCapacity();
  }

  #reset(stream: Http2Stream, code: Http2ErrorName): void {
    this.#writer.word(RST_STREAM, stream.id, errorNumber(code));
    // HAProxy never gives back what was sent of a body that it did not want.
    if (!stream.isLocalEnd && !this.#isSpent && this.#sendWindow < DEFAULT_WINDOW / 2) {
      this.#isSpent = true;
      this.#host.onCapacity();
    }
    this.#forget(stream);
    this.#resets.add(stream.id, this.now);
    this.#host.onOutput();
  }

  #forget(stream: Http2Stream): void {
    this.#streams.delete(stream.id);
    stream.pending = undefined;
    if (stream.isQueued) this.#queue = this.#queue.filter((other) => other !== stream);
    if (this.#muted.size > 0 && this.#muted.delete(stream)) this.#host.onCapacity();
  }

  #drop(stream: Http2Stream, error: unknown, maybeActedOn: boolean): void {
    const { user } = stream;
    stream.user = undefined;
    user?.onFailure(error, maybeActedOn);
  }

  #answer(): void {
    if (++this.#answers > MOST_ANSWERS) {
      throw connectionError("ENHANCE_YOUR_CALM", "the peer asks, and does not read the answers");
    }
    this.#host.onOutput();
  }

  /** Gives the peer window for what has come, half a window at a time. */
  #credit(stream: Http2Stream): void {
    const { contentLength, received, uncredited } = stream;
    if (stream.isPaused || uncredited < stream.windowSize / 2) return;
    // The rest of it fits.
    if (contentLength >= 0 && contentLength - received <= stream.receiveWindow) return;
    let increment = uncredited;
    const isFast = this.now - stream.creditedAt <= this.#liveness.roundTripMs * 2;
    if (isFast && received > GROWS_AFTER && stream.windowSize < MOST_STREAM_WINDOW) {
      increment += stream.windowSize;
      stream.windowSize *= 2;
    }
    stream.creditedAt = this.now;
    stream.uncredited = 0;
    stream.receiveWindow += increment;
    this.#writer.word(WINDOW_UPDATE, stream.id, increment);
    this.#host.onOutput();
  }

  // What this side sends.

  #headers(id: number, fields: readonly BlockField[], isEnd: boolean): void {
    const encoder = this.#encoder;
    const writer = this.#writer;
    const flags = isEnd ? END_STREAM : 0;
    const known = this.#blocks.get(fields);
    if (known && known.encoder === encoder && known.version === encoder.version) {
      writer.frame(HEADERS, flags | END_HEADERS, id, known.bytes);
      return;
    }
    const { owes, version } = encoder;
    const at = writer.reserve(FRAME_HEADER_BYTES + mostBlockBytes(fields));
    const start = at + FRAME_HEADER_BYTES;
    const end = encoder.encode(fields, writer.bytes, start);
    const length = end - start;
    if (length > DEFAULT_FRAME_BYTES) {
      this.#longHeaders(id, flags, writer.bytes.slice(start, end));
      return;
    }
    writer.header(at, length, HEADERS, flags | END_HEADERS, id);
    writer.advance(end);
    if (owes || encoder.version !== version) return;
    this.#blocks.set(fields, { encoder, version, bytes: writer.bytes.slice(start, end) });
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

  #enqueue(stream: Http2Stream): void {
    if (stream.isQueued || stream.sendWindow <= 0) return;
    stream.isQueued = true;
    this.#queue.push(stream);
  }

  #unblock(stream: Http2Stream): void {
    if (!stream.pending) return;
    this.#enqueue(stream);
    this.#host.onOutput();
  }

  /** Writes bodies, a frame of each in turn, as far as windows and the socket allow. */
  #pump(): void {
    const writer = this.#writer;
    while (this.#queue.length > 0 && this.#sendWindow > 0 && writer.length < AHEAD_BYTES) {
      const stream = this.#queue.shift()!;
      stream.isQueued = false;
      const { pending, pendingAt, sendWindow } = stream;
      if (!pending) continue;
      const length = Math.min(
        pending.length - pendingAt,
        sendWindow,
        this.#sendWindow,
        DEFAULT_FRAME_BYTES,
      );
      this.#data(stream, length);
      if (stream.pending) this.#enqueue(stream);
    }
  }

  /** Writes so much of what a stream has to send. */
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
    this.#sendWindow -= length;
    stream.pendingAt += length;
    if (!isWhole) return;
    stream.pending = undefined;
    if (isEnd) {
      stream.isLocalEnd = true;
      if (trailers) this.#headers(stream.id, trailers, true);
    }
    stream.user?.onSent();
  }

  #resizeWindows(change: number): void {
    for (const stream of this.#streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > MOST_WINDOW) {
        throw connectionError("FLOW_CONTROL_ERROR", "SETTINGS make a window larger than 2^31 - 1");
      }
      if (change > 0) this.#unblock(stream);
    }
  }
}

function protocolError(detail: string): Http2Error {
  return connectionError("PROTOCOL_ERROR", detail);
}
