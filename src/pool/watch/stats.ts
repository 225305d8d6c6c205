/**
 * A pool's figures at one moment: plain data.
 *
 * @module
 */

import type { Admission } from "../../hosts/admission.ts";
import type { Block } from "../../hosts/block_list.ts";
import type { HostDirectory, HostInfo } from "../../hosts/directory.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { AllTold, Rests, ToldLater } from "../../hosts/rests.ts";
import { type EndpointHealth, NO_HEALTH } from "../../hosts/verdict.ts";
import type { Endpoint, Standing } from "../../map/endpoint.ts";
import type { ConnectionManager, DebugInfo, EvictReason } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import type { ProxyStats, Routes } from "../proxy/routes.ts";
import { type PoolFigures, type PoolTimes, RequestCounts, type RequestStats } from "./figures.ts";

/** The figures of one host at one address. */
export interface AddressStats {
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Connections in use for the last time. */
  readonly draining: number;
  /** Connections that nothing is known to be wrong with. */
  readonly healthy: number;
  /** Connections of HTTP/2: each carries many leases at once, which are its streams. */
  readonly multiplexed: number;
  /** Leases under way: requests, or over HTTP/2 streams. */
  readonly leases: number;
  /** How many there may be at once on its connections that take new ones. */
  readonly capacity: number;
  /** Dials on their way. */
  readonly dialing: number;
  /**
   * How many connections its machine was seen to take, those to all hosts; null where none was turned
   * away.
   */
  readonly ceiling: number | null;
  /** How it stands with those who choose. */
  readonly standing: Standing;
  /** The rule or block that keeps it from being used; null where none does. */
  readonly deniedBy: string | null;
  /** When it is due again after failures, in milliseconds since 1970; null where it has none. */
  readonly retryAt: number | null;
  /** What it said last of when to come back (429 or 503 with `Retry-After`); null where none holds. */
  readonly toldLater: ToldLater | null;
  /** How much it is to bear, beside the others of its host. */
  readonly weight: number;
  /** How much of that it bears by now: from a tenth to 1 while it starts slowly. */
  readonly share: number;
  /** Leases that began. */
  readonly picks: number;
  /** How long it is expected to take for an answer, in milliseconds; null where nobody knows. */
  readonly latencyMs: number | null;
  /** What half of its answers of late did not exceed, in milliseconds; null without any. */
  readonly p50Ms: number | null;
  /** What 99 in 100 of them did not exceed, by a sample, in milliseconds; null without any. */
  readonly p99Ms: number | null;
  /** How often it failed, all failures together. */
  readonly failures: number;
  /** What is known of its failures. */
  readonly health: EndpointHealth;
}

/** The figures of one host. */
export interface HostStats {
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Connections in use for the last time. */
  readonly draining: number;
  /** Connections that nothing is known to be wrong with. */
  readonly healthy: number;
  /** Connections of HTTP/2: each carries many leases at once, which are its streams. */
  readonly multiplexed: number;
  /** Dials on their way. */
  readonly dialing: number;
  /** Callers who wait. */
  readonly waiting: number;
  /** Leases under way: over HTTP/2 a connection carries many at once, each of them a stream. */
  readonly leases: number;
  /** How many there may be at once on its connections that take new ones. */
  readonly capacity: number;
  /** How many connections are to be kept open. */
  readonly warmTarget: number;
  /** Whether fewer than half of its addresses are good, so that none is left alone. */
  readonly panic: boolean;
  /**
   * Since when all of its machines have said to come back later, and when the first of them may be
   * asked again; null where one has not.
   */
  readonly toldLater: AllTold | null;
  /** Where its addresses come from, and for how long they hold; null where nobody has asked. */
  readonly resolution: HostInfo | null;
  /** What became of its requests. */
  readonly requests: RequestStats;
  /** The figures by address. */
  readonly addresses: { readonly [address: string]: AddressStats };
}

/** The figures of a pool. Counts named after something that happens count since it was made. */
export interface PoolStats {
  /** When these figures were taken, in milliseconds since 1970. */
  readonly at: number;
  /** Since when things are counted, in milliseconds since 1970. */
  readonly since: number;
  /** Connections in the maps: idle, leased and draining. */
  readonly connections: number;
  /** Connections that are ready. */
  readonly idle: number;
  /** Connections in use. */
  readonly leased: number;
  /** Connections in use for the last time. */
  readonly draining: number;
  /** Connections that nothing is known to be wrong with. */
  readonly healthy: number;
  /** Connections of HTTP/2: each carries many leases at once, which are its streams. */
  readonly multiplexed: number;
  /** Leases under way on connections in the maps: over HTTP/2 each is a stream. */
  readonly leases: number;
  /** How many there may be at once on connections that take new ones. */
  readonly capacity: number;
  /** Connections that have left the maps whose sockets are not done yet. */
  readonly ending: number;
  /** Connections in use that go on in another protocol after an upgrade, such as WebSocket. */
  readonly upgraded: number;
  /** Dials on their way. */
  readonly dialing: number;
  /** Callers who wait. */
  readonly waiting: number;
  /** Leases that began. */
  readonly acquired: number;
  /** Leases that began on a connection that had one before. */
  readonly reused: number;
  /** Reused ones as a share of all leases, from 0 to 1; null where none began. */
  readonly reuseRate: number | null;
  /** Leases that ended. */
  readonly released: number;
  /** Callers whose time ran out. */
  readonly timedOut: number;
  /** Dials that began. */
  readonly dials: number;
  /** Dials that failed. */
  readonly dialErrors: number;
  /** Connections that were dialled. */
  readonly opened: number;
  /**
   * Those among them to addresses that a resolver told, as against addresses that were configured,
   * or named by the caller.
   */
  readonly resolved: number;
  /** Connections that left the maps, by reason. */
  readonly evicted: { readonly [Reason in EvictReason]?: number };
  /** What became of requests. */
  readonly requests: RequestStats;
  /** How long things took. */
  readonly times: PoolTimes;
  /** How many different addresses of the hosts in use may be used. */
  readonly allowedAddresses: number;
  /** How many of them may not, by a rule or by a block. */
  readonly deniedAddresses: number;
  /** What is blocked now. */
  readonly blocks: readonly Block[];
  /** The figures of the proxies that connections go over, if any do. */
  readonly proxies: readonly ProxyStats[];
  /** The figures by host. */
  readonly hosts: { readonly [host: string]: HostStats };
}

/** A pool's figures, and those of each of its connections: plain data. */
export interface PoolDebugInfo extends DebugInfo {
  /** The pool's figures. */
  readonly stats: PoolStats;
}

/** What of a pool's figures is told by its endpoints. */
export type EndpointTotals = Pick<
  PoolStats,
  | "leased"
  | "draining"
  | "healthy"
  | "multiplexed"
  | "leases"
  | "capacity"
  | "allowedAddresses"
  | "deniedAddresses"
  | "hosts"
>;

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

type Counts = Mutable<Omit<HostStats, "addresses">> & {
  readonly addresses: { [address: string]: Mutable<AddressStats> };
};

/** What the figures are taken from, all of it the pool's. */
export interface StatsParts {
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
  readonly health: AddressHealth;
  readonly rests: Rests;
  readonly admission: Admission;
  readonly queues: Iterable<HostQueue>;
  readonly routes: Routes;
  readonly figures: PoolFigures;
  /** The clock's time, in milliseconds. */
  readonly now: number;
}

/** The figures of a pool now. */
export function poolStats(parts: StatsParts): PoolStats {
  const { admission, figures, manager, now } = parts;
  figures.settle();
  return {
    at: now,
    since: figures.since,
    connections: manager.getConnectionCount(),
    idle: manager.idleCount,
    ending: manager.endingCount,
    upgraded: figures.upgraded,
    dialing: figures.dialing,
    waiting: figures.waiting,
    acquired: figures.acquired,
    reused: figures.reused,
    reuseRate: figures.acquired > 0 ? figures.reused / figures.acquired : null,
    released: figures.released,
    timedOut: figures.timedOut,
    dials: figures.dials,
    dialErrors: figures.dialErrors,
    opened: figures.opened,
    resolved: figures.resolved,
    evicted: { ...figures.evicted },
    requests: figures.requests().stats(),
    times: figures.times(),
    blocks: admission.blocks,
    proxies: parts.routes.stats(),
    ...endpointTotals(parts),
  };
}

/**
 * The figures of every host that has connections, or is asked for. It looks at each address of each
 * host once, and at no connection: these count themselves where they stand.
 */
function endpointTotals(parts: StatsParts): EndpointTotals {
  // Without a prototype: `constructor` and `__proto__` are names of hosts as good as others.
  const hosts: { [host: string]: Counts } = Object.create(null);
  for (const queue of parts.queues) {
    const { dials, host, lane, toldAddresses = [], waiters, warm } = queue;
    const counts = hosts[host.text] ??= emptyHost();
    counts.waiting += waiters.size;
    counts.warmTarget += warm.connections;
    counts.dialing += dials.size;
    counts.panic ||= lane.panic;
    counts.toldLater ??= parts.rests.allTold(lane) ?? null;
    counts.resolution ??= parts.directory.info(host) ?? null;
    // Those that are denied have no endpoint, and are shown all the same.
    for (const address of toldAddresses) {
      const rule = parts.admission.deniedBy(address);
      const stats = counts.addresses[address.text] ??= emptyAddress();
      if (rule !== undefined) Object.assign(stats, { deniedBy: rule, standing: "gone" });
    }
  }
  for (const { endpoints, host } of parts.manager.lanes()) {
    const counts = hosts[host] ??= emptyHost();
    for (const endpoint of endpoints.values()) countEndpoint(counts, endpoint, parts);
  }
  for (const [host, requests] of parts.figures.hosts) {
    (hosts[host] ??= emptyHost()).requests = requests.stats();
  }
  return { ...totals(Object.values(hosts)), hosts: { ...hosts } };
}

/** Adds an endpoint's figures: an address has one for each TLS profile of its host. */
function countEndpoint(
  counts: Counts,
  endpoint: Endpoint,
  { admission, health, now, rests }: StatsParts,
): void {
  const { address, busy, connections, dialing, draining, dueAt, latencies } = endpoint;
  const { leased, multiplexed, picks, slots, standing, unhealthy, weight } = endpoint;
  const stats = counts.addresses[address.text] ??= emptyAddress();
  for (const figures of [counts, stats]) {
    figures.connections += connections.size;
    figures.idle += connections.size - busy - draining;
    figures.leased += busy;
    figures.draining += draining;
    figures.healthy += connections.size - unhealthy;
    figures.multiplexed += multiplexed;
    figures.leases += leased;
    figures.capacity += slots;
  }
  stats.dialing += dialing;
  stats.ceiling = health.ceilingOf(endpoint);
  stats.picks += picks;
  // The worst of them tells most.
  stats.p50Ms = slower(stats.p50Ms, latencies?.percentile(50));
  stats.p99Ms = slower(stats.p99Ms, latencies?.percentile(99));
  stats.toldLater ??= rests.of(endpoint) ?? null;
  const known = health.describe(endpoint);
  for (const count of Object.values(known.failures)) stats.failures += count;
  if (stats.standing !== "good" && standing === "good") return;
  stats.standing = standing;
  stats.deniedBy = admission.deniedBy(address) ?? null;
  stats.retryAt = dueAt || null;
  stats.weight = weight;
  stats.share = endpoint.share(now);
  stats.latencyMs = endpoint.latencyMs(now) || null;
  stats.health = known;
}

function slower(known: number | null, other: number | undefined): number | null {
  return other === undefined ? known : Math.max(known ?? 0, other);
}

function totals(hosts: readonly Counts[]): Omit<EndpointTotals, "hosts"> {
  let leased = 0;
  let draining = 0;
  let healthy = 0;
  let multiplexed = 0;
  let leases = 0;
  let capacity = 0;
  const denied = new Set<string>();
  const allowed = new Set<string>();
  for (const host of hosts) {
    leased += host.leased;
    draining += host.draining;
    healthy += host.healthy;
    multiplexed += host.multiplexed;
    leases += host.leases;
    capacity += host.capacity;
    for (const [address, { deniedBy }] of Object.entries(host.addresses)) {
      (deniedBy === null ? allowed : denied).add(address);
    }
  }
  const sizes = { allowedAddresses: allowed.size, deniedAddresses: denied.size };
  return { leased, draining, healthy, multiplexed, leases, capacity, ...sizes };
}

const NO_REQUESTS = new RequestCounts().stats();

function emptyHost(): Counts {
  return {
    connections: 0,
    idle: 0,
    leased: 0,
    draining: 0,
    healthy: 0,
    multiplexed: 0,
    dialing: 0,
    waiting: 0,
    leases: 0,
    capacity: 0,
    warmTarget: 0,
    panic: false,
    toldLater: null,
    resolution: null,
    requests: NO_REQUESTS,
    addresses: {},
  };
}

// Written out: an object that begins as a spread costs ten times as much in V8.
function emptyAddress(): Mutable<AddressStats> {
  return {
    connections: 0,
    idle: 0,
    leased: 0,
    draining: 0,
    healthy: 0,
    multiplexed: 0,
    leases: 0,
    capacity: 0,
    dialing: 0,
    ceiling: null,
    standing: "good",
    deniedBy: null,
    retryAt: null,
    toldLater: null,
    weight: 1,
    share: 1,
    picks: 0,
    latencyMs: null,
    p50Ms: null,
    p99Ms: null,
    failures: 0,
    health: NO_HEALTH,
  };
}
