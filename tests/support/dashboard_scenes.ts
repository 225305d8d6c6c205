/**
 * What the dashboard is shown in its tests: pools that do well, that do not, and that are large.
 *
 * @module
 */

import type { HistorySample } from "../../adapters/admin/history.ts";
import type { Recent } from "../../adapters/admin/recent.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { HistogramSnapshot } from "../../src/core/histogram.ts";
import type { FleetStats } from "../../src/fleet/fleet.ts";
import type { ConnectionStats } from "../../src/map/connection.ts";
import { LATENCY_BOUNDS_MS, type LatencyStats } from "../../src/pool/watch/latency_counts.ts";
import type { RequestStats } from "../../src/pool/watch/request_counts.ts";
import type { AddressStats, HostStats, PoolStats } from "../../src/pool/watch/stats.ts";

import { recentWith } from "./dashboard_recent.ts";

/** One finding of a diagnosis. */
export interface SceneFinding {
  readonly severity: "info" | "warning" | "critical";
  readonly what: string;
  readonly host?: string;
  readonly address?: string;
  readonly message: string;
  readonly advice: string;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

/** A pool's figures, to be changed by a test as it likes. */
export interface Scene {
  readonly stats: Mutable<Omit<PoolStats, "hosts" | "blocks" | "weights">> & {
    hosts: { [host: string]: SceneHost };
    blocks: { ip: string; reason: string | undefined; since: number; until: number }[];
    weights: { ip: string; weight: number; since: number }[];
  };
  findings: SceneFinding[];
  /** What happened in the last minute. */
  recent: Recent;
  /** What was kept of the last thirty minutes. */
  history?: readonly HistorySample[];
  /** The fleet that the pool is in, if it is in one. */
  fleet?: FleetStats;
  /** Moves on by so many milliseconds. */
  step(ms: number): void;
  /** One page of connections, made on the way. */
  connections(host: string, address: string, offset: number, limit: number): {
    readonly total: number;
    readonly connections: readonly ConnectionStats[];
  };
}

type SceneHost = Mutable<Omit<HostStats, "addresses">> & {
  readonly addresses: { [address: string]: Mutable<AddressStats> };
};

const START = Date.UTC(2026, 0, 5, 9, 30);

/** How many streams a connection of HTTP/2 has that is in use, and how many it may have. */
const STREAMS = { open: 7, most: 100 };

/** A scene of hosts with their addresses. */
export function scene(places: { readonly [host: string]: readonly string[] }, each = 6): Scene {
  const chance = new ManualClock(7);
  const random = () => chance.random();
  const made: Scene = {
    stats: {
      at: START,
      since: START - 3_600_000,
      connections: 0,
      idle: 0,
      leased: 0,
      draining: 0,
      healthy: 0,
      multiplexed: 0,
      leases: 0,
      capacity: 0,
      proxies: [],
      ending: 0,
      upgraded: 0,
      dialing: 0,
      waiting: 0,
      acquired: 1_842_114,
      reused: 1_824_500,
      reuseRate: 0.99,
      released: 1_842_090,
      timedOut: 3,
      dials: 17_730,
      dialErrors: 41,
      opened: 17_689,
      resolved: 17_689,
      evicted: { idle: 1_200, lifetime: 16_000 },
      ejections: 2,
      resolveErrors: 0,
      bytesIn: 7_300_000_000,
      bytesOut: 940_000_000,
      limits: {
        maxConnections: 256,
        maxConnectionsPerHost: 64,
        maxConnectionsPerIp: 32,
        maxIdleConnections: null,
        maxWaiters: 1_024,
      },
      requests: requests(1_842_090),
      latency: latency(1_842_090),
      latencyBoundsMs: LATENCY_BOUNDS_MS,
      times: {
        queue: times(0, 1),
        dial: times(2, 9),
        tls: times(4, 15),
        firstByte: times(18, 70),
        total: times(22, 90),
      },
      allowedAddresses: 0,
      deniedAddresses: 0,
      blocks: [],
      weights: [],
      hosts: {},
    },
    findings: [],
    recent: recentWith(
      Object.fromEntries(
        Object.keys(places).map((
          host,
          index,
        ) => [host, { "2xx": 2_400 - 100 * index, "4xx": index % 2, "retries": index % 2 }]),
      ),
    ),
    step(ms) {
      const { stats } = made;
      stats.at += ms;
      const leases = Math.round((ms / 1_000) * (180 + 60 * random()));
      const dials = Math.round((ms / 1_000) * (1 + 2 * random()));
      stats.acquired += leases;
      stats.requests = requests(stats.requests.count + leases);
      stats.latency = latency(stats.requests.count);
      stats.reused += leases - dials;
      stats.dials += dials;
      for (const host of Object.values(stats.hosts)) {
        for (const at of Object.values(host.addresses)) {
          if (at.standing !== "good" || at.deniedBy !== null) continue;
          at.picks += Math.round(leases / 12);
          at.leased = Math.min(at.connections, Math.floor(random() * (at.connections + 1)));
          at.idle = at.connections - at.leased;
          at.latencyMs = Math.max(2, (at.latencyMs ?? 20) * (0.9 + 0.2 * random()));
        }
      }
      sum(made);
    },
    connections(host, address, offset, limit) {
      let total = 0;
      const connections: ConnectionStats[] = [];
      for (const [name, { addresses }] of Object.entries(made.stats.hosts)) {
        if (host && name !== host) continue;
        for (const [at, stats] of Object.entries(addresses)) {
          if (address && at !== address) continue;
          for (let index = 0; index < stats.connections; index++, total++) {
            if (total < offset || connections.length >= limit) continue;
            const isLeased = index < stats.leased;
            const state = isLeased ? "leased" : "idle";
            connections.push(connection(total + 1, name, at, state, stats.multiplexed > 0));
          }
        }
      }
      return { total, connections };
    },
  };
  for (const [host, addresses] of Object.entries(places)) {
    made.stats.hosts[host] = {
      connections: 0,
      idle: 0,
      leased: 0,
      dialing: 0,
      waiting: 0,
      draining: 0,
      healthy: 0,
      multiplexed: 0,
      requests: requests(10_000),
      latency: latency(10_000),
      maxConnections: 64,
      ejections: 0,
      resolveErrors: 0,
      certificateEndsAt: START + 40 * 86_400_000,
      leases: 0,
      capacity: 0,
      warmTarget: 2 * addresses.length,
      panic: false,
      toldLater: null,
      resolution: {
        source: "dns",
        addresses,
        resolvedAt: START - 20_000,
        expiresAt: START + 3_600_000,
        ttlMs: 60_000,
        stale: false,
        error: null,
        leftOut: [],
      },
      addresses: Object.fromEntries(addresses.map((at) => [at, address(each, 8 + 30 * random())])),
    };
  }
  made.step(0);
  return made;
}

/** Hosts that share some addresses, all of them well. auth.example speaks HTTP/2. */
export function quietScene(): Scene {
  const made = scene({
    "api.example": ["192.0.2.10", "192.0.2.11", "192.0.2.12", "2001:db8::10"],
    "auth.example": ["192.0.2.10", "192.0.2.11", "198.51.100.7"],
    "files.example:8443": ["198.51.100.7:8443", "198.51.100.8:8443"],
    "images.cdn.example": ["192.0.2.10", "192.0.2.12", "198.51.100.9"],
    "search.example": ["203.0.113.5", "203.0.113.6"],
  });
  for (const at of Object.values(made.stats.hosts["auth.example"]?.addresses ?? {})) {
    at.multiplexed = at.connections;
  }
  sum(made);
  return made;
}

/** The same where something of everything is wrong. */
export function troubledScene(): Scene {
  const made = quietScene();
  const { hosts } = made.stats;
  const at = (host: string, address: string): Mutable<AddressStats> => {
    const found = hosts[host]?.addresses[address];
    if (!found) throw new Error(`No ${address} of ${host}`);
    return found;
  };
  for (const address of ["203.0.113.5", "203.0.113.6"]) {
    Object.assign(at("search.example", address), failing("ejected", 38_000, 14));
  }
  Object.assign(at("auth.example", "198.51.100.7"), failing("doubtful", 900, 2));
  Object.assign(at("api.example", "192.0.2.12"), failing("ejected", 9_000, 6));
  Object.assign(at("images.cdn.example", "198.51.100.9"), { share: 0.4 });
  Object.assign(at("api.example", "2001:db8::10"), {
    ...{ connections: 0, idle: 0, leased: 0, standing: "gone" },
    deniedBy: "the rule 2001:db8::/32",
  });
  made.stats.blocks.push({
    ip: "198.51.100.8",
    reason: "Firmware is being changed",
    since: START - 60_000,
    until: START + 1_500_000,
  });
  Object.assign(at("files.example:8443", "198.51.100.8:8443"), {
    ...{ connections: 0, idle: 0, leased: 0, standing: "gone" },
    deniedBy: "a block of 198.51.100.8",
  });
  made.fleet = fleet();
  const search = hosts["search.example"];
  if (search) Object.assign(search, { waiting: 12, panic: true, dialing: 2 });
  made.recent = { ...made.recent, waiting: 12 };
  made.findings = [
    {
      severity: "critical",
      what: "noAddress",
      host: "search.example",
      message: "search.example has no address that answers",
      advice: "Look whether its machines are up; 12 callers wait for them.",
    },
    {
      severity: "warning",
      what: "resets",
      host: "api.example",
      address: "192.0.2.12",
      message: "192.0.2.12 ends connections of api.example while they are idle",
      advice: "Its idle timeout seems to be below 30 s: lower idleTimeoutMs.",
    },
    {
      severity: "info",
      what: "block",
      address: "198.51.100.8",
      message: "198.51.100.8 is blocked",
      advice: "Unblock it once its machine is back.",
    },
  ];
  made.step(0);
  return made;
}

/** Thirty minutes before a time: in the last ten of them half of the answers were 500, and slow. */
export function historyBefore(end: number): HistorySample[] {
  return Array.from({ length: 180 }, (_, index) => {
    const isBad = index >= 120;
    return {
      ...{ at: end - (179 - index) * 10_000, ms: 10_000, connections: 52, waiting: isBad ? 12 : 0 },
      ...{ leased: 20 + (index % 9), acquired: 200, reused: 198, timedOut: 0, dials: 2 },
      ...{ dialErrors: isBad ? 1 : 0, evicted: 2, successes: 200, failures: 0, cancelled: 0 },
      ...{ retries: 0, hedges: 0, p50Ms: isBad ? 60 : 22, p99Ms: (isBad ? 900 : 90) + (index % 7) },
      statuses: isBad ? { "2xx": 100, "5xx": 100 } : { "2xx": 200 },
      times: [[24, 100], [96, 100]],
    };
  });
}

/** Ten thousand connections of twenty hosts at five hundred addresses, all of them shared. */
export function hugeScene(): Scene {
  const addresses = Array.from({ length: 500 }, (_, n) => `10.${n >> 8}.${n & 255}.1`);
  const hosts = Array.from({ length: 20 }, (_, n) => `service-${n}.internal.example`);
  const made = scene(Object.fromEntries(hosts.map((host) => [host, addresses])), 1);
  Object.assign(made.stats.limits, { maxConnections: 16_000, maxConnectionsPerHost: 1_000 });
  return made;
}

/** A fleet of two, whose store is away. */
function fleet(): FleetStats {
  const place = (place: string, connections: number) => ({
    ...{ place, connections, leased: 1, members: 2 },
  });
  return {
    ...{ name: "shop", member: "0abc", store: "Redis at 192.0.2.99:6379", members: 2 },
    ...{ state: "alone", stateSince: START, error: "Redis did not answer within 1000 ms" },
    peers: [
      { member: "0abc", since: START - 7_200_000, connections: 40, leased: 12 },
      { member: "1def", since: START - 60_000, connections: 8, leased: 0 },
    ],
    addresses: [place("198.51.100.7", 30), place("[2001:db8::10]:8443", 18)],
    hosts: [place("auth.example", 48)],
    caps: [{ key: "a 198.51.100.7", cap: 100, used: 20, permits: 25 }],
    verdicts: [],
    ...{ requests: 900, failures: 3, hints: 40, foreign: 0 },
  };
}

function failing(
  standing: "ejected" | "doubtful",
  retryMs: number,
  failures: number,
): Partial<AddressStats> {
  return {
    ...{ connections: 1, idle: 1, leased: 0, standing, retryAt: START + retryMs, picks: 900 },
    standingSince: START - 180_000,
    failures: failures + 1,
    health: {
      lastCheckedAt: START - 9_000,
      verdict: { ok: false, reason: "timeout: no answer within 5 s", at: START - 2_000 },
      failures: { timeout: failures, refused: 1 },
      consecutiveFailures: failures,
      ejections: standing === "ejected" ? 2 : 0,
      ejectedFor: standing === "ejected" ? "5 failures in a row, the last: timeout" : null,
    },
  };
}

function address(connections: number, latencyMs: number): Mutable<AddressStats> {
  return {
    connections,
    idle: connections,
    leased: 0,
    draining: 0,
    healthy: connections,
    multiplexed: 0,
    leases: 0,
    capacity: connections,
    dialing: 0,
    ceiling: null,
    standing: "good",
    standingSince: START - 7_200_000,
    deniedBy: null,
    retryAt: null,
    toldLater: null,
    weight: 1,
    share: 1,
    picks: 1_000,
    statuses: { "2xx": 1_000 },
    bytesIn: 4_000_000,
    bytesOut: 500_000,
    ejections: 0,
    certificateEndsAt: START + 40 * 86_400_000,
    latencyMs,
    p50Ms: latencyMs,
    p99Ms: 4 * latencyMs,
    failures: 0,
    health: {
      lastCheckedAt: null,
      ...{ verdict: { ok: true, reason: "answer", at: START }, failures: {}, ejections: 0 },
      ...{ consecutiveFailures: 0, ejectedFor: null },
    },
  };
}

/** So many that took 22 ms in the mean. */
function latency(count: number): LatencyStats {
  const upTo = LATENCY_BOUNDS_MS.map((ms) => Math.floor(count * (1 - Math.exp(-ms / 22))));
  return { count, sumMs: 22 * count, upTo };
}

function requests(count: number): RequestStats {
  const failures = Math.round(count / 10_000);
  const successes = count - failures;
  return {
    ...{
      count,
      successes,
      failures,
      cancelled: 0,
      successRate: successes / count,
      retries: 12,
      hedges: 3,
      hedgesWon: 2,
      toldLater: 0,
      waits: 0,
    },
    statuses: { "2xx": successes },
  };
}

function times(p50: number, p99: number): HistogramSnapshot {
  const count = 1_842_090;
  return {
    ...{ count, sum: count * p50, mean: p50, min: p50 / 2, max: 3 * p99 },
    ...{ p50, p90: (p50 + p99) / 2, p99, p999: 2 * p99 },
  };
}

function sum({ stats }: Scene): void {
  Object.assign(stats, { connections: 0, idle: 0, leased: 0, dialing: 0, waiting: 0 });
  // An address that hosts share is one.
  const addresses = Object.values(stats.hosts).flatMap((host) => Object.keys(host.addresses));
  stats.allowedAddresses = new Set(addresses).size;
  for (const host of Object.values(stats.hosts)) {
    const none = { multiplexed: 0, leases: 0, capacity: 0 };
    Object.assign(host, { connections: 0, idle: 0, leased: 0, ...none });
    for (const at of Object.values(host.addresses)) {
      const isShared = at.multiplexed > 0;
      at.leases = at.leased * (isShared ? STREAMS.open : 1);
      at.capacity = at.connections * (isShared ? STREAMS.most : 1);
      host.multiplexed += at.multiplexed;
      host.leases += at.leases;
      host.capacity += at.capacity;
      host.connections += at.connections;
      host.idle += at.idle;
      host.leased += at.leased;
    }
    stats.connections += host.connections;
    stats.idle += host.idle;
    stats.leased += host.leased;
    stats.dialing += host.dialing;
    stats.waiting += host.waiting;
  }
}

function connection(
  id: number,
  host: string,
  address: string,
  state: "idle" | "leased",
  multiplexed: boolean,
): ConnectionStats {
  return {
    ...{ id, host, address, state, healthy: true, tlsProfile: "default", multiplexed },
    capacity: multiplexed ? STREAMS.most : 1,
    createdAt: START - 1_000 * (id % 3_000),
    lastUsedAt: START - 100 * (id % 50),
    lastCheckedAt: null,
    requestCount: 40 + (id % 100),
    errorCount: id % 40 === 0 ? 1 : 0,
    leases: state === "idle" ? 0 : multiplexed ? STREAMS.open : 1,
    tls: { alpn: multiplexed ? "h2" : "http/1.1", version: "TLSv1.3", tcpMs: 4, tlsMs: 11 },
    upgraded: null,
  };
}
