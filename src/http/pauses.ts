/**
 * Waits because of what a server said.
 *
 * @module
 */

import type { Clock, Timer } from "../core/clock.ts";

/** One wait: its timer, and what comes after it. */
interface Pause {
  readonly timer: Timer;
  readonly goOn: () => void;
}

/** Who waits before they ask again, each of them once. */
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

  /** Has everybody go on at once. */
  endAll(): void {
    for (const [who, { goOn }] of [...this.#pauses]) {
      this.end(who);
      goOn();
    }
  }
}
