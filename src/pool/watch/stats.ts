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
import type { Traffic } from "../../map/lane.ts";
import type { ConnectionManager, DebugInfo, EvictReason } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import { finite } from "../option_info.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { ProxyStats, Routes } from "../proxy/routes.ts";
import type { PoolFigures, PoolTimes } from "./figures.ts";
import { HostFigures } from "./host_figures.ts";
import { LATENCY_BOUNDS_MS, type LatencyStats } from "./latency_counts.ts";
import { addClasses, type RequestStats } from "./request_counts.ts";

/** How many there may be, as it holds now; null where there is no limit. */
export interface PoolLimits {
  /** Connections in all. */
  readonly maxConnections: number | null;
  /** Connections to a host that has no limit of its own. */
  readonly maxConnectionsPerHost: number | null;
  /** Connections to an address. */
  readonly maxConnectionsPerIp: number | null;
  /** Connections that nobody uses. */
  readonly maxIdleConnections: number | null;
  /** Callers who wait. */
  readonly maxWaiters: number | null;
}

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
  /**
   * Since when it stands so, in milliseconds since 1970; null where it was never used, because a rule
   * or block has always kept it from that.
   */
  readonly standingSince: number | null;
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
  /**
   * The answers that came from it, by class of status, such as `2xx`: those too that no caller saw,
   * because the request went to another machine.
   */
  readonly statuses: { readonly [statusClass: string]: number };
  /** Bytes that came from it, those inside of TLS. */
  readonly bytesIn: number;
  /** Bytes that were sent to it, those inside of TLS. */
  readonly bytesOut: number;
  /** How often it was ejected. */
  readonly ejections: number;
  /**
   * When the first certificate of the chain runs out that it showed last and that was verified, in
   * milliseconds since 1970; null where the dialer does not tell, as Deno's own.
   */
  readonly certificateEndsAt: number | null;
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
  /** How many connections there may be; null where only the limits of the pool and of addresses hold. */
  readonly maxConnections: number | null;
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
  /** How many times one of its addresses was ejected. */
  readonly ejections: number;
  /** How many times the resolver failed for it. */
  readonly resolveErrors: number;
  /** When the first certificate of its addresses runs out, as `certificateEndsAt` there. */
  readonly certificateEndsAt: number | null;
  /** What became of its requests. */
  readonly requests: RequestStats;
  /** How long its requests took that were answered or failed, from their beginning to their end. */
  readonly latency: LatencyStats;
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
  /** How many times an address was ejected. */
  readonly ejections: number;
  /** How many times the resolver failed. */
  readonly resolveErrors: number;
  /** Bytes that came over all connections, those inside of TLS. */
  readonly bytesIn: number;
  /** Bytes that were sent over all connections, those inside of TLS. */
  readonly bytesOut: number;
  /** The limits that hold now. */
  readonly limits: PoolLimits;
  /** What became of requests. */
  readonly requests: RequestStats;
  /** How long requests took that were answered or failed, from their beginning to their end. */
  readonly latency: LatencyStats;
  /** The times that `latency` counts up to, here and by host, in milliseconds. */
  readonly latencyBoundsMs: readonly number[];
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
  | "bytesIn"
  | "bytesOut"
  | "allowedAddresses"
  | "deniedAddresses"
  | "hosts"
>;

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

type AddressCounts = Mutable<Omit<AddressStats, "statuses">> & {
  readonly statuses: { [statusClass: string]: number };
};

type Counts = Mutable<Omit<HostStats, "addresses">> & {
  readonly addresses: { [address: string]: AddressCounts };
};

/** What the figures are taken from, all of it the pool's. */
export interface StatsParts {
  readonly options: ResolvedPoolOptions;
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
  const { admission, figures, manager, now, options } = parts;
  const { maxConnections, maxConnectionsPerHost, maxConnectionsPerIp } = manager.accountant.limits;
  figures.settle();
  const { ejections, latency, requests, resolveErrors } = figures.all();
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
    ejections,
    resolveErrors,
    limits: {
      maxConnections: finite(maxConnections),
      maxConnectionsPerHost: finite(maxConnectionsPerHost),
      maxConnectionsPerIp: finite(maxConnectionsPerIp),
      maxIdleConnections: finite(options.maxIdleConnections),
      maxWaiters: finite(options.maxWaiters),
    },
    requests: requests.stats(),
    latency: latency.stats(),
    latencyBoundsMs: LATENCY_BOUNDS_MS,
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
  for (const [host, { ejections, latency, requests, resolveErrors }] of parts.figures.hosts) {
    const told = requests.stats();
    // The name of a proxy is resolved too, and is no host that anybody asks for.
    if (!hosts[host] && told.count === 0) continue;
    Object.assign(hosts[host] ??= emptyHost(), {
      requests: told,
      latency: latency.stats(),
      ejections,
      resolveErrors,
    });
  }
  const { accountant } = parts.manager;
  for (const [host, counts] of Object.entries(hosts)) {
    counts.maxConnections = finite(accountant.limitOf(host));
  }
  return { ...totals(Object.values(hosts), parts.manager.traffic), hosts: { ...hosts } };
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
  stats.bytesIn += endpoint.bytesIn;
  stats.bytesOut += endpoint.bytesOut;
  stats.ejections += endpoint.ejections;
  if (endpoint.statuses) addClasses(stats.statuses, endpoint.statuses);
  stats.certificateEndsAt = earlier(stats.certificateEndsAt, endpoint.certificateEndsAt);
  counts.certificateEndsAt = earlier(counts.certificateEndsAt, endpoint.certificateEndsAt);
  // The worst of them tells most.
  stats.p50Ms = slower(stats.p50Ms, latencies?.percentile(50));
  stats.p99Ms = slower(stats.p99Ms, latencies?.percentile(99));
  stats.toldLater ??= rests.of(endpoint) ?? null;
  const known = health.describe(endpoint);
  for (const count of Object.values(known.failures)) stats.failures += count;
  if (stats.standing !== "good" && standing === "good") return;
  stats.standing = standing;
  stats.standingSince = endpoint.standingSince;
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

function earlier(known: number | null, other: number | undefined): number | null {
  return other === undefined ? known : Math.min(known ?? Infinity, other);
}

function totals(hosts: readonly Counts[], past: Traffic): Omit<EndpointTotals, "hosts"> {
  let leased = 0;
  let draining = 0;
  let healthy = 0;
  let multiplexed = 0;
  let leases = 0;
  let capacity = 0;
  let { bytesIn, bytesOut } = past;
  const denied = new Set<string>();
  const allowed = new Set<string>();
  for (const host of hosts) {
    leased += host.leased;
    draining += host.draining;
    healthy += host.healthy;
    multiplexed += host.multiplexed;
    leases += host.leases;
    capacity += host.capacity;
    for (const [address, stats] of Object.entries(host.addresses)) {
      const { deniedBy } = stats;
      bytesIn += stats.bytesIn;
      bytesOut += stats.bytesOut;
      (deniedBy === null ? allowed : denied).add(address);
    }
  }
  const sizes = { allowedAddresses: allowed.size, deniedAddresses: denied.size };
  return {
    leased,
    draining,
    healthy,
    multiplexed,
    leases,
    capacity,
    bytesIn,
    bytesOut,
    ...sizes,
  };
}

const { latency, requests } = new HostFigures();
const NO_REQUESTS = requests.stats();
const NO_LATENCY = latency.stats();

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
    maxConnections: null,
    warmTarget: 0,
    panic: false,
    toldLater: null,
    resolution: null,
    ejections: 0,
    resolveErrors: 0,
    certificateEndsAt: null,
    requests: NO_REQUESTS,
    latency: NO_LATENCY,
    addresses: {},
  };
}

// Written out: an object that begins as a spread costs ten times as much in V8.
function emptyAddress(): AddressCounts {
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
    standingSince: null,
    deniedBy: null,
    retryAt: null,
    toldLater: null,
    weight: 1,
    share: 1,
    picks: 0,
    statuses: {},
    bytesIn: 0,
    bytesOut: 0,
    ejections: 0,
    certificateEndsAt: null,
    latencyMs: null,
    p50Ms: null,
    p99Ms: null,
    failures: 0,
    health: NO_HEALTH,
  };
}
