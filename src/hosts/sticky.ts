/**
 * Which endpoint a key goes to, among ten or ten thousand.
 *
 * @module
 */

import type { Endpoint } from "../map/endpoint.ts";
import { compareRanks, highHash, keyChance, keyScore, lowHash, mixHashes } from "./rendezvous.ts";

/** How many keys each of the two generations that are remembered has. */
const GENERATION_KEYS = 4_096;

/** A longer key is not remembered: what a key costs in memory has a bound too. */
const MAX_KEY_LENGTH = 256;

/**
 * Chooses endpoints by keys: the same one for the same key, as long as it is there. Where one comes
 * or goes, only its own keys move; its order is that of `rankForKey`.
 *
 * A key that was seen of late costs O(1), another one a pass over all endpoints. Load and slow
 * start count for nothing: they would move keys.
 */
export class StickyChooser {
  readonly #endpoints: Endpoint[] = [];
  readonly #indexes = new Map<Endpoint, number>();
  #highs = new Int32Array(8);
  #lows = new Int32Array(8);
  readonly #weights: number[] = [];
  /** How many weigh something else than 1. */
  #weighted = 0;
  #maxWeight = 1;
  /** The keys seen of late, and those seen before these. */
  #young = new Map<string, Endpoint>();
  #old = new Map<string, Endpoint>();

  /** Makes a chooser. */
  constructor(endpoints: Iterable<Endpoint> = []) {
    for (const endpoint of endpoints) this.add(endpoint);
  }

  /** How many endpoints there are. */
  get size(): number {
    return this.#endpoints.length;
  }

  /** Takes an endpoint in. Harmless where it is in it. */
  add(endpoint: Endpoint): void {
    if (this.#indexes.has(endpoint)) return;
    const { text } = endpoint.address;
    const index = this.#endpoints.push(endpoint) - 1;
    this.#indexes.set(endpoint, index);
    if (index === this.#highs.length) {
      this.#highs = grown(this.#highs);
      this.#lows = grown(this.#lows);
    }
    this.#highs[index] = highHash(text);
    this.#lows[index] = lowHash(text);
    this.#weights.push(1);
    this.#setWeight(index, endpoint.weight);
    this.#forgetKeys();
  }

  /** Takes an endpoint out. Harmless where it is not in it. */
  remove(endpoint: Endpoint): void {
    const index = this.#indexes.get(endpoint);
    if (index === undefined) return;
    this.#setWeight(index, 1);
    this.#indexes.delete(endpoint);
    this.#weights[index] = this.#weights.at(-1)!;
    this.#weights.pop();
    const last = this.#endpoints.pop()!;
    if (last !== endpoint) {
      this.#endpoints[index] = last;
      this.#indexes.set(last, index);
      this.#highs[index] = this.#highs[this.size]!;
      this.#lows[index] = this.#lows[this.size]!;
    }
    this.#forgetKeys();
  }

  /** Notes that an endpoint's weight may have changed. Its load counts for nothing. */
  update(endpoint: Endpoint): void {
    const index = this.#indexes.get(endpoint);
    if (index === undefined || this.#weights[index] === endpoint.weight) return;
    this.#setWeight(index, endpoint.weight);
    this.#forgetKeys();
  }

  /**
   * The first endpoint for a key; with `accepts`, the first that it says yes to: the next one after
   * those that have failed, say. Undefined where there is none.
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

  /** All endpoints in a key's order: the one to use, then the one to use when that fails. */
  rank(key: string): Endpoint[] {
    const high = highHash(key);
    const low = lowHash(key);
    return this.#endpoints
      .map((endpoint, index) => {
        const bits = mixHashes(high, low, this.#highs[index]!, this.#lows[index]!);
        const score = keyScore(bits, this.#weights[index]!);
        return { endpoint, text: endpoint.address.text, bits, score };
      })
      .sort(compareRanks)
      .map(({ endpoint }) => endpoint);
  }

  #search(key: string, accepts?: (address: string) => boolean): Endpoint | undefined {
    const index = this.#weighted > 0
      ? this.#searchWeighted(highHash(key), lowHash(key), accepts)
      : this.#searchEqual(highHash(key), lowHash(key), accepts);
    return this.#endpoints[index];
  }

  /** Where all weigh the same, the bits alone give the order. */
  #searchEqual(high: number, low: number, accepts?: (address: string) => boolean): number {
    const { size } = this;
    const highs = this.#highs;
    const lows = this.#lows;
    let best = -1;
    let bestBits = -1;
    for (let index = 0; index < size; index++) {
      const bits = mixHashes(high, low, highs[index]!, lows[index]!);
      if (bits < bestBits || (bits === bestBits && !this.#isBefore(index, best))) continue;
      if (accepts && !accepts(this.#endpoints[index]!.address.text)) continue;
      best = index;
      bestBits = bits;
    }
    return best;
  }

  #searchWeighted(high: number, low: number, accepts?: (address: string) => boolean): number {
    const { size } = this;
    const maxWeight = this.#maxWeight;
    let best = -1;
    let bestBits = -1;
    let bestScore = -1;
    // What stays below cannot win, were it the heaviest: it needs no logarithm.
    let atLeast = 0;
    for (let index = 0; index < size; index++) {
      const bits = mixHashes(high, low, this.#highs[index]!, this.#lows[index]!);
      if (keyChance(bits) < atLeast) continue;
      const score = keyScore(bits, this.#weights[index]!);
      if (score < bestScore || (score === bestScore && bits < bestBits)) continue;
      if (score === bestScore && bits === bestBits && !this.#isBefore(index, best)) continue;
      if (accepts && !accepts(this.#endpoints[index]!.address.text)) continue;
      best = index;
      bestBits = bits;
      bestScore = score;
      // A little less, for what the rounding takes.
      atLeast = score > 0 ? Math.exp(-maxWeight / score) * (1 - 1e-12) : 0;
    }
    return best;
  }

  #isBefore(index: number, other: number): boolean {
    const { text } = this.#endpoints[index]!.address;
    return other < 0 || text < this.#endpoints[other]!.address.text;
  }

  #setWeight(index: number, weight: number): void {
    if (this.#weights[index] !== 1) this.#weighted--;
    if (weight !== 1) this.#weighted++;
    this.#weights[index] = weight;
    // Only ever too high while others stay: then a few more logarithms are taken.
    this.#maxWeight = this.#weighted > 0 ? Math.max(this.#maxWeight, weight) : 1;
  }

  #remember(key: string, endpoint: Endpoint): void {
    if (this.#young.size >= GENERATION_KEYS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, endpoint);
  }

  #forgetKeys(): void {
    if (this.#young.size > 0) this.#young = new Map();
    if (this.#old.size > 0) this.#old = new Map();
  }
}

function grown(values: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(values.length * 2);
  larger.set(values);
  return larger;
}
