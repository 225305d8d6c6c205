/**
 * A picker with endpoints that have no connections: what chooses, alone.
 *
 * @module
 */

import { ManualClock } from "../../src/core/clock.ts";
import { type Balancer, pickerFor } from "../../src/hosts/balancer.ts";
import { highHash, keyScore, lowHash, mixHashes } from "../../src/hosts/rendezvous.ts";
import type { Endpoint } from "../../src/map/endpoint.ts";
import { Lane } from "../../src/map/lane.ts";
import type { Accepts, Picker } from "../../src/map/picker.ts";

/** The text of the address with a number, each another one. */
export function addressOf(index: number): string {
  return `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
}

/** A balancer's picker, and what a lane does with it. */
export class PickerScene {
  readonly clock: ManualClock;
  readonly picker: Picker;
  readonly lane: Lane = new Lane("example.test", "default");
  readonly endpoints: Endpoint[];
  readonly random = (): number => this.clock.random();

  /** Makes a picker with so many endpoints in it. */
  constructor(balancer: Balancer, endpoints: number, seed = 1) {
    this.clock = new ManualClock(seed);
    this.picker = pickerFor(balancer)(0);
    this.endpoints = Array.from({ length: endpoints }, (_, index) => this.make(index));
    for (const endpoint of this.endpoints) this.picker.add(endpoint);
  }

  /** Makes an endpoint that is not in the picker. */
  make(index: number): Endpoint {
    return this.lane.endpoint(addressOf(index));
  }

  /** Chooses one for a request that ends at once. */
  choose(accepts?: Accepts): Endpoint {
    const { clock, lane, picker } = this;
    const endpoint = accepts
      ? picker.pickAccepted?.(clock.now(), this.random, accepts)
      : picker.pick(clock.now(), this.random);
    if (!endpoint) throw new Error("The picker has nothing to choose");
    endpoint.lastChoice = ++lane.choices;
    picker.update(endpoint);
    return endpoint;
  }

  /** Chooses one for a request that goes on until it is released. */
  lease(): Endpoint {
    const endpoint = this.choose();
    endpoint.leased++;
    this.picker.update(endpoint);
    return endpoint;
  }

  /** Ends a request. */
  release(endpoint: Endpoint): void {
    endpoint.leased--;
    this.picker.update(endpoint);
  }

  /** How many of so many requests, one after the other, each endpoint gets. */
  count(times: number, accepts?: Accepts): number[] {
    const counts = new Map(this.endpoints.map((endpoint) => [endpoint, 0]));
    for (let i = 0; i < times; i++) {
      const endpoint = this.choose(accepts);
      counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
    }
    return [...counts.values()];
  }
}

/** Endpoints in a key's own order: the one to use, then the one to use when that fails, and so on. */
export function rankForKey(key: string, endpoints: readonly Endpoint[]): Endpoint[] {
  return endpoints
    .map((endpoint) => {
      const { address: { text }, weight } = endpoint;
      const bits = mixHashes(highHash(key), lowHash(key), highHash(text), lowHash(text));
      return { endpoint, text, bits, score: keyScore(bits, weight) };
    })
    .sort((a, b) => b.score - a.score || b.bits - a.bits || (a.text < b.text ? -1 : 1))
    .map(({ endpoint }) => endpoint);
}

/** Throws where a count is further than five standard deviations from what chance would have. */
export function assertBinomial(count: number, times: number, chance: number, what: string): void {
  const mean = times * chance;
  const bound = 5 * Math.sqrt(mean * (1 - chance));
  if (Math.abs(count - mean) <= bound) return;
  throw new Error(`${what}: ${count} of ${times}, not ${mean} give or take ${bound}`);
}
