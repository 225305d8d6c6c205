/**
 * The counts that hosts without series of their own share. They only grow, as Prometheus needs it.
 *
 * @module
 */

import type { LatencyStats } from "../pool/watch/latency_counts.ts";
import type { RequestStats } from "../pool/watch/request_counts.ts";
import type { HostStats } from "../pool/watch/stats.ts";

/** The counts of a host, of several together, or of a pool. */
export type Counts = Pick<HostStats, "ejections" | "latency" | "requests" | "resolveErrors">;

/**
 * Remembers which hosts were named, and with which counts, as far as the next look needs it. What a
 * host has counted under its own name stays out of the shared counts when it is forgotten: there it
 * would look as if it had all happened at once. And a host that gets its own name takes nothing
 * from them.
 */
export class SharedCounts {
  #named: ReadonlyMap<string, Counts> = new Map();
  #sharing: ReadonlySet<string> = new Set();
  /** The counts of all hosts but those that share. */
  #apart: Counts | undefined;

  /**
   * The shared counts of hosts without a name.
   *
   * @param all What all hosts have counted that there ever were
   * @param named The hosts that are named
   * @param sharing The names of the others
   */
  look(all: Counts, named: ReadonlyMap<string, Counts>, sharing: Iterable<string>): Counts {
    for (const [host, before] of this.#named) {
      const now = named.get(host);
      // One that was forgotten and came back starts from zero.
      if (!now || now.requests.count < before.requests.count) this.#setApart(before, 1);
    }
    for (const [host, now] of named) if (this.#sharing.has(host)) this.#setApart(now, -1);
    this.#named = new Map(named);
    this.#sharing = new Set(sharing);
    let rest = all;
    for (const counts of named.values()) rest = plus(rest, counts, -1);
    return this.#apart ? plus(rest, this.#apart, -1) : rest;
  }

  #setApart(counts: Counts, sign: 1 | -1): void {
    this.#apart = plus(this.#apart ?? plus(counts, counts, -1), counts, sign);
  }
}

function plus(one: Counts, other: Counts, sign: 1 | -1): Counts {
  return {
    ejections: one.ejections + sign * other.ejections,
    resolveErrors: one.resolveErrors + sign * other.resolveErrors,
    requests: plusRequests(one.requests, other.requests, sign),
    latency: plusTimes(one.latency, other.latency, sign),
  };
}

function plusRequests(one: RequestStats, other: RequestStats, sign: 1 | -1): RequestStats {
  const statuses: { [statusClass: string]: number } = { ...one.statuses };
  for (const [name, count] of Object.entries(other.statuses)) {
    statuses[name] = (statuses[name] ?? 0) + sign * count;
  }
  const sum = (name: Exclude<keyof RequestStats, "statuses" | "successRate">) =>
    one[name] + sign * other[name];
  return {
    count: sum("count"),
    successes: sum("successes"),
    failures: sum("failures"),
    cancelled: sum("cancelled"),
    successRate: null,
    retries: sum("retries"),
    hedges: sum("hedges"),
    hedgesWon: sum("hedgesWon"),
    toldLater: sum("toldLater"),
    waits: sum("waits"),
    statuses,
  };
}

function plusTimes(one: LatencyStats, other: LatencyStats, sign: 1 | -1): LatencyStats {
  return {
    count: one.count + sign * other.count,
    sumMs: Math.max(0, one.sumMs + sign * other.sumMs),
    upTo: one.upTo.map((count, index) => count + sign * (other.upTo[index] ?? 0)),
  };
}
