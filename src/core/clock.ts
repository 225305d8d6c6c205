/**
 * Time and chance, injected, so that a whole pool runs deterministically in a test.
 *
 * @module
 */

/** A timer that was set. */
export interface Timer {
  /** Cancels it. Harmless after it fired, and to repeat. */
  cancel(): void;
}

/** The source of a pool's time and chance. */
export interface Clock {
  /**
   * The time, in milliseconds since 1970, that only ever moves forward. It may stand still while
   * the machine sleeps.
   */
  now(): number;
  /**
   * The time on the wall, in milliseconds since 1970: it may be set, and it goes on while the
   * machine sleeps. Compared with `now()`, it shows that the machine slept.
   */
  wallNow(): number;
  /**
   * Calls back once, after `delayMs` milliseconds.
   *
   * @param holds Whether the timer keeps the program alive; without it, it does not
   */
  setTimer(callback: () => void, delayMs: number, holds?: boolean): Timer;
  /**
   * Calls back when all that has arrived on any socket so far was read. Without it, there is
   * nothing to wait for.
   */
  afterReading?(callback: () => void): void;
  /**
   * Calls back when the runtime has passed on what it is reading now, which comes in several pieces
   * on Node. Without it, microtasks are used.
   */
  atTurnEnd?(callback: () => void): void;
  /** A number from 0 to 1, 1 not included. */
  random(): number;
}

/** Calls back in a later turn, if the clock has turns: others have theirs first. */
export function inNextTurn(clock: Clock, callback: () => void): void {
  if (clock.afterReading) clock.afterReading(callback);
  else queueMicrotask(callback);
}

/** Calls back when all that has arrived so far was read: at once if the clock cannot tell. */
export function whenRead(clock: Clock, callback: () => void): void {
  if (clock.afterReading) clock.afterReading(callback);
  else callback();
}

/**
 * Calls back once after a time, when all that has arrived by then was read. So if the program
 * itself stood still, an answer that waits to be read is not taken for late.
 *
 * @param delayMs In milliseconds
 * @param holds Whether it keeps the program alive; without it, it does not
 */
export function setDeadline(
  clock: Clock,
  callback: () => void,
  delayMs: number,
  holds?: boolean,
): Timer {
  let isOver = false;
  const timer = clock.setTimer(
    () => whenRead(clock, () => isOver || callback()),
    delayMs,
    holds,
  );
  return {
    cancel() {
      isOver = true;
      timer.cancel();
    },
  };
}

/** The longest delay that the runtimes' timers take, in milliseconds. */
const MAX_DELAY_MS = 2 ** 31 - 1;

const { timeOrigin } = performance;

const { setImmediate: immediately = (callback: () => void) => void setTimeout(callback, 0) } =
  globalThis as { setImmediate?: (callback: () => void) => unknown };

/** The machine's own time and chance. */
export const systemClock: Clock = {
  now: () => timeOrigin + performance.now(),
  wallNow: () => Date.now(),
  random: () => Math.random(),
  afterReading(callback) {
    // The first one may come within the very read that has called here.
    immediately(() => immediately(callback));
  },
  atTurnEnd: (callback) => void immediately(callback),
  setTimer(callback, delayMs, holds = false) {
    if (delayMs > MAX_DELAY_MS) return longTimer(callback, delayMs, holds);
    const id: unknown = setTimeout(callback, Math.max(delayMs, 0));
    if (!holds) (id as { unref?: () => void }).unref?.();
    return { cancel: () => clearTimeout(id as number) };
  },
};

/** A delay longer than a timer can have: one timer after another. */
function longTimer(callback: () => void, delayMs: number, holds: boolean): Timer {
  let timer: Timer;
  const go = (leftMs: number) => {
    timer = leftMs > MAX_DELAY_MS
      ? systemClock.setTimer(() => go(leftMs - MAX_DELAY_MS), MAX_DELAY_MS, holds)
      : systemClock.setTimer(callback, leftMs, holds);
  };
  go(delayMs);
  return { cancel: () => timer.cancel() };
}

interface ManualTimer extends Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that a test moves by hand, with chance from a seed.
 *
 * @example
 * ```ts
 * import { ManualClock } from "@hotconn/hotconn";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = new ManualClock();
 * let fired = 0;
 * clock.setTimer(() => fired++, 1_000);
 * clock.advance(999);
 * assertEquals(fired, 0);
 * clock.advance(1);
 * assertEquals(fired, 1);
 * ```
 */
export class ManualClock implements Clock {
  readonly #timers = new Set<ManualTimer>();
  #now: number;
  #wallOffset = 0;
  #order = 0;
  #seed: number;

  /**
   * Sets the clock.
   *
   * @param seed Where the chance starts
   * @param now Where the time starts, in milliseconds since 1970
   */
  constructor(seed = 1, now = 1_000_000) {
    this.#seed = seed >>> 0;
    this.#now = now;
  }

  /** The time by hand. */
  now(): number {
    return this.#now;
  }

  /** The time by hand, plus every sleep and setting of the wall clock. */
  wallNow(): number {
    return this.#now + this.#wallOffset;
  }

  /** Sets a timer that `advance` fires. */
  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: ManualTimer = {
      at: this.#now + Math.max(delayMs, 0),
      order: this.#order++,
      callback,
      cancel: () => void this.#timers.delete(timer),
    };
    this.#timers.add(timer);
    return timer;
  }

  /** The next number of the seed's sequence. */
  random(): number {
    // A counter through an integer hash: short, and the same on every machine.
    this.#seed = (this.#seed + 0x9e3779b9) >>> 0;
    let hash = this.#seed;
    hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
    hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
    return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
  }

  /** Moves the time forward and fires, in their order, the timers that fall due on the way. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let timer = this.#nextUntil(end); timer; timer = this.#nextUntil(end)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
    }
    // A callback may itself have moved the time beyond.
    this.#now = Math.max(this.#now, end);
  }

  /** Moves the wall clock alone: forward as when the machine slept, or back as when it was set. */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  /** How many timers are set. */
  get timers(): number {
    return this.#timers.size;
  }

  #nextUntil(end: number): ManualTimer | undefined {
    let next: ManualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) {
        next = timer;
      }
    }
    return next;
  }
}
