/**
 * Callers who counted on a dial that failed: another round for them, or the end of their wait.
 *
 * @module
 */

import type { Endpoint } from "../../map/endpoint.ts";
import { unavailable } from "../host/explanations.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { Waiter } from "../host/waiter.ts";
import type { LeaseDesk } from "../lease/lease_desk.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Dials } from "./dials.ts";

/** Notes failed dials with the callers who wait, and refuses those who have no address left. */
export class Disappointed {
  readonly #options: ResolvedPoolOptions;
  readonly #desk: LeaseDesk;
  readonly #dials: Dials;

  /** Begins to. */
  constructor(options: ResolvedPoolOptions, desk: LeaseDesk, dials: Dials) {
    this.#options = options;
    this.#desk = desk;
    this.#dials = dials;
  }

  /** Notes with the callers who would take an endpoint that a dial there has failed. */
  tell(queue: HostQueue, endpoint: Endpoint, error: unknown, number: number): void {
    const address = endpoint.address.text;
    for (const waiter of queue.waiters) {
      if (!waiter.hopesFor(endpoint) || number <= waiter.lastDialBefore) continue;
      waiter.failed(address, error);
      this.#consider(waiter, queue);
    }
  }

  /** Ends a wait, or begins another round of it, where each address has failed in this one. */
  #consider(waiter: Waiter<HostQueue>, queue: HostQueue): void {
    const { lane } = queue;
    const isFailed = ({ address }: Endpoint) => waiter.failures.has(address.text);
    if (!waiter.filter && waiter.failures.size < lane.memberCount) return;
    do if (!waiter.candidates(lane).every(isFailed)) return; while (queue.widen(waiter));
    // If a connection may come back, they wait for it, however many rounds fail.
    if (waiter.mayBeServed(lane) || waiter.rounds < this.#options.maxRetries) {
      waiter.beginRound(this.#dials.begun);
      return;
    }
    this.#desk.refuse(waiter, unavailable(queue, waiter.failures));
  }
}
