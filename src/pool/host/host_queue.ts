/**
 * What a pool knows of one host with one TLS profile: who waits, what is being dialled, and how
 * long things take.
 *
 * @module
 */

import type { Address, Host } from "../../core/address.ts";
import type { DialTarget } from "../../core/dialer.ts";
import { LinkedList } from "../../core/list.ts";
import type { HostAddress } from "../../hosts/host_address.ts";
import { LaneChooser } from "../../hosts/sticky.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Lane } from "../../map/lane.ts";
import type { Lease, TakeBack } from "../lease/lease.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { TlsProfile } from "./tls_profiles.ts";
import type { Waiter } from "./waiter.ts";
import { WarmTarget } from "./warm_target.ts";

/** A dial on its way. It belongs to no waiter. */
export interface Dial {
  /** Counts the dials of a pool, from 1. */
  readonly number: number;
  readonly queue: HostQueue;
  readonly endpoint: Endpoint;
  readonly startedAt: number;
  readonly stop: AbortController;
  /** Whether it has taken so long that nobody should count on it. */
  slow: boolean;
  /** Whether its connection is unwanted by now, its host or address having been drained. */
  unwanted: boolean;
}

/** How many leases of a host it takes before one more of its addresses gets a connection. */
const SPREAD_LEASES = 10;

/** How much each new figure weighs in a moving average. */
const WEIGHT = 0.2;

/** After how many times the usual hold without a release the pace is held to be broken. */
const BROKEN_PACE = 3;

/** How long a stall must last after it was first seen, in milliseconds. */
const CONFIRM_MS = 10;

/** What happens to a queue that others act on. */
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
  /** Takes leases on its connections back. */
  readonly takeBack: TakeBack;
  /** Chooses among the good endpoints by keys. */
  readonly chooser: LaneChooser;
  /** Who waits, first come first. */
  readonly waiters: LinkedList<Waiter> = new LinkedList();
  /** What is being dialled. */
  readonly dials: Set<Dial> = new Set();
  /** The addresses that its lane has been told, as they came. */
  toldAddresses: readonly HostAddress[] | undefined = undefined;
  /** Whether some of these are to be used only while others are not well. */
  hasPriorities = false;
  /** How many connections are to be kept open, and who waits for them. */
  readonly warm: WarmTarget;
  /** When a connection last came back from a lease, or the first waiter came after that. */
  lastReturnAt = 0;
  /** How many leases more may begin before it is looked at whether all addresses have connections. */
  leasesUntilSpread: number = SPREAD_LEASES;
  /** Whether its leases remember where they were acquired. */
  traced: boolean;
  #holdMs: number | undefined;
  #dialMs: number | undefined;
  #stallSeenAt: number | undefined;

  /** Makes a queue where nobody waits. */
  constructor(
    host: Host,
    tls: TlsProfile,
    lane: Lane,
    options: ResolvedPoolOptions,
    events: QueueEvents,
  ) {
    this.host = host;
    this.tls = tls;
    this.lane = lane;
    this.chooser = new LaneChooser(lane);
    this.takeBack = (lease, reuse, error) => events.onRelease(this, lease, reuse, error);
    this.warm = new WarmTarget(host.text, options, () => events.onWarmTarget(this));
    this.traced = options.traceLeases;
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

  /** Lets so many leases go by before its addresses are looked at again that it costs little. */
  putOffSpread(): void {
    const { memberCount } = this.lane;
    this.leasesUntilSpread = Math.max(SPREAD_LEASES, Math.ceil(memberCount / SPREAD_LEASES));
  }

  /** Has its addresses looked at soon, for they have changed. */
  hurrySpread(): void {
    this.leasesUntilSpread = Math.min(this.leasesUntilSpread, SPREAD_LEASES);
  }

  /** Notes that a lease ended, and how long it was held, in milliseconds. */
  noteReturn(now: number, ms: number): void {
    this.lastReturnAt = now;
    this.#stallSeenAt = undefined;
    this.#holdMs = this.#holdMs === undefined ? ms : this.#holdMs + (ms - this.#holdMs) * WEIGHT;
  }

  /** Notes how long a dial took, in milliseconds. */
  noteDial(ms: number): void {
    this.#dialMs = this.#dialMs === undefined ? ms : this.#dialMs + (ms - this.#dialMs) * WEIGHT;
  }

  /** How long a dial is expected to take, in milliseconds. */
  get dialMs(): number {
    return this.#dialMs ?? 0;
  }

  /** Whether a dial to an endpoint has taken so long that nobody should count on it. */
  isSlow(endpoint: Endpoint): boolean {
    for (const dial of this.dials) if (dial.endpoint === endpoint && dial.slow) return true;
    return false;
  }

  /** The dials that somebody may still count on. */
  promisingDials(): Dial[] {
    return [...this.dials].filter(({ slow, unwanted }) => !slow && !unwanted);
  }

  /**
   * How many dials ought to be under way: as many as there are callers who would still be waiting
   * when a dial begun now is ready, at the pace at which `connections` are coming back. Fifty
   * callers at once with five quick connections need one more, not forty-five.
   */
  wantedDials(connections: number, now: number): number {
    const waiters = this.waiters.size;
    if (waiters === 0) return 0;
    if (connections === 0 || this.#dialMs === undefined) return waiters;
    const stalledMs = now - this.lastReturnAt;
    if (this.#holdMs === undefined) {
      // Nobody has come back yet: one dial cannot be wrong, and after its time nothing is counted on.
      return stalledMs < this.#dialMs ? 1 : waiters;
    }
    if (this.#paceIsBroken(stalledMs, now)) return waiters;
    const served = connections * this.#dialMs / Math.max(this.#holdMs, Number.MIN_VALUE);
    return Math.max(0, Math.ceil(waiters - served));
  }

  /** How long whoever came last has to wait, in milliseconds, at the pace of so many connections. */
  expectedWaitMs(connections: number, now: number): number {
    if (this.waiters.size === 0) return 0;
    if (connections === 0) return Infinity;
    const byPace = this.waiters.size / connections * (this.#holdMs ?? 0);
    return Math.max(byPace, now - this.lastReturnAt);
  }

  /**
   * Whether connections have stopped coming back. A program that was busy sees a stall that is none:
   * what has arrived meanwhile is not read yet. So it takes two looks, and time between them.
   */
  #paceIsBroken(stalledMs: number, now: number): boolean {
    if (stalledMs <= BROKEN_PACE * (this.#holdMs ?? 0) || stalledMs <= this.dialMs) {
      this.#stallSeenAt = undefined;
      return false;
    }
    this.#stallSeenAt ??= now;
    return now - this.#stallSeenAt >= CONFIRM_MS;
  }
}
