/**
 * Where callers come for leases, wait for them, and bring them back.
 *
 * @module
 */

import { checkNumber } from "../../core/check.ts";
import type { Clock } from "../../core/clock.ts";
import { AcquireTimeoutError, WaiterLimitError } from "../../core/errors.ts";
import type { Events } from "../../core/events.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { Connection } from "../../map/connection.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import { unavailable } from "../dial/explanations.ts";
import type { DialScheduler } from "../dial/scheduler.ts";
import type { PoolEvents } from "../events.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { PoolFigures } from "../watch/figures.ts";
import type { AddressFilter } from "./address_filter.ts";
import { Lease } from "./lease.ts";
import type { HostQueue } from "./queue.ts";
import { Waiter } from "./waiter.ts";

/** What the desk works with, all of it the pool's. */
export interface LeaseDeskParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly health: AddressHealth;
  readonly events: Events<PoolEvents>;
  readonly figures: PoolFigures;
  /** Dials for those who wait; it asks the desk to serve them. */
  readonly scheduler: () => DialScheduler;
  /** Notes where a lease was acquired. */
  readonly noteTrace: (connection: Connection, trace: Error) => void;
}

/** How long a caller waits, and what ends the wait. */
export interface WaitTerms {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Gives leases, first come first served, and takes them back. */
export class LeaseDesk {
  /** How many callers wait. */
  waiting = 0;
  /** How many leases began. */
  acquired = 0;
  /** How many of them on a connection that had one before. */
  reused = 0;
  /** How many ended. */
  released = 0;
  /** How many callers ran out of time. */
  timedOut = 0;
  readonly #parts: LeaseDeskParts;
  readonly #manager: ConnectionManager;
  readonly #clock: Clock;

  /** Makes a desk where nobody waits. */
  constructor(parts: LeaseDeskParts) {
    this.#parts = parts;
    this.#manager = parts.manager;
    this.#clock = parts.options.clock;
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
    trace: Error | undefined,
  ): Promise<Lease> {
    const connection = this.#manager.takeFrom(queue.lane, filter);
    if (connection) return Promise.resolve(this.lease(queue, connection, 0, trace));
    return this.#wait(queue, filter, options, trace);
  }

  #wait(
    queue: HostQueue,
    filter: AddressFilter | undefined,
    { signal, timeoutMs = this.#parts.options.acquireTimeoutMs }: WaitTerms,
    trace: Error | undefined,
  ): Promise<Lease> {
    const host = queue.host.text;
    const { maxWaiters } = this.#parts.options;
    checkNumber("timeoutMs", timeoutMs, { min: 0 });
    if (this.waiting >= maxWaiters) throw new WaiterLimitError(host, maxWaiters);
    const waiter = new Waiter(
      this.#clock,
      { signal, timeoutMs, filter, trace },
      (waiter) => this.#leave(queue, waiter),
      (waiter) => this.#timeout(queue, waiter),
    );
    if (queue.waiters.size === 0) queue.lastReturnAt = waiter.since;
    queue.waiters.pushBack(waiter.node);
    this.waiting++;
    if (this.#parts.events.wants("waiting")) {
      this.#parts.events.emit("waiting", { host, waiters: queue.waiters.size });
    }
    this.#parts.scheduler().wake(queue);
    return waiter.promise;
  }

  /** Takes a waiter out of its queue, if it stands there still. */
  #leave(queue: HostQueue, waiter: Waiter): void {
    if (queue.waiters.remove(waiter.node)) this.waiting--;
  }

  /** Ends a caller's wait with a reason. */
  refuse(queue: HostQueue, waiter: Waiter, reason: unknown): void {
    this.#leave(queue, waiter);
    waiter.reject(reason);
  }

  #timeout(queue: HostQueue, waiter: Waiter): Error {
    this.timedOut++;
    const waitedMs = Math.round(this.#clock.now() - waiter.since);
    const failures = this.#parts.scheduler().allFailed(queue, waiter, waitedMs);
    if (failures) return unavailable(queue, failures);
    const { accountant } = this.#manager;
    const { maxConnections, maxConnectionsPerIp } = accountant.limits;
    const host = queue.host.text;
    const isUnresolved = !queue.toldAddresses && !waiter.filter?.pinned;
    const situation = (isUnresolved ? "the resolver has told no addresses yet; " : "")
      + `${accountant.ofHost(host)} connections open or being dialled, `
      + `${queue.waiters.size} more callers waiting; limits: ${maxConnectionsPerIp} an address, `
      + `${accountant.limitOf(host)} a host, ${maxConnections} in all`;
    const cause = [...waiter.failures.values()].at(-1);
    return new AcquireTimeoutError(
      host,
      waitedMs,
      situation,
      cause === undefined ? undefined : { cause },
    );
  }

  /** Gives what is ready to those who wait, first come first served. */
  serve(queue: HostQueue, desperate = false): void {
    if (queue.waiters.size === 0) return;
    for (const waiter of queue.waiters) {
      const { filter } = waiter;
      const choice = desperate
        ? { accepts: filter?.accepts, only: filter?.only, desperate }
        : filter;
      let connection: Connection | undefined;
      try {
        connection = this.#manager.takeFrom(queue.lane, choice);
      } catch (error) {
        // The user's balancer threw: that is for who asked, not for whoever gave a connection back.
        this.refuse(queue, waiter, error);
        continue;
      }
      if (connection) this.#tryDeliver(queue, waiter, connection);
      else if (!filter) return;
    }
  }

  /** The one place that decides between delivered and cancelled. */
  #tryDeliver(queue: HostQueue, waiter: Waiter, connection: Connection): void {
    const now = this.#clock.now();
    const waitedMs = now - waiter.since;
    this.#leave(queue, waiter);
    this.#parts.figures.queue.record(waitedMs);
    const lease = this.lease(queue, connection, waitedMs, waiter.trace);
    if (!waiter.resolve(lease)) lease.release();
  }

  /** Begins a lease on a connection that was taken out for it. */
  lease(
    queue: HostQueue,
    connection: Connection,
    waitedMs: number,
    trace: Error | undefined,
  ): Lease {
    if (trace) this.#parts.noteTrace(connection, trace);
    const lease = new Lease(connection, connection.lastUsedAt, waitedMs, queue.takeBack);
    this.acquired++;
    if (lease.reused) this.reused++;
    if (--queue.leasesUntilSpread <= 0) this.#parts.scheduler().spread(queue);
    if (this.#parts.events.wants("lease")) {
      const { address, host, id: connectionId } = connection;
      const { reused } = lease;
      this.#parts.events.emit("lease", { host, address, connectionId, waitedMs, reused });
    }
    return lease;
  }

  /** Takes a lease back, and gives its connection to whoever is next. */
  release(queue: HostQueue, lease: Lease, reuse: boolean, error: unknown): void {
    const { connection, startedAt } = lease;
    this.released++;
    const kept = this.#manager.give(connection, reuse);
    const heldMs = connection.lastUsedAt - startedAt;
    if (this.#parts.events.wants("release")) {
      const { address, host, id: connectionId } = connection;
      this.#parts.events.emit("release", { host, address, connectionId, heldMs, kept });
    }
    queue.noteReturn(connection.lastUsedAt, heldMs);
    this.#judge(lease, heldMs, error);
    if (!kept) return;
    if (queue.warm.connections > 0 && connection.serverIdleMs < Infinity) {
      this.#parts.scheduler().watchEnd(queue, connection);
    }
    const starved = this.#parts.scheduler().firstStarved(queue, connection);
    if (starved) this.#shareRoom(queue, connection, starved);
    if (queue.waiters.size > 0) this.serve(queue);
    if (this.#manager.idleCount > this.#parts.options.maxIdleConnections) {
      const coldest = this.#manager.coldestIdle();
      if (coldest) this.#manager.removeConnection(coldest, "surplus");
    }
  }

  /** Notes what a lease that has ended tells of its machine. */
  #judge(
    { connection, failure, latencyMs, startedAt }: Lease,
    heldMs: number,
    error: unknown,
  ): void {
    const { endpoint } = connection;
    if (!endpoint) return;
    if (failure === null) {
      endpoint.lane.endTrial(endpoint);
    } else if (failure !== undefined || error !== undefined) {
      const { kind, error: cause } = failure ?? { kind: "lease", error };
      this.#parts.health.failed(endpoint, kind, cause);
    } else {
      endpoint.answeredAt = connection.lastUsedAt;
      endpoint.noteAnswer(latencyMs ?? heldMs, connection.lastUsedAt);
      if (endpoint.failing) this.#parts.health.succeeded(endpoint, startedAt);
    }
  }

  /**
   * Lets a connection go for those who wait for room on another host, where they came first and
   * have fewer connections. Without it a busy host would keep its connections for ever.
   */
  #shareRoom(queue: HostQueue, connection: Connection, starved: HostQueue): void {
    const first = starved.waiters.front?.value;
    const own = queue.waiters.front?.value;
    if (!own) {
      // It is idle now, and the scheduler takes what it needs of the coldest idle ones.
      this.#parts.scheduler().roomCame(connection.host, connection.address);
      return;
    }
    if (!first) return;
    const { accountant } = this.#manager;
    const poorer = accountant.ofHost(starved.host.text) < accountant.ofHost(queue.host.text);
    if (first.since < own.since && poorer) this.#manager.removeConnection(connection, "room");
  }
}
