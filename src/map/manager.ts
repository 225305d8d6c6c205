/**
 * The dual map: every connection by IP address and by host.
 *
 * @module
 */

import { parseAddress, parseHost } from "../core/address.ts";
import { checkNames, checkNumber } from "../core/check.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { ClosedError } from "../core/errors.ts";
import { doAll, type Steps } from "../core/steps.ts";
import { Accountant, checkLimits, type ConnectionLimits, DEFAULT_LIMITS } from "./accountant.ts";
import { Checkout } from "./checkout.ts";
import { Cleanup } from "./cleanup.ts";
import type { Connection, ConnectionOwner, ConnectionStats } from "./connection.ts";
import { DualMap, type LaneMap } from "./dual_map.ts";
import { type EvictReason, Exits } from "./exits.ts";
import { Fitness } from "./fitness.ts";

/** Options of a {@linkcode ConnectionManager}. */
export interface ConnectionManagerOptions extends Partial<ConnectionLimits> {
  /**
   * How long a connection may be unused, in milliseconds.
   *
   * @default {60_000}
   */
  readonly idleTimeoutMs?: number;
  /**
   * How old a connection may grow, in milliseconds, less up to a quarter at random.
   *
   * @default {1_800_000}
   */
  readonly maxLifetimeMs?: number;
  /** The source of time and chance. */
  readonly clock?: Clock;
  /** Called when a connection has left the maps, within the change. It must not throw. */
  readonly onEvict?: (connection: Connection, reason: EvictReason, error?: Error) => void;
  /** Called when a connection carries more leases than before, within the change. */
  readonly onRoom?: (connection: Connection) => void;
  /** Called when a connection can carry fewer leases than before, within the change. */
  readonly onLoss?: (connection: Connection) => void;
}

/** Which connection to take. */
export interface TakeOptions {
  /** The TLS profile it must have been made with. */
  readonly tlsProfile?: string;
  /** Says whether an address will do. */
  readonly accepts?: ((address: string) => boolean) | undefined;
}

/** A manager's state at one moment: plain data. */
export interface DebugInfo {
  /** How many connections there are. */
  readonly connectionCount: number;
  /** How many of them are idle. */
  readonly idleCount: number;
  /** How many have left the maps whose sockets are not done yet. */
  readonly endingCount: number;
  /** Each host with its addresses, in order of arrival. */
  readonly hostMapping: { readonly [host: string]: readonly string[] };
  /** The limits in force. */
  readonly limits: ConnectionLimits;
  /** Every connection, address by address. */
  readonly connections: readonly ConnectionStats[];
}

/**
 * Maps every connection twice, by IP address and by host, and keeps the two in step.
 *
 * It owns the connections that it holds: whatever leaves the maps is closed. No operation but
 * `close` waits, so each is atomic and none needs a lock. Adding, getting, taking, giving back and
 * removing cost the same with ten connections and with a million.
 *
 * @example
 * ```ts
 * import { Connection, ConnectionManager } from "@hotconn/hotconn";
 * import { memorySocket } from "@hotconn/hotconn/memory";
 * import { assertEquals } from "@std/assert";
 *
 * const manager = new ConnectionManager();
 * for (const address of ["192.0.2.1", "192.0.2.2"]) {
 *   manager.addConnection(new Connection({ host: "example.com", address, socket: memorySocket() }));
 * }
 * assertEquals([...manager.getHostMapping()], [["example.com", ["192.0.2.1", "192.0.2.2"]]]);
 * manager.removeConnection("192.0.2.1");
 * assertEquals(manager.getConnectionsForHost("example.com").length, 1);
 * await manager.close();
 * ```
 */
export class ConnectionManager implements ConnectionOwner, AsyncDisposable {
  /** Counts connections, and dials on their way, against the limits. */
  readonly accountant: Accountant;
  /**
   * Where leases on its connections begin and end.
   *
   * @internal
   */
  readonly checkout: Checkout;
  /**
   * The lanes of its hosts.
   *
   * @internal
   */
  readonly hosts: LaneMap;
  readonly #maps: DualMap;
  readonly #fitness: Fitness;
  readonly #exits: Exits;
  readonly #cleanup: Cleanup;
  readonly #onRoom: ConnectionManagerOptions["onRoom"];
  readonly #onLoss: ConnectionManagerOptions["onLoss"];
  #closing: Promise<void> | undefined;

  /**
   * Makes an empty manager.
   *
   * @throws {RangeError} An option is out of its range
   */
  constructor(options: ConnectionManagerOptions = {}) {
    const { clock = systemClock, idleTimeoutMs = 60_000, maxLifetimeMs = 1_800_000 } = options;
    const accountant = this.accountant = new Accountant(checkLimits(options, DEFAULT_LIMITS));
    const maps = this.#maps = this.hosts = new DualMap(clock);
    const fitness = this.#fitness = new Fitness({ idleTimeoutMs, maxLifetimeMs });
    const exits = this.#exits = new Exits(maps, accountant, clock, options.onEvict);
    this.checkout = new Checkout(maps, accountant, fitness, exits, clock);
    this.#cleanup = new Cleanup(maps, accountant, fitness, exits, clock);
    this.#onRoom = options.onRoom;
    this.#onLoss = options.onLoss;
  }

  /**
   * Adds a connection to both maps. It closes one that it refuses, so nothing leaks, except one
   * that is held already, by this manager or another.
   *
   * @param counted Whether the accountant has counted it already, as a dial
   * @throws {LimitError} It would break a limit
   * @throws {ClosedError} The manager is closing, or closed
   * @throws {TypeError} The connection is closed, unhealthy, in use, or held already
   */
  addConnection(connection: Connection, counted = false): void {
    const { host, address } = connection;
    try {
      if (connection.held) {
        throw new TypeError(`Connection ${connection.id} to ${address} is held already`);
      }
      if (this.#closing) throw new ClosedError("connection manager");
      if (!connection.available || connection.leases > 0) {
        const state = connection.healthy ? connection.state : "unhealthy";
        throw new TypeError(`Connection ${connection.id} to ${address} is ${state}, not idle`);
      }
      if (!counted) this.accountant.add(host, address);
    } catch (error) {
      if (counted) this.accountant.remove(host, address, connection.closed);
      if (!connection.held) this.#exits.end(connection);
      throw error;
    }
    this.#maps.add(connection);
    connection.setOwner(this);
  }

  /**
   * The best connection at an address: healthy and idle first. Undefined if there is none.
   *
   * @param ip An IP address, with its port unless that is 443
   */
  getConnection(ip: string): Connection | undefined {
    let best: Connection | undefined;
    for (const connection of this.#bucket(ip)) {
      if (!best || rank(connection) > rank(best)) best = connection;
    }
    return best;
  }

  /**
   * Every connection at an address, in order of arrival.
   *
   * @param ip An IP address, with its port unless that is 443
   */
  getConnections(ip: string): Connection[] {
    return [...this.#bucket(ip)];
  }

  /** The connection with this number; undefined if it is not in the maps. */
  getConnectionById(id: number): Connection | undefined {
    return this.#maps.byId(id);
  }

  /**
   * A host's own connections, address by address. One made for another host is never among them.
   */
  getConnectionsForHost(host: string): Connection[] {
    return this.#maps.ofHost(parseHost(host).text);
  }

  /** How many connections there are. */
  getConnectionCount(): number {
    return this.#maps.size;
  }

  /** Each host with its addresses in order of arrival: a copy that later changes do not touch. */
  getHostMapping(): Map<string, string[]> {
    return this.#maps.hostMapping();
  }

  /** How many connections are idle. */
  get idleCount(): number {
    return this.#maps.idle.size;
  }

  /** How many connections have left the maps whose sockets are not done yet. */
  get endingCount(): number {
    return this.#exits.endingCount;
  }

  /** Iterates over all connections, in order of arrival. */
  connections(): MapIterator<Connection> {
    return this.#maps.connections();
  }

  /**
   * Takes out a ready connection of a host for a lease: the hottest one of a ready address, each
   * with the same chance. Undefined if none is ready. Connections that have outlived their time are
   * closed.
   *
   * @param host The host in canonical text
   */
  take(host: string, options: TakeOptions = {}): Connection | undefined {
    const lane = this.#maps.lane(host, options.tlsProfile ?? "default");
    return lane && this.checkout.takeFrom(lane, options);
  }

  /**
   * Takes a connection back from a lease. It is kept if it is fit for another one, and closed
   * otherwise. One that has left the maps meanwhile is ignored.
   *
   * @returns Whether it may be leased again
   */
  give(connection: Connection, reuse = true): boolean {
    return this.checkout.give(connection, reuse);
  }

  /** Lets no further lease begin on a connection, and closes it when its last one has ended. */
  drain(connection: Connection, reason: EvictReason = "drain"): void {
    this.#exits.drain(connection, reason);
  }

  /**
   * Takes a connection, or all at an address, out of both maps in one step, and then ends it: in
   * good order if it is idle, at once if it is in use. Harmless to repeat.
   *
   * @param ipOrConnection An IP address, with its port unless that is 443, or a connection
   * @returns How many there were
   */
  removeConnection(ipOrConnection: string | Connection, reason: EvictReason = "removed"): number {
    if (typeof ipOrConnection === "string") {
      const all = this.getConnections(ipOrConnection);
      for (const connection of all) this.removeConnection(connection, reason);
      return all.length;
    }
    return this.#exits.remove(ipOrConnection, reason) ? 1 : 0;
  }

  /**
   * Applies other limits from now on, and ends idle connections beyond them, the coldest first.
   * Those in use end when they come back, as long as there are too many.
   *
   * @returns How many it closed
   * @throws {TypeError | RangeError} A limit is not valid; the old ones hold
   */
  setLimits(limits: Partial<ConnectionLimits>): number {
    checkNames("setLimits()", limits, Object.keys(DEFAULT_LIMITS));
    this.accountant.setLimits(checkLimits(limits, this.accountant.limits));
    return doAll(this.#cleanup.surplus());
  }

  /** The idle connection that was used longest ago. */
  coldestIdle(): Connection | undefined {
    return this.#maps.idle.back?.value.connection;
  }

  /**
   * Sets how many of a host's connections with a TLS profile `cleanupIdleConnections` keeps,
   * however long unused.
   *
   * @throws {TypeError | RangeError} The host or the number is not valid
   */
  setMinimum(host: string, connections: number, tlsProfile: string = "default"): void {
    const { text } = parseHost(host);
    checkNumber("connections", connections, { min: 0, whole: true });
    this.#fitness.setMinimum(text, tlsProfile, connections);
  }

  /**
   * Closes idle connections that may no longer be leased, the coldest first: unhealthy ones, those
   * too old, and those unused for `idleTimeoutMs`, if their host has more than its minimum with
   * that TLS profile. Never closes leased ones.
   *
   * @returns How many it closed
   */
  cleanupIdleConnections(): number {
    return doAll(this.#cleanup.idle());
  }

  /**
   * Closes idle connections that are older than a lifetime, less up to a quarter at random, so that
   * they do not all end at once. Leased ones then end with their lease.
   *
   * @param maxLifetimeMs In milliseconds; the manager's own if it is left out
   * @returns How many it closed
   * @throws {TypeError | RangeError} The lifetime is not valid
   */
  cleanupExpiredConnections(maxLifetimeMs: number = this.#fitness.maxLifetimeMs): number {
    checkNumber("maxLifetimeMs", maxLifetimeMs, { min: 0 });
    return doAll(this.#cleanup.expired(maxLifetimeMs));
  }

  /**
   * Does both, in steps of one connection each.
   *
   * @internal
   */
  *cleanup(): Steps {
    yield* this.#cleanup.idle();
    yield* this.#cleanup.expired(this.#fitness.maxLifetimeMs);
  }

  /**
   * Closes everything: idle connections at once, leased ones when their lease ends, or when the
   * grace period is over. Resolves when every socket is closed. A second call returns the same
   * promise.
   *
   * @param options.graceMs How long leases may go on, in milliseconds
   * @throws {TypeError | RangeError} The grace is not valid: the manager stays open
   */
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = checkNumber("graceMs", options.graceMs ?? 0, { min: 0 });
    this.checkout.close();
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  /** Closes everything at once. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Returns the manager's whole state as plain data. */
  debugInfo(): DebugInfo {
    return {
      connectionCount: this.#maps.size,
      idleCount: this.#maps.idle.size,
      endingCount: this.#exits.endingCount,
      hostMapping: Object.fromEntries(this.getHostMapping()),
      limits: { ...this.accountant.limits },
      connections: Array.from(this.connections(), (connection) => connection.stats()),
    };
  }

  /**
   * Checks that the two maps agree.
   *
   * @throws {Error} Something does not add up; the message says what
   */
  checkInvariants(): void {
    this.#maps.checkInvariants(this.accountant);
  }

  /** The peer sent bytes although nothing was asked: they would be read as the next answer. */
  onUnsolicited(connection: Connection): void {
    this.removeConnection(connection, "unsolicited");
  }

  /** A connection's capacity has changed: it may have a place among the ready ones now, or none. */
  onCapacity(connection: Connection): void {
    const entry = this.#maps.entry(connection);
    if (!entry || connection.state === "draining") return;
    this.#maps.restack(entry);
    if (connection.available) this.#onRoom?.(connection);
  }

  /**
   * A connection can carry fewer leases than before: those who counted on it must look elsewhere.
   */
  onLoss(connection: Connection): void {
    this.#onLoss?.(connection);
  }

  /** A connection ended by itself, or its holder ended it. */
  onClosed(connection: Connection, error: Error | undefined, here: boolean): void {
    this.#exits.ended(connection, error, here);
  }

  async #close(graceMs: number): Promise<void> {
    // The promise must be in place before a listener learns of the first connection's end.
    await null;
    await this.#exits.endAll(graceMs);
  }

  #bucket(ip: string): ReadonlySet<Connection> {
    return this.#maps.at(ip) ?? this.#maps.at(parseAddress(ip).text) ?? NONE;
  }
}

const NONE: ReadonlySet<Connection> = new Set();

/** Healthy before not, idle before leased, leased before draining. */
function rank({ healthy, state }: Connection): number {
  return (healthy ? 4 : 0) + (state === "idle" ? 2 : state === "leased" ? 1 : 0);
}
