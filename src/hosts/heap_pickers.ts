/**
 * Pickers with an order: by the longest time since a choice, the least load, or the order of a key.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";
import { type Accepts, MAX_PASSES } from "../map/picker.ts";
import { EndpointHeap } from "./endpoint_heap.ts";
import { highHash, keyScore, lowHash, mixHashes } from "./rendezvous.ts";

/** A heap in which one that starts slowly is skipped when it comes first, and loses its turn. */
abstract class TurnHeap extends EndpointHeap {
  /** The time of the last choice. */
  #now = -Infinity;
  /** Those that started slowly when last looked at: what they cost changes with time alone. */
  readonly #slow = new Set<Endpoint>();

  /** Removes one. */
  override remove(endpoint: Endpoint): void {
    super.remove(endpoint);
    if (this.#slow.size > 0) this.#slow.delete(endpoint);
  }

  /** Chooses one: O(log n). */
  override pick(now: number, random: () => number): Endpoint | undefined {
    return this.#choose(now, random, undefined);
  }

  /** Chooses one of those that are accepted. */
  override pickAccepted(
    now: number,
    random: () => number,
    accepts: Accepts,
  ): Endpoint | undefined {
    return this.#choose(now, random, accepts);
  }

  protected override cost(endpoint: Endpoint): number {
    const share = endpoint.share(this.#now);
    if (share < 1) this.#slow.add(endpoint);
    return this.costOf(endpoint, endpoint.load, share);
  }

  protected override turn({ lastChoice }: Endpoint, earlier: number): number {
    return Math.max(lastChoice, earlier);
  }

  /** The cost of one with a load and a share of all. */
  protected abstract costOf(endpoint: Endpoint, load: number, share: number): number;

  #choose(
    now: number,
    random: () => number,
    accepts: Accepts | undefined,
  ): Endpoint | undefined {
    this.#now = now;
    if (this.#slow.size > 0) this.#lookAgain();
    for (let passes = 0;; passes++) {
      const endpoint = this.first(accepts);
      if (!endpoint || this.size === 1) return endpoint;
      const share = endpoint.share(now);
      if (share === 1 || passes === MAX_PASSES || random() < share) return endpoint;
      // As if it were chosen, until it is looked at again: otherwise it would be first again.
      this.#slow.add(endpoint);
      const cost = this.costOf(endpoint, endpoint.load + 1, share);
      this.putBack(endpoint, cost, endpoint.lane.choices);
    }
  }

  /**
   * Moves one of those that start slowly to where it belongs now; with the next choice, the next
   * one.
   */
  #lookAgain(): void {
    for (const endpoint of this.#slow) {
      this.#slow.delete(endpoint);
      this.update(endpoint);
      return;
    }
  }
}

/** The one that was chosen longest ago, whatever its weight and load. */
export class RoundRobinPicker extends TurnHeap {
  protected override costOf(): number {
    return 0;
  }
}

/**
 * The one with the least load for its weight, (load + 1) / weight; among equals, the one chosen
 * longest ago. One that starts slowly counts each lease several times, as its share is smaller.
 * Weight 0 comes last.
 */
export class LeastLeasedPicker extends TurnHeap {
  protected override costOf({ weight }: Endpoint, load: number, share: number): number {
    return (load / share + 1) / weight;
  }
}

const KEY = "";
const KEY_HIGH = highHash(KEY);
const KEY_LOW = lowHash(KEY);

/**
 * The first one in the order of the key "", as a `StickyChooser` has it: the same one for everybody,
 * as long as it is there.
 */
export class StickyPicker extends EndpointHeap {
  /** The first one: O(1). */
  override pick(): Endpoint | undefined {
    return this.first(undefined);
  }

  /** The first one that is accepted. */
  override pickAccepted(
    _now: number,
    _random: () => number,
    accepts: Accepts,
  ): Endpoint | undefined {
    return this.first(accepts);
  }

  protected override cost({ weight }: Endpoint, turn: number): number {
    return -keyScore(-turn, weight);
  }

  protected override turn({ address: { text } }: Endpoint, earlier: number): number {
    return earlier || -mixHashes(KEY_HIGH, KEY_LOW, highHash(text), lowHash(text));
  }
}
