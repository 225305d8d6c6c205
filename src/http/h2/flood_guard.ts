/**
 * Tells a busy peer from one that tries to keep this side busy.
 *
 * @module
 */

import { connectionError } from "./error_codes.ts";

/** A token bucket: this many at once, and this many a second in the long run. */
export class Budget {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #at = 0;

  /** Makes a full one. */
  constructor(most: number, perSecond: number) {
    this.#most = this.#left = most;
    this.#perSecond = perSecond;
  }

  /** Takes one, at a time in milliseconds; false if there is none left. */
  spend(now: number): boolean {
    this.#left = Math.min(this.#most, this.#left + (now - this.#at) / 1_000 * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** Adds some. */
  earn(count: number): void {
    this.#left = Math.min(this.#most, this.#left + count);
  }
}

/**
 * How much a peer may send that carries nothing. Each such frame takes work, and some an answer.
 */
export type IdleFrame = "settings" | "ping" | "window" | "reset" | "other";

const NAMES: Readonly<Record<IdleFrame, string>> = {
  settings: "SETTINGS",
  ping: "PING",
  window: "WINDOW_UPDATE",
  reset: "RST_STREAM",
  other: "PRIORITY, unknown or late",
};

/** How many empty DATA frames may come in a row. */
const MOST_EMPTY_DATA = 100;

/** How many WINDOW_UPDATEs may come for each DATA sent. */
const WINDOWS_FOR_DATA = 10;

/** Frames of each kind that may come for each request: some servers send one with every answer. */
const FRAMES_FOR_REQUEST = 10;

/** Counts the frames of one connection that carry nothing. */
export class FloodGuard {
  readonly #budgets: Readonly<Record<IdleFrame, Budget>> = {
    settings: new Budget(100, 10),
    ping: new Budget(1_000, 100),
    window: new Budget(2_000, 100),
    // Both ends may give up all streams at one deadline.
    reset: new Budget(1_000, 10),
    other: new Budget(1_000, 100),
  };
  #emptyData = 0;

  /**
   * Counts a frame.
   *
   * @throws {Http2Error} There are too many of its kind
   */
  count(kind: IdleFrame, now: number): void {
    if (this.#budgets[kind].spend(now)) return;
    throw connectionError("ENHANCE_YOUR_CALM", `too many ${NAMES[kind]} frames`);
  }

  /**
   * Counts DATA without bytes.
   *
   * @throws {Http2Error} Too many have come in a row
   */
  countEmptyData(): void {
    if (++this.#emptyData <= MOST_EMPTY_DATA) return;
    throw connectionError("ENHANCE_YOUR_CALM", "too many DATA frames without data");
  }

  /** Notes that bytes of a body came. */
  noteData(): void {
    this.#emptyData = 0;
  }

  /** Notes that a request was sent. */
  noteRequest(): void {
    const { other, ping, reset, window } = this.#budgets;
    ping.earn(FRAMES_FOR_REQUEST);
    window.earn(FRAMES_FOR_REQUEST);
    reset.earn(FRAMES_FOR_REQUEST);
    other.earn(FRAMES_FOR_REQUEST);
  }

  /** Notes that DATA was sent, which the peer may answer. */
  noteSent(): void {
    this.#budgets.window.earn(WINDOWS_FOR_DATA);
    // gRPC servers measure a connection with a PING whenever data arrives.
    this.#budgets.ping.earn(1);
    // Servers in Go answer each part of a body that they do not want with a reset.
    this.#budgets.reset.earn(1);
  }
}
