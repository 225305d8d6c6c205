/**
 * A pool on a clock by hand and machines in memory, to which a program of steps happens, held to the
 * reference after each of them.
 *
 * @module
 */

import { memoryDialer, type MemorySocket } from "../../../adapters/memory.ts";
import type { Dialer, TlsVersion } from "../../../src/core/dialer.ts";
import { ResolveError, SocketError } from "../../../src/core/errors.ts";
import type { Resolver } from "../../../src/hosts/resolver.ts";
import type { Connection } from "../../../src/map/connection.ts";
import { endpointOf } from "../../../src/map/endpoint.ts";
import type { AcquireOptions } from "../../../src/pool/call_options.ts";
import type { Lease } from "../../../src/pool/lease/lease.ts";
import { ConnectionPool } from "../../../src/pool/pool.ts";
import { Counts } from "./counts.ts";
import { Broken, type Caller, CONNECT_MS, type Line, promise, Reference } from "./reference.ts";
import { StepClock } from "./step_clock.ts";
import { type Ask, HOSTS, MACHINES, type Program, type Step, type Told } from "./steps.ts";

const ACQUIRE_MS = 1_500;

/** A resolver is asked again half a minute after it failed, a full machine tried after a minute, at the most. */
const SERVES_AGAIN_MS = 62_500;

/** How long all may take to be well again when everything is, in milliseconds. */
const CALM_MS = 600_000;

/** A pool whose connections may be shared, as HTTP/2 shares them. */
class ModelPool extends ConnectionPool {
  /** How many leases a connection carries, by its address. */
  streamsAt: (address: string) => number = () => 1;

  protected override prepare(connection: Connection): void {
    if (connection.socket.info.alpn === "h2") {
      connection.capacity = this.streamsAt(connection.address);
    }
  }

  share(host: string, options: AcquireOptions): Promise<Lease> {
    try {
      return this.leases.acquire(host, { ...options, http: ["h2", "http/1.1"] });
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/**
 * Runs a program, and makes all well behind its last step where that is wanted; a step that breaks a
 * promise is told.
 */
export async function play(
  { steps, world }: Program,
  untilWell = true,
): Promise<Failure | undefined> {
  // A runtime forgets what is referred to weakly only between its own turns.
  await new Promise((resolve) => setTimeout(resolve));
  const stage = new Stage(world);
  let step = 0;
  try {
    for (; step < steps.length; step++) await stage.step(steps[step]!, step);
    if (untilWell) {
      await stage.calmDown();
      await stage.end();
    }
    return undefined;
  } catch (error) {
    return { step, error };
  } finally {
    stage.abandon();
  }
}

/** Where a program broke a promise; behind its last step, when all should be well again. */
export interface Failure {
  readonly step: number;
  readonly error: unknown;
}

interface WarmUp {
  readonly host: string;
  readonly stop: AbortController;
}

class Stage {
  readonly #clock: StepClock;
  readonly #pool: ModelPool;
  readonly #reference: Reference;
  readonly #counts: Counts;
  readonly #sockets = new Map<MemorySocket, Line>();
  readonly #resolver = new Map<string, Told>();
  readonly #warmUps = new Set<WarmUp>();
  /** How many connections are to be there; undefined where it is not said any more. */
  readonly #warm = new Map<string, number | undefined>();
  /** The names of the TLS profiles of each host's two kinds of callers, as seen on their leases. */
  readonly #profiles = new Map<string, string>();
  readonly #world: Program["world"];
  #callers = 0;
  #fault: unknown;
  #closing: Promise<void> | undefined;

  constructor(world: Program["world"]) {
    this.#world = world;
    this.#clock = new StepClock(world.seed);
    this.#reference = new Reference(world);
    for (const [host, addresses] of Object.entries(HOSTS)) {
      this.#resolver.set(host, { addresses, delayMs: 0 });
    }
    const { balancer, checks: _checks, limits, minIdle, seed: _seed, ...numbers } = world;
    const { maxConnectionsPerHost } = limits;
    const warm = Math.min(minIdle, maxConnectionsPerHost);
    this.#warm.set("a.test", warm);
    this.#pool = new ModelPool({
      ...numbers,
      ...limits,
      balancer,
      clock: this.#clock,
      dialer: this.#dialer(),
      resolver: this.#makeResolver(),
      hosts: { "a.test": { minIdle: warm } },
      ...world.checks && { healthCheck: "tls" },
      healthCheckIntervalMs: 700,
      blocklistCheckIntervalMs: 900,
      testTimeoutMs: 300,
      connectTimeoutMs: CONNECT_MS,
      acquireTimeoutMs: ACQUIRE_MS,
      dialStaggerMs: 50,
      cleanupIntervalMs: 1_000,
      leaseWarningMs: 2_000,
      dnsMinTtlMs: 500,
      dnsMaxTtlMs: 10_000,
      dnsRefreshIntervalMs: 3_000,
      dnsTimeoutMs: 250,
      dnsStaleMs: Infinity,
      maxEjectionMs: 20_000,
    });
    this.#pool.streamsAt = (address) => this.#reference.weatherAt(address).streams ?? 1;
    this.#counts = new Counts(this.#pool);
    this.#pool.on("unblock", ({ ip }) => {
      this.#reference.blocks.delete(ip);
      this.#reference.disturbed(ip, this.#clock.now());
    });
  }

  /** Lets one thing happen, and looks at everything. */
  async step(step: Step, index: number): Promise<void> {
    await this.#do(step);
    await this.#look();
    if (index % 8 === 0) this.#checkStats();
  }

  #do(step: Step): void | Promise<void> {
    switch (step[0]) {
      case "acquire":
        return this.#acquire(step[1], step[2]);
      case "try":
        return this.#try(step[1]);
      case "release":
        return this.#release(step[1], step[2]);
      case "abort":
        return pick(this.#reference.callers, step[1])?.stop.abort(new Error("given up"));
      case "warm":
        return this.#warmUp(step[1], step[2]);
      case "stop warming":
        return this.#stopWarming(step[1]);
      case "drain":
        this.#warm.has(step[1]) && this.#warm.set(step[1], 0);
        return void this.#pool.drain(step[1]);
      case "remove": {
        const connection = pick(this.#pool.manager.connections(), step[1]);
        if (connection) this.#pool.manager.removeConnection(connection);
        return;
      }
      case "block":
        return this.#block(step[1], step[2]);
      case "unblock":
        return void this.#pool.unblock(step[1]);
      case "weigh":
        return this.#pool.setWeight(step[1], step[2]);
      case "deny":
        this.#reference.deny(step[1], this.#clock.now());
        return this.#pool.setAccess({ deny: step[1] });
      case "resolver":
        return void this.#resolver.set(step[1], step[2]);
      case "machine":
        return this.#reference.setWeather(step[1], step[2], this.#clock.now());
      case "peer":
        return this.#peer(step[1], step[2]);
      case "goaway": {
        const connection = pick(this.#pool.manager.connections(), step[1]);
        if (connection) connection.healthy = false;
        return;
      }
      case "streams": {
        const connection = pick(this.#multiplexed(), step[1]);
        if (connection) connection.capacity = step[2];
        return;
      }
      case "limits":
        this.#reference.limits = { ...this.#reference.limits, ...step[1] };
        return void this.#pool.setLimits(step[1]);
      case "tls":
        return this.#setTls(step[1], step[2]);
      case "pass":
        return this.#clock.pass(step[1]);
      case "jump":
        return this.#clock.jump(step[1]);
      case "wall":
        return this.#clock.shiftWall(step[1]);
      case "close":
        return this.#close(step[1]);
    }
  }

  /** Makes everything well, and waits until all is as it is to be. */
  async calmDown(): Promise<void> {
    if (this.#closing) return;
    const reference = this.#reference;
    for (const { lease } of reference.held.splice(0)) lease.release();
    for (const address of MACHINES) {
      reference.setWeather(address, { delayMs: 5 }, this.#clock.now());
      this.#pool.unblock(address);
    }
    reference.deny([], this.#clock.now());
    this.#pool.setAccess({});
    for (const [host, addresses] of Object.entries(HOSTS)) {
      this.#resolver.set(host, { addresses, delayMs: 0 });
    }
    const ample = { maxConnections: 50, maxConnectionsPerHost: 20, maxConnectionsPerIp: 20 };
    reference.limits = ample;
    this.#pool.setLimits(ample);
    await this.#look();
    for (let passed = 0; passed < CALM_MS; passed += 500) {
      // Those who waited may have taken all that one machine may have.
      for (const { lease } of reference.held.splice(0)) lease.release();
      await this.#clock.pass(500);
      await this.#look();
      if (passed > 2 * ACQUIRE_MS && this.#isWarm()) break;
    }
    promise(this.#isWarm(), "It is not as warm as it is to be", [...this.#warm]);
    promise(this.#warmUps.size === 0, "Somebody waits for warmth that is there");
    promise(reference.callers.size === 0, "Somebody waits although all is well");
    await this.#serveAll();
    this.#checkStats();
  }

  /** Every host serves, as soon as its resolver is asked again, or its machine that was full is tried. */
  async #serveAll(): Promise<void> {
    if (this.#world.maxWaiters === 0) return;
    const { callers, held } = this.#reference;
    for (const host of Object.keys(HOSTS)) {
      const askedAt = this.#clock.now();
      for (let isServed = false; !isServed;) {
        // A machine that was full shows that it takes more by what it answers.
        for (const { lease } of held.splice(0)) lease.release();
        await this.#look();
        if (callers.size === 0) this.#acquire(host, {});
        await this.#clock.pass(50);
        await this.#look();
        isServed = held.some((lease) => lease.host === host);
        const passedMs = this.#clock.now() - askedAt;
        promise(isServed || passedMs < SERVES_AGAIN_MS, "Not served although all is well", host);
      }
    }
  }

  /** Lets nothing go on, whatever was broken: it might for ever, and nobody else would have a turn. */
  abandon(): void {
    void this.#pool.close({ graceMs: 0 });
  }

  /** Closes the pool; nothing is left. */
  async end(): Promise<void> {
    if (!this.#closing) this.#close(50);
    let isClosed = false;
    this.#closing?.then(() => isClosed = true);
    await this.#clock.pass(6_000);
    promise(isClosed, "It does not close");
    promise(this.#sockets.size === 0, "A closed pool has sockets", this.#sockets.size);
    promise(this.#reference.dialling.size === 0, "A closed pool dials");
    promise(this.#clock.timers === 0, "A closed pool has timers", this.#clock.timers);
    promise(this.#reference.callers.size === 0, "Somebody waits for a closed pool");
    promise(this.#warmUps.size === 0, "Somebody waits for a closed pool's warmth");
    const { connections, dialing, ending, waiting } = this.#pool.stats();
    const left = connections + dialing + ending + waiting;
    promise(left === 0, "A closed pool has something", left);
    for (const { lease } of this.#reference.held.splice(0)) lease.release();
    await this.#clock.pass(0);
    this.#checkStats();
    const error = await this.#pool.acquire("a.test").catch((error: Error) => error.name);
    promise(error === "ClosedError", "A closed pool can be asked", error);
    if (this.#fault) throw this.#fault;
  }

  /** Everything that must hold whatever happened. */
  async #look(): Promise<void> {
    await this.#clock.pass(0);
    if (this.#fault) throw this.#fault;
    const now = this.#clock.now();
    const { manager } = this.#pool;
    manager.checkInvariants();
    const reference = this.#reference;
    reference.checkOrder();
    reference.checkDeadlines(now);
    reference.checkDials(now);
    const count = manager.getConnectionCount();
    promise(this.#sockets.size === count, "Sockets and connections", this.#sockets.size, count);
    const { maxWaiters } = this.#world;
    promise(reference.callers.size <= maxWaiters, "Too many wait", reference.callers.size);
    for (const connection of manager.connections()) {
      const { address, state } = connection;
      promise(state !== "idle" || reference.allows(address, now), "What is denied idles", address);
    }
    if (reference.callers.size > 0) this.#checkServed();
  }

  /** Nobody waits while there is a connection that would do. */
  #checkServed(): void {
    for (const connection of this.#pool.manager.connections()) {
      const endpoint = endpointOf(connection);
      if (!connection.available || !endpoint?.member || !endpoint.chosen) continue;
      for (const { ask, host, number } of this.#reference.callers) {
        if (host !== connection.host || ask.sticky !== undefined) continue;
        if (this.#profiles.get(kindOf(host, ask)) !== connection.tlsProfile) continue;
        if ((ask.ip ?? connection.address) !== connection.address) continue;
        if (ask.exclude?.includes(connection.address)) continue;
        throw new Broken(`Caller ${number} of ${host} waits beside a ready connection`);
      }
    }
  }

  #checkStats(): void {
    const reference = this.#reference;
    this.#counts.check({
      waiting: reference.callers.size,
      leases: reference.held.length,
      dialling: reference.checks ? undefined : reference.dialling.size,
      connections: this.#sockets.size,
    });
  }

  #acquire(host: string, ask: Ask): void {
    const { exclude, ip, shared = false, sticky, timeoutMs = ACQUIRE_MS } = ask;
    const stop = new AbortController();
    const reference = this.#reference;
    const since = this.#clock.now();
    const caller: Caller = {
      number: this.#callers++,
      host,
      ask,
      since,
      deadline: since + timeoutMs,
      cameLast: reference.callers.size >= this.#world.maxWaiters,
      stop,
    };
    reference.callers.add(caller);
    const options = { exclude, ip, sticky, timeoutMs, signal: stop.signal };
    const lease = shared ? this.#pool.share(host, options) : this.#pool.acquire(host, options);
    lease.then(
      (lease) => {
        reference.served(caller);
        this.#leased(host, ask, lease);
      },
      (error) => reference.refused(caller, error, this.#clock.now()),
    ).catch((error) => this.#fault ??= error);
  }

  #try(host: string): void {
    if (this.#closing) return;
    const lease = this.#pool.tryAcquire(host);
    if (lease) this.#leased(host, {}, lease);
  }

  #leased(host: string, ask: Ask, lease: Lease): void {
    const shared = ask.shared === true;
    const { socket, tlsProfile } = lease.connection;
    this.#profiles.set(kindOf(host, ask), tlsProfile);
    const line = this.#sockets.get(socket as MemorySocket);
    this.#reference.leased({ host, lease, line, shared }, ask, this.#clock.now());
  }

  #release(number: number, how: "well" | "unfit" | "error" | "twice"): void {
    const { held } = this.#reference;
    if (held.length === 0) return;
    const [{ lease }] = held.splice(number % held.length, 1) as [typeof held[number]];
    if (how === "unfit") lease.release({ reuse: false });
    else if (how === "error") {
      // What the peer did to its connection counts now.
      this.#reference.disturbed(lease.connection.address, this.#clock.now());
      lease.release({ error: new Error("a bad answer") });
    } else lease.release();
    if (how === "twice") lease.release();
  }

  #warmUp(host: string, connections: number): void {
    if (this.#closing) return;
    const target = Math.min(connections, this.#reference.limits.maxConnectionsPerHost);
    // Not more than it may have; a host of its own has the limit that it was made with.
    const stop = new AbortController();
    const warmUp: WarmUp = { host, stop };
    this.#warmUps.add(warmUp);
    this.#warm.set(host, target);
    const settled = () => void this.#warmUps.delete(warmUp);
    this.#pool.warm(host, { connections: target, signal: stop.signal }).then(settled, settled);
  }

  #stopWarming(number: number): void {
    const warmUp = pick(this.#warmUps, number);
    if (!warmUp) return;
    this.#warm.set(warmUp.host, undefined);
    warmUp.stop.abort(new Error("given up"));
  }

  #isWarm(): boolean {
    const wanted = [...this.#warm.values()].reduce<number>((sum, target = 0) => sum + target, 0);
    // What is idle is let go beyond that, warm or not.
    if (wanted > this.#world.maxIdleConnections) return true;
    const { hosts } = this.#pool.stats();
    for (const [host, target = 0] of this.#warm) {
      // A machine that was full takes more only where what it has is used.
      const addresses = Object.values(hosts[host]?.addresses ?? {});
      if (addresses.some(({ ceiling }) => ceiling !== null)) continue;
      const open = this.#pool.manager.getConnectionsForHost(host)
        .filter(({ healthy, state }) => healthy && state !== "draining");
      if (open.length < target) return false;
    }
    return true;
  }

  #block(ip: string, { forMs, untilWell }: { forMs?: number; untilWell?: true }): void {
    const now = this.#clock.now();
    this.#reference.disturbed(ip, now);
    if (this.#closing) return;
    const until = now + (forMs ?? Infinity);
    this.#reference.checks ||= untilWell === true;
    this.#reference.blocks.set(ip, { until, untilWell: untilWell === true });
    this.#pool.block(ip, { forMs, untilWell });
  }

  #setTls(minVersion: TlsVersion | null, host: string | null): void {
    if (this.#closing) return;
    if (minVersion === null) this.#reference.tls.delete(host);
    else this.#reference.tls.set(host, minVersion);
    // Those who ask from now on have others.
    this.#profiles.clear();
    this.#pool.setTls(minVersion && { minVersion }, host ?? undefined);
  }

  #peer(number: number, what: "ends" | "resets" | "speaks"): void {
    const [socket, line] = pick(this.#sockets, number) ?? [];
    if (!socket || !line) return;
    this.#reference.disturbed(line.address, this.#clock.now());
    if (what === "speaks") socket.receive(new Uint8Array(3));
    else socket.end(what === "ends" ? undefined : new SocketError("reset", "by the program"));
  }

  *#multiplexed(): Iterable<Connection> {
    for (const connection of this.#pool.manager.connections()) {
      if (connection.socket.info.alpn === "h2") yield connection;
    }
  }

  #close(graceMs: number): void {
    if (this.#closing) return;
    this.#closing = this.#pool.close({ graceMs });
    this.#reference.isClosed = true;
  }

  #dialer(): Dialer {
    const clock = this.#clock;
    const reference = this.#reference;
    const inner = memoryDialer({
      clock,
      script: ({ address, tls }) => {
        const { delayMs, ...how } = reference.weatherAt(address);
        const alpn = tls.alpn?.includes("h2") && how.streams ? "h2" : null;
        const socket = { alpn, onClosed: () => this.#forgetDone() };
        return { ...how, delayMs: delayMs ?? Infinity, socket };
      },
    });
    return {
      ...inner,
      dial: async (target, signal) => {
        const { address, host, tls: { minVersion } } = target;
        const line: Line = { host, address, minVersion, since: clock.now() };
        try {
          reference.dials(line);
        } catch (error) {
          this.#fault ??= error;
        }
        try {
          const socket = await inner.dial(target, signal) as MemorySocket;
          this.#sockets.set(socket, line);
          reference.open.add(line);
          return socket;
        } finally {
          reference.dialling.delete(line);
        }
      },
    };
  }

  /** Counts no more what is done. */
  #forgetDone(): void {
    for (const [socket, line] of this.#sockets) {
      if (socket.open) continue;
      this.#sockets.delete(socket);
      this.#reference.open.delete(line);
    }
  }

  #makeResolver(): Resolver {
    return {
      name: "model",
      resolve: async (name, signal) => {
        const { addresses, delayMs, ttlMs } = this.#resolver.get(name)!;
        if (delayMs !== 0) await this.#wait(delayMs ?? Infinity, signal);
        if (!addresses) throw new ResolveError(name, "by the program");
        this.#reference.resolved(name, addresses, this.#clock.now());
        return { addresses, ttlMs };
      },
    };
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = ms === Infinity ? undefined : this.#clock.setTimer(resolve, ms);
      signal.addEventListener("abort", () => {
        timer?.cancel();
        reject(signal.reason);
      }, { once: true });
    });
  }
}

/** Callers of one kind share connections. */
function kindOf(host: string, { shared }: Ask): string {
  return `${host} ${shared === true}`;
}

/** One of several by a number, counted round. */
function pick<T>(from: Iterable<T>, number: number): T | undefined {
  const all = [...from];
  return all[number % all.length];
}
