/**
 * How fast dials may begin: no faster than the program can finish them.
 *
 * @module
 */

import { type Clock, inNextTurn, type Timer } from "../../core/clock.ts";

/** How much work may begin at once, in milliseconds. It may all have to be done in one turn. */
const BURST_MS = 16;

/**
 * What a dial is assumed to cost of the program's own time, in milliseconds. Never less than
 * `least`: Deno does most of that work between turns, where it cannot be measured.
 */
const COST_MS = { first: 0.75, least: 0.3, most: 2 };

/** How many beginnings and ends it takes to tell what a dial costs. */
const ENOUGH = 32;

/**
 * A handshake costs the program up to a millisecond, most of it when the server answers. Dials that
 * begin together are answered together, and hold up everything else. So a burst worth 16 ms begins
 * at once, and the others follow as time passes, each after what the one before it costs. The cost
 * is measured by the length of the turns in which dials begin and end, so a busy program begins
 * fewer. Where the clock has no turns, every dial begins at once.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #onFree: () => void;
  #costMs = COST_MS.first;
  /** When the work that was begun will be done, as far as can be told. */
  #doneAt = -Infinity;
  #wait: Timer | undefined;
  /** Since when this turn has had to do with dials. */
  #turnAt: number | undefined;
  #workedMs = 0;
  #steps = 0;

  /** Makes it; `onFree` is called when others may begin. */
  constructor(clock: Clock, onFree: () => void) {
    this.#clock = clock;
    this.#onFree = onFree;
  }

  /** Whether enough have begun for now, and others must wait. */
  get isSpent(): boolean {
    return this.#wait !== undefined;
  }

  /** Notes that a dial begins. */
  begun(now: number): void {
    if (!this.#clock.afterReading) return;
    this.#step(now);
    this.#doneAt = Math.max(this.#doneAt, now) + this.#costMs;
    const aheadMs = this.#doneAt - now;
    if (aheadMs < BURST_MS || this.#wait) return;
    // It keeps the program alive: a caller waits, and nothing else may keep it.
    this.#wait = this.#clock.setTimer(() => this.#free(), aheadMs - BURST_MS / 2, true);
  }

  /** Notes that one has ended, well or not. */
  ended(): void {
    if (this.#clock.afterReading) this.#step(this.#turnAt ?? this.#clock.now());
  }

  /** Stops, and calls nobody any more. */
  close(): void {
    this.#wait?.cancel();
  }

  #free(): void {
    this.#wait = undefined;
    this.#onFree();
  }

  #step(now: number): void {
    this.#steps++;
    if (this.#turnAt !== undefined) return;
    this.#turnAt = now;
    inNextTurn(this.#clock, () => this.#endTurn());
  }

  #endTurn(): void {
    this.#workedMs += this.#clock.now() - this.#turnAt!;
    this.#turnAt = undefined;
    if (this.#steps < ENOUGH) return;
    // A dial takes two steps.
    const costMs = (this.#costMs + 2 * this.#workedMs / this.#steps) / 2;
    this.#costMs = Math.min(Math.max(costMs, COST_MS.least), COST_MS.most);
    this.#workedMs = this.#steps = 0;
  }
}
