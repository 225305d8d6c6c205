/**
 * Waits that a server has asked for.
 *
 * @module
 */

import type { Clock, Timer } from "../core/clock.ts";

/** One wait: its timer, and what to do after it. */
interface Pause {
  readonly timer: Timer;
  readonly goOn: () => void;
}

/** The requests that wait before they ask again, each listed once. */
export class Pauses {
  readonly #clock: Clock;
  readonly #pauses = new Map<unknown, Pause>();

  /** Makes an empty set of them. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `goOn` after `forMs` milliseconds. */
  begin(who: unknown, forMs: number, goOn: () => void): void {
    const onTime = () => {
      this.end(who);
      goOn();
    };
    this.#pauses.set(who, { timer: this.#clock.setTimer(onTime, forMs, true), goOn });
  }

  /** Ends a wait, if there is one, without going on. */
  end(who: unknown): void {
    if (this.#pauses.size === 0) return;
    this.#pauses.get(who)?.timer.cancel();
    this.#pauses.delete(who);
  }

  /** Ends all waits, and goes on at once. */
  endAll(): void {
    for (const [who, { goOn }] of [...this.#pauses]) {
      this.end(who);
      goOn();
    }
  }
}
