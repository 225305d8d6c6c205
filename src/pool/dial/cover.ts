/**
 * Whom the dials on their way will serve.
 *
 * @module
 */

import type { Endpoint } from "../../map/endpoint.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { Waiter } from "../host/waiter.ts";

/** A connection that is to come, or to carry leases again, and how many callers it will serve. */
interface Promised {
  readonly endpoint: Endpoint;
  slots: number;
}

/** Deals what is promised out to those who wait: who is dealt something needs no dial of its own. */
export class Cover {
  readonly #queue: HostQueue;
  readonly #promised: Promised[] = [];

  /** Looks at a queue's dials, and at the machines that let nobody in for now. */
  constructor(queue: HostQueue) {
    const { lane } = queue;
    this.#queue = queue;
    for (const { endpoint } of queue.promisingDials()) this.#add(endpoint);
    if (lane.servingSlots > 0) return;
    // They promise to let somebody in again, where there is nowhere else to go.
    const shut = [...lane.good].filter(isShut);
    if (shut.length < lane.good.size) return;
    for (const endpoint of shut) this.#promised.push({ endpoint, slots: Infinity });
  }

  /** Whether all who take any address are covered, however many they are. */
  get isEndless(): boolean {
    return this.#promised.some(({ slots }) => slots === Infinity);
  }

  /** Deals a waiter something that it would take; false where there is nothing left. */
  takes(waiter: Waiter): boolean {
    const found = this.#promised.find(({ endpoint, slots }) =>
      slots > 0 && waiter.accepts(endpoint.address.text)
    );
    if (found) found.slots--;
    return found !== undefined;
  }

  /** Adds the dial that has just been begun for a waiter, and will serve it first. */
  addLast(): void {
    const dial = [...this.#queue.dials].at(-1);
    if (dial) this.#add(dial.endpoint, 1);
  }

  #add(endpoint: Endpoint, taken = 0): void {
    this.#promised.push({ endpoint, slots: this.#queue.streamsOf(endpoint) - taken });
  }
}

/** Whether an endpoint has a connection that carries nothing for now, and may again. */
function isShut({ connections }: Endpoint): boolean {
  for (const { capacity, healthy, state } of connections) {
    if (capacity === 0 && healthy && (state === "idle" || state === "leased")) return true;
  }
  return false;
}
