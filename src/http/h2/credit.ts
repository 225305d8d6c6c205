/**
 * How much the peer may send: flow control of what comes in (RFC 9113 section 5.2).
 *
 * @module
 */

import { connectionError, type Http2Error, streamError } from "./error_codes.ts";
import { DEFAULT_WINDOW } from "./frames.ts";
import type { Outbox } from "./outbox.ts";
import type { Http2Stream } from "./stream.ts";

/** How much the peer may send on a stream, to begin with, in bytes. */
export const STREAM_WINDOW = 262_144;
/** How far that grows with a fast peer and a fast reader. */
const MOST_STREAM_WINDOW = 8_388_608;
/** If its reader has not stopped by then, a body's window may grow. */
const GROWS_AFTER = 2 * STREAM_WINDOW;
/**
 * How much the peer may send on all streams. It is given back as it comes, for what holds a slow
 * reader's body back is the stream's window: it starves no other stream.
 */
const CONNECTION_WINDOW = 16_777_216;
/** How much window the peer is given first, beyond the default. */
export const CONNECTION_CREDIT: number = CONNECTION_WINDOW - DEFAULT_WINDOW;

/** A stream's window is given back along with other output once so much of it was used. */
const DUE_SHARE = 0.5;
/** Once this much was used it is given back at once: each write has its price. */
const URGENT_SHARE = 0.75;

/** Counts what comes against windows, and gives it back. */
export class Credit {
  readonly #outbox: Outbox;
  /** Streams whose windows are given back with whatever is written next. */
  readonly #due = new Set<Http2Stream>();
  #window = CONNECTION_WINDOW;
  #uncredited = 0;

  /** Gives back through an outbox. */
  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /**
   * Counts bytes against the connection's window.
   *
   * @throws {Http2Error} They do not fit
   */
  take(bytes: number): void {
    this.#window -= bytes;
    if (this.#window < 0) {
      throw connectionError("FLOW_CONTROL_ERROR", "the peer has overrun the connection's window");
    }
    this.#uncredited += bytes;
    if (this.#uncredited < CONNECTION_WINDOW / 2) return;
    this.#outbox.credit(0, this.#uncredited);
    this.#window += this.#uncredited;
    this.#uncredited = 0;
  }

  /** Counts bytes against a stream's window; gives what is wrong with them. */
  takeOf(stream: Http2Stream, bytes: number): Http2Error | undefined {
    stream.receiveWindow -= bytes;
    stream.uncredited += bytes;
    return stream.receiveWindow < 0
      ? streamError("FLOW_CONTROL_ERROR", "the peer has overrun the stream's window")
      : undefined;
  }

  /** Gives a stream's window back if enough of it was used, at once or with other output. */
  give(stream: Http2Stream, now: number, roundTripMs: number): void {
    const { uncredited, windowSize } = stream;
    if (stream.isPaused || uncredited < windowSize * DUE_SHARE || stream.needsNoCredit) return;
    if (uncredited < windowSize * URGENT_SHARE) this.#due.add(stream);
    else this.#write(stream, now, roundTripMs);
  }

  /** Gives back what is due, if there is other output. */
  giveDue(now: number, roundTripMs: number): void {
    if (this.#due.size === 0 || this.#outbox.length === 0) return;
    for (const stream of this.#due) {
      if (stream.isPaused || stream.needsNoCredit) this.#due.delete(stream);
      else this.#write(stream, now, roundTripMs);
    }
  }

  /** Stops giving a stream window: it has ended. */
  forget(stream: Http2Stream): void {
    if (this.#due.size > 0) this.#due.delete(stream);
  }

  /** Gives a stream's window back. It grows if it is used up within two round trips. */
  #write(stream: Http2Stream, now: number, roundTripMs: number): void {
    const { uncredited, windowSize } = stream;
    this.#due.delete(stream);
    let increment = uncredited;
    const isFast = now - stream.creditedAt <= roundTripMs * 2;
    if (isFast && stream.received > GROWS_AFTER && windowSize < MOST_STREAM_WINDOW) {
      increment += windowSize;
      stream.windowSize *= 2;
    }
    stream.creditedAt = now;
    stream.uncredited = 0;
    stream.receiveWindow += increment;
    this.#outbox.credit(stream.id, increment);
  }
}
