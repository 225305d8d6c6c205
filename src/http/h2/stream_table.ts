/**
 * The streams of one connection: which there are, how many there may be, and what may still come for
 * those that have ended (RFC 9113 section 5.1).
 *
 * @module
 */

import { connectionError, protocolError } from "./error_codes.ts";
import { MOST_STREAM_ID } from "./frames.ts";
import { Resets } from "./resets.ts";
import type { Http2Stream } from "./stream.ts";

/** How many streams are opened before the peer has sent its limit. */
const STREAMS_AT_FIRST = 100;
/** The most that are ever opened at once. */
const MOST_STREAMS = 1_024;

/** Keeps the streams of one connection. */
export class StreamTable {
  /** Those that this side has reset. */
  readonly resets: Resets = new Resets();
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams that were given up, and must not be reset yet. */
  readonly #muted = new Set<Http2Stream>();
  #nextId: number;
  #peerMost = STREAMS_AT_FIRST;
  #isLimited = false;
  /** The last stream that the peer looks at, if it is going away. */
  #lastTaken = MOST_STREAM_ID;

  /** Numbers begin at `firstId`. */
  constructor(firstId: number) {
    this.#nextId = firstId;
  }

  /** How many there are, including those that were given up and not reset yet. */
  get size(): number {
    return this.#streams.size;
  }

  /** How many there are that somebody uses. */
  get active(): number {
    return this.#streams.size - this.#muted.size;
  }

  /** How many there may be at once, less those that were reset recently. */
  get capacity(): number {
    const most = Math.min(this.#peerMost, MOST_STREAMS);
    return Math.max(0, most - this.resets.slots - this.#muted.size);
  }

  /** Whether numbers have run out. */
  get isUsedUp(): boolean {
    return this.#nextId > MOST_STREAM_ID;
  }

  /** Sets how many the peer allows. */
  allow(most: number): void {
    this.#peerMost = most;
    this.#isLimited = true;
  }

  /** Notes that the peer's settings have arrived: without a limit in them, there is none. */
  noteSettings(): void {
    if (!this.#isLimited) this.allow(MOST_STREAMS);
  }

  /** The number of the next one. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Adds the stream with the next number. */
  add(stream: Http2Stream): void {
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
  }

  /** Whether a stream is there. */
  has(stream: Http2Stream): boolean {
    return this.#streams.get(stream.id) === stream;
  }

  /** All of them. */
  all(): IterableIterator<Http2Stream> {
    return this.#streams.values();
  }

  /** The stream of this number, if it is there. */
  get(id: number): Http2Stream | undefined {
    return this.#streams.get(id);
  }

  /**
   * The stream of a frame; undefined if the frame comes late.
   *
   * @throws {Http2Error} No such frame may come on that stream
   */
  find(id: number, frame: string): Http2Stream | undefined {
    const stream = this.#streams.get(id);
    if (stream) return stream;
    if (id % 2 === 0) throw protocolError(`${frame} is on a stream of the peer's own`);
    if (id >= this.#nextId) throw protocolError(`${frame} is on a stream that nobody has opened`);
    if (frame !== "HEADERS" && frame !== "DATA") return undefined;
    // The peer may have answered a stream before it saw our reset.
    if (this.resets.has(id) || id > this.#lastTaken) return undefined;
    throw connectionError("STREAM_CLOSED", `${frame} is on a stream that has ended`);
  }

  /** Removes a stream. Returns whether there may be more now than before. */
  remove(stream: Http2Stream): boolean {
    this.#streams.delete(stream.id);
    return this.#muted.delete(stream);
  }

  /** Removes all of them. */
  clear(): Http2Stream[] {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    this.#muted.clear();
    return streams;
  }

  /** Keeps a stream that was given up until it may be reset. */
  mute(stream: Http2Stream): void {
    this.#muted.add(stream);
  }

  /** One of those, if it may be reset now. */
  nextToReset(now: number): Http2Stream | undefined {
    for (const stream of this.#muted) return this.resets.mayReset(now) ? stream : undefined;
    return undefined;
  }

  /** Sets the last stream that the peer looks at. Returns those that it does not look at. */
  takeOnlyUpTo(lastId: number): Http2Stream[] {
    this.#lastTaken = Math.min(this.#lastTaken, lastId);
    return [...this.#streams.values()].filter(({ id }) => id > this.#lastTaken);
  }
}
