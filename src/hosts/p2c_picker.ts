/**
 * A picker that takes the better one of two.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";
import { type Accepts, EndpointList, MAX_PASSES, tryPick } from "../map/picker.ts";

/**
 * Draws two and takes the one that costs less, by its expected latency, its load and its weight:
 * O(1). Two draws already keep the largest load near the mean one, and what is slow, or stuck, gets
 * little (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). One of
 * unknown latency is assumed to be as fast as the other: its load decides, so that it is neither
 * left out nor flooded. One that starts slowly is drawn as seldom as its share is small, and one of
 * weight 0 only if hardly anything else is drawn.
 */
export class P2cEwmaPicker extends EndpointList {
  /** Chooses one: O(1). */
  override pick(now: number, random: () => number): Endpoint | undefined {
    const { list } = this;
    const { length } = list;
    if (length < 2) return list[0];
    let index = 0;
    for (let draws = 0;; draws++) {
      index = Math.floor(random() * length);
      if (draws === MAX_PASSES || passes(list[index]!, now, random)) break;
    }
    const other = Math.floor(random() * (length - 1));
    return better(list[index]!, list[other < index ? other : other + 1]!, now, random);
  }

  /** Chooses one of those that are accepted: O(n) if they are few. */
  pickAccepted(
    now: number,
    random: () => number,
    accepts: Accepts,
  ): Endpoint | undefined {
    const drawn = tryPick(this, now, random, accepts);
    if (drawn) return drawn;
    let first: Endpoint | undefined;
    let second: Endpoint | undefined;
    let seen = 0;
    // At each step, any two of those seen so far have the same chance.
    for (const endpoint of this.list) {
      if (!accepts(endpoint)) continue;
      const place = seen < 2 ? seen : Math.floor(random() * (seen + 1));
      if (place === 0) first = endpoint;
      else if (place === 1) second = endpoint;
      seen++;
    }
    if (!first || !second) return first;
    // Which of the two comes first depends on the order in the list, and it would win every tie.
    if (random() < 0.5) [first, second] = [second, first];
    return passes(first, now, random) ? better(first, second, now, random) : second;
  }
}

/** Whether chance gives one its turn that starts slowly or has weight 0. */
function passes(endpoint: Endpoint, now: number, random: () => number): boolean {
  const share = endpoint.weight === 0 ? 0 : endpoint.share(now);
  return share === 1 || random() < share;
}

/** The one that costs less; of equals, the first. */
function better(first: Endpoint, second: Endpoint, now: number, random: () => number): Endpoint {
  if (!passes(second, now, random)) return first;
  const firstMs = first.latencyMs(now);
  const secondMs = second.latencyMs(now);
  const firstCost = (firstMs || secondMs || 1) * burden(first, now);
  const secondCost = (secondMs || firstMs || 1) * burden(second, now);
  return secondCost < firstCost ? second : first;
}

/** Its load for its weight: while it starts slowly, each lease counts several times. */
function burden(endpoint: Endpoint, now: number): number {
  return (endpoint.load / endpoint.share(now) + 1) / endpoint.weight;
}
