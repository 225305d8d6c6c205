/**
 * Leases for HTTP, which may share a connection, and what servers said over them.
 *
 * @module
 */

import { parseHost } from "../core/address.ts";
import type { AddressHealth } from "../hosts/health.ts";
import type { Rests } from "../hosts/rests.ts";
import type { Connection } from "../map/connection.ts";
import { type Endpoint, endpointOf } from "../map/endpoint.ts";
import type { ConnectionManager } from "../map/manager.ts";
import type { HttpAcquireOptions } from "./call_options.ts";
import type { Coalescing } from "./dial/coalescing.ts";
import type { DialScheduler } from "./dial/scheduler.ts";
import { filterFor } from "./host/address_filter.ts";
import type { HostQueues } from "./host/host_queues.ts";
import type { Lease } from "./lease/lease.ts";
import type { LeaseDesk } from "./lease/lease_desk.ts";

/** What leases for HTTP need, all of it the pool's. */
export interface HttpLeasesParts {
  readonly manager: ConnectionManager;
  readonly queues: HostQueues;
  readonly desk: LeaseDesk;
  readonly scheduler: DialScheduler;
  readonly coalescing: Coalescing;
  readonly health: AddressHealth;
  readonly rests: Rests;
}

const FOR_HTTP = { http: true } as const;

/** Gives leases for HTTP, says where else one may be had, and notes what a lease's server said. */
export class HttpLeases {
  readonly #parts: HttpLeasesParts;

  /** Makes it. */
  constructor(parts: HttpLeasesParts) {
    this.#parts = parts;
  }

  /** Gives a lease if a connection is ready now. Others may have leases on the same one. */
  tryAcquire(host: string, options?: HttpAcquireOptions): Lease | undefined {
    const { coalescing, desk, queues } = this.#parts;
    const queue = queues.of(host, options ?? FOR_HTTP);
    const filter = options && filterFor(queue, options);
    const lease = desk.tryAcquire(queue, filter);
    if (lease || filter) return lease;
    const loan = coalescing.take(queue);
    return loan && desk.lease(loan.lender, loan.connection);
  }

  /** Gives a lease as `acquire()` does. Others may have leases on the same connection. */
  acquire(host: string, options: HttpAcquireOptions): Promise<Lease> {
    const queue = this.#parts.queues.of(host, options);
    options.signal?.throwIfAborted();
    return this.#parts.desk.acquire(queue, filterFor(queue, options), options);
  }

  /** Whether a caller has a good address to turn to, or at least a doubtful one. */
  alternatives(host: string, options: HttpAcquireOptions): "good" | "doubtful" | "none" {
    if (this.#parts.queues.closed) return "none";
    const queue = this.#parts.queues.of(host, options);
    this.#parts.scheduler.followAddresses(queue);
    const filter = filterFor(queue, options);
    const fits = ({ address }: Endpoint) => filter?.wants(address.text) ?? true;
    for (const endpoint of queue.lane.good) if (fits(endpoint)) return "good";
    for (const endpoint of queue.lane.endpoints.values()) {
      if (endpoint.member && fits(endpoint) && !endpoint.resting) return "doubtful";
    }
    return "none";
  }

  /**
   * When a caller may ask again, in the clock's milliseconds, if all machines that will do for it have
   * asked to be left alone; 0 if one has not.
   */
  restsUntil(host: string, options: HttpAcquireOptions): number {
    const { queues, rests } = this.#parts;
    if (queues.closed || !rests.any) return 0;
    const queue = queues.of(host, options);
    const filter = filterFor(queue, options);
    const members = [...queue.lane.endpoints.values()].filter(({ address, member }) =>
      member && (filter?.wants(address.text) ?? true)
    );
    return rests.until(members);
  }

  /** Whether a connection was dialled for a host, and not for another one that shares it. */
  isOwn(connection: Connection, host: string): boolean {
    return connection.host === parseHost(host).text;
  }

  /** Notes that a connection's server does not answer for a host (421). */
  misdirected(connection: Connection, host: string): void {
    if (this.isOwn(connection, host)) connection.healthy = false;
    else this.#parts.coalescing.refuse(connection, parseHost(host).text);
  }

  /**
   * Notes that a lease's machine has sent no byte of an answer for longer than is likely.
   *
   * @param describe Makes the error that describes it
   * @returns Whether it is in doubt, because it is silent to several requests at once
   */
  noteSilence({ connection, startedAt }: Lease, describe: () => unknown): boolean {
    const endpoint = endpointOf(connection);
    return endpoint !== undefined && this.#parts.health.silent(endpoint, startedAt, describe);
  }

  /**
   * Notes that a lease's server said that it is too busy. If this connection alone is one too many for
   * it, the connection is not used again.
   */
  noteBusy(lease: Lease): void {
    const { connection } = lease;
    const endpoint = endpointOf(connection);
    if (!endpoint) return;
    lease.busy = true;
    lease.tooMuch = this.#parts.health.isTooMuch(endpoint, connection.answered);
  }

  /**
   * Notes that a lease's server said to come back later.
   *
   * @param afterMs In milliseconds, by the server
   * @param restMs How much of that every caller is to leave it alone
   */
  noteRetryAfter({ connection }: Lease, status: number, afterMs: number, restMs: number): void {
    const endpoint = endpointOf(connection);
    if (!endpoint) return;
    const others: Endpoint[] = [];
    for (const { endpoints } of this.#parts.manager.hosts.lanesOf(connection.host)) {
      const other: Endpoint | undefined = endpoints.get(endpoint.address.text);
      if (other && other !== endpoint) others.push(other);
    }
    this.#parts.rests.note(endpoint, status, afterMs, restMs, others);
  }

  /**
   * Notes that a lease's machine has answered, and that its connection goes on in another protocol.
   * It is the lease's alone then, and ends with it.
   */
  noteUpgrade(lease: Lease, protocol: string): void {
    lease.connection.upgraded = protocol;
    this.#parts.manager.drain(lease.connection, "used");
    this.#parts.desk.upgraded(lease);
  }
}
