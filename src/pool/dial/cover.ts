/**
 * Which callers the dials under way will serve.
 *
 * @module
 */

import type { Endpoint } from "../../map/endpoint.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { Waiter } from "../host/waiter.ts";

/** Assigns what is already on its way to those who wait, who then need no dial for themselves. */
export class Cover {
  readonly #queue: HostQueue;
  /**
   * How many callers each endpoint will serve, by dials under way or connections that are full for
   * now.
   */
  readonly #promised = new Map<Endpoint, number>();
  /** How many callers who take any address it covers, in all; `Infinity` if there is no end. */
  covered = 0;

  /** Looks at a queue's dials, and at machines that accept no stream for now. */
  constructor(queue: HostQueue) {
    const { lane } = queue;
    this.#queue = queue;
    for (const { endpoint } of queue.promisingDials()) {
      this.#add(endpoint, queue.streamsOf(endpoint));
    }
    if (lane.servingSlots > 0) return;
    // These are expected to accept streams again, if there is nowhere else to go.
    const shut = [...lane.good].filter(isShut);
    if (shut.length < lane.good.size) return;
    for (const endpoint of shut) this.#add(endpoint, Infinity);
  }

  /** Assigns a waiter something that it would take; false if there is nothing left. */
  takes(waiter: Waiter): boolean {
    for (const [endpoint, slots] of this.#promised) {
      if (!waiter.hopesFor(endpoint)) continue;
      // What is used up is not looked at again: there may be thousands of each.
      if (slots > 1) this.#promised.set(endpoint, slots - 1);
      else this.#promised.delete(endpoint);
      return true;
    }
    return false;
  }

  /** Assigns all of it to those who came first. Returns how many they are. */
  takeAll(): number {
    this.#promised.clear();
    return this.covered;
  }

  /** Adds a dial that has just been begun for a waiter, and will serve it first. */
  addFor(endpoint: Endpoint): void {
    this.#add(endpoint, this.#queue.streamsOf(endpoint) - 1);
  }

  #add(endpoint: Endpoint, slots: number): void {
    if (slots <= 0) return;
    if (endpoint.member) this.covered += slots;
    this.#promised.set(endpoint, (this.#promised.get(endpoint) ?? 0) + slots);
  }
}

/** Whether an endpoint has a connection that carries nothing for now, and may again. */
function isShut({ connections }: Endpoint): boolean {
  for (const { capacity, healthy, state } of connections) {
    if (capacity === 0 && healthy && (state === "idle" || state === "leased")) return true;
  }
  return false;
}
