/**
 * What a pool knows of one host with one TLS profile: who waits, what is being dialled, and how
 * long things take.
 *
 * @module
 */

import type { Address, Host } from "../../core/address.ts";
import type { Dialer, DialTarget, TlsSocket } from "../../core/dialer.ts";
import { Expiry } from "../../core/due_wheel.ts";
import type { HostAddress } from "../../hosts/host_address.ts";
import { LaneChooser } from "../../hosts/sticky.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";
import type { Lease, TakeBack } from "../lease/lease.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Route } from "../proxy/route.ts";
import { Demand } from "./demand.ts";
import type { TlsProfile } from "./tls_profiles.ts";
import type { Settle, Waiter } from "./waiter.ts";
import { WaiterLine } from "./waiter_line.ts";
import { WarmTarget } from "./warm_target.ts";
import { Wish } from "./wish.ts";

/** A dial on its way. It belongs to no waiter. */
export interface Dial {
  /** Counts the dials of a pool, from 1. */
  readonly number: number;
  readonly queue: HostQueue;
  readonly endpoint: Endpoint;
  readonly startedAt: number;
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly stop: AbortController;
  /** Whether it has taken so long that nobody should count on it. */
  slow: boolean;
  /** Whether its connection is unwanted by now, its host or address having been drained. */
  unwanted: boolean;
}

/** How many leases of a host it takes before one more of its addresses gets a connection. */
const SPREAD_LEASES = 10;

const NONE: ReadonlySet<never> = new Set();

/** What others act on. */
export interface QueueEvents {
  /** A lease on one of its connections has ended. */
  onRelease(queue: HostQueue, lease: Lease, reuse: boolean, error: unknown): void;
  /** Another number of connections is to be kept open. */
  onWarmTarget(queue: HostQueue): void;
}

/** One host with one TLS profile: all that is known of it, in one place. */
export class HostQueue {
  /** The host. */
  readonly host: Host;
  /** The TLS profile. */
  readonly tls: TlsProfile;
  /** Its endpoints. */
  readonly lane: Lane;
  /** The route to it, if that goes over proxies. */
  readonly route: Route | undefined;
  /** Takes leases on its connections back. */
  readonly takeBack: TakeBack;
  /** Chooses among the good endpoints by keys. */
  readonly chooser: LaneChooser;
  /** Those who wait, in order of arrival. */
  readonly waiters: WaiterLine<HostQueue> = new WaiterLine<HostQueue>(this);
  /** When the first of those gives up who wait for `acquireTimeoutMs`. */
  readonly expiry: Expiry<HostQueue> = new Expiry<HostQueue>(this);
  /** How many connections they need. */
  readonly demand: Demand = new Demand();
  /** The addresses that its lane was given, as they came. */
  toldAddresses: readonly HostAddress[] | undefined = undefined;
  /** Whether some of these are only used while others fail. */
  hasPriorities = false;
  /** Whether the pool has forgotten it, because nobody used it for a long time. */
  forgotten = false;
  /** Whether its TLS options were replaced: nothing is dialled with them that nobody asks for. */
  replaced = false;
  /** How many connections are to be kept open, and who waits for them. */
  readonly warm: WarmTarget;
  /** How many more leases may begin before it checks whether all addresses have connections. */
  leasesUntilSpread: number = SPREAD_LEASES;
  /** Whether its leases remember where they were acquired. */
  traced: boolean;

  #streams = 0;
  // There may be many hosts, and most are idle: they hold no empty sets.
  #choosy: Set<Waiter<HostQueue>> | undefined;
  #wishes: Map<string, Wish<Waiter<HostQueue>>> | undefined;
  #dials: Set<Dial> | undefined;

  /** Makes a queue where nobody waits. */
  constructor(
    host: Host,
    tls: TlsProfile,
    lane: Lane,
    route: Route | undefined,
    options: ResolvedPoolOptions,
    events: QueueEvents,
  ) {
    this.host = host;
    this.tls = tls;
    this.lane = lane;
    this.route = route;
    this.chooser = new LaneChooser(lane);
    this.takeBack = (lease, reuse, error) => events.onRelease(this, lease, reuse, error);
    this.warm = new WarmTarget(host.text, options, () => events.onWarmTarget(this));
    this.traced = options.traceLeases;
  }

  /** Those who wait, but accept only some addresses. */
  get choosy(): ReadonlySet<Waiter<HostQueue>> {
    return this.#choosy ?? NONE;
  }

  /** How many different wishes they have. */
  get wishCount(): number {
    return this.#wishes?.size ?? 0;
  }

  /** The first of them who would take a connection to an address: O(their different wishes). */
  firstChoosy(address: string): Waiter<HostQueue> | undefined {
    let found: Waiter<HostQueue> | undefined;
    if (!this.#wishes) return undefined;
    for (const { first } of this.#wishes.values()) {
      if (!first || (found && found.place < first.place)) continue;
      if (first.accepts(address)) found = first;
    }
    return found;
  }

  /** What is being dialled. */
  get dials(): ReadonlySet<Dial> {
    return this.#dials ?? NONE;
  }

  /** Notes a dial that begins. */
  addDial(dial: Dial): void {
    (this.#dials ??= new Set()).add(dial);
  }

  /** Notes that a dial is over. */
  removeDial(dial: Dial): void {
    this.#dials?.delete(dial);
    if (this.#dials?.size === 0) this.#dials = undefined;
  }

  /** Dials an address of its host, over its proxies if it has any. */
  dial(dialer: Dialer, target: DialTarget, signal: AbortSignal): Promise<TlsSocket> {
    return this.route?.dial(dialer, target, signal) ?? dialer.dial(target, signal);
  }

  /** What is dialled for it at an address. */
  dialTarget(address: Address): DialTarget {
    const { options } = this.tls;
    const { serverName } = this.lane.endpoints.get(address.text) ?? {};
    return {
      host: this.host.text,
      serverName: options.serverName ?? serverName ?? this.host.name,
      address: address.text,
      ip: address.ip,
      port: address.port,
      tls: options,
    };
  }

  /** Waits for enough leases before it looks at its addresses again, so that it costs little. */
  putOffSpread(): void {
    const { memberCount } = this.lane;
    this.leasesUntilSpread = Math.max(SPREAD_LEASES, Math.ceil(memberCount / SPREAD_LEASES));
  }

  /** Looks at its addresses soon, because they have changed. */
  hurrySpread(): void {
    this.leasesUntilSpread = Math.min(this.leasesUntilSpread, SPREAD_LEASES);
  }

  /** Whether nobody waits here, for a lease or for warmth, and nothing is open or on its way. */
  get isUnused(): boolean {
    const isAwaited = this.waiters.size > 0 || this.warm.warmUps.size > 0;
    return !isAwaited && this.dials.size === 0 && this.lane.connectionCount === 0;
  }

  /** Whether it is in use, or was within the given milliseconds. */
  isInUse(now: number, withinMs: number): boolean {
    if (this.warm.connections > 0 || this.waiters.size > 0) return true;
    if (this.replaced) return false;
    if (now - this.demand.lastReturnAt < withinMs) return true;
    for (const { leased } of this.lane.endpoints.values()) if (leased > 0) return true;
    return false;
  }

  /** Adds a caller who wants nothing in particular. */
  push(settle: Settle, since: number): void {
    this.waiters.push(settle, since);
    this.demand.noteWaiting(since, this.waiters.size);
  }

  /** Adds a caller who may have wishes. */
  enter(waiter: Waiter<HostQueue>): void {
    this.waiters.enter(waiter);
    if (waiter.filter) {
      (this.#choosy ??= new Set()).add(waiter);
      this.#wish(waiter, waiter.filter.text);
    }
    this.demand.noteWaiting(waiter.since, this.waiters.size);
  }

  /** Removes the first caller, unless somebody has looked at it: see `WaiterLine.shift()`. */
  shift(now: number): Settle | undefined {
    const settle = this.waiters.shift();
    if (settle) this.demand.noteWaiting(now, this.waiters.size);
    return settle;
  }

  /** Removes a caller who no longer waits; false if it is not in this queue. */
  leave(waiter: Waiter<HostQueue>, now: number): boolean {
    if (!this.waiters.remove(waiter)) return false;
    if (waiter.filter) {
      this.#choosy?.delete(waiter);
      if (this.#choosy?.size === 0) this.#choosy = undefined;
      this.#wish(waiter, undefined);
    }
    this.demand.noteWaiting(now, this.waiters.size);
    return true;
  }

  /** Accepts one more address for a caller who waits, if one was held back; false if not. */
  widen(waiter: Waiter<HostQueue>): boolean {
    const { filter } = waiter;
    if (!filter?.widen()) return false;
    if (this.waiters.has(waiter)) this.#wish(waiter, filter.text);
    return true;
  }

  /** Notes what a caller wishes from now on. */
  #wish(waiter: Waiter<HostQueue>, text: string | undefined): void {
    const { wish: was } = waiter;
    was?.delete(waiter);
    if (was?.size === 0) this.#wishes?.delete(was.key);
    if (text !== undefined) {
      const wishes = this.#wishes ??= new Map<string, Wish<Waiter<HostQueue>>>();
      let wish = wishes.get(text);
      if (!wish) wishes.set(text, wish = new Wish(text));
      wish.add(waiter);
      waiter.wish = wish;
    } else {
      waiter.wish = undefined;
      if (this.#wishes?.size === 0) this.#wishes = undefined;
    }
  }

  /**
   * How many callers a connection to an endpoint will serve at once: as many as the last one there,
   * or elsewhere; all of them if unknown, so that one dial shows it. If its source says that it
   * does not speak HTTP/2, there is no doubt.
   */
  streamsOf({ multiplexes, streams }: Endpoint): number {
    if (!this.tls.isShared) return 1;
    return streams || (multiplexes === false ? 1 : this.#streams || Infinity);
  }

  /** Notes how many leases a connection to an endpoint carries at once. */
  noteStreams(endpoint: Endpoint, streams: number): void {
    if (streams <= 0) return;
    endpoint.streams = this.#streams = streams;
    endpoint.streamsHeard = false;
  }

  /** How many that is by what was seen at an endpoint here; 0 if nothing was, or it means nothing. */
  ownStreams({ streams, streamsHeard }: Endpoint): number {
    return this.tls.isShared && !streamsHeard ? streams : 0;
  }

  /** Notes how many it is by what others have seen, where nothing was seen here. */
  hearStreams(endpoint: Endpoint, streams: number): void {
    if (!this.tls.isShared || this.ownStreams(endpoint) > 0) return;
    endpoint.streams = streams;
    endpoint.streamsHeard = true;
  }

  /** The dials that somebody may still count on. */
  promisingDials(): Dial[] {
    return [...this.dials].filter(({ slow, unwanted }) => !slow && !unwanted);
  }
}
