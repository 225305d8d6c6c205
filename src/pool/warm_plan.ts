/**
 * Decides where to dial so that a host is kept warm.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";

/** What is known of a host that is to be kept warm. */
export interface Warmth {
  /** How many connections it is to have. */
  readonly target: number;
  /** Its endpoints, each with the connections there: those that are open, and promising dials. */
  readonly counts: Map<Endpoint, number>;
  /** Whether an endpoint may be dialled now, so far as limits and its failures go. */
  readonly mayDial: (endpoint: Endpoint) => boolean;
}

/**
 * Chooses endpoints to dial, one after another, and begins each dial: every one gets its share
 * of the target, and those that may be dialled do the work of those that may not.
 *
 * @returns How many connections are missing still, in all or of an address's share
 */
export function dialToWarm(
  { counts, mayDial, target }: Warmth,
  dial: (endpoint: Endpoint) => void,
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

/** The endpoint with the fewest connections, below a number, that may be dialled. */
function coldest(
  counts: ReadonlyMap<Endpoint, number>,
  below: number,
  mayDial: (endpoint: Endpoint) => boolean,
): Endpoint | undefined {
  let coldest: Endpoint | undefined;
  let fewest = below;
  for (const [endpoint, count] of counts) {
    if (count >= fewest || !mayDial(endpoint)) continue;
    coldest = endpoint;
    fewest = count;
  }
  return coldest;
}
