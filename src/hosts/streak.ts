/**
 * Failures in a row, and the pauses after them.
 *
 * @module
 */

/** The pause after a first failure, in milliseconds; it doubles with each further one. */
const FIRST_PAUSE_MS = 250;

/** The longest pause of callers, in milliseconds. */
export const MAX_PAUSE_MS = 30_000;

/**
 * The longest pause of background dials, in milliseconds, how much of it is added at random, and
 * the least time after another dial, in milliseconds, since callers with no other hope dial as
 * well. A machine that works again should be found at once; one that stays dead should cost little.
 */
const TRY = { maxMs: 2_000, jitter: 0.25, leastMs: 300 };

/** Failures in a row, when a caller may try again, and when a background dial may. */
export class Streak {
  /** How many there were. */
  failures = 0;
  /** When a caller may try again, in the clock's milliseconds. */
  dueAt = 0;
  /** When a background dial may, in the clock's milliseconds. */
  tryAt = 0;
  #tries = 0;

  /**
   * Notes a failure. One during the pause after another is nothing new: ten dials begun together
   * and refused together are one failure.
   *
   * @param most How many are noted at the most
   * @param leastMs The shortest pause
   */
  note(now: number, most: number = Infinity, leastMs: number = 0): void {
    if (now < this.dueAt) return;
    this.failures = Math.min(this.failures + 1, Math.max(this.failures, most));
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.failures - 1), MAX_PAUSE_MS);
    this.dueAt = now + Math.max(pauseMs, leastMs);
  }

  /** Notes that a background dial has tried it, or is trying: the next one may wait. */
  noteTry(now: number, random: number): void {
    if (now < this.tryAt) {
      this.tryAt = Math.max(this.tryAt, now + TRY.leastMs);
      return;
    }
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#tries++, TRY.maxMs);
    this.tryAt = now + pauseMs * (1 + TRY.jitter * random);
  }

  /** Leaves trying to somebody else for a while. */
  postpone(until: number): void {
    this.tryAt = Math.max(this.tryAt, until);
  }

  /** Lets a background dial try at once. */
  hurry(now: number): void {
    this.tryAt = Math.min(this.tryAt, now);
  }

  /** Forgets them. */
  clear(): void {
    this.failures =
      this.dueAt =
      this.tryAt =
      this.#tries =
        0;
  }
}
