/**
 * What a pool promises, as small as it can be said: who waits, who has a lease, which addresses may
 * be used, how many connections there may be. Written from the documents, not from the code.
 *
 * @module
 */

import type { TlsVersion } from "../../../src/core/dialer.ts";
import {
  AccessDeniedError,
  AcquireTimeoutError,
  ClosedError,
  HostUnavailableError,
  ResolveError,
  WaiterLimitError,
} from "../../../src/core/errors.ts";
import type { ConnectionLimits } from "../../../src/map/accountant.ts";
import type { Lease } from "../../../src/pool/lease/lease.ts";
import type { Ask, Weather, World } from "./steps.ts";

/** How long a dial may take, in milliseconds. */
export const CONNECT_MS = 400;

/** How many dials may begin in one moment: several times as many as there may be connections. */
const MAX_DIALS_AT_ONCE = 200;

/** A caller who waits. */
export interface Caller {
  /** Callers are counted as they come. */
  readonly number: number;
  readonly host: string;
  readonly ask: Ask;
  readonly since: number;
  readonly deadline: number;
  /** Whether as many waited as may when it came. */
  readonly cameLast: boolean;
  readonly stop: AbortController;
}

/** A lease under way, and whom it was given to. */
export interface Held {
  readonly lease: Lease;
  /** What its connection was dialled as. */
  readonly line: Line | undefined;
  readonly host: string;
  readonly shared: boolean;
}

/** A dial, or the socket that it became. */
export interface Line {
  readonly host: string;
  readonly address: string;
  /** The TLS options that it was dialled with. */
  readonly minVersion: TlsVersion | undefined;
  readonly since: number;
}

/** A promise that was broken. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** Throws where a promise does not hold. */
export function promise(holds: boolean, what: string, ...seen: readonly unknown[]): asserts holds {
  if (!holds) throw new Broken([what, ...seen.map((value) => JSON.stringify(value))].join(" "));
}

/** A host, as the resolver has told it. */
interface Told {
  readonly addresses: readonly string[];
  /** When it last told others. */
  readonly since: number;
}

/** What must be, by what has happened. */
export class Reference {
  readonly callers: Set<Caller> = new Set();
  readonly held: Held[] = [];
  readonly dialling: Set<Line> = new Set();
  readonly open: Set<Line> = new Set();
  readonly told: Map<string, Told> = new Map();
  /** IP addresses that are blocked, until when, and whether they are tested meanwhile. */
  readonly blocks: Map<string, { readonly until: number; readonly untilWell: boolean }> = new Map();
  limits: ConnectionLimits;
  /** The TLS options of hosts with their own; of all others, under `null`. */
  readonly tls: Map<string | null, TlsVersion> = new Map();
  isClosed = false;
  /** Whether addresses are checked, or were. */
  checks: boolean;
  #denied: ReadonlySet<string> = new Set();
  readonly #world: World;
  /** Since when nothing has happened to a machine. */
  readonly #calmSince = new Map<string, number>();
  readonly #weather = new Map<string, Weather>();
  /** When the last dial began, and how many did then. */
  readonly #dialled = { at: 0, times: 0 };
  /** Those who got a lease in this step, as they got it. */
  #served: Caller[] = [];

  constructor(world: World) {
    this.#world = world;
    this.limits = world.limits;
    this.checks = world.checks;
  }

  /** The weather at a machine. */
  weatherAt(address: string): Weather {
    return this.#weather.get(address) ?? { delayMs: 0 };
  }

  setWeather(address: string, weather: Weather, now: number): void {
    this.#weather.set(address, weather);
    this.disturbed(address, now);
  }

  /** Something has happened to a machine that may count against it. */
  disturbed(address: string, now: number): void {
    this.#calmSince.set(address, now);
  }

  resolved(host: string, addresses: readonly string[], now: number): void {
    const before = this.told.get(host);
    const isSame = before?.addresses.join() === addresses.join();
    this.told.set(host, { addresses, since: isSame ? before.since : now });
  }

  deny(ips: readonly string[], now: number): void {
    for (const ip of [...this.#denied, ...ips]) this.disturbed(ip, now);
    this.#denied = new Set(ips);
  }

  /** Whether an address may be used. */
  allows(address: string, now: number): boolean {
    const block = this.blocks.get(address);
    return !this.#denied.has(address) && !(block && now < block.until);
  }

  /** The TLS options that a host is dialled with. */
  #tlsOf(host: string): TlsVersion | undefined {
    return this.tls.get(host) ?? this.tls.get(null);
  }

  /**
   * A dial begins: within all limits, to an address that the host has and that may be used, with the
   * options in force.
   */
  dials(line: Line): void {
    const { address, host, minVersion, since: now } = line;
    promise(!this.isClosed, "A closed pool dials", line);
    promise(minVersion === this.#tlsOf(host), "It dials with options that were replaced", line);
    if (this.#dialled.at !== now) this.#dialled.times = 0;
    this.#dialled.at = now;
    promise(++this.#dialled.times <= MAX_DIALS_AT_ONCE, "A storm of dials", line);
    const isTested = this.blocks.get(address)?.untilWell === true && !this.#denied.has(address);
    promise(this.allows(address, now) || isTested, "It dials what may not be used", line);
    const told = this.told.get(host);
    // What is told in this very moment may be too late for a dial that is about to be made.
    const isWanted = told?.since === now || told?.addresses.includes(address)
      || [...this.callers].some(({ ask }) => ask.ip === address);
    promise(isWanted, "It dials what the host has not", line, told);
    const { maxConnections, maxConnectionsPerHost, maxConnectionsPerIp } = this.limits;
    const lines = [...this.dialling, ...this.open];
    promise(lines.length < maxConnections, "Too many connections", line);
    const ofHost = lines.filter((line) => line.host === host).length;
    promise(ofHost < maxConnectionsPerHost, "Too many connections to a host", line);
    const ofAddress = lines.filter((line) => line.address === address).length;
    promise(ofAddress < maxConnectionsPerIp, "Too many connections to an address", line);
    this.#checkDials(host);
    this.dialling.add(line);
  }

  /** No more dials at once than may be; checks have their own limit, and look alike from here. */
  #checkDials(host: string): void {
    const { maxConcurrentDials, maxConcurrentDialsPerHost } = this.#world;
    if (this.checks) return;
    promise(this.dialling.size < maxConcurrentDials, "Too many dials");
    const dialsOfHost = [...this.dialling].filter((line) => line.host === host).length;
    promise(dialsOfHost < maxConcurrentDialsPerHost, "Too many dials to a host", host);
  }

  /** A lease begins: on a connection to its host, at an address that will do, within its capacity. */
  leased(held: Held, ask: Ask, now: number): void {
    const { host, lease, line, shared } = held;
    const { connection } = lease;
    const { address } = connection;
    const isRenewed = line?.minVersion === this.#tlsOf(host);
    promise(isRenewed, "A lease with options that were replaced", line);
    promise(!this.isClosed, "A closed pool gives a lease", host, address);
    promise(connection.host === host, "A lease for another host", host, connection.host);
    // What others share may be let go between the moment a lease begins and the one in which it is heard of.
    const isInUse = connection.state === "leased" || (shared && connection.state === "draining");
    promise(isInUse, "A lease on what is", connection.state, host, address);
    promise(this.allows(address, now), "A lease at what may not be used", host, address);
    promise(ask.ip === undefined || ask.ip === address, "A lease elsewhere", ask, address);
    promise(!ask.exclude?.includes(address), "A lease at what was excluded", ask, address);
    const { addresses: has = [], since = now } = this.told.get(host) ?? {};
    promise(
      ask.ip !== undefined || since === now || has.includes(address),
      "A lease at what the host has not",
      host,
      address,
      has,
    );
    this.held.push(held);
    const others = this.held.filter((other) => other.lease.connection === connection).length;
    promise(others <= (shared ? connection.capacity : 1), "Too many leases", host, address);
  }

  served(caller: Caller): void {
    this.callers.delete(caller);
    this.#served.push(caller);
  }

  /** A caller gets no lease: there must be a good reason. */
  refused(caller: Caller, error: unknown, now: number): void {
    this.callers.delete(caller);
    const { ask, host } = caller;
    const told = () => [host, ask, `${error}`];
    const { aborted, reason } = caller.stop.signal;
    if (aborted && error === reason) return;
    if (error instanceof ClosedError) promise(this.isClosed, "An open pool is closed", ...told());
    else if (error instanceof AcquireTimeoutError) {
      promise(now >= caller.deadline, "Out of time too soon", ...told());
    } else if (error instanceof WaiterLimitError) {
      promise(caller.cameLast, "It has no place for one who waits", ...told());
    } else if (error instanceof HostUnavailableError || error instanceof AccessDeniedError) {
      // When its time is over, what each machine failed with last is as good an answer as another.
      const isOver = now >= caller.deadline;
      promise(isOver || !this.#isWellServed(caller, now), "A good machine was there", ...told());
    } else promise(error instanceof ResolveError, "A reason of another kind", ...told());
  }

  /** Whether one of a caller's machines has been well, and known, since before any dial that it shares. */
  #isWellServed({ ask, host, since }: Caller, now: number): boolean {
    const told = this.told.get(host);
    if (!told || told.since >= since) return false;
    return told.addresses.some((address) => {
      const { delayMs, failure } = this.weatherAt(address);
      const calmSince = this.#calmSince.get(address) ?? -Infinity;
      return delayMs !== null && delayMs < 100 && failure === undefined
        && calmSince < since - CONNECT_MS
        && this.allows(address, now) && (ask.ip ?? address) === address
        && !ask.exclude?.includes(address);
    });
  }

  /** Who has a choice is served as they came, host by host. */
  checkOrder(): void {
    for (const [index, caller] of this.#served.entries()) {
      if (!hasNoWish(caller)) continue;
      const overtaken = [...this.callers, ...this.#served.slice(index + 1)].find((other) =>
        hasNoWish(other) && other.host === caller.host && other.number < caller.number
        && other.ask.shared === caller.ask.shared
      );
      if (overtaken && this.callers.has(overtaken) && overtaken.stop.signal.aborted) continue;
      promise(overtaken === undefined, "Served out of turn", caller.host, caller.number);
    }
    this.#served = [];
  }

  /** Every caller hears in time. */
  checkDeadlines(now: number): void {
    for (const { ask, deadline, host, number, stop } of this.callers) {
      promise(now < deadline, "It waits beyond its time", host, ask, number);
      promise(!stop.signal.aborted, "It waits although it has given up", host, ask, number);
      promise(!this.isClosed, "It waits for a closed pool", host, ask, number);
    }
  }

  /** No dial takes longer than it may. */
  checkDials(now: number): void {
    for (const line of this.dialling) {
      promise(now - line.since < CONNECT_MS, "A dial takes too long", line);
    }
  }
}

function hasNoWish({ ask: { exclude, ip, sticky } }: Caller): boolean {
  return exclude === undefined && ip === undefined && sticky === undefined;
}
