/**
 * Writes families of metrics over all pools, with the hosts that have no series of their own in one.
 *
 * @module
 */

import type { HistogramView } from "../core/histogram.ts";
import type { FleetStatus } from "../fleet/fleet.ts";
import type { ConnectionPool } from "../pool/pool.ts";
import { LATENCY_BOUNDS_MS, type LatencyStats } from "../pool/watch/latency_counts.ts";
import type { HostStats, PoolStats } from "../pool/watch/stats.ts";
import type { Labels, MetricText } from "./metric_text.ts";
import type { Counts } from "./shared_counts.ts";

/** A pool and its figures at one moment. */
export interface Source {
  readonly pool: string;
  readonly stats: PoolStats;
  readonly fleet: FleetStatus | undefined;
  readonly histograms: ReturnType<ConnectionPool["histograms"]>;
  readonly hosts: readonly (readonly [name: string, stats: HostStats])[];
  /** The hosts that share a name. */
  readonly others: readonly HostStats[];
  /** What these have counted. */
  readonly shared: Counts;
}

/** Writes a sample. */
type Put = (labels: Labels, value: number) => void;

/** A count of a host, or of several. */
type TellCount = (counts: Counts) => number;

/** Which buckets of times are written for each host, in milliseconds. */
const HOST_BUCKETS_MS = { min: 1, max: 16_384 };

/** Writes families over all pools: each name and help once, and its samples pool by pool. */
export class MetricWriter {
  /** What it writes to. */
  readonly text: MetricText;
  readonly #sources: readonly Source[];
  readonly #created: boolean;

  /** Begins with a text; `created` says whether to write when counters started. */
  constructor(text: MetricText, sources: readonly Source[], created: boolean) {
    this.text = text;
    this.#sources = sources;
    this.#created = created;
  }

  /** A gauge. */
  gauge(name: string, help: string, tell: (source: Source, put: Put) => void, unit?: string): void {
    this.text.family({ name: `hotconn_${name}`, type: "gauge", help, ...(unit ? { unit } : {}) });
    for (const source of this.#sources) {
      tell(
        source,
        (labels, value) => this.text.sample("", { pool: source.pool, ...labels }, value),
      );
    }
  }

  /** A counter since the pool was made. */
  counter(
    name: string,
    help: string,
    tell: (source: Source, put: Put) => void,
    unit?: string,
  ): void {
    const family = { name: `hotconn_${name}`, type: "counter", help } as const;
    this.text.family({ ...family, ...(unit ? { unit } : {}) });
    for (const source of this.#sources) {
      tell(source, (labels, value) => {
        const all = { pool: source.pool, ...labels };
        this.text.sample("_total", all, value);
        if (this.#created) this.text.sample("_created", all, source.stats.since / 1_000);
      });
    }
  }

  /** Times, in seconds. */
  histogram(
    name: string,
    help: string,
    tell: (source: Source, put: (labels: Labels, histogram: HistogramView) => void) => void,
  ): void {
    const full = `hotconn_${name}_seconds`;
    this.text.family({ name: full, type: "histogram", unit: "seconds", help });
    for (const source of this.#sources) {
      tell(source, (labels, histogram) => {
        const buckets = LATENCY_BOUNDS_MS.map((ms) => [ms, histogram.countUpTo(ms)] as const);
        const { count, sum: sumMs } = histogram;
        this.#times(source, { pool: source.pool, ...labels }, buckets, sumMs, count);
      });
    }
  }

  /** Times by host: in fewer buckets, since there are many hosts. */
  latencies(name: string, help: string): void {
    const full = `hotconn_${name}_seconds`;
    this.text.family({ name: full, type: "histogram", unit: "seconds", help });
    for (const source of this.#sources) {
      const { hosts, others, pool, shared, stats } = source;
      const put = (host: string, { count, sumMs, upTo }: LatencyStats) => {
        const buckets = stats.latencyBoundsMs
          .map((ms, index) => [ms, upTo[index] ?? 0] as const)
          .filter(([ms]) => ms >= HOST_BUCKETS_MS.min && ms <= HOST_BUCKETS_MS.max);
        this.#times(source, { pool, host }, buckets, sumMs, count);
      };
      for (const [host, { latency }] of hosts) put(host, latency);
      if (others.length > 0 && shared.latency.count > 0) put("other", shared.latency);
    }
  }

  /** The samples of one histogram. */
  #times(
    { stats }: Source,
    labels: Labels,
    buckets: Iterable<readonly [upToMs: number, count: number]>,
    sumMs: number,
    count: number,
  ): void {
    for (const [ms, within] of buckets) {
      this.text.sample("_bucket", { ...labels, le: `${ms / 1_000}` }, within);
    }
    this.text.sample("_bucket", { ...labels, le: "+Inf" }, count);
    this.text.sample("_sum", labels, sumMs / 1_000);
    this.text.sample("_count", labels, count);
    if (this.#created) this.text.sample("_created", labels, stats.since / 1_000);
  }

  /** A gauge of each host, and of all that share a name. */
  hostGauge(name: string, help: string, tell: (stats: HostStats) => number): void {
    this.gauge(name, help, ({ hosts, others }, put) => {
      for (const [host, stats] of hosts) put({ host }, tell(stats));
      if (others.length > 0) put({ host: "other" }, sum(others, tell));
    });
  }

  /** A count of each host, and of those that share a name together. */
  hostCounter(name: string, help: string, tell: TellCount): void {
    this.hostCounters(name, help, () => [[{}, tell]]);
  }

  /** Counts of each host, each with its own labels. */
  hostCounters(
    name: string,
    help: string,
    counts: (stats: PoolStats) => Iterable<readonly [Labels, TellCount]>,
  ): void {
    this.counter(name, help, ({ hosts, others, shared, stats }, put) => {
      for (const [labels, tell] of counts(stats)) {
        for (const [host, stats] of hosts) put({ host, ...labels }, tell(stats));
        const rest = tell(shared);
        if (others.length > 0 && rest > 0) put({ host: "other", ...labels }, rest);
      }
    });
  }
}

/** Adds up the values of each. */
export function sum<T>(values: readonly T[], tell: (value: T) => number): number {
  return values.reduce((sum, value) => sum + tell(value), 0);
}
