/**
 * Pickers that have an order: the one chosen longest ago, the one that bears least, the first one
 * for a key. Each is a binary heap.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";
import { MAX_PASSES, type Picker, type Place } from "../map/picker.ts";
import { highHash, keyScore, lowHash, mixHashes } from "./rendezvous.ts";

/**
 * A set of endpoints in order: by a cost, then by a turn. O(log n) for everything.
 *
 * Both are copies, taken when an endpoint comes and at every `update`: figures that change while
 * nobody tells it leave the order old, but never broken.
 */
abstract class EndpointHeap implements Picker {
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

  /** Takes one in. */
  add(endpoint: Endpoint): void {
    const index = this.#endpoints.push(endpoint) - 1;
    this.#costs.push(0);
    this.#turns.push(0);
    const turn = this.turn(endpoint, 0);
    this.#settle(index, endpoint, this.cost(endpoint, turn), turn);
  }

  /** Takes one out; the last one takes its place, and then its own. */
  remove(endpoint: Endpoint): void {
    const index = endpoint.places[this.#place];
    const last = this.#endpoints.pop()!;
    const cost = this.#costs.pop()!;
    const turn = this.#turns.pop()!;
    if (last !== endpoint) this.#settle(index, last, cost, turn);
    endpoint.places[this.#place] = -1;
  }

  /** Puts one where it belongs by now. */
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
    accepts: (address: string) => boolean,
  ): Endpoint | undefined;

  /** Goes over all of them. */
  [Symbol.iterator](): Iterator<Endpoint> {
    return this.#endpoints.values();
  }

  /** What one costs: the lowest is the first. */
  protected abstract cost(endpoint: Endpoint, turn: number): number;

  /** Whose turn it is among those of the same cost: the lowest. At first, the earlier one is 0. */
  protected abstract turn(endpoint: Endpoint, earlier: number): number;

  /** The first one, or the first one that is accepted. */
  protected first(accepts: ((address: string) => boolean) | undefined): Endpoint | undefined {
    return this.#endpoints[accepts ? this.#find(0, -1, accepts) : 0];
  }

  /** Lets one cost more, and makes its turn a later one. */
  protected putBack(endpoint: Endpoint, cost: number, turn: number): void {
    this.#settle(endpoint.places[this.#place], endpoint, cost, turn);
  }

  /** The first that is accepted, or the one found before if that comes first. */
  #find(index: number, found: number, accepts: (address: string) => boolean): number {
    if (index >= this.size) return found;
    // Nor does any of those below it come first.
    if (found >= 0 && !this.#isBefore(this.#costs[index]!, this.#turns[index]!, found)) {
      return found;
    }
    if (accepts(this.#endpoints[index]!.address.text)) return index;
    const left = this.#find(index * 2 + 1, found, accepts);
    return this.#find(index * 2 + 2, left, accepts);
  }

  #isBefore(cost: number, turn: number, index: number): boolean {
    const other = this.#costs[index]!;
    return cost < other || (cost === other && turn < this.#turns[index]!);
  }

  /** Puts one into the gap at an index, or where the order wants it, up or down from there. */
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

/** A heap in which one that starts slowly is passed over when it is first, and its turn is over. */
abstract class TurnHeap extends EndpointHeap {
  /** The time of the last choice. */
  #now = -Infinity;
  /** Those that started slowly when last looked at: what they cost changes with time alone. */
  readonly #slow = new Set<Endpoint>();

  /** Takes one out. */
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
    accepts: (address: string) => boolean,
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

  /** What one costs that has a load and a share of all. */
  protected abstract costOf(endpoint: Endpoint, load: number, share: number): number;

  #choose(
    now: number,
    random: () => number,
    accepts: ((address: string) => boolean) | undefined,
  ): Endpoint | undefined {
    this.#now = now;
    if (this.#slow.size > 0) this.#lookAgain();
    for (let passes = 0;; passes++) {
      const endpoint = this.first(accepts);
      if (!endpoint || this.size === 1) return endpoint;
      const share = endpoint.share(now);
      if (share === 1 || passes === MAX_PASSES || random() < share) return endpoint;
      // As if it were chosen, until it is looked at again: else it would be first the next time.
      this.#slow.add(endpoint);
      const cost = this.costOf(endpoint, endpoint.load + 1, share);
      this.putBack(endpoint, cost, endpoint.lane.choices);
    }
  }

  /** Puts one of those that start slowly where it belongs by now; the next choice, the next one. */
  #lookAgain(): void {
    for (const endpoint of this.#slow) {
      this.#slow.delete(endpoint);
      this.update(endpoint);
      return;
    }
  }
}

/** The one that was chosen longest ago, whatever it weighs and bears. */
export class RoundRobinPicker extends TurnHeap {
  protected override costOf(): number {
    return 0;
  }
}

/**
 * The one that bears least for its weight, (load + 1) / weight; among equals, the one chosen
 * longest ago. One that starts slowly counts each lease several times, as its share is smaller.
 * What weighs 0 comes last.
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
    accepts: (address: string) => boolean,
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
