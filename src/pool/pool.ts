/**
 * The pool: callers wait here, and whichever connection is ready first serves the first of them.
 *
 * @module
 */

import { parseHost } from "../core/address.ts";
import { checkNames, checkNumber, checkSignal, describe } from "../core/check.ts";
import type { TlsOptions } from "../core/dialer.ts";
import { ClosedError } from "../core/errors.ts";
import type { ListenOptions } from "../core/events.ts";
import type { FleetMember } from "../fleet/fleet.ts";
import type { AccessRules } from "../hosts/access.ts";
import type { Block, BlockOptions } from "../hosts/block_list.ts";
import type { ConnectionLimits } from "../map/accountant.ts";
import type { Connection } from "../map/connection.ts";
import type { ConnectionManager } from "../map/manager.ts";
import { PoolAssembly } from "./assembly.ts";
import {
  type AcquireOptions,
  checkAcquireOptions,
  type CloseOptions,
  type WarmOptions,
} from "./call_options.ts";
import { drain, replaceTls } from "./dial/drain.ts";
import { POOL_EVENTS, type PoolEvents } from "./events.ts";
import { filterFor } from "./host/address_filter.ts";
import type { HostQueue } from "./host/host_queue.ts";
import type { HostQueues } from "./host/host_queues.ts";
import type { WarmResult } from "./host/warm_target.ts";
import type { HttpLeases } from "./http_leases.ts";
import type { Lease } from "./lease/lease.ts";
import type { LeaseDesk } from "./lease/lease_desk.ts";
import { namesSet, type OptionsInfo, optionsInfo } from "./option_info.ts";
import {
  type HttpConnectionOptions,
  type ResolvedPoolOptions,
  resolvePoolOptions,
} from "./options.ts";
import type { PoolFigures, PoolHistograms } from "./watch/figures.ts";
import type { Finding } from "./watch/findings.ts";
import type { CheckAnswer, HttpCheck } from "./watch/health_check.ts";
import type { PoolDebugInfo, PoolStats } from "./watch/stats.ts";

const NO_TERMS = {};

/**
 * Keeps TLS connections to many hosts hot, each known by its IP address and by its host.
 *
 * The pool owns all its connections, dials and timers, and ends them in `close()`. No timer of its
 * own and no idle connection keeps a program alive; a caller who waits does.
 */
export class ConnectionPool implements AsyncDisposable {
  /** The two maps. Reading them is free. Whatever you remove from them is closed. */
  readonly manager: ConnectionManager;
  /** The pool's part in its fleet, if it has one. */
  readonly fleet: FleetMember | undefined;
  /**
   * What it counts and times.
   *
   * @internal
   */
  protected readonly figures: PoolFigures;
  /**
   * What HTTP over it asks of it.
   *
   * @internal
   */
  protected readonly leases: HttpLeases;
  readonly #options: ResolvedPoolOptions;
  /** The names of the options that were set. */
  readonly #set: Set<string>;
  readonly #parts: PoolAssembly;
  readonly #desk: LeaseDesk;
  readonly #queues: HostQueues;
  #closing: Promise<void> | undefined;

  /**
   * Makes a pool. It dials nothing until you ask it to, except for hosts with a `minIdle`.
   *
   * @throws {TypeError | RangeError} An option is unknown, or not valid
   */
  constructor(options: HttpConnectionOptions) {
    this.#options = resolvePoolOptions(options);
    this.#set = new Set(namesSet(options));
    if (typeof this.#options.healthCheck === "object" && !this.checkOver) {
      throw new TypeError(
        "healthCheck must be \"connect\" or \"tls\" for a pool that does not speak HTTP, "
          + "got { path }: an HttpPool makes such checks",
      );
    }
    const parts = this.#parts = new PoolAssembly(this.#options, {
      prepare: (connection) => this.prepare(connection),
      checkOver: this.checkOver?.bind(this),
    });
    this.manager = parts.manager;
    this.fleet = parts.fleet;
    this.figures = parts.reporter.figures;
    this.leases = parts.leases;
    this.#desk = parts.desk;
    this.#queues = parts.queues;
  }

  /**
   * Returns a lease on a connection to a host: a ready one at once, else the first that is returned or
   * dialled. The caller must release it.
   *
   * @param host A host name or an IP address, with its port unless that is 443
   * @throws {AcquireTimeoutError} None was ready in time
   * @throws {HostUnavailableError} Every address of the host has failed
   * @throws {AccessDeniedError} None of its addresses may be used
   * @throws {ResolveError} The host's addresses could not be found
   * @throws {WaiterLimitError} `maxWaiters` callers wait already
   * @throws {ClosedError} The pool is closing, or closed
   * @throws {TypeError | RangeError} The host or an option is not valid
   * @throws The signal's reason, untouched, when it aborts first
   *
   * @example
   * ```ts
   * import type { ConnectionPool } from "@hotconn/hotconn";
   *
   * async function ask(pool: ConnectionPool, question: Uint8Array): Promise<Uint8Array> {
   *   const lease = await pool.acquire("echo.example:7007", { timeoutMs: 2_000 });
   *   try {
   *     const answer = await new Promise<Uint8Array>((resolve, reject) => {
   *       lease.attach({
   *         onData: (bytes) => resolve(bytes.slice()),
   *         onDrain: () => {},
   *         onClose: (error) => reject(error ?? new Error("The peer hung up")),
   *       });
   *       lease.write(question);
   *     });
   *     lease.release();
   *     return answer;
   *   } catch (error) {
   *     lease.release({ error });
   *     throw error;
   *   }
   * }
   * ```
   */
  acquire(host: string, options?: AcquireOptions): Promise<Lease> {
    try {
      if (options === undefined) {
        return this.#desk.acquire(this.#queues.of(host), undefined, NO_TERMS);
      }
      checkAcquireOptions(options);
      const queue = this.#queues.of(host, options);
      options.signal?.throwIfAborted();
      return this.#desk.acquire(queue, filterFor(queue, options), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Returns a lease on a connection to a host if one is ready now, else undefined.
   *
   * @param host A host name or an IP address, with its port unless that is 443
   * @throws {ClosedError} The pool is closing, or closed
   * @throws {TypeError | RangeError} The host or an option is not valid
   */
  tryAcquire(
    host: string,
    options?: Omit<AcquireOptions, "signal" | "timeoutMs">,
  ): Lease | undefined {
    if (options !== undefined) checkAcquireOptions(options);
    const queue = this.#queues.of(host, options);
    return this.#desk.tryAcquire(queue, options && filterFor(queue, options));
  }

  /** Waits until every host with a `minIdle` has that many connections. */
  warm(): Promise<WarmResult[]>;
  /**
   * Opens connections to a host ahead of need, spread over its addresses, and keeps that many open from
   * then on. Lost ones are dialled again, old ones are replaced before they end, and idle cleanup
   * leaves them alone. The event `warm` reports progress.
   *
   * @returns How many are open, and what failed. Fewer than you asked for if a limit or a failing
   * address is in the way
   * @throws {HostUnavailableError} None could be opened
   * @throws {LimitError} The fleet permitted none within two seconds
   * @throws {AccessDeniedError} None of the host's addresses may be used
   * @throws {ResolveError} The host's addresses could not be found
   * @throws {ClosedError} The pool is closing, or closed
   * @throws The signal's reason, when it aborts first; the host is kept as warm as before
   */
  warm(host: string, options?: WarmOptions): Promise<WarmResult>;
  async warm(host?: string, options: WarmOptions = {}): Promise<WarmResult | WarmResult[]> {
    if (this.#closing) throw new ClosedError("pool");
    if (host === undefined) {
      const kept = [...this.#options.hosts.values()].filter(({ minIdle }) => minIdle > 0);
      return await Promise.all(kept.map(({ host }) => this.#warm(this.#queues.main(host), {})));
    }
    return await this.#warm(this.#queues.main(parseHost(host)), options);
  }

  async #warm(queue: HostQueue, options: WarmOptions): Promise<WarmResult> {
    checkNames("warm()", options, ["connections", "signal"]);
    checkSignal(options.signal);
    const host = queue.host.text;
    const { connections = this.#options.hosts.get(host)?.minIdle } = options;
    const bounds = { min: 0, max: this.manager.accountant.limitOf(host), whole: true };
    const target = checkNumber("connections", connections, bounds);
    options.signal?.throwIfAborted();
    if (target > 0) return await queue.warm.warmUp(target, options.signal);
    queue.warm.keep(0);
    return { host, connections: this.manager.getConnectionsForHost(host).length, failures: [] };
  }

  /**
   * Ends every connection that a host or an address has now: idle ones at once, leased ones with their
   * lease. New ones may be dialled meanwhile. A drained host is no longer kept warm. The hosts of a
   * drained machine still are, there too.
   *
   * @param hostOrIp A host name, an IP address (for all its ports), or one with a port
   * @returns Resolves when the last socket is closed, with the number of connections
   */
  async drain(hostOrIp: string): Promise<number> {
    return await drain(hostOrIp, this.manager, this.#queues, this.#parts.dials);
  }

  /**
   * Replaces the TLS options of the pool, or of one host, as when a certificate or an authority is
   * renewed. Every lease that begins from then on is on a connection with the new ones, also for callers
   * who wait already. Idle connections with the old ones end at once, those in use with their lease.
   * Hosts that are kept warm are dialled again at once, and a `warm()` under way goes on with the new ones.
   *
   * Without a host, it replaces the pool's options; hosts and requests with their own keep them. All
   * options are replaced, none is merged: give `ca` again, too.
   *
   * @param tls The new options. For a host, `null` takes its own away, and it has the pool's again
   * @param host The host whose own options to replace; if it has none, it has its own from then on
   * @throws {ClosedError} The pool is closing, or closed
   * @throws {TypeError | RangeError | UnsupportedOptionError} The host or an option is not valid, or
   * the dialer cannot use it, such as a key that belongs to another certificate. The old ones stay in
   * force
   *
   * @example
   * ```ts
   * import { createPool } from "@hotconn/hotconn";
   *
   * await using pool = createPool({ tls: { minVersion: "TLSv1.2" } });
   * pool.setTls({ minVersion: "TLSv1.3" });
   * ```
   */
  setTls(tls: TlsOptions | null, host?: string): void {
    replaceTls(tls, host, this.manager, this.#queues, this.#desk, this.#parts.dials);
    if (host === undefined) this.#set.add("tls");
  }

  /** The access rules in force. */
  get access(): AccessRules {
    return this.#parts.admission.rules;
  }

  /**
   * Replaces the access rules. Idle connections to what they deny end at once, those in use with their
   * lease.
   *
   * @throws {TypeError} A rule is not valid; the old ones stay in force
   */
  setAccess(rules: AccessRules): void {
    this.#parts.admission.setRules(rules);
  }

  /**
   * Blocks an IP address, or one port of it, for every host. Idle connections there end at once, those
   * in use with their lease, and none is dialled. When the block ends, the address comes back with
   * little load at first. A second block of the same address replaces the first.
   *
   * @throws {TypeError | RangeError} The address or an option is not valid
   */
  block(ip: string, options?: BlockOptions): Block {
    const block = this.#parts.admission.block(ip, options);
    this.#parts.reporter.events.emit("block", block);
    return block;
  }

  /**
   * Ends a block before its time. Returns false if there is none.
   *
   * @throws {TypeError | RangeError} It is not an address
   */
  unblock(ip: string): boolean {
    return this.#parts.admission.unblock(ip);
  }

  /**
   * Sets how much an IP address, or one port of it, is to bear beside the others of its hosts, whatever
   * options and resolvers say, until you take that off with `null`. 0 sends it nothing new as long as
   * a host has another good address with a weight; requests and connections there go on.
   *
   * @param weight From 0 to 1,000,000
   * @throws {TypeError | RangeError} The address or the weight is not valid
   */
  setWeight(ip: string, weight: number | null): void {
    this.#parts.weights.set(ip, weight);
  }

  /**
   * Calls `listener` with each event of a type, until you call the returned function. Each event is
   * explained in `docs/events-and-findings.md`.
   *
   * @throws {TypeError} There is no such event, or no listener
   */
  on<Type extends keyof PoolEvents>(
    type: Type,
    listener: (event: PoolEvents[Type]) => void,
    options?: ListenOptions,
  ): () => void {
    if (!Object.hasOwn(POOL_EVENTS, type)) {
      const known = Object.keys(POOL_EVENTS).join(", ");
      throw new TypeError(`There is no event "${String(type)}": a pool has ${known}`);
    }
    if (typeof listener !== "function") {
      throw new TypeError(
        `The listener of "${type}" must be a function, got ${describe(listener)}`,
      );
    }
    return this.#parts.reporter.events.on(type, listener, options);
  }

  /**
   * Makes an HTTP check over a connection that nobody else uses; never rejects. A pool without it
   * refuses such checks.
   */
  protected checkOver?(
    connection: Connection,
    check: HttpCheck,
    signal: AbortSignal,
  ): Promise<CheckAnswer>;

  /** Gets a fresh connection ready for its first lease, as far as a protocol can. */
  protected prepare(_connection: Connection): void {}

  /** Emits an event. */
  protected tell<Type extends keyof PoolEvents>(type: Type, event: PoolEvents[Type]): void {
    this.#parts.reporter.events.emit(type, event);
  }

  /**
   * Returns the pool's figures: plain data, a copy. It looks at each address of each host, but at no
   * connection, so it costs the same with a hundred thousand connections as with ten.
   *
   * @example
   * ```ts
   * import { ConnectionPool, staticResolver } from "@hotconn/hotconn";
   * import { memoryDialer } from "@hotconn/hotconn/memory";
   * import { assertEquals } from "@std/assert";
   *
   * await using pool = new ConnectionPool({
   *   dialer: memoryDialer(),
   *   resolver: staticResolver({ "example.test": ["192.0.2.1"] }),
   * });
   * (await pool.acquire("example.test")).release();
   * (await pool.acquire("example.test")).release();
   * const { idle, reuseRate, times } = pool.stats();
   * assertEquals([idle, reuseRate, times.queue.count], [1, 0.5, 2]);
   * ```
   */
  stats(): PoolStats {
    return this.#parts.tally.take();
  }

  /**
   * Returns what seems to be wrong now, worst first, in plain sentences: leases and locks that are held
   * for long, hosts that starve, storms of dials, addresses that come and go, resolvers that fail,
   * hosts with no address left. The pool looks by itself as often as it cleans up, and reports what is
   * new as an event of the finding's name.
   *
   * @example
   * ```ts
   * import { ConnectionPool, ManualClock, staticResolver } from "@hotconn/hotconn";
   * import { memoryDialer } from "@hotconn/hotconn/memory";
   * import { assertEquals } from "@std/assert";
   *
   * const clock = new ManualClock();
   * await using pool = new ConnectionPool({
   *   dialer: memoryDialer({ clock }),
   *   resolver: staticResolver({ "example.test": ["192.0.2.1"] }),
   *   clock,
   * });
   * await pool.warm("example.test", { connections: 1 });
   * using lease = await pool.acquire("example.test");
   * assertEquals(pool.diagnose(), []);
   * clock.advance(30_000);
   * assertEquals(pool.diagnose().map(({ what }) => what), ["leaseHeld"]);
   * assertEquals(lease.released, false);
   * ```
   */
  diagnose(): Finding[] {
    return this.#parts.diagnosis.look();
  }

  /**
   * Returns the options of the pool, with their defaults, and the limits and TLS options that hold now:
   * plain data, a copy. No key, certificate, pin or password is in it.
   */
  options(): OptionsInfo {
    return optionsInfo(this.#options, this.#set, this.manager.accountant.limits, this.#queues);
  }

  /** Whether `close()` was called. From then on the pool gives out no leases. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** How long things took. Ask it for percentiles that `stats()` does not have. */
  histograms(): PoolHistograms {
    const { dial, firstByte, queue, tls, total } = this.figures;
    this.figures.settle();
    return { queue, dial, tls, firstByte, total };
  }

  /** Returns the figures of the pool and of each connection: plain data, a copy. */
  debugInfo(): PoolDebugInfo {
    return { ...this.manager.debugInfo(), stats: this.stats() };
  }

  /**
   * Changes limits from now on. Those you leave out stay as they are. Idle connections beyond the new
   * limits end at once, the coldest first, those in use with their lease. New room goes to callers who
   * wait. A host's own `maxConnections` does not change.
   *
   * @returns How many connections ended at once
   * @throws {TypeError | RangeError} A limit is not valid; the old ones stay in force
   */
  setLimits(limits: Partial<ConnectionLimits>): number {
    const ended = this.manager.setLimits(limits);
    for (const name of namesSet(limits)) this.#set.add(name);
    for (const queue of this.#queues) {
      if (queue.waiters.size > 0 || queue.warm.connections > 0) this.#parts.scheduler.wake(queue);
    }
    return ended;
  }

  /**
   * Closes the pool. Callers who wait are rejected, dials are stopped, idle connections end at once, and
   * leased ones end with their lease, or when the grace is over. Resolves when every socket is closed.
   * A second call returns the same promise.
   *
   * @throws {TypeError | RangeError} An option is unknown, or not valid: the pool stays open
   */
  close(options: CloseOptions = {}): Promise<void> {
    if (this.#closing) return this.#closing;
    checkNames("close()", options, ["graceMs"]);
    const graceMs = checkNumber("graceMs", options.graceMs ?? 5_000, { min: 0 });
    let settle!: (closed: Promise<void>) => void;
    // It is in place before anything ends: a listener may call `close()` as well.
    this.#closing = new Promise((resolve) => settle = resolve);
    settle(this.#parts.close(graceMs));
    return this.#closing;
  }

  /** Closes the pool. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
