/**
 * How long a socket may take to close.
 *
 * @module
 */

import { checkNames, checkNumber } from "../../src/core/check.ts";

/** How long a socket may take to close, in milliseconds. */
export interface CloseTimes {
  /** For what is written to go out. */
  readonly closeTimeoutMs: number;
  /** And then for the peer to hang up, too. */
  readonly lingerMs: number;
}

/** The defaults. */
export const CLOSE_TIMES: CloseTimes = { closeTimeoutMs: 10_000, lingerMs: 1_000 };

/**
 * Reads them from a dialer's options.
 *
 * @param what What takes the options
 * @throws {TypeError | RangeError} An option is unknown, or no number of milliseconds
 */
export function readCloseTimes(
  what: string,
  options: { readonly [Name in keyof CloseTimes]?: number | undefined },
): CloseTimes {
  checkNames(what, options, Object.keys(CLOSE_TIMES));
  const { closeTimeoutMs = CLOSE_TIMES.closeTimeoutMs, lingerMs = CLOSE_TIMES.lingerMs } = options;
  for (const [name, value] of Object.entries({ closeTimeoutMs, lingerMs })) {
    checkNumber(name, value, { min: 0 });
  }
  return { closeTimeoutMs, lingerMs };
}
