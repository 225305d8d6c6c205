/**
 * A picker by chance in proportion to weight.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";
import { type Accepts, EndpointList, MAX_PASSES, tryPick } from "../map/picker.ts";

/**
 * Each with a chance in proportion to its weight; one that starts slowly with less. One of weight 0
 * is chosen only if nothing else is there. A tree of sums makes it O(log n) whatever the weights
 * are, where drawing until chance agrees would take long with one heavy address among many light
 * ones. Each sum is recomputed from the two below it, so that no rounding error builds up as
 * weights come and go.
 */
export class WeightedPicker extends EndpointList {
  /** The second half has the weights; every place before has the sum of its two children. */
  #sums = new Float64Array(16);

  /** Adds one: O(log n), amortised over the growth of the tree. */
  override add(endpoint: Endpoint): void {
    super.add(endpoint);
    if (this.list.length > this.#leaves) this.#grow();
    else this.#set(this.list.length - 1, endpoint.weight);
  }

  /** Removes one; the last one takes its place. */
  override remove(endpoint: Endpoint): void {
    const index = endpoint.places[this.place];
    super.remove(endpoint);
    const { length } = this.list;
    this.#set(index, this.#sums[this.#leaves + length]!);
    this.#set(length, 0);
  }

  /** Notes its weight. */
  override update(endpoint: Endpoint): void {
    const index = endpoint.places[this.place];
    if (this.#sums[this.#leaves + index] !== endpoint.weight) this.#set(index, endpoint.weight);
  }

  /** Chooses one: O(log n). */
  override pick(now: number, random: () => number): Endpoint | undefined {
    const { length } = this.list;
    if (length < 2) return this.list[0];
    for (let passes = 0;; passes++) {
      const index = this.#sums[1]! > 0 ? this.#draw(random()) : Math.floor(random() * length);
      const endpoint = this.list[index]!;
      const share = endpoint.share(now);
      if (share === 1 || passes === MAX_PASSES || random() < share) return endpoint;
    }
  }

  /** Chooses one of those that are accepted: O(n) if they are few. */
  pickAccepted(
    now: number,
    random: () => number,
    accepts: Accepts,
  ): Endpoint | undefined {
    const drawn = tryPick(this, now, random, accepts);
    if (drawn) return drawn;
    let chosen: Endpoint | undefined;
    let sum = 0;
    let weightless = 0;
    for (const endpoint of this.list) {
      if (!accepts(endpoint)) continue;
      const weight = endpoint.weight * endpoint.share(now);
      sum += weight;
      if (sum > 0 ? random() * sum < weight : random() * ++weightless < 1) chosen = endpoint;
    }
    return chosen;
  }

  get #leaves(): number {
    return this.#sums.length >> 1;
  }

  /** Finds the place where the sum of the weights before it is this share of all. */
  #draw(share: number): number {
    const sums = this.#sums;
    let rest = share * sums[1]!;
    let at = 1;
    while (at < this.#leaves) {
      const left = sums[at *= 2]!;
      // Rounding must not lead to a place of weight 0.
      if (rest < left || sums[at + 1] === 0) continue;
      rest -= left;
      at++;
    }
    return at - this.#leaves;
  }

  #set(index: number, weight: number): void {
    const sums = this.#sums;
    let at = this.#leaves + index;
    sums[at] = weight;
    while (at > 1) {
      at >>= 1;
      sums[at] = sums[at * 2]! + sums[at * 2 + 1]!;
    }
  }

  #grow(): void {
    const leaves = this.#leaves * 2;
    const sums = this.#sums = new Float64Array(leaves * 2);
    this.list.forEach(({ weight }, index) => sums[leaves + index] = weight);
    for (let at = leaves - 1; at > 0; at--) sums[at] = sums[at * 2]! + sums[at * 2 + 1]!;
  }
}
