/**
 * A caller who waits for a connection.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import { ListNode } from "../../core/list.ts";
import { Wait, type WaitOptions } from "../../core/wait.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";
import type { Lease } from "../lease/lease.ts";
import type { AddressFilter } from "./address_filter.ts";

/** A caller who waits. */
export class Waiter extends Wait<Lease> {
  /** Its place in its queue. */
  readonly node: ListNode<Waiter> = new ListNode<Waiter>(this);
  /** Which addresses will do; all of them where there is none. */
  readonly filter: AddressFilter | undefined;
  /** When it began to wait. */
  readonly since: number;
  /** Where it was asked for, if that is remembered. */
  readonly trace: Error | undefined;
  /** What each address failed with since then, in this round. */
  readonly failures: Map<string, unknown> = new Map();
  /** How many rounds of all its addresses have failed. */
  rounds = 0;
  /** The last dial that was begun before this round: what becomes of it tells nothing new. */
  lastDialBefore = 0;

  /** Begins to wait. */
  constructor(
    clock: Clock,
    options: WaitOptions & {
      readonly filter: AddressFilter | undefined;
      readonly trace: Error | undefined;
    },
    giveUp: (waiter: Waiter) => void,
    timeoutError: (waiter: Waiter) => Error,
  ) {
    super(clock, options, () => giveUp(this), () => timeoutError(this));
    this.filter = options.filter;
    this.trace = options.trace;
    this.since = clock.now();
  }

  /** Whether a connection to an address would do. */
  accepts(address: string): boolean {
    return this.filter?.accepts(address) ?? true;
  }

  /** Whether an address is among those that would do, now or later. */
  wants(address: string): boolean {
    return this.filter?.wants(address) ?? true;
  }

  /** Whether a connection that would do is open, in use now, and may be given back. */
  mayBeServed(lane: Lane): boolean {
    if (!this.filter) return lane.servingCount > 0;
    for (const { address, connections } of lane.endpoints.values()) {
      if (connections.size > 0 && this.accepts(address.text)) return true;
    }
    return false;
  }

  /** The endpoints that would do. */
  candidates(lane: Lane): Endpoint[] {
    if (this.filter) return this.filter.candidates(lane);
    return [...lane.endpoints.values()].filter(({ member }) => member);
  }
}
