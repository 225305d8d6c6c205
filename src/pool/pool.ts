/**
 * The pool: callers wait here, and whichever connection is ready first serves the first of them.
 *
 * @module
 */

import { type Address, parseHost } from "../core/address.ts";
import { checkNames, checkNumber, describe } from "../core/check.ts";
import type { Clock } from "../core/clock.ts";
import { ClosedError } from "../core/errors.ts";
import type { ListenOptions } from "../core/events.ts";
import type { FleetMember } from "../fleet/fleet.ts";
import type { AccessRules } from "../hosts/access.ts";
import { Admission } from "../hosts/admission.ts";
import type { Block, BlockOptions } from "../hosts/block_list.ts";
import { Ceilings } from "../hosts/ceilings.ts";
import { HostDirectory } from "../hosts/directory.ts";
import { AddressHealth } from "../hosts/health.ts";
import { Rests } from "../hosts/rests.ts";
import type { Service } from "../hosts/service.ts";
import type { ConnectionLimits } from "../map/accountant.ts";
import type { Connection } from "../map/connection.ts";
import { ConnectionManager } from "../map/manager.ts";
import type { AcquireOptions, CloseOptions, WarmOptions } from "./call_options.ts";
import { Changes } from "./changes.ts";
import { Coalescing } from "./dial/coalescing.ts";
import { Dials } from "./dial/dials.ts";
import { drain } from "./dial/drain.ts";
import { Membership } from "./dial/membership.ts";
import { Recovery } from "./dial/recovery.ts";
import { DialScheduler } from "./dial/scheduler.ts";
import { POOL_EVENTS, type PoolEvents } from "./events.ts";
import { type AddressFilter, filterFor } from "./host/address_filter.ts";
import type { HostQueue } from "./host/host_queue.ts";
import { HostQueues } from "./host/host_queues.ts";
import type { WarmResult } from "./host/warm_target.ts";
import type { CheckedHostOptions } from "./host_options.ts";
import { HttpLeases } from "./http_leases.ts";
import type { Lease } from "./lease/lease.ts";
import { LeaseDesk } from "./lease/lease_desk.ts";
import { namesSet, type OptionsInfo, optionsInfo } from "./option_info.ts";
import {
  type HttpConnectionOptions,
  type ResolvedPoolOptions,
  resolvePoolOptions,
} from "./options.ts";
import { Routes } from "./proxy/routes.ts";
import { Upkeep } from "./upkeep.ts";
import { Diagnosis } from "./watch/diagnosis.ts";
import type { PoolFigures, PoolHistograms } from "./watch/figures.ts";
import type { Finding } from "./watch/findings.ts";
import type { CheckAnswer, HttpCheck } from "./watch/health_check.ts";
import { Prober } from "./watch/prober.ts";
import { Reporter } from "./watch/reporter.ts";
import { type PoolDebugInfo, type PoolStats, poolStats } from "./watch/stats.ts";

const NO_TERMS = {};

const ACQUIRE_OPTIONS = ["signal", "timeoutMs", "ip", "exclude", "sticky", "tls", "plain"];

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
  readonly #reporter: Reporter;
  readonly #options: ResolvedPoolOptions;
  readonly #set: readonly string[];
  readonly #clock: Clock;
  readonly #directory: HostDirectory;
  readonly #ceilings: Ceilings;
  readonly #health: AddressHealth;
  readonly #rests: Rests;
  readonly #admission: Admission;
  readonly #desk: LeaseDesk;
  readonly #dials: Dials;
  readonly #scheduler: DialScheduler;
  readonly #recovery: Recovery;
  readonly #prober: Prober;
  readonly #diagnosis: Diagnosis;
  readonly #queues: HostQueues;
  readonly #changes: Changes;
  readonly #upkeep: Upkeep;
  readonly #routes: Routes;
  #closing: Promise<void> | undefined;

  /**
   * Makes a pool. It dials nothing until you ask it to, except for hosts with a `minIdle`.
   *
   * @throws {TypeError | RangeError} An option is unknown, or not valid
   */
  constructor(options: HttpConnectionOptions) {
    this.#options = resolvePoolOptions(options);
    this.#set = namesSet(options);
    if (typeof this.#options.healthCheck === "object" && !this.checkOver) {
      throw new TypeError(
        "healthCheck must be \"connect\" or \"tls\" for a pool that does not speak HTTP, "
          + "got { path }: an HttpPool makes such checks",
      );
    }
    this.#clock = this.#options.clock;
    const { maxConnections, maxConnectionsPerHost, maxConnectionsPerIp } = this.#options;
    const reporter = this.#reporter = new Reporter(this.#clock);
    this.figures = reporter.figures;
    const manager = this.manager = new ConnectionManager({
      maxConnections,
      maxConnectionsPerHost,
      maxConnectionsPerIp,
      idleTimeoutMs: this.#options.idleTimeoutMs,
      maxLifetimeMs: this.#options.maxLifetimeMs,
      clock: this.#clock,
      onEvict: (connection, reason, error) => this.#changes.onEvict(connection, reason, error),
      onRoom: (connection) => this.#changes.onRoom(connection),
      onLoss: (connection) => this.#changes.onLoss(connection),
    });
    const directory = this.#directory = new HostDirectory({
      resolver: this.#options.resolver,
      clock: this.#clock,
      minTtlMs: this.#options.dnsMinTtlMs,
      maxTtlMs: this.#options.dnsMaxTtlMs,
      defaultTtlMs: this.#options.dnsRefreshIntervalMs,
      staleMs: this.#options.dnsStaleMs,
      timeoutMs: this.#options.dnsTimeoutMs,
      fixed: fixedAddresses(this.#options.hosts),
      services: services(this.#options.hosts),
      onChange: (host, change) => this.#changes.onAddresses(host, change),
      onFailure: (host) => reporter.resolveFailed(host),
    });
    const admission = this.#admission = new Admission(this.#clock, this.#options.access, {
      onChange: () => this.#changes.onAdmission(),
      onUnblock: (ip) => reporter.events.emit("unblock", { ip }),
    });
    const ceilings = this.#ceilings = new Ceilings(
      this.#clock,
      manager.accountant,
      (address, connections) => reporter.learned(address, connections),
    );
    const health = this.#health = new AddressHealth(
      this.#clock,
      this.#options,
      reporter,
      ceilings,
    );
    const rests = this.#rests = new Rests(this.#clock, this.#options.slowStartMs, {
      onToldLater: (endpoint, told) => reporter.onToldLater(endpoint, told),
      onRested: (endpoint, everywhere) => this.#changes.onRested(endpoint, everywhere),
    });
    const desk = this.#desk = new LeaseDesk(this.#options, manager, health, reporter);
    const routes = this.#routes = new Routes(this.#options, directory);
    const queues = this.#queues = new HostQueues(this.#options, manager, directory, routes, {
      onRelease: (queue, lease, reuse, error) => desk.release(queue, lease, reuse, error),
      onWarmTarget: (queue) => this.#changes.onWarmTarget(queue),
    });
    const membership = new Membership(this.#options, manager, directory, health, admission);
    const dials = this.#dials = new Dials({
      options: this.#options,
      manager,
      admission,
      health,
      reporter,
      prepare: (connection) => this.prepare(connection),
    });
    const coalescing = new Coalescing(this.#options.coalesce, manager, queues);
    this.#scheduler = new DialScheduler({
      coalescing,
      options: this.#options,
      manager,
      desk,
      dials,
      membership,
      reporter,
    });
    ceilings.listen(this.#scheduler);
    this.leases = new HttpLeases({
      manager,
      queues,
      desk,
      scheduler: this.#scheduler,
      coalescing,
      health,
      rests,
    });
    this.#recovery = new Recovery(this.#options, health, queues, dials, manager);
    this.#prober = new Prober({
      options: this.#options,
      manager,
      admission,
      health,
      queues,
      dials,
      events: reporter.events,
      checkOver: this.checkOver?.bind(this),
    });
    this.#scheduler.listen(this.#prober);
    this.#changes = new Changes({
      manager,
      admission,
      health,
      queues,
      scheduler: this.#scheduler,
      prober: this.#prober,
      reporter,
    });
    const fleet = this.fleet = this.#options.fleet?.join({
      clock: this.#clock,
      manager,
      health,
      admission,
      queues,
      dials,
      membership,
      scheduler: this.#scheduler,
      recovery: this.#recovery,
      reporter,
    });
    this.#diagnosis = new Diagnosis({
      options: this.#options,
      manager,
      directory,
      admission,
      health,
      rests,
      gate: dials.gate,
      queues,
      fleet,
      figures: reporter.figures,
      evidence: reporter.evidence,
    });
    // A dialer that could not be loaded is each dial's error, not the program's.
    for (const dialer of [this.#options.dialer, this.#options.connectDialer]) {
      if (dialer && "then" in dialer) dialer.catch(() => {});
    }
    this.#prober.look();
    for (const { host, maxConnections, minIdle } of this.#options.hosts.values()) {
      if (maxConnections) this.manager.accountant.setLimit(host.text, maxConnections);
      if (minIdle > 0) this.#queues.main(host).warm.keep(minIdle);
    }
    this.#upkeep = new Upkeep({
      options: this.#options,
      manager,
      health,
      rests,
      membership,
      queues,
      scheduler: this.#scheduler,
      prober: this.#prober,
      diagnosis: this.#diagnosis,
      reporter,
    });
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
   */
  acquire(host: string, options?: AcquireOptions): Promise<Lease> {
    try {
      const queue = this.#queues.of(host, options);
      if (options === undefined) return this.#desk.acquire(queue, undefined, NO_TERMS);
      options.signal?.throwIfAborted();
      return this.#desk.acquire(queue, this.#filter(queue, options), options);
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
    const queue = this.#queues.of(host, options);
    return this.#desk.tryAcquire(queue, options && this.#filter(queue, options));
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
    return await drain(hostOrIp, this.manager, this.#queues, this.#dials);
  }

  /** The access rules in force. */
  get access(): AccessRules {
    return this.#admission.rules;
  }

  /**
   * Replaces the access rules. Idle connections to what they deny end at once, those in use with their
   * lease.
   *
   * @throws {TypeError} A rule is not valid; the old ones stay in force
   */
  setAccess(rules: AccessRules): void {
    this.#admission.setRules(rules);
  }

  /**
   * Blocks an IP address, or one port of it, for every host. Idle connections there end at once, those
   * in use with their lease, and none is dialled. When the block ends, the address comes back with
   * little load at first. A second block of the same address replaces the first.
   *
   * @throws {TypeError | RangeError} The address or an option is not valid
   */
  block(ip: string, options?: BlockOptions): Block {
    const block = this.#admission.block(ip, options);
    this.#reporter.events.emit("block", block);
    return block;
  }

  /**
   * Ends a block before its time. Returns false if there is none.
   *
   * @throws {TypeError | RangeError} It is not an address
   */
  unblock(ip: string): boolean {
    return this.#admission.unblock(ip);
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
      throw new TypeError(`There is no event "${String(type)}": a pool tells ${known}`);
    }
    if (typeof listener !== "function") {
      throw new TypeError(
        `The listener of "${type}" must be a function, got ${describe(listener)}`,
      );
    }
    return this.#reporter.events.on(type, listener, options);
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

  /** Tells an event to whoever listens. */
  protected tell<Type extends keyof PoolEvents>(type: Type, event: PoolEvents[Type]): void {
    this.#reporter.events.emit(type, event);
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
    return poolStats({
      options: this.#options,
      manager: this.manager,
      directory: this.#directory,
      health: this.#health,
      rests: this.#rests,
      admission: this.#admission,
      queues: this.#queues,
      routes: this.#routes,
      figures: this.figures,
      now: this.#clock.now(),
    });
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
    return this.#diagnosis.look();
  }

  /**
   * Returns the options of the pool, with their defaults and the limits that hold now: plain data, a
   * copy. No key, certificate, pin or password is in it.
   */
  options(): OptionsInfo {
    return optionsInfo(this.#options, this.#set, this.manager.accountant.limits);
  }

  /** Whether `close()` was called. Then the pool gives no more leases. */
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
    for (const queue of this.#queues) {
      if (queue.waiters.size > 0 || queue.warm.connections > 0) this.#scheduler.wake(queue);
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
    this.#changes.close();
    this.#queues.close();
    this.#closing = this.#close(graceMs);
    return this.#closing;
  }

  /** Closes the pool. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #filter(queue: HostQueue, options: AcquireOptions): AddressFilter | undefined {
    checkNames("acquire()", options, ACQUIRE_OPTIONS);
    return filterFor(queue, options);
  }

  async #close(graceMs: number): Promise<void> {
    const reason = new ClosedError("pool");
    this.#upkeep.close();
    for (const queue of this.#queues) {
      for (const waiter of queue.waiters) this.#desk.refuse(waiter, reason);
      queue.warm.refuse(reason);
    }
    this.#scheduler.close();
    this.#dials.close(reason);
    this.#recovery.close();
    this.#ceilings.close();
    this.#prober.close();
    this.#directory.close();
    this.#rests.close();
    this.#admission.close();
    // The promise must be in place before anybody hears of the first connection's end.
    await null;
    const closed = this.manager.close({ graceMs });
    const alone = await this.#dials.gate.exclusive();
    try {
      await closed;
      await this.fleet?.close();
      this.#reporter.events.emit("closed", { graceMs });
    } finally {
      alone.release();
    }
  }
}

function fixedAddresses(
  hosts: ReadonlyMap<string, CheckedHostOptions>,
): Map<string, readonly Address[]> {
  const fixed = new Map<string, readonly Address[]>();
  for (const [host, { addresses }] of hosts) if (addresses) fixed.set(host, addresses);
  return fixed;
}

function services(hosts: ReadonlyMap<string, CheckedHostOptions>): Map<string, Service> {
  const services = new Map<string, Service>();
  for (const [host, { service }] of hosts) if (service) services.set(host, service);
  return services;
}
