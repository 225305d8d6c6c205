/**
 * The dual map: every connection by IP address and by host.
 *
 * @module
 */

import { parseAddress, parseHost } from "../core/address.ts";
import { checkNames, checkNumber } from "../core/check.ts";
import { type Clock, inNextTurn, systemClock } from "../core/clock.ts";
import { ClosedError } from "../core/errors.ts";
import { Accountant, checkLimits, type ConnectionLimits, DEFAULT_LIMITS } from "./accountant.ts";
import type { Connection, ConnectionOwner, ConnectionStats } from "./connection.ts";
import { DualMap } from "./dual_map.ts";
import { Endings } from "./endings.ts";
import { type Endpoint, endpointOf, type Entry } from "./endpoint.ts";
import { Fitness } from "./fitness.ts";
import type { Choice, Lane, Traffic } from "./lane.ts";
import type { MakePicker } from "./picker.ts";

/**
 * Why a connection left the maps. A closed set.
 *
 * - `idle`: unused for longer than `idleTimeoutMs`, or than its server is known to keep it
 * - `lifetime`: older than `maxLifetimeMs`
 * - `unsolicited`: the peer spoke out of turn
 * - `peer`: the peer hung up
 * - `error`: its socket broke
 * - `unhealthy`: its lease ended with an error, or amid a request; or it was marked so
 * - `used`: its lease ended without leaving it fit for another
 * - `surplus`: more were idle than `maxIdleConnections`, or there were more than a lowered limit lets
 * - `room`: another host, or another address, needed its place
 * - `drain`: its host or address was drained
 * - `gone`: its host has its address no more, or it may not be used any more
 * - `removed`: its removal was asked for
 * - `close`: everything is being closed
 */
export type EvictReason =
  | "idle"
  | "lifetime"
  | "unsolicited"
  | "peer"
  | "error"
  | "unhealthy"
  | "used"
  | "surplus"
  | "room"
  | "drain"
  | "gone"
  | "removed"
  | "close";

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

/** So many connections end in one turn. */
const MOST_A_TURN = 500;

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
  /** The limits that hold. */
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
  readonly #clock: Clock;
  readonly #random = () => this.#clock.random();
  readonly #fitness: Fitness;
  readonly #onEvict: ConnectionManagerOptions["onEvict"];
  readonly #onRoom: ConnectionManagerOptions["onRoom"];
  readonly #onLoss: ConnectionManagerOptions["onLoss"];
  readonly #maps: DualMap;
  /** Why what is leased for the last time is to end. */
  readonly #drained = new WeakMap<Connection, EvictReason>();
  /** Out of the maps, but their sockets are not done yet. */
  readonly #endings = new Endings();
  #closing: Promise<void> | undefined;
  #onEmpty: (() => void) | undefined;

  /**
   * Makes an empty manager.
   *
   * @throws {RangeError} An option is out of its range
   */
  constructor(options: ConnectionManagerOptions = {}) {
    this.accountant = new Accountant(checkLimits(options, DEFAULT_LIMITS));
    this.#clock = options.clock ?? systemClock;
    this.#maps = new DualMap(this.#clock);
    this.#fitness = new Fitness({
      idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
      maxLifetimeMs: options.maxLifetimeMs ?? 1_800_000,
    });
    this.#onEvict = options.onEvict;
    this.#onRoom = options.onRoom;
    this.#onLoss = options.onLoss;
  }

  /**
   * Takes a connection into both maps. What it refuses it closes, so nothing leaks; but not what
   * is held already, by this manager or another one.
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
      if (!connection.held) this.#endings.end(connection);
      throw error;
    }
    this.#maps.add(connection);
    connection.setOwner(this);
  }

  /**
   * The best connection at an address: healthy and idle first. Undefined where there is none.
   *
   * @param ip An IP address, with its port where that is not 443
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
   * @param ip An IP address, with its port where that is not 443
   */
  getConnections(ip: string): Connection[] {
    return [...this.#bucket(ip)];
  }

  /** The connection of a number; undefined where it is not in the maps. */
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
    return this.#endings.size;
  }

  /** Goes over all connections, in order of arrival. */
  connections(): MapIterator<Connection> {
    return this.#maps.connections();
  }

  /**
   * The lanes of all hosts.
   *
   * @internal
   */
  lanes(): IterableIterator<Lane> {
    return this.#maps.lanes();
  }

  /**
   * What came and was sent at addresses that are forgotten.
   *
   * @internal
   */
  get traffic(): Traffic {
    return this.#maps.past;
  }

  /**
   * The lanes of a host: one for each set of TLS parameters.
   *
   * @internal
   */
  lanesOf(host: string): Iterable<Lane> {
    return this.#maps.lanesOf(host);
  }

  /**
   * A host's lane, which stays until `closeLane`, whatever connections come and go.
   *
   * @internal
   */
  openLane(host: string, tlsProfile: string, makePicker?: MakePicker): Lane {
    return this.#maps.openLane(host, tlsProfile, makePicker);
  }

  /**
   * Lets a lane go that is no longer used.
   *
   * @internal
   */
  closeLane(lane: Lane): void {
    this.#maps.closeLane(lane);
  }

  /**
   * Takes a ready connection of a host out for a lease: the hottest one of a ready address, which
   * is any with the same chance. Undefined where none is ready. What has outlived its time is
   * closed on the way.
   *
   * @param host The host in canonical text
   */
  take(host: string, options: TakeOptions = {}): Connection | undefined {
    const lane = this.#maps.lane(host, options.tlsProfile ?? "default");
    return lane && this.takeFrom(lane, options);
  }

  /**
   * Takes a ready connection of a lane out for a lease, from the endpoint that the lane chooses.
   *
   * @internal
   */
  takeFrom(lane: Lane, choice?: Choice): Connection | undefined {
    // Asked by each caller who has to wait: it reads no clock.
    if (
      this.#closing || (!lane.ready && choice?.only === undefined && choice?.named === undefined)
    ) {
      return undefined;
    }
    const now = this.#clock.now();
    const wallNow = this.#clock.wallNow();
    for (;;) {
      const endpoint = lane.pick(now, this.#random, choice);
      const entry = endpoint?.next;
      if (!entry) return undefined;
      if (this.#begin(entry, now, wallNow)) {
        lane.noteChoice(endpoint);
        return entry.connection;
      }
      lane.endTrial(endpoint);
    }
  }

  /**
   * Takes a connection out for a lease if it is ready for one.
   *
   * @internal
   */
  takeThis(connection: Connection): boolean {
    const entry = this.#maps.entry(connection);
    if (this.#closing || !entry || !connection.available) return false;
    return this.#begin(entry, this.#clock.now(), this.#clock.wallNow());
  }

  /**
   * Takes a connection back from a lease. It is kept where it is fit for another one; otherwise it
   * is closed. One that has left the maps meanwhile is let go.
   *
   * @returns Whether it may be leased again
   */
  give(connection: Connection, reuse = true): boolean {
    const isKept = this.takeBack(connection, reuse);
    if (isKept) this.putBack(connection);
    return isKept;
  }

  /**
   * The first half of `give`: the lease has ended, and what is kept of it is in the caller's hand,
   * for `putBack` or `passOn`.
   *
   * @internal
   */
  takeBack(connection: Connection, reuse: boolean): boolean {
    const now = this.#clock.now();
    connection.endLease(now, this.#clock.wallNow());
    const endpoint = endpointOf(connection);
    endpoint?.lane.noteLoad(endpoint);
    if (!connection.held) return false;
    const reason = this.#whyNotKept(connection, reuse, now);
    if (reason) this.drain(connection, reason);
    return reason === undefined;
  }

  /**
   * Lets a connection in hand be leased by anybody, unless it has left the maps.
   *
   * @internal
   */
  putBack(connection: Connection): void {
    const entry = this.#maps.entry(connection);
    if (entry) this.#maps.restack(entry);
  }

  /**
   * Leases a connection in hand to the next caller at once; false where its endpoint is for nobody
   * who has a choice, or others share it.
   *
   * @internal
   */
  passOn(connection: Connection): boolean {
    const endpoint = endpointOf(connection);
    if (!endpoint?.chosen || connection.leases > 0 || !connection.available) {
      return false;
    }
    if (connection.capacity > 1 || endpoint.lane.isAsked) return false;
    connection.beginLease(connection.lastUsedAt);
    endpoint.lane.noteChoice(endpoint);
    return true;
  }

  /**
   * Takes the idle connection of an endpoint that was used longest ago out for a lease, where it has
   * so many. It chooses nothing for a caller, so it does not count as the lane's choice.
   *
   * @internal
   */
  takeColdest(endpoint: Endpoint, least: number): Connection | undefined {
    if (this.#closing) return undefined;
    const now = this.#clock.now();
    const wallNow = this.#clock.wallNow();
    for (;;) {
      const entry = endpoint.idle.back?.value;
      if (!entry || endpoint.idle.size < least) return undefined;
      if (this.#begin(entry, now, wallNow)) {
        endpoint.lane.noteLoad(endpoint);
        return entry.connection;
      }
    }
  }

  /**
   * When a connection that stands idle from now on may not be leased any more, in the clock's
   * milliseconds: the end of its lifetime, or of its server's patience.
   *
   * @internal
   */
  endsAt(connection: Connection): number {
    return this.#fitness.endsAt(connection, this.#clock.now());
  }

  /** Lets no further lease begin on a connection, and closes it when its last one has ended. */
  drain(connection: Connection, reason: EvictReason = "drain"): void {
    const entry = this.#maps.entry(connection);
    if (!entry) return;
    if (connection.leases === 0) {
      this.removeConnection(connection, reason);
      return;
    }
    this.#maps.unstack(entry);
    connection.drain();
    // The first reason stands.
    if (!this.#drained.has(connection)) this.#drained.set(connection, reason);
  }

  /**
   * Takes a connection, or all at an address, out of both maps in one step, and then ends it: in
   * good order where it is idle, at once where it is in use. Repeating it is harmless.
   *
   * @param ipOrConnection An IP address, with its port where that is not 443, or a connection
   * @returns How many there were
   */
  removeConnection(ipOrConnection: string | Connection, reason: EvictReason = "removed"): number {
    if (typeof ipOrConnection === "string") {
      const all = this.getConnections(ipOrConnection);
      for (const connection of all) this.removeConnection(connection, reason);
      return all.length;
    }
    const connection = ipOrConnection;
    if (!this.#unmap(connection)) return 0;
    connection.setOwner(undefined);
    this.#endings.end(connection);
    this.#onEvict?.(connection, reason);
    return 1;
  }

  /**
   * Holds other limits from now on, and ends idle connections that are too many by them, the coldest
   * first. Those in use end when they come back, as long as they are too many.
   *
   * @returns How many it closed
   * @throws {TypeError | RangeError} A limit is not valid; the old ones hold
   */
  setLimits(limits: Partial<ConnectionLimits>): number {
    checkNames("setLimits()", limits, Object.keys(DEFAULT_LIMITS));
    this.accountant.setLimits(checkLimits(limits, this.accountant.limits));
    return this.#trim();
  }

  /** The idle connection that was used longest ago. */
  coldestIdle(): Connection | undefined {
    return this.#maps.idle.back?.value.connection;
  }

  /**
   * Sets how many of a host's connections with a TLS profile `cleanupIdleConnections` leaves,
   * however old their use.
   *
   * @throws {TypeError | RangeError} The host or the number is not valid
   */
  setMinimum(host: string, connections: number, tlsProfile: string = "default"): void {
    const { text } = parseHost(host);
    checkNumber("connections", connections, { min: 0, whole: true });
    this.#fitness.setMinimum(text, tlsProfile, connections);
  }

  /**
   * Closes what is idle and may not be leased any more, the coldest first: what is unhealthy, too
   * old, or has been unused for `idleTimeoutMs`, where its host has more than its minimum with that
   * TLS profile. Never what is leased.
   *
   * @param most No more than so many
   * @returns How many it closed
   */
  cleanupIdleConnections(most: number = Infinity): number {
    const now = this.#clock.now();
    const wallNow = this.#clock.wallNow();
    let closed = this.accountant.mayExceed ? this.#trim() : 0;
    // All of them: one that was made long before it was added stands nearer the front than its use.
    for (const connection of this.#coldestFirst()) {
      if (closed >= most) break;
      const reason = connection.leases > 0
        ? undefined
        : this.#fitness.unfit(connection, now, wallNow);
      if (reason) closed += this.removeConnection(connection, reason);
    }
    return closed;
  }

  /**
   * Closes idle connections that are older than a lifetime, less each one's own share of up to a
   * quarter, so that they do not all go at once. What is leased then ends with its lease.
   *
   * @param maxLifetimeMs In milliseconds; the manager's own where it is left out
   * @returns How many it closed
   * @throws {TypeError | RangeError} The lifetime is not valid
   */
  cleanupExpiredConnections(maxLifetimeMs: number = this.#fitness.maxLifetimeMs): number {
    checkNumber("maxLifetimeMs", maxLifetimeMs, { min: 0 });
    const now = this.#clock.now();
    let closed = 0;
    for (const connection of [...this.connections()]) {
      if (!this.#fitness.expired(connection, now, maxLifetimeMs)) continue;
      if (connection.state === "idle") closed += this.removeConnection(connection, "lifetime");
      else this.drain(connection, "lifetime");
    }
    return closed;
  }

  /**
   * Closes everything: what is idle at once, what is leased when its lease ends, or when the grace
   * is over. Resolves when every socket is done. A second call gets the same promise.
   *
   * @param options.graceMs How long leases may go on, in milliseconds
   * @throws {TypeError | RangeError} The grace is not valid: the manager stays open
   */
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    const graceMs = checkNumber("graceMs", options.graceMs ?? 0, { min: 0 });
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  /** Closes everything at once. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Everything there is to see: plain data. */
  debugInfo(): DebugInfo {
    return {
      connectionCount: this.#maps.size,
      idleCount: this.#maps.idle.size,
      endingCount: this.#endings.size,
      hostMapping: Object.fromEntries(this.getHostMapping()),
      limits: { ...this.accountant.limits },
      connections: Array.from(this.connections(), (connection) => connection.stats()),
    };
  }

  /**
   * Holds the maps against each other.
   *
   * @throws {Error} Something does not add up; the message says what
   */
  checkInvariants(): void {
    this.#maps.checkInvariants(this.accountant);
  }

  /**
   * The peer spoke while nobody had asked it: whatever it said would be read as the next answer.
   */
  onUnsolicited(connection: Connection): void {
    this.removeConnection(connection, "unsolicited");
  }

  /**
   * A connection carries more or fewer leases at once: it has a place among the ready ones, or
   * none.
   */
  onCapacity(connection: Connection): void {
    const entry = this.#maps.entry(connection);
    if (!entry || connection.state === "draining") return;
    this.#maps.restack(entry);
    if (connection.available) this.#onRoom?.(connection);
  }

  /** A connection can carry fewer leases than before: who counted on it is to look elsewhere. */
  onLoss(connection: Connection): void {
    this.#onLoss?.(connection);
  }

  /** A connection ended of itself, or was ended by who has it. */
  onClosed(connection: Connection, error: Error | undefined, here: boolean): void {
    if (!this.#unmap(connection)) return;
    if (!here && !error && connection.leases === 0) {
      const now = this.#clock.now();
      endpointOf(connection)?.noteHangUp(now - connection.lastUsedAt, now);
    }
    this.#endings.watch(connection);
    this.#onEvict?.(connection, here ? "removed" : error ? "error" : "peer", error);
  }

  async #close(graceMs: number): Promise<void> {
    // The promise must be in place before anybody hears of the first connection's end.
    await null;
    await this.#inSlices((connection) => this.drain(connection, "close"));
    if (this.#maps.size > 0 && graceMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#clock.setTimer(resolve, graceMs, true);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    await this.#inSlices((connection) => this.removeConnection(connection, "close"));
    // What is refused meanwhile ends here too.
    await this.#endings.settle(this.#clock);
  }

  /** Ends all connections, so many in a turn that the program is not held up. */
  async #inSlices(end: (connection: Connection) => void): Promise<void> {
    let count = 0;
    for (const connection of [...this.connections()]) {
      if (++count % MOST_A_TURN === 0) {
        await new Promise<void>((resolve) => inNextTurn(this.#clock, resolve));
      }
      end(connection);
    }
  }

  #bucket(ip: string): ReadonlySet<Connection> {
    return this.#maps.at(ip) ?? this.#maps.at(parseAddress(ip).text) ?? NONE;
  }

  #unmap(connection: Connection): boolean {
    if (!this.#maps.remove(connection)) return false;
    this.accountant.remove(connection.host, connection.address, connection.closed);
    if (this.#maps.size === 0) this.#onEmpty?.();
    return true;
  }

  /** Why a connection whose lease has ended may not have another one, if so. */
  #whyNotKept(connection: Connection, reuse: boolean, now: number): EvictReason | undefined {
    if (connection.state === "draining") return this.#drained.get(connection) ?? "drain";
    if (this.#closing) return "close";
    if (!connection.healthy) return "unhealthy";
    if (!reuse) return "used";
    if (this.#fitness.expired(connection, now)) return "lifetime";
    return this.accountant.mayExceed && this.#isTooMany(connection) ? "surplus" : undefined;
  }

  #isTooMany({ address, host }: Connection): boolean {
    return this.accountant.exceeds(host, address);
  }

  /** Begins a lease on a connection, if it is fit; what is not is ended, with its last lease. */
  #begin(entry: Entry, now: number, wallNow: number): boolean {
    const { connection } = entry;
    const reason = this.#fitness.unfit(connection, now, wallNow);
    if (reason) {
      this.drain(connection, reason);
      return false;
    }
    connection.beginLease(now);
    this.#maps.restack(entry);
    return true;
  }

  /** What is idle now: a copy, since whoever hears of an eviction may change the maps. */
  #coldestFirst(): Connection[] {
    return Array.from(this.#maps.idle, ({ connection }) => connection).reverse();
  }

  #trim(): number {
    let closed = 0;
    for (const connection of this.#coldestFirst()) {
      if (this.#isTooMany(connection)) closed += this.removeConnection(connection, "surplus");
    }
    this.accountant.settle();
    return closed;
  }
}

const NONE: ReadonlySet<Connection> = new Set();

/** Healthy before not, idle before leased, leased before draining. */
function rank({ healthy, state }: Connection): number {
  return (healthy ? 4 : 0) + (state === "idle" ? 2 : state === "leased" ? 1 : 0);
}
