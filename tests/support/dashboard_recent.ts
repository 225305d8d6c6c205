/**
 * What a pool of the dashboard's tests did in the last minute.
 *
 * @module
 */

import type { Recent, Spread } from "../../adapters/admin/recent.ts";
import type { RequestStats } from "../../src/pool/watch/request_counts.ts";

/** How requests ended: so many with each class of status, and so many without an answer. */
export interface Ends {
  readonly [statusClass: `${number}xx`]: number;
  readonly failed?: number;
  readonly retries?: number;
  readonly hedges?: number;
}

/** The requests that ended so. */
export function endsOf({ failed = 0, hedges = 0, retries = 0, ...statuses }: Ends): RequestStats {
  const successes = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  const all = successes + failed;
  return {
    count: all,
    successes,
    failures: failed,
    cancelled: 0,
    successRate: all > 0 ? successes / all : null,
    retries,
    hedges,
    hedgesWon: Math.floor(hedges / 2),
    toldLater: 0,
    waits: 0,
    statuses: Object.fromEntries(Object.entries(statuses).filter(([, count]) => count > 0)),
  };
}

/** A minute in which requests ended so, by host. */
export function recentWith(
  hosts: { readonly [host: string]: Ends },
  change: Partial<Recent> = {},
): Recent {
  const byHost = Object.entries(hosts).map(([host, ends]) => [host, endsOf(ends)] as const);
  const all: { [name: string]: number } = {};
  for (const ends of Object.values(hosts)) {
    for (const [name, count] of Object.entries(ends)) all[name] = (all[name] ?? 0) + count;
  }
  const requests = endsOf(all);
  return {
    ...{ ms: 60_000, requests, acquired: requests.count + requests.retries },
    ...{ reused: requests.count, timedOut: 0, waiting: 0, dials: 40, dialErrors: 0 },
    evicted: { idle: 10, lifetime: 20 },
    ...{ bytesIn: 4_000 * requests.count, bytesOut: 500 * requests.count, failing: {} },
    queue: spread(requests.count, 0, 1),
    tls: spread(40, 4, 15),
    firstByte: spread(requests.count, 18, 70),
    total: spread(requests.count, 22, 90),
    hosts: Object.fromEntries(
      byHost.map(([host, ends]) => [host, { ...ends, latency: spread(ends.count, 22, 90) }]),
    ),
    ...change,
  };
}

/** How long so many things took. */
export function spread(count: number, p50: number, p99: number): Spread {
  if (count === 0) return { count, p50: null, p90: null, p99: null };
  return { count, p50, p90: (p50 + p99) / 2, p99 };
}
