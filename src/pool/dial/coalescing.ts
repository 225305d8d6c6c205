/**
 * Connections of HTTP/2 that several hosts share (RFC 9113 section 9.1.1).
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import type { Connection } from "../../map/connection.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import { pickFrom } from "../../map/picker.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { HostQueues } from "../host/host_queues.ts";

/** A connection, and the queue of the host that it was dialled for. */
export interface Loan {
  readonly connection: Connection;
  readonly lender: HostQueue;
}

/** A walk over what may be lent, past the first. */
interface Walk {
  readonly first: Loan;
  readonly others: Generator<Loan, void>;
}

const NOBODY: readonly HostQueue[] = [];

/**
 * Finds connections that were dialled for one host and may be used for another: both have the
 * address and the TLS profile in common, the certificate is verified for both, and the server has
 * not said otherwise.
 */
export class Coalescing {
  readonly #isWanted: boolean;
  readonly #clock: Clock;
  readonly #manager: ConnectionManager;
  readonly #queues: HostQueues;
  /** The hosts for which the server of a connection has answered 421. */
  readonly #refused = new WeakMap<Connection, Set<string>>();
  /** The queues that would use a connection, and found it full. */
  readonly #hopeful = new WeakMap<Connection, Set<HostQueue>>();

  /** Finds some only if `coalesce` is set. */
  constructor(
    isWanted: boolean,
    clock: Clock,
    manager: ConnectionManager,
    queues: HostQueues,
  ) {
    this.#isWanted = isWanted;
    this.#clock = clock;
    this.#manager = manager;
    this.#queues = queues;
  }

  /**
   * Takes one out for a lease, for a queue that has none itself; nothing if there is none. Its
   * balancer chooses the machine, as for a dial. The full ones know of the queue then: see
   * `hopefulFor`.
   */
  take(queue: HostQueue): Loan | undefined {
    const { lane, route, tls } = queue;
    // Over a proxy, an address does not say who is at the other end.
    if (!this.#isWanted || !tls.isShared || tls.isPlain || route) return undefined;
    // To ask a certificate whether it covers a host is not cheap: each connection is asked once.
    const walks = new Map<Endpoint, Walk>();
    const lends = (endpoint: Endpoint) => {
      const others = this.#loans(queue, endpoint);
      const { value: first } = others.next();
      if (first) walks.set(endpoint, { first, others });
      return first !== undefined;
    };
    const endpoint = lane.hasGood
      ? pickFrom(lane.good, this.#clock.now(), () => this.#clock.random(), lends)
      : [...lane.endpoints.values()].find((one) => one.member && lends(one));
    if (!endpoint) return undefined;
    const { first, others } = walks.get(endpoint)!;
    for (let loan: Loan | void = first; loan; loan = others.next().value) {
      if (!this.#manager.checkout.takeThis(loan.connection)) continue;
      lane.noteChoice(endpoint);
      return loan;
    }
    return undefined;
  }

  /** What may be lent to a queue at one of its machines. */
  *#loans(queue: HostQueue, { address }: Endpoint): Generator<Loan, void> {
    for (const connection of this.#manager.getConnections(address.text)) {
      if (!this.#fits(queue, connection)) continue;
      if (!connection.available) {
        addTo(this.#hopeful, connection, queue);
        continue;
      }
      const lender = this.#queues.find(connection.host, connection.tlsProfile);
      if (lender) yield { connection, lender };
    }
  }

  /** Notes that a connection's server does not answer for a host. */
  refuse(connection: Connection, host: string): void {
    addTo(this.#refused, connection, host);
  }

  /**
   * Returns the queues with callers who wait for a place on a connection, now that there is one.
   * Those who find none register again with `take()`.
   */
  hopefulFor(connection: Connection): readonly HostQueue[] {
    const hopeful = this.#isWanted ? this.#hopeful.get(connection) : undefined;
    if (!hopeful) return NOBODY;
    this.#hopeful.delete(connection);
    return [...hopeful].filter(({ waiters }) => waiters.size > 0);
  }

  #fits({ host, tls }: HostQueue, connection: Connection): boolean {
    const { socket } = connection;
    return socket.info.proxy === undefined && connection.host !== host.text
      && connection.tlsProfile === tls.name
      && socket.info.alpn === "h2"
      && !this.#refused.get(connection)?.has(host.text)
      && socket.covers?.(tls.options.serverName ?? host.name) === true;
  }
}

function addTo<K extends object, V>(sets: WeakMap<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key);
  if (set) set.add(value);
  else sets.set(key, new Set([value]));
}
