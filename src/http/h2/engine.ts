/**
 * HTTP/2 for a client (RFC 9113): bytes in, events out; requests in, bytes out. It has no socket,
 * no clock and no timers: its session has those.
 *
 * Frames come by `FrameReader`, which knows each alone. Here stands what they mean to each other;
 * below it, the streams (`StreamTable`, `Http2Stream`), what is sent (`Outbox`), the peer's windows
 * (`Credit`), whether it is there (`Liveness`), and whether it means well (`FloodGuard`).
 *
 * @module
 */

import type { CheckedLimits } from "../limits.ts";
import { CONNECTION_CREDIT, Credit, STREAM_WINDOW } from "./credit.ts";
import {
  connectionError,
  errorName,
  Http2Error,
  type Http2ErrorName,
  protocolError,
  streamError,
} from "./error_codes.ts";
import { FloodGuard } from "./flood_guard.ts";
import { FrameReader, type FrameSink } from "./frame_reader.ts";
import {
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW,
  ENABLE_PUSH,
  HEADER_TABLE_SIZE,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  MOST_FRAME_BYTES,
} from "./frames.ts";
import { HeadReader } from "./head_reader.ts";
import type { BlockField } from "./hpack_encoder.ts";
import { Liveness } from "./liveness.ts";
import { Outbox, type OutboxUser } from "./outbox.ts";
import { Http2Stream, type StreamUser } from "./stream.ts";
import { StreamTable } from "./stream_table.ts";

/** What happens to the connection. */
export interface EngineHost extends OutboxUser {
  /** How many streams there may be has changed, or whether there may be any. */
  onCapacity(): void;
  /** A PING of `ping()` was answered. */
  onPong(): void;
}

/** Speaks HTTP/2 on one connection. */
export class Http2Engine implements FrameSink {
  /** The time, in milliseconds: to be set before anything else is called. */
  now = 0;
  readonly #host: EngineHost;
  readonly #limits: CheckedLimits;
  readonly #reader: FrameReader;
  readonly #heads: HeadReader;
  readonly #guard = new FloodGuard();
  readonly #liveness: Liveness;
  readonly #outbox: Outbox;
  readonly #credit: Credit;
  readonly #streams: StreamTable;
  #goaway: Http2Error | undefined;
  /** Whether the peer may hold on to much of the connection's window for bodies that it refused. */
  #isSpent = false;
  #failure: unknown;
  #hasFailed = false;

  /** Begins, with the preface. Numbers of streams begin at `firstId`. */
  constructor(host: EngineHost, limits: CheckedLimits, now: number, firstId: number = 1) {
    this.#host = host;
    this.#limits = limits;
    this.now = now;
    this.#streams = new StreamTable(firstId);
    this.#reader = new FrameReader(this, limits.maxHeadBytes);
    this.#heads = new HeadReader(limits);
    this.#liveness = new Liveness(now);
    this.#outbox = new Outbox(host, this.#guard);
    this.#credit = new Credit(this.#outbox);
    this.#outbox.begin({
      streamWindow: STREAM_WINDOW,
      connectionCredit: CONNECTION_CREDIT,
      maxHeaderBytes: limits.maxHeadBytes,
    });
  }

  /** How many streams there may be at once, less those that were reset recently. */
  get capacity(): number {
    return this.#hasFailed || this.#goaway || this.#streams.isUsedUp ? 0 : this.#streams.capacity;
  }

  /** How many streams there are that somebody uses. */
  get active(): number {
    return this.#streams.active;
  }

  /**
   * Whether no stream may begin any more: the peer is going away, numbers have run out, or it
   * failed.
   */
  get isLeaving(): boolean {
    return this.#hasFailed || this.#goaway !== undefined || this.#streams.isUsedUp || this.#isSpent;
  }

  /** What the peer said when it went away. */
  get goaway(): Http2Error | undefined {
    return this.#goaway;
  }

  /** What ended it, if something has. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Whether `tick()` has anything to look at. */
  get needsTicks(): boolean {
    return !this.#hasFailed && (this.#streams.size > 0 || this.#streams.resets.slots > 0
      || this.#liveness.isWaiting);
  }

  /** How many bytes are ready to be taken, without bodies that wait. */
  get outputLength(): number {
    return this.#outbox.length;
  }

  /**
   * Sends a request; undefined if there may not be another stream. If there is more to send than
   * `body`, call `send()`. Fields that are given again, the same array, are looked up only once.
   */
  request(
    fields: readonly BlockField[],
    body: Uint8Array | null,
    hasMore: boolean,
    isHead: boolean,
    user: StreamUser,
  ): Http2Stream | undefined {
    const streams = this.#streams;
    if (streams.active >= this.capacity) return undefined;
    const window = this.#outbox.streamWindow;
    const stream = new Http2Stream(streams.nextId, user, isHead, window, STREAM_WINDOW);
    stream.creditedAt = this.now;
    streams.add(stream);
    this.#liveness.noteRequest(this.now);
    this.#guard.noteRequest();
    const isEnd = body === null && !hasMore;
    this.#outbox.headers(stream.id, fields, isEnd);
    stream.isLocalEnd = isEnd;
    if (body !== null) this.#outbox.body(stream, body, !hasMore);
    if (streams.isUsedUp) this.#host.onCapacity();
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
    if (stream.isLocalEnd || !this.#streams.has(stream)) return true;
    return this.#outbox.body(stream, bytes, isEnd, trailers);
  }

  /** Gives up a stream that is not at its end. Its user is not called again. */
  cancel(stream: Http2Stream, code: Http2ErrorName = "CANCEL"): void {
    if (stream.user === undefined) return;
    stream.user = undefined;
    if (this.#hasFailed || !this.#streams.has(stream)) return;
    stream.pending = undefined;
    stream.isPaused = true;
    // Some streams run to their end ignored, so that many resets do not look like an attack.
    if (this.#streams.resets.mayReset(this.now)) this.#reset(stream, code);
    else this.#streams.mute(stream);
    this.#host.onCapacity();
  }

  /** Stops giving the peer more window for a stream. */
  pause(stream: Http2Stream): void {
    stream.isPaused = true;
  }

  /** Gives the peer window for a stream again. */
  resume(stream: Http2Stream): void {
    stream.isPaused = false;
    if (this.#streams.has(stream)) this.#giveCredit(stream);
  }

  /** Asks whether the peer is alive: `onPong` is called when it answers. */
  ping(): void {
    if (!this.#liveness.isAsking && !this.#hasFailed) {
      this.#outbox.ping(this.#liveness.ask(this.now));
    }
  }

  /** Checks timeouts. Call it now and then while there are streams or PINGs. */
  tick(): void {
    if (this.#hasFailed) return;
    const verdict = this.#liveness.look(this.now, this.#streams.size > 0);
    if (verdict === "ask") this.ping();
    else if (verdict === "no-settings") {
      const detail = "the peer did not acknowledge SETTINGS in time";
      this.fail(connectionError("SETTINGS_TIMEOUT", detail));
      return;
    } else if (verdict === "no-answer") {
      this.fail(connectionError("NO_ERROR", "the peer did not answer a PING in time"));
      return;
    }
    let muted: Http2Stream | undefined;
    while ((muted = this.#streams.nextToReset(this.now))) this.#reset(muted, "CANCEL");
    if (this.#streams.resets.expire(this.now)) this.#host.onCapacity();
  }

  /** Takes what is to be written, parts of bodies among it; undefined if there is nothing. */
  take(): Uint8Array | undefined {
    if (!this.#hasFailed) {
      this.#outbox.pump();
      this.#credit.giveDue(this.now, this.#liveness.roundTripMs);
      const { resets } = this.#streams;
      if (resets.wantsPing) {
        resets.asked();
        this.#outbox.ping(0);
      }
    }
    return this.#outbox.take();
  }

  /** Takes bytes that have arrived. If they are wrong, it ends: see `failure`. */
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

  /** Ends it, and all streams. If it knows why, `take()` returns what tells the peer. */
  fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#failure = error;
    if (error instanceof Http2Error && error.from === "here") this.#outbox.goaway(error.http2Code);
    this.#outbox.forgetAll();
    for (const stream of this.#streams.clear()) this.#drop(stream, error, true);
    this.#host.onCapacity();
  }

  /** Sends GOAWAY: there are no streams any more. */
  leave(): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#outbox.goaway("NO_ERROR");
  }

  // What the peer sends.

  onData(streamId: number, bytes: Uint8Array, credit: number, isEnd: boolean): void {
    const { length } = bytes;
    if (length > 0) this.#guard.noteData();
    this.#credit.take(credit);
    const stream = this.#streams.find(streamId, "DATA");
    // Late frames still count against the window.
    if (!stream) return;
    this.#streams.resets.noteResponse();
    const error = this.#credit.takeOf(stream, credit) ?? stream.takeData(length);
    if (error) {
      this.#end(stream, error);
      return;
    }
    if (length > 0) stream.user?.onBody(bytes);
    if (isEnd) this.#remoteEnd(stream);
    else this.#giveCredit(stream);
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
    const stream = this.#streams.find(streamId, "HEADERS");
    if (!stream) {
      this.#guard.count("other", this.now);
      this.#heads.skip(bytes, start, end);
      return;
    }
    this.#streams.resets.noteResponse();
    const isTrailers = stream.hasHead;
    const head = this.#heads.read(bytes, start, end, isTrailers);
    const error = head.error ?? stream.takeHead(head, isEnd, this.#limits.maxInterimResponses);
    if (error) {
      this.#end(stream, error);
      return;
    }
    if (isTrailers) stream.user?.onTrailers(head.headers);
    else if (stream.hasHead) stream.user?.onHead(head);
    if (isEnd) this.#remoteEnd(stream);
  }

  onReset(streamId: number, code: number): void {
    const stream = this.#streams.find(streamId, "RST_STREAM");
    if (!stream) {
      this.#guard.count("reset", this.now);
      return;
    }
    this.#streams.resets.noteResponse();
    const name = errorName(code);
    const error = new Http2Error(name, "stream", "the peer has reset it", "peer");
    this.#forget(stream);
    // What was refused was not looked at (section 8.7).
    this.#drop(stream, error, name !== "REFUSED_STREAM");
  }

  onSetting(id: number, value: number): void {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.#outbox.resizeTable(value);
        break;
      case ENABLE_PUSH:
        if (value !== 0) throw protocolError("a server has no push to allow");
        break;
      case MAX_CONCURRENT_STREAMS:
        this.#streams.allow(value);
        break;
      case INITIAL_WINDOW_SIZE:
        this.#outbox.resizeWindows(value, this.#streams.all());
        break;
      case MAX_FRAME_SIZE:
        if (value < DEFAULT_FRAME_BYTES || value > MOST_FRAME_BYTES) {
          throw protocolError("SETTINGS_MAX_FRAME_SIZE is out of its range");
        }
        // Longer frames than by default would only let others wait.
    }
    // MAX_HEADER_LIST_SIZE is advice: a server's answer says what is too long for it.
  }

  onSettingsEnd(): void {
    this.#guard.count("settings", this.now);
    this.#streams.noteSettings();
    this.#outbox.acknowledge();
    this.#host.onCapacity();
  }

  onSettingsAck(): void {
    if (!this.#liveness.noteSettings(this.now)) {
      throw protocolError("SETTINGS are acknowledged that were not sent");
    }
  }

  onPing(payload: Uint8Array, isAnswer: boolean): void {
    if (!isAnswer) {
      this.#guard.count("ping", this.now);
      this.#outbox.answerPing(payload);
      return;
    }
    const number = payload[4]! << 24 | payload[5]! << 16 | payload[6]! << 8 | payload[7]!;
    if (number === 0) {
      const { resets } = this.#streams;
      resets.answered();
      this.#host.onCapacity();
      if (resets.wantsPing) this.#host.onOutput();
    } else if (this.#liveness.answered(number, this.now)) this.#host.onPong();
  }

  onGoaway(lastId: number, code: number): void {
    const error = new Http2Error(errorName(code), "connection", "the peer goes away", "peer");
    this.#goaway = error;
    for (const stream of this.#streams.takeOnlyUpTo(lastId)) {
      this.#forget(stream);
      this.#drop(stream, error, false);
    }
    this.#host.onCapacity();
  }

  onWindow(streamId: number, increment: number): void {
    this.#guard.count("window", this.now);
    if (streamId === 0) {
      this.#outbox.openWindow(increment);
      return;
    }
    const stream = this.#streams.find(streamId, "WINDOW_UPDATE");
    if (!stream || this.#outbox.openWindowOf(stream, increment)) return;
    this.#end(stream, streamError("FLOW_CONTROL_ERROR", "the stream's window is over 2^31 - 1"));
  }

  onIgnored(): void {
    this.#guard.count("other", this.now);
  }

  onStreamError(streamId: number, code: Http2ErrorName, detail: string): void {
    const stream = this.#streams.get(streamId);
    if (stream) this.#end(stream, streamError(code, detail));
    else this.#guard.count("other", this.now);
  }

  // How streams end.

  #remoteEnd(stream: Http2Stream): void {
    const error = stream.takeEnd();
    if (error) {
      this.#end(stream, error);
      return;
    }
    // The response is complete before the request is out: the rest of the request is not wanted.
    if (!stream.isLocalEnd) this.#reset(stream, "CANCEL");
    else this.#forget(stream);
    const { user } = stream;
    stream.user = undefined;
    user?.onEnd();
  }

  /** Ends a stream for what the peer did. */
  #end(stream: Http2Stream, error: Http2Error): void {
    this.#reset(stream, error.http2Code);
    this.#drop(stream, error, true);
    this.#host.onCapacity();
  }

  #reset(stream: Http2Stream, code: Http2ErrorName): void {
    this.#outbox.reset(stream.id, code);
    // HAProxy never gives back window for a body that it did not want.
    if (!stream.isLocalEnd && !this.#isSpent && this.#outbox.window < DEFAULT_WINDOW / 2) {
      this.#isSpent = true;
      this.#host.onCapacity();
    }
    this.#forget(stream);
    this.#streams.resets.add(stream.id, this.now);
  }

  #forget(stream: Http2Stream): void {
    this.#outbox.forget(stream);
    this.#credit.forget(stream);
    if (this.#streams.remove(stream)) this.#host.onCapacity();
  }

  #drop(stream: Http2Stream, error: unknown, maybeActedOn: boolean): void {
    const { user } = stream;
    stream.user = undefined;
    user?.onFailure(error, maybeActedOn);
  }

  #giveCredit(stream: Http2Stream): void {
    this.#credit.give(stream, this.now, this.#liveness.roundTripMs);
  }
}
