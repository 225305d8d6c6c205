/**
 * A caller who waits for a connection.
 *
 * @module
 */

import { Expiry } from "../../core/due_wheel.ts";
import { ListNode } from "../../core/list.ts";
import { Pending } from "../../core/wait.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";
import type { Lease } from "../lease/lease.ts";
import type { AddressFilter } from "./address_filter.ts";

/** How a caller waits. */
export interface WaiterInit<Queue> {
  /** The queue that it stands in. */
  readonly queue: Queue;
  /** Which addresses will do; all of them where there is none. */
  readonly filter: AddressFilter | undefined;
  /** Where it was asked for, if that is remembered. */
  readonly trace: Error | undefined;
  readonly signal: AbortSignal | undefined;
  /** When it began to wait, in the clock's milliseconds. */
  readonly since: number;
}

const NO_FAILURES: ReadonlyMap<string, unknown> = new Map();

/** A caller who waits. */
export class Waiter<Queue = unknown> extends Pending<Lease> {
  /** The queue that it stands in. */
  readonly queue: Queue;
  /** Its place in its queue. */
  readonly node: ListNode<Waiter<Queue>> = new ListNode<Waiter<Queue>>(this);
  /** Which addresses will do; all of them where there is none. */
  readonly filter: AddressFilter | undefined;
  /** When it began to wait. */
  readonly since: number;
  /** Where it was asked for, if that is remembered. */
  readonly trace: Error | undefined;
  /** Its place among those whose time will be over. */
  readonly expiry: Expiry<Waiter<Queue>> = new Expiry<Waiter<Queue>>(this);
  /** How many rounds of all its addresses have failed. */
  rounds = 0;
  /** The last dial that was begun before this round: what becomes of it tells nothing new. */
  lastDialBefore = 0;
  #failures: Map<string, unknown> | undefined;

  /** Begins to wait. */
  constructor(init: WaiterInit<Queue>, giveUp: (waiter: Waiter<Queue>) => void) {
    super(init.signal, init.signal && (() => giveUp(this)));
    this.queue = init.queue;
    this.filter = init.filter;
    this.trace = init.trace;
    this.since = init.since;
  }

  /** What each address failed with since it waits, in this round. */
  get failures(): ReadonlyMap<string, unknown> {
    return this.#failures ?? NO_FAILURES;
  }

  /** Notes that an address has failed it. */
  failed(address: string, error: unknown): void {
    (this.#failures ??= new Map()).set(address, error);
  }

  /** Begins a round in which every address may be tried again. */
  beginRound(): void {
    this.rounds++;
    this.#failures = undefined;
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
    if (!this.filter) return lane.isServing;
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
