/**
 * The machine's clock, which a test may put forward.
 *
 * @module
 */

import { type Clock, systemClock } from "../../src/core/clock.ts";

/** Its timers run as ever, whatever the shift. */
export interface ShiftedClock extends Clock {
  /** Puts it forward, in milliseconds. */
  advance(ms: number): void;
}

/** Makes a clock that is right until it is put forward. */
export function shiftedClock(): ShiftedClock {
  let shift = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + shift,
    wallNow: () => systemClock.wallNow() + shift,
    advance: (ms) => void (shift += ms),
  };
}
