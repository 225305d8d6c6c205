/**
 * Decides where to dial so that a host is kept warm.
 *
 * @module
 */

import type { Address } from "../core/address.ts";

/** What is known of a host that is to be kept warm. */
export interface Warmth {
  /** How many connections it is to have. */
  readonly target: number;
  /** Its addresses, each with the connections there: those that are open, and promising dials. */
  readonly counts: Map<Address, number>;
  /** Whether an address may be dialled now, so far as limits and its failures go. */
  readonly mayDial: (address: Address) => boolean;
}

/**
 * Chooses addresses to dial, one after another, and begins each dial: every address gets its share
 * of the target, and those that may be dialled do the work of those that may not.
 *
 * @returns How many connections are missing still, in all or of an address's share
 */
export function dialToWarm(
  { counts, mayDial, target }: Warmth,
  dial: (address: Address) => void,
): number {
  const share = Math.floor(target / counts.size);
  let missing = target;
  for (const count of counts.values()) missing -= count;
  for (;;) {
    const next = coldest(counts, missing > 0 ? Infinity : share, mayDial);
    if (!next) break;
    missing--;
    counts.set(next, (counts.get(next) ?? 0) + 1);
    dial(next);
  }
  let short = Math.max(0, missing);
  for (const count of counts.values()) short = Math.max(short, share - count);
  return short;
}

/** The address with the fewest connections, below a number, that may be dialled. */
function coldest(
  counts: ReadonlyMap<Address, number>,
  below: number,
  mayDial: (address: Address) => boolean,
): Address | undefined {
  let coldest: Address | undefined;
  let fewest = below;
  for (const [address, count] of counts) {
    if (count >= fewest || !mayDial(address)) continue;
    coldest = address;
    fewest = count;
  }
  return coldest;
}
