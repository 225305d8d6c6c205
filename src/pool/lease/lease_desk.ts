/**
 * Where callers come for leases, wait for them, and bring them back.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import { DueWheel } from "../../core/due_wheel.ts";
import { WaiterLimitError } from "../../core/errors.ts";
import { withoutFrames } from "../../core/without_frames.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { Checkout } from "../../map/checkout.ts";
import type { Connection } from "../../map/connection.ts";
import { type Endpoint, endpointOf } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { AddressFilter } from "../host/address_filter.ts";
import { waitedTooLong } from "../host/explanations.ts";
import type { HostQueue } from "../host/host_queue.ts";
import { type Settle, Waiter } from "../host/waiter.ts";
import type { Wish } from "../host/wish.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Reporter } from "../watch/reporter.ts";
import { Lease } from "./lease.ts";

/** An answer that comes this much later than somebody would have noticed: the program stood still. */
const STOOD_STILL_MS = 1_000;

/** What others act on. */
export interface DeskEvents {
  /** A caller has begun to wait, for an address that passes the filter if there is one. */
  onWait(queue: HostQueue, filter: AddressFilter | undefined): void;
  /** Enough leases have begun for the host's addresses to be looked at. */
  onManyLeases(queue: HostQueue): void;
  /** A connection of a lease has ended right after its handshake, and that is its machine's fault. */
  onHangUp(queue: HostQueue, endpoint: Endpoint): void;
  /** A connection has come back, and is about to serve the next caller. */
  onReturn(queue: HostQueue, connection: Connection): void;
}

/** How long a caller waits, and what ends the wait. */
export interface WaitTerms {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Gives leases, first come first served, and takes them back. */
export class LeaseDesk {
  readonly #options: ResolvedPoolOptions;
  readonly #manager: ConnectionManager;
  readonly #checkout: Checkout;
  readonly #health: AddressHealth;
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  /**
   * Queues, each by the deadline of its first caller who waits for `acquireTimeoutMs`: those who came
   * later have longer, so that one place on the wheel does for all of them.
   */
  readonly #patience: DueWheel<HostQueue>;
  /** Callers with another timeout. */
  readonly #deadlines: DueWheel<Waiter<HostQueue>>;
  readonly #giveUp = (waiter: Waiter<HostQueue>, reason: unknown) => this.refuse(waiter, reason);
  #events: DeskEvents | undefined;

  /** Makes a desk with nobody waiting. */
  constructor(
    options: ResolvedPoolOptions,
    manager: ConnectionManager,
    health: AddressHealth,
    reporter: Reporter,
  ) {
    this.#options = options;
    this.#manager = manager;
    this.#checkout = manager.checkout;
    this.#health = health;
    this.#reporter = reporter;
    this.#clock = options.clock;
    const { clock } = options;
    this.#patience = new DueWheel(clock, (queue, now) => this.#expireFirst(queue, now), true);
    this.#deadlines = new DueWheel(clock, (waiter, now) => this.#expire(waiter, now), true);
  }

  /** Sets the listener for what happens here. */
  listen(events: DeskEvents): void {
    this.#events = events;
  }

  /**
   * Gives a lease on what is ready, or else on the first that comes.
   *
   * @throws {WaiterLimitError} As many callers wait as may
   * @throws {RangeError | TypeError} The time is not valid
   */
  acquire(
    queue: HostQueue,
    filter: AddressFilter | undefined,
    options: WaitTerms,
  ): Promise<Lease> {
    const lease = this.tryAcquire(queue, filter);
    return lease ? Promise.resolve(lease) : this.#wait(queue, filter, options);
  }

  /** Gives a lease on what is ready; undefined if nothing is, or others have waited for it. */
  tryAcquire(queue: HostQueue, filter: AddressFilter | undefined): Lease | undefined {
    for (;;) {
      const connection = this.#checkout.takeFrom(queue.lane, filter);
      // A machine may have become due for its trial just by the clock.
      const first = connection && !filter && firstFor(queue, connection);
      if (!first) return connection && this.lease(queue, connection);
      this.#tryDeliver(first, connection);
    }
  }

  #wait(
    queue: HostQueue,
    filter: AddressFilter | undefined,
    { signal, timeoutMs = this.#options.acquireTimeoutMs }: WaitTerms,
  ): Promise<Lease> {
    const { acquireTimeoutMs, maxWaiters } = this.#options;
    if (this.#reporter.figures.waiting >= maxWaiters) {
      throw new WaiterLimitError(queue.host.text, maxWaiters);
    }
    const since = this.#clock.now();
    let settle!: Settle;
    const promise = new Promise<Lease>((resolve) => {
      settle = resolve;
    });
    const isOnTime = timeoutMs === acquireTimeoutMs;
    if (filter || signal || queue.traced || !isOnTime) {
      const waiter = new Waiter(queue, since, settle);
      if (filter) waiter.filter = filter;
      if (queue.traced) waiter.trace = new Error("Acquired here");
      if (signal) waiter.listen(signal, this.#giveUp);
      queue.enter(waiter);
      if (!isOnTime) this.#deadlines.put(waiter.expire(), since + timeoutMs);
    } else queue.push(settle, since);
    if (isOnTime && !queue.expiry.list) this.#patience.put(queue.expiry, since + timeoutMs);
    this.#reporter.waits(queue);
    this.#events?.onWait(queue, filter);
    return promise;
  }

  /** Removes a waiter from its queue; false if it has left already. */
  #leave(waiter: Waiter<HostQueue>, now: number): boolean {
    const { expiry, queue } = waiter;
    if (!queue.leave(waiter, now)) return false;
    if (expiry) this.#deadlines.remove(expiry);
    this.#hasLeft(queue);
    return true;
  }

  #hasLeft(queue: HostQueue): void {
    if (queue.waiters.size === 0) this.#patience.remove(queue.expiry);
    this.#reporter.figures.waiting--;
  }

  /** Ends a caller's wait with a reason, if it still waits. */
  refuse(waiter: Waiter<HostQueue>, reason: unknown): void {
    if (this.#leave(waiter, this.#clock.now())) waiter.reject(reason);
  }

  /** Has those who wait in a queue wait on in another one of its host, in their order. */
  move(from: HostQueue, to: HostQueue): void {
    const now = this.#clock.now();
    for (const waiter of from.waiters) {
      from.leave(waiter, now);
      waiter.moveTo(to);
      waiter.filter?.moveTo(to);
      to.enter(waiter);
      // The first of that queue's others may have come later.
      if (!waiter.expiry) {
        this.#deadlines.put(waiter.expire(), waiter.since + this.#options.acquireTimeoutMs);
      }
      this.#events?.onWait(to, waiter.filter);
    }
    this.#patience.remove(from.expiry);
  }

  #expire(waiter: Waiter<HostQueue>, now: number): void {
    if (!this.#leave(waiter, now)) return;
    this.#reporter.figures.timedOut++;
    const { accountant } = this.#manager;
    waiter.reject(withoutFrames(() => waitedTooLong(waiter.queue, waiter, now, accountant)));
  }

  /** Ends the waits that have lasted for `acquireTimeoutMs`, and looks again when the next has. */
  #expireFirst(queue: HostQueue, now: number): void {
    for (const waiter of queue.waiters) {
      if (waiter.expiry) continue;
      const dueAt = waiter.since + this.#options.acquireTimeoutMs;
      if (dueAt > now) {
        this.#patience.put(queue.expiry, dueAt);
        return;
      }
      this.#expire(waiter, now);
    }
  }

  /** Gives what is ready to those who wait, first come first served. */
  serve(queue: HostQueue, desperate = false): void {
    if (queue.waiters.size === 0 || !queue.lane.readyForAny) return;
    const unmet = new Set<Wish<Waiter>>();
    const goesOn = this.#serveAll(queue, queue.waiters, unmet, desperate);
    // Nothing is ready for those without a wish, but a named machine may be.
    if (goesOn) this.#serveAll(queue, queue.choosy, unmet, desperate);
  }

  /**
   * Serves the callers of a line, up to the first without a wish for whom nothing is ready; then
   * returns true.
   *
   * @param unmet The wishes for which nothing is ready. Of those with the same one, one is looked at
   */
  #serveAll(
    queue: HostQueue,
    line: Iterable<Waiter<HostQueue>>,
    unmet: Set<Wish<Waiter>>,
    desperate: boolean,
  ): boolean {
    for (const waiter of line) {
      const { wish } = waiter;
      if ((wish && unmet.has(wish)) || this.#serveOne(queue, waiter, desperate)) continue;
      // However many still wait, nothing is ready for any of them.
      if (!queue.lane.readyForAny) return false;
      if (!wish) return true;
      unmet.add(wish);
      const { choosy, waiters, wishCount } = queue;
      if (unmet.size === wishCount && (line === choosy || choosy.size === waiters.size)) {
        return false;
      }
    }
    return false;
  }

  /** Serves one caller; false if nothing suitable is ready. */
  #serveOne(queue: HostQueue, waiter: Waiter<HostQueue>, desperate: boolean): boolean {
    const { filter } = waiter;
    const choice = desperate
      ? { accepts: filter?.accepts, named: filter?.named, only: filter?.only, desperate }
      : filter;
    let connection: Connection | undefined;
    try {
      connection = this.#checkout.takeFrom(queue.lane, choice);
    } catch (error) {
      // The user's balancer threw: that is for the caller, not for the one who gave back a connection.
      this.refuse(waiter, error);
      return true;
    }
    if (connection) this.#tryDeliver(waiter, connection);
    return connection !== undefined;
  }

  /**
   * Serves the caller who has waited longest with a connection that was taken out of another queue, which
   * its lease belongs to.
   */
  lend(queue: HostQueue, lender: HostQueue, connection: Connection): void {
    const waiter = queue.waiters.front;
    if (waiter) this.#tryDeliver(waiter, connection, lender);
    else this.#checkout.give(connection);
  }

  /** The one place that decides between delivered and cancelled. */
  #tryDeliver(
    waiter: Waiter<HostQueue>,
    connection: Connection,
    queue: HostQueue = waiter.queue,
  ): void {
    // It has just been leased.
    const now = connection.lastUsedAt;
    // The user's balancer may have ended the wait meanwhile.
    if (!this.#leave(waiter, now)) this.#checkout.give(connection);
    else waiter.resolve(this.#lease(queue, connection, now - waiter.since, waiter.trace));
  }

  /** Serves the first caller. */
  #deliver(queue: HostQueue, connection: Connection): void {
    const { lastUsedAt: now } = connection;
    const { since } = queue.waiters;
    const settle = queue.shift(now);
    if (settle) {
      this.#hasLeft(queue);
      settle(this.#lease(queue, connection, now - since, undefined));
    } else this.#tryDeliver(queue.waiters.front!, connection);
  }

  /** Begins a lease on a connection that was ready, and was taken out for it. */
  lease(queue: HostQueue, connection: Connection): Lease {
    return this.#lease(queue, connection, 0, queue.traced ? new Error("Acquired here") : undefined);
  }

  #lease(
    queue: HostQueue,
    connection: Connection,
    waitedMs: number,
    trace: Error | undefined,
  ): Lease {
    const lease = new Lease(connection, connection.lastUsedAt, waitedMs, queue.takeBack);
    this.#reporter.leased(lease, trace);
    if (--queue.leasesUntilSpread <= 0) this.#events?.onManyLeases(queue);
    return lease;
  }

  /** Takes a lease back, and gives its connection to the next caller. */
  release(queue: HostQueue, lease: Lease, reuse: boolean, error: unknown): void {
    const { connection, startedAt } = lease;
    const kept = this.#checkout.takeBack(connection, reuse);
    const heldMs = connection.lastUsedAt - startedAt;
    this.#reporter.released(connection, heldMs, kept);
    // How long a caller uses another protocol does not show when other connections come back.
    if (connection.upgraded === null) queue.demand.noteReturn(connection.lastUsedAt, heldMs);
    else this.#reporter.figures.upgraded--;
    this.#judge(queue, lease, heldMs, error);
    if (kept) this.#handOn(queue, connection);
  }

  /** Gives a returned connection to the next caller. */
  #handOn(queue: HostQueue, connection: Connection): void {
    this.#events?.onReturn(queue, connection);
    if (queue.waiters.takesAny && this.#checkout.passOn(connection)) {
      this.#deliver(queue, connection);
      return;
    }
    // Where all have chosen, there is no need to look at those who cannot have this one.
    const { choosy, waiters } = queue;
    const haveAllChosen = choosy.size > 0 && choosy.size === waiters.size;
    const first = haveAllChosen ? queue.firstChoosy(connection.address) : undefined;
    if (first && this.#checkout.passOn(connection)) {
      this.#tryDeliver(first, connection);
      return;
    }
    this.#checkout.putBack(connection);
    this.serve(queue);
    if (this.#manager.idleCount > this.#options.maxIdleConnections) {
      const coldest = this.#manager.coldestIdle();
      if (coldest) this.#manager.removeConnection(coldest, "surplus");
    }
  }

  /** Notes what an ended lease says about its machine. */
  #judge(queue: HostQueue, lease: Lease, heldMs: number, error: unknown): void {
    const { connection, failure, latencyMs, reused } = lease;
    const endpoint = endpointOf(connection);
    if (!endpoint) return;
    if (lease.status > 0) endpoint.noteStatus(lease.status);
    if (lease.tooMuch === "yes") {
      this.#health.turnedAway(endpoint);
    } else if (failure === null) {
      endpoint.lane.endTrial(endpoint);
      // It took at least this long, whatever became of it.
      if (latencyMs !== undefined) endpoint.noteAnswer(latencyMs, connection.lastUsedAt);
    } else if (failure !== undefined || error !== undefined) {
      const { kind, error: cause } = failure ?? { kind: "lease", error };
      if (!connection.endedAtOnce(connection.lastUsedAt)) {
        this.#health.failed(endpoint, kind, cause);
        return;
      }
      const told = this.#health.hungUp(endpoint, cause);
      if (told === "full") lease.tooMuch = "yes";
      // It may be about to answer on others.
      else if (endpoint.leased > 0) lease.tooMuch = "perhaps";
      if (told === "failed") this.#events?.onHangUp(queue, endpoint);
    } else if (connection.upgraded === null) {
      this.#noteAnswer(endpoint, lease, machineMs(lease, heldMs), connection.lastUsedAt);
      if (reused) endpoint.keepsOpen = true;
    }
  }

  /** Notes that a lease's machine has answered, and that the lease goes on for as long as it likes. */
  upgraded(lease: Lease): void {
    this.#reporter.figures.upgraded++;
    const endpoint = endpointOf(lease.connection);
    if (endpoint) this.#noteAnswer(endpoint, lease, lease.latencyMs ?? 0, this.#clock.now());
  }

  #noteAnswer(
    endpoint: Endpoint,
    { busy, connection, startedAt }: Lease,
    latencyMs: number,
    now: number,
  ): void {
    if (!busy) {
      endpoint.answeredAt = now;
      if (!connection.answered) {
        connection.answered = true;
        this.#health.served(endpoint);
      }
    }
    endpoint.noteAnswer(latencyMs, now);
    if (endpoint.failing) this.#health.succeeded(endpoint, startedAt, connection.createdAt);
  }
}

/** How long the machine took to answer over a lease, as far as is known, in milliseconds. */
function machineMs({ latencyMs, noticedAfterMs }: Lease, heldMs: number): number {
  const tookMs = latencyMs ?? heldMs;
  return tookMs > noticedAfterMs + STOOD_STILL_MS ? noticedAfterMs : tookMs;
}

/** The caller who has waited longest for this connection; undefined if nobody waits who would take it. */
function firstFor(queue: HostQueue, { address }: Connection): Waiter<HostQueue> | undefined {
  const { choosy, waiters } = queue;
  const chosen = queue.firstChoosy(address);
  if (choosy.size === waiters.size) return chosen;
  for (const waiter of waiters) if (waiter === chosen || !waiter.wish) return waiter;
  return chosen;
}
