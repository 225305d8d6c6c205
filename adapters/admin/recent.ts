/**
 * What a pool did recently: the difference between its figures now and those of a while ago.
 *
 * @module
 */

import type { HistogramView } from "../../src/core/histogram.ts";
import type { PoolHistograms } from "../../src/pool/watch/figures.ts";
import type { LatencyStats } from "../../src/pool/watch/latency_counts.ts";
import type { RequestStats } from "../../src/pool/watch/request_counts.ts";
import type { HostStats, PoolStats } from "../../src/pool/watch/stats.ts";

/** How long some things took, in milliseconds. */
export interface Spread {
  /** How many there were. */
  readonly count: number;
  /** What half of them did not exceed; null if there were none, as with the others. */
  readonly p50: number | null;
  /** What nine tenths of them did not exceed. */
  readonly p90: number | null;
  /** What 99 in 100 did not exceed. */
  readonly p99: number | null;
}

/** What happened within a span of time. All counts are of that span alone. */
export interface Recent {
  /** How long the span is, in milliseconds. */
  readonly ms: number;
  /** How requests ended. */
  readonly requests: RequestStats;
  /** Leases that began. */
  readonly acquired: number;
  /** Those among them on a connection that had one before. */
  readonly reused: number;
  /** Callers whose time ran out before they had a connection. */
  readonly timedOut: number;
  /** Callers who waited both now and at the last look: not just for a moment. */
  readonly waiting: number;
  /** Dials that started. */
  readonly dials: number;
  /** Dials that failed. */
  readonly dialErrors: number;
  /** Connections that left the maps, by reason. */
  readonly evicted: { readonly [reason: string]: number };
  /** Bytes received over all connections, inside TLS. */
  readonly bytesIn: number;
  /** Bytes sent over all connections, inside TLS. */
  readonly bytesOut: number;
  /** How long callers waited for a connection. */
  readonly queue: Spread;
  /** How long TLS handshakes took. */
  readonly tls: Spread;
  /** How long it took to the head of a response. */
  readonly firstByte: Spread;
  /** How long whole requests took. */
  readonly total: Spread;
  /** What became of requests by host, of those hosts that had any. */
  readonly hosts: { readonly [host: string]: RecentHost };
  /** The answers of each address that gave some with 5xx, by host. */
  readonly failing: { readonly [host: string]: { readonly [address: string]: Answers } };
}

/** How a host's requests ended. */
export interface RecentHost extends RequestStats {
  /** How long they took that were answered or failed, by buckets each twice as long as the last. */
  readonly latency: Spread;
}

/** The answers that came from an address, those too that no caller saw. */
export interface Answers {
  readonly all: number;
  /** Those among them with a status of 500 or above. */
  readonly serverErrors: number;
}

const TIMES = ["queue", "tls", "firstByte", "total"] as const;

type TimeCounts = { readonly [Name in typeof TIMES[number]]: readonly number[] };

/** A pool's counts at one moment. */
export interface Sample {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  readonly stats: Omit<PoolStats, "hosts">;
  /** The requests of each host; of the first ones, if there are very many. */
  readonly hosts: ReadonlyMap<string, Pick<HostStats, "latency" | "requests">>;
  /**
   * The answers of each address, by host and address; of the first ones, if there are very many.
   */
  readonly places: ReadonlyMap<string, Place>;
  readonly times: TimeCounts;
}

interface Place extends Answers {
  readonly host: string;
  readonly address: string;
}

/** How many hosts are listed one by one, and how many of their addresses. */
const MAX = { hosts: 1_000, places: 1_000 };

/** Edges of a histogram's buckets, four for each power of two: there it counts exactly. */
const EDGES_MS: readonly number[] = Array.from(
  { length: 80 },
  (_, index) => 2 ** (Math.floor(index / 4) - 3) * (1 + index % 4 / 4),
);

/** Takes a sample. The histograms must have been asked for after the figures. */
export function takeSample({ hosts, ...stats }: PoolStats, histograms: PoolHistograms): Sample {
  const busy = Object.entries(hosts).filter(([, { requests }]) => requests.count > 0);
  const counts = (view: HistogramView) => [...EDGES_MS.map((ms) => view.countUpTo(ms)), view.count];
  return {
    at: stats.at,
    stats,
    hosts: new Map(
      busy.slice(0, MAX.hosts).map((
        [host, { latency, requests }],
      ) => [host, { latency, requests }]),
    ),
    places: placesOf(hosts),
    times: {
      queue: counts(histograms.queue),
      tls: counts(histograms.tls),
      firstByte: counts(histograms.firstByte),
      total: counts(histograms.total),
    },
  };
}

function placesOf(hosts: PoolStats["hosts"]): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const [host, { addresses }] of Object.entries(hosts)) {
    for (const [address, { statuses }] of Object.entries(addresses)) {
      const serverErrors = statuses["5xx"] ?? 0;
      const all = Object.values(statuses).reduce((sum, count) => sum + count, 0);
      if (all === 0 || places.size >= MAX.places) continue;
      places.set(`${host} ${address}`, { host, address, all, serverErrors });
    }
  }
  return places;
}

/**
 * What happened between two samples. Without one before, all of it did, since the pool was made.
 *
 * @param last The sample that was taken last before this one
 */
export function recentOf(now: Sample, before?: Sample, last?: Sample): Recent {
  const { stats } = now;
  type Counted =
    | "acquired"
    | "bytesIn"
    | "bytesOut"
    | "dialErrors"
    | "dials"
    | "reused"
    | "timedOut";
  const more = (name: Counted) => Math.max(0, stats[name] - (before?.stats[name] ?? 0));
  const hosts = byName<RecentHost>();
  for (const [host, { latency, requests }] of now.hosts) {
    const then = before?.hosts.get(host);
    // There was no room for it then, so it is unknown how much of this is new.
    if (!then && before && before.hosts.size >= MAX.hosts) continue;
    const since = requestsSince(requests, then?.requests);
    if (since.count === 0) continue;
    // If its requests started from zero, so did its times.
    const known = then && since.count === requests.count - then.requests.count;
    const spread = spreadOf(
      stats.latencyBoundsMs,
      passedBy(latency),
      known ? passedBy(then.latency) : undefined,
    );
    hosts[host] = { ...since, latency: spread };
  }
  const [queue, tls, firstByte, total] = TIMES.map((name) =>
    spreadOf(EDGES_MS, now.times[name], before?.times[name])
  ) as [Spread, Spread, Spread, Spread];
  return {
    ms: now.at - (before?.at ?? stats.since),
    requests: requestsSince(stats.requests, before?.stats.requests),
    acquired: more("acquired"),
    reused: more("reused"),
    timedOut: more("timedOut"),
    waiting: Math.min(stats.waiting, last?.stats.waiting ?? stats.waiting),
    dials: more("dials"),
    dialErrors: more("dialErrors"),
    evicted: difference(stats.evicted, before?.stats.evicted),
    bytesIn: more("bytesIn"),
    bytesOut: more("bytesOut"),
    ...{ queue, tls, firstByte, total },
    hosts,
    failing: failingSince(now, before),
  };
}

/** Without a prototype: `constructor` is a possible name of a host. */
function byName<T>(): { [name: string]: T } {
  return Object.create(null);
}

function failingSince({ places }: Sample, before?: Sample): Recent["failing"] {
  const failing = byName<{ [address: string]: Answers }>();
  for (const [key, { address, all, host, serverErrors }] of places) {
    const then = before?.places.get(key);
    if (!then && before && before.places.size >= MAX.places) continue;
    // One that was forgotten and came back started from zero.
    const known = then && then.all <= all && then.serverErrors <= serverErrors ? then : undefined;
    const errors = serverErrors - (known?.serverErrors ?? 0);
    if (errors === 0) continue;
    (failing[host] ??= {})[address] = { all: all - (known?.all ?? 0), serverErrors: errors };
  }
  return failing;
}

/** How requests ended since then. A host that was forgotten and came back started from zero. */
function requestsSince(now: RequestStats, then?: RequestStats): RequestStats {
  const names = ["successes", "failures", "cancelled", "retries", "hedges"] as const;
  const isAnew = names.some((name) => now[name] < (then?.[name] ?? 0))
    || Object.entries(then?.statuses ?? {}).some(([name, count]) =>
      (now.statuses[name] ?? 0) < count
    );
  const before = isAnew ? undefined : then;
  const more = (name: Exclude<keyof RequestStats, "statuses" | "successRate">) =>
    Math.max(0, now[name] - (before?.[name] ?? 0));
  const successes = more("successes");
  const failures = more("failures");
  return {
    count: more("count"),
    successes,
    failures,
    cancelled: more("cancelled"),
    successRate: successes + failures > 0 ? successes / (successes + failures) : null,
    retries: more("retries"),
    hedges: more("hedges"),
    hedgesWon: more("hedgesWon"),
    toldLater: more("toldLater"),
    waits: more("waits"),
    statuses: difference(now.statuses, before?.statuses),
  };
}

type Counts = { readonly [name: string]: number };

function difference(now: Counts, before: Counts = {}): Counts {
  const more = Object.entries(now).map(([name, count]) =>
    [name, count - (before[name] ?? 0)] as const
  );
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

/** Counts of times up to some edges, and of all. */
export function passedBy({ count, upTo }: LatencyStats): number[] {
  return [...upTo, count];
}

/** The difference between two looks at counts of times up to some edges, and of all. */
export function spreadOf(
  edges: readonly number[],
  now: readonly number[],
  before?: readonly number[],
): Spread {
  const upTo = now.map((count, index) => count - (before?.[index] ?? 0));
  const count = upTo.at(-1) ?? 0;
  const percentile = (percent: number): number | null => {
    if (count <= 0) return null;
    const rank = Math.max(1, Math.ceil(percent * count / 100));
    const bucket = upTo.findIndex((passed) => passed >= rank);
    const above = edges[bucket];
    const below = edges[bucket - 1] ?? 0;
    // What is longer than any edge is shown as the longest of them.
    if (above === undefined) return below;
    const passed = upTo[bucket - 1] ?? 0;
    // Most of the shortest times are 0: a connection was ready.
    if (bucket === 0) return 0;
    return below + (above - below) * (rank - passed) / (upTo[bucket]! - passed);
  };
  return { count, p50: percentile(50), p90: percentile(90), p99: percentile(99) };
}
