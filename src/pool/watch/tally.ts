/**
 * Takes the figures of a pool from its parts.
 *
 * @module
 */

import type { Admission } from "../../hosts/admission.ts";
import type { HostDirectory } from "../../hosts/directory.ts";
import type { AddressHealth } from "../../hosts/health.ts";
import type { Rests } from "../../hosts/rests.ts";
import { NO_HEALTH } from "../../hosts/verdict.ts";
import type { Weights } from "../../hosts/weights.ts";
import type { Endpoint } from "../../map/endpoint.ts";
import type { Traffic } from "../../map/lane.ts";
import type { ConnectionManager } from "../../map/manager.ts";
import type { HostQueue } from "../host/host_queue.ts";
import { finite } from "../option_info.ts";
import type { ResolvedPoolOptions } from "../options.ts";
import type { Routes } from "../proxy/routes.ts";
import type { PoolFigures } from "./figures.ts";
import { HostFigures } from "./host_figures.ts";
import { LATENCY_BOUNDS_MS } from "./latency_counts.ts";
import { addClasses } from "./request_counts.ts";
import type { AddressStats, HostStats, PoolStats } from "./stats.ts";

/** The part of a pool's figures that its endpoints have. */
type EndpointTotals = Pick<
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
export interface TallyParts {
  readonly options: ResolvedPoolOptions;
  readonly manager: ConnectionManager;
  readonly directory: HostDirectory;
  readonly health: AddressHealth;
  readonly rests: Rests;
  readonly admission: Admission;
  readonly weights: Weights;
  readonly queues: Iterable<HostQueue>;
  readonly routes: Routes;
  readonly figures: PoolFigures;
}

/** Takes the figures of a pool. */
export class Tally {
  readonly #parts: TallyParts;

  /** Makes it. */
  constructor(parts: TallyParts) {
    this.#parts = parts;
  }

  /** The figures now. */
  take(): PoolStats {
    const { admission, figures, manager, options, weights } = this.#parts;
    const { maxConnections, maxConnectionsPerHost, maxConnectionsPerIp } =
      manager.accountant.limits;
    const now = options.clock.now();
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
      weights: weights.list(),
      proxies: this.#parts.routes.stats(),
      ...endpointTotals(this.#parts, now),
    };
  }
}

/**
 * The figures of every host that has connections, or is asked for. It looks at each address of each
 * host once, and at no connection: these count themselves where they stand.
 */
function endpointTotals(parts: TallyParts, now: number): EndpointTotals {
  // Without a prototype: `constructor` and `__proto__` are possible names of hosts.
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
    // Denied addresses have no endpoint, but are shown as well.
    for (const address of toldAddresses) {
      const rule = parts.admission.deniedBy(address);
      const stats = counts.addresses[address.text] ??= emptyAddress();
      if (rule !== undefined) Object.assign(stats, { deniedBy: rule, standing: "gone" });
    }
  }
  for (const { endpoints, host } of parts.manager.hosts.lanes()) {
    const counts = hosts[host] ??= emptyHost();
    for (const endpoint of endpoints.values()) countEndpoint(counts, endpoint, now, parts);
  }
  for (const [host, { ejections, latency, requests, resolveErrors }] of parts.figures.hosts) {
    const told = requests.stats();
    // The name of a proxy is resolved too, but is not a host that callers use.
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
  return { ...totals(Object.values(hosts), parts.manager.hosts.past), hosts: { ...hosts } };
}

/** Adds an endpoint's figures: an address has one for each TLS profile of its host. */
function countEndpoint(
  counts: Counts,
  endpoint: Endpoint,
  now: number,
  { admission, health, rests }: TallyParts,
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
