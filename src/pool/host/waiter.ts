/**
 * A caller who waits for a connection.
 *
 * @module
 */

import { offAbort, onAbort } from "../../core/abort.ts";
import { Expiry } from "../../core/due_wheel.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";
import type { Lease } from "../lease/lease.ts";
import type { AddressFilter } from "./address_filter.ts";
import type { Wish } from "./wish.ts";

/** Settles the promise of a caller. */
export type Settle = (lease: Lease | Promise<never>) => void;

/** What only few waiters have. */
class Rarities<Queue> {
  filter: AddressFilter | undefined = undefined;
  wish: Wish<Waiter<Queue>> | undefined = undefined;
  trace: Error | undefined = undefined;
  expiry: Expiry<Waiter<Queue>> | undefined = undefined;
  stopListening: (() => void) | undefined = undefined;
  rounds = 0;
  lastDialBefore = 0;
  failures: Map<string, unknown> | undefined = undefined;
}

const NO_FAILURES: ReadonlyMap<string, unknown> = new Map();

/**
 * A caller who waits, from when it enters its queue until it leaves it. Rare fields are made only
 * when needed.
 */
export class Waiter<Queue = unknown> {
  /** Its place in its line, which alone changes it. */
  place: number = -1;
  /** The queue that it stands in. */
  queue: Queue;
  /** When it began to wait, in the clock's milliseconds. */
  readonly since: number;
  readonly #settle: Settle;
  #rarities: Rarities<Queue> | undefined = undefined;

  /**
   * Begins to wait.
   *
   * @param settle Resolves the caller's promise
   */
  constructor(queue: Queue, since: number, settle: Settle) {
    this.queue = queue;
    this.since = since;
    this.#settle = settle;
  }

  get #rare(): Rarities<Queue> {
    return this.#rarities ??= new Rarities();
  }

  /** Which addresses will do; all of them if there is none. */
  get filter(): AddressFilter | undefined {
    return this.#rarities?.filter;
  }

  set filter(filter: AddressFilter) {
    this.#rare.filter = filter;
  }

  /** What it wants alike with others who wait; undefined if any address will do. */
  get wish(): Wish<Waiter<Queue>> | undefined {
    return this.#rarities?.wish;
  }

  set wish(wish: Wish<Waiter<Queue>> | undefined) {
    this.#rare.wish = wish;
  }

  /** Where it was asked for, if that is remembered. */
  get trace(): Error | undefined {
    return this.#rarities?.trace;
  }

  set trace(trace: Error) {
    this.#rare.trace = trace;
  }

  /** Its place among the deadlines, if it has one of its own. */
  get expiry(): Expiry<Waiter<Queue>> | undefined {
    return this.#rarities?.expiry;
  }

  /** Gives it its own deadline. */
  expire(): Expiry<Waiter<Queue>> {
    return this.#rare.expiry ??= new Expiry<Waiter<Queue>>(this);
  }

  /** Calls `giveUp` when a signal aborts, as long as it waits. */
  listen(signal: AbortSignal, giveUp: (waiter: Waiter<Queue>, reason: unknown) => void): void {
    const callback = () => giveUp(this, signal.reason);
    onAbort(signal, callback);
    this.#rare.stopListening = () => offAbort(signal, callback);
  }

  /** Resolves with a lease, after it has left the queue. */
  resolve(lease: Lease): void {
    this.#rarities?.stopListening?.();
    this.#settle(lease);
  }

  /** Rejects with a reason, after it has left the queue. */
  reject(reason: unknown): void {
    this.#rarities?.stopListening?.();
    // Keeping a reject function too would make every waiter larger.
    this.#settle(Promise.reject(reason));
  }

  /** How many rounds of all its addresses have failed. */
  get rounds(): number {
    return this.#rarities?.rounds ?? 0;
  }

  /** The last dial that began before this round: its outcome is nothing new. */
  get lastDialBefore(): number {
    return this.#rarities?.lastDialBefore ?? 0;
  }

  /** What each address failed with in this round. */
  get failures(): ReadonlyMap<string, unknown> {
    return this.#rarities?.failures ?? NO_FAILURES;
  }

  /** Notes that an address has failed it. */
  failed(address: string, error: unknown): void {
    (this.#rare.failures ??= new Map()).set(address, error);
  }

  /** Begins a round in which every address may be tried again, by dials after the one of a number. */
  beginRound(lastDialBefore: number): void {
    const rare = this.#rare;
    rare.rounds++;
    rare.lastDialBefore = lastDialBefore;
    rare.failures = undefined;
  }

  /** Goes on in another queue, where nothing has failed it yet. */
  moveTo(queue: Queue): void {
    this.queue = queue;
    const rarities = this.#rarities;
    if (!rarities) return;
    rarities.rounds = 0;
    rarities.lastDialBefore = 0;
    rarities.failures = undefined;
  }

  /**
   * Whether another one can be served by the same dials, because both accept any address, and have
   * seen the same ones fail.
   */
  isLike(other: Waiter<Queue>): boolean {
    if (this.filter || other.filter || (this.rounds === 0) !== (other.rounds === 0)) return false;
    const { failures } = this;
    if (failures.size !== other.failures.size) return false;
    for (const address of other.failures.keys()) if (!failures.has(address)) return false;
    return true;
  }

  /** Whether a connection to an address would do. */
  accepts(address: string): boolean {
    return this.filter?.accepts(address) ?? true;
  }

  /**
   * Whether an endpoint would do. One that the host does not have serves who names it, and nobody
   * else.
   */
  hopesFor({ address, member }: Endpoint): boolean {
    return this.accepts(address.text) && (member || this.filter?.pinned === true);
  }

  /** Whether an address is among those that would do, now or later. */
  wants(address: string): boolean {
    return this.filter?.wants(address) ?? true;
  }

  /** Whether a connection that would do is open, in use now, and may be given back. */
  mayBeServed(lane: Lane): boolean {
    if (!this.filter) return lane.isServing;
    for (const endpoint of lane.endpoints.values()) {
      if (endpoint.connections.size > 0 && this.hopesFor(endpoint)) return true;
    }
    return false;
  }

  /** The endpoints that would do. */
  candidates(lane: Lane): Endpoint[] {
    if (this.filter) return this.filter.candidates(lane);
    return [...lane.endpoints.values()].filter(({ member }) => member);
  }
}
