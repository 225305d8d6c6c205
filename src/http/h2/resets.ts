/**
 * Streams that this side has reset: whether the peer knows yet, and how fast they may be reset.
 *
 * @module
 */

import { Budget } from "./flood_guard.ts";

/** Servers end a connection for more resets than this at once, and more than this a second. */
const BURST = 500;
const PER_SECOND = 30;

/** After how long a slot counts as free if no PING may be sent, in milliseconds. */
const LINGER_MS = 1_000;

/** How many numbers of reset streams are remembered. */
const MOST_KNOWN = 1_000;

/**
 * Keeps the slots of reset streams until the peer has surely seen the reset: until it answers a
 * PING that was sent behind it. Before that, a new stream might be one too many for it.
 */
export class Resets {
  readonly #budget = new Budget(BURST, PER_SECOND);
  /** Those that frames may still come for. */
  readonly #known = new Set<number>();
  /** Slots whose PING is under way, and those that wait for one. */
  #asked = 0;
  #waiting = 0;
  #waitingSince = 0;
  #isAsking = false;
  /**
   * Whether the peer has sent anything of a response since the last PING: some peers punish PINGs
   * without that.
   */
  #mayAsk = true;

  /** How many slots are not known to be free. */
  get slots(): number {
    return this.#asked + this.#waiting;
  }

  /** Whether to send a PING now, behind the resets. */
  get wantsPing(): boolean {
    return this.#waiting > 0 && !this.#isAsking && this.#mayAsk;
  }

  /** Whether a stream may be reset without looking like an attack. */
  mayReset(now: number): boolean {
    return this.#budget.spend(now);
  }

  /** Notes that a stream was reset. */
  add(id: number, now: number): void {
    if (this.#known.size >= MOST_KNOWN) {
      for (const oldest of this.#known) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.add(id);
    if (this.#waiting++ === 0) this.#waitingSince = now;
  }

  /** Whether a stream was reset recently. */
  has(id: number): boolean {
    return this.#known.has(id);
  }

  /** Notes that the PING was sent. */
  asked(): void {
    this.#asked = this.#waiting;
    this.#waiting = 0;
    this.#isAsking = true;
    this.#mayAsk = false;
  }

  /** Notes that the PING was answered: the slots from before it are free. */
  answered(): void {
    this.#asked = 0;
    this.#isAsking = false;
  }

  /** Notes that the peer has sent something of a response. */
  noteResponse(): void {
    this.#mayAsk = true;
  }

  /** Frees slots that have waited long for a PING. Returns whether there were any. */
  expire(now: number): boolean {
    if (this.#waiting === 0 || this.#isAsking || now - this.#waitingSince < LINGER_MS) return false;
    this.#waiting = 0;
    return true;
  }
}
