/**
 * Which endpoint a key goes to, among ten or ten thousand.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";
import type { Lane } from "../map/lane.ts";
import { highHash, keyChance, keyScore, lowHash, mixHashes } from "./rendezvous.ts";

/** How many keys each of the two generations that are remembered has. */
const GENERATION_KEYS = 4_096;

/** Longer keys are not remembered, to limit the memory of a key. */
const MAX_KEY_LENGTH = 256;

/**
 * Chooses among endpoints by keys: the same one for the same key. A new one is made when an
 * endpoint comes or goes, or changes its weight; only its own keys move. A recently seen key costs
 * O(1), any other a pass over all endpoints. Load and slow start do not matter: they would move
 * keys.
 */
export class StickyChooser {
  readonly #endpoints: readonly Endpoint[];
  readonly #highs: Int32Array;
  readonly #lows: Int32Array;
  readonly #weights: readonly number[];
  readonly #maxWeight: number;
  readonly #isWeighted: boolean;
  /** The keys seen recently, and those seen before them. */
  #young = new Map<string, Endpoint>();
  #old = new Map<string, Endpoint>();

  /** Makes a chooser among endpoints, with the weights that they have now. */
  constructor(endpoints: Iterable<Endpoint>) {
    this.#endpoints = [...endpoints];
    const texts = this.#endpoints.map(({ address }) => address.text);
    this.#highs = new Int32Array(texts.map(highHash));
    this.#lows = new Int32Array(texts.map(lowHash));
    const weights = this.#weights = this.#endpoints.map(({ weight }) => weight);
    this.#maxWeight = weights.reduce((most, weight) => Math.max(most, weight), 0);
    this.#isWeighted = weights.some((weight) => weight !== weights[0]);
  }

  /**
   * The first endpoint for a key; with `accepts`, the first that it says yes to: the next one after
   * those that have failed, say. Undefined if there is none.
   *
   * @param accepts Says whether an address, in canonical text, will do
   */
  pick(key: string, accepts?: (address: string) => boolean): Endpoint | undefined {
    const known = this.#young.get(key);
    const first = known ?? this.#old.get(key) ?? this.#search(key);
    if (!first) return undefined;
    if (!known && key.length <= MAX_KEY_LENGTH) this.#remember(key, first);
    if (!accepts || accepts(first.address.text)) return first;
    return this.#search(key, accepts);
  }

  #search(key: string, accepts?: (address: string) => boolean): Endpoint | undefined {
    const index = this.#isWeighted
      ? this.#searchWeighted(highHash(key), lowHash(key), accepts)
      : this.#searchEqual(highHash(key), lowHash(key), accepts);
    return this.#endpoints[index];
  }

  /** If all weights are equal, the bits alone give the order. */
  #searchEqual(high: number, low: number, accepts?: (address: string) => boolean): number {
    const { length } = this.#endpoints;
    const highs = this.#highs;
    const lows = this.#lows;
    let best = -1;
    let bestBits = -1;
    for (let index = 0; index < length; index++) {
      const bits = mixHashes(high, low, highs[index]!, lows[index]!);
      // Equal bits leave it to the order: that is one key in four thousand million.
      if (bits <= bestBits) continue;
      if (accepts && !accepts(this.#endpoints[index]!.address.text)) continue;
      best = index;
      bestBits = bits;
    }
    return best;
  }

  #searchWeighted(high: number, low: number, accepts?: (address: string) => boolean): number {
    const { length } = this.#endpoints;
    const maxWeight = this.#maxWeight;
    let best = -1;
    let bestBits = -1;
    let bestScore = -1;
    // What stays below could not win even with the greatest weight, so it needs no logarithm.
    let atLeast = 0;
    for (let index = 0; index < length; index++) {
      const bits = mixHashes(high, low, this.#highs[index]!, this.#lows[index]!);
      if (keyChance(bits) < atLeast) continue;
      const score = keyScore(bits, this.#weights[index]!);
      if (score < bestScore || (score === bestScore && bits <= bestBits)) continue;
      if (accepts && !accepts(this.#endpoints[index]!.address.text)) continue;
      best = index;
      bestBits = bits;
      bestScore = score;
      // A little less, to allow for rounding.
      atLeast = score > 0 ? Math.exp(-maxWeight / score) * (1 - 1e-12) : 0;
    }
    return best;
  }

  #remember(key: string, endpoint: Endpoint): void {
    if (this.#young.size >= GENERATION_KEYS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, endpoint);
  }
}

/** Chooses by keys among the endpoints of a lane that are good now. */
export class LaneChooser {
  readonly #lane: Lane;
  #chooser: StickyChooser | undefined;
  #version = -1;

  /** Makes one that has not looked at the lane yet. */
  constructor(lane: Lane) {
    this.#lane = lane;
  }

  /** The first endpoint for a key that is accepted: see `StickyChooser.pick`. */
  pick(key: string, accepts?: (address: string) => boolean): Endpoint | undefined {
    if (!this.#chooser || this.#version !== this.#lane.version) {
      this.#chooser = new StickyChooser(this.#lane.good);
      this.#version = this.#lane.version;
    }
    return this.#chooser.pick(key, accepts);
  }
}
