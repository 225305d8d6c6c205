/**
 * Streams that this side has reset: whether the peer knows yet, and how fast they may be reset.
 *
 * @module
 */

import { Budget } from "./flood_guard.ts";

/** Servers end a connection for more resets than this at once, and more than this a second. */
const BURST = 500;
const PER_SECOND = 30;

/** A slot is taken for free after so long, in milliseconds, where no PING may be sent. */
const LINGER_MS = 1_000;

/** So many numbers of streams that were reset are remembered. */
const MOST_KNOWN = 1_000;

/**
 * Keeps the slots of streams that were reset until the peer has surely seen it: it answers a PING
 * that was sent behind the reset. Before, a new stream might be one too many for it.
 */
export class Resets {
  readonly #budget = new Budget(BURST, PER_SECOND);
  /** Those that frames may still come for. */
  readonly #known = new Set<number>();
  /** Slots whose PING is on its way, and those that wait for one. */
  #asked = 0;
  #waiting = 0;
  #waitingSince = 0;
  #isAsking = false;
  /** Whether the peer has sent anything of a response since the last PING: some punish more. */
  #mayAsk = true;

  /** How many slots are not known to be free. */
  get slots(): number {
    return this.#asked + this.#waiting;
  }

  /** Whether a PING is to be sent now, behind the resets. */
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

  /** Notes that the PING was answered: the slots of before are free. */
  answered(): void {
    this.#asked = 0;
    this.#isAsking = false;
  }

  /** Notes that the peer has sent something of a response. */
  noteResponse(): void {
    this.#mayAsk = true;
  }

  /** Takes slots for free that have waited long for a PING. Says whether there were any. */
  expire(now: number): boolean {
    if (this.#waiting === 0 || this.#isAsking || now - this.#waitingSince < LINGER_MS) return false;
    this.#waiting = 0;
    return true;
  }
}
