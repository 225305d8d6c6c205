/**
 * A heap of endpoints, for the pickers that have an order.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";
import type { Accepts, Picker, Place } from "../map/picker.ts";

/**
 * A binary heap of endpoints: by a cost, then by a turn. O(log n) for everything.
 *
 * Both are copies, taken when an endpoint comes and at every `update`: figures that change while
 * nobody tells it leave the order old, but never broken.
 */
export abstract class EndpointHeap implements Picker {
  readonly #place: Place;
  readonly #endpoints: Endpoint[] = [];
  readonly #costs: number[] = [];
  readonly #turns: number[] = [];

  /** Makes an empty set. */
  constructor(place: Place) {
    this.#place = place;
  }

  /** How many there are. */
  get size(): number {
    return this.#endpoints.length;
  }

  /** Adds one. */
  add(endpoint: Endpoint): void {
    const index = this.#endpoints.push(endpoint) - 1;
    this.#costs.push(0);
    this.#turns.push(0);
    const turn = this.turn(endpoint, 0);
    this.#settle(index, endpoint, this.cost(endpoint, turn), turn);
  }

  /** Removes one; the last one takes its place, and then moves to where it belongs. */
  remove(endpoint: Endpoint): void {
    const index = endpoint.places[this.#place];
    const last = this.#endpoints.pop()!;
    const cost = this.#costs.pop()!;
    const turn = this.#turns.pop()!;
    if (last !== endpoint) this.#settle(index, last, cost, turn);
    endpoint.places[this.#place] = -1;
  }

  /** Moves one to where it belongs now. */
  update(endpoint: Endpoint): void {
    const index = endpoint.places[this.#place];
    const turn = this.turn(endpoint, this.#turns[index]!);
    this.#settle(index, endpoint, this.cost(endpoint, turn), turn);
  }

  /** Chooses one. */
  abstract pick(now: number, random: () => number): Endpoint | undefined;

  /** Chooses one of those that are accepted: O(those that come before it). */
  abstract pickAccepted(
    now: number,
    random: () => number,
    accepts: Accepts,
  ): Endpoint | undefined;

  /** Goes over all of them. */
  [Symbol.iterator](): Iterator<Endpoint> {
    return this.#endpoints.values();
  }

  /** The cost of one: the lowest comes first. */
  protected abstract cost(endpoint: Endpoint, turn: number): number;

  /** The turn among those of the same cost: the lowest comes first. It starts at 0. */
  protected abstract turn(endpoint: Endpoint, earlier: number): number;

  /** The first one, or the first one that is accepted. */
  protected first(accepts: Accepts | undefined): Endpoint | undefined {
    return this.#endpoints[accepts ? this.#find(0, -1, accepts) : 0];
  }

  /** Raises the cost of one, and makes its turn a later one. */
  protected putBack(endpoint: Endpoint, cost: number, turn: number): void {
    this.#settle(endpoint.places[this.#place], endpoint, cost, turn);
  }

  /** The first that is accepted, or the one found before if that comes first. */
  #find(index: number, found: number, accepts: Accepts): number {
    if (index >= this.size) return found;
    // None of those below it comes first either.
    if (found >= 0 && !this.#isBefore(this.#costs[index]!, this.#turns[index]!, found)) {
      return found;
    }
    if (accepts(this.#endpoints[index]!)) return index;
    const left = this.#find(index * 2 + 1, found, accepts);
    return this.#find(index * 2 + 2, left, accepts);
  }

  #isBefore(cost: number, turn: number, index: number): boolean {
    const other = this.#costs[index]!;
    return cost < other || (cost === other && turn < this.#turns[index]!);
  }

  /** Puts one into the gap at an index, or where it belongs, up or down from there. */
  #settle(index: number, endpoint: Endpoint, cost: number, turn: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(cost, turn, parent)) break;
      this.#move(parent, index);
      index = parent;
    }
    for (;;) {
      let child = index * 2 + 1;
      if (child >= this.size) break;
      const right = child + 1;
      if (right < this.size && this.#isBefore(this.#costs[right]!, this.#turns[right]!, child)) {
        child = right;
      }
      if (!this.#isAfter(cost, turn, child)) break;
      this.#move(child, index);
      index = child;
    }
    this.#endpoints[index] = endpoint;
    this.#costs[index] = cost;
    this.#turns[index] = turn;
    endpoint.places[this.#place] = index;
  }

  #isAfter(cost: number, turn: number, index: number): boolean {
    const other = this.#costs[index]!;
    return cost > other || (cost === other && turn > this.#turns[index]!);
  }

  #move(from: number, to: number): void {
    const endpoint = this.#endpoints[from]!;
    this.#endpoints[to] = endpoint;
    this.#costs[to] = this.#costs[from]!;
    this.#turns[to] = this.#turns[from]!;
    endpoint.places[this.#place] = to;
  }
}
