/**
 * Writes families of metrics over all pools, with the hosts that have no series of their own together.
 *
 * @module
 */

import type { HistogramView } from "../core/histogram.ts";
import type { FleetStatus } from "../fleet/fleet.ts";
import type { ConnectionPool } from "../pool/pool.ts";
import { LATENCY_BOUNDS_MS, type LatencyStats } from "../pool/watch/latency_counts.ts";
import type { HostStats, PoolStats } from "../pool/watch/stats.ts";
import type { Labels, MetricText } from "./metric_text.ts";

/** A pool and its figures at one moment. */
export interface Source {
  readonly pool: string;
  readonly stats: PoolStats;
  readonly fleet: FleetStatus | undefined;
  readonly histograms: ReturnType<ConnectionPool["histograms"]>;
  readonly hosts: readonly (readonly [name: string, stats: HostStats])[];
  /** The hosts that share a name. */
  readonly others: readonly HostStats[];
}

/** Writes a sample. */
type Put = (labels: Labels, value: number) => void;

/** A count of a host, and of the pool. */
type TellCount = (stats: PoolStats | HostStats) => number;

/** Which of the buckets of times are told by host, in milliseconds. */
const HOST_BUCKETS_MS = { min: 1, max: 16_384 };

/** Writes families over all pools: each name and help once, and its samples pool by pool. */
export class MetricWriter {
  /** What it writes to. */
  readonly text: MetricText;
  readonly #sources: readonly Source[];
  readonly #created: boolean;

  /** Begins with a text; `created` says whether it tells since when things are counted. */
  constructor(text: MetricText, sources: readonly Source[], created: boolean) {
    this.text = text;
    this.#sources = sources;
    this.#created = created;
  }

  /** A figure as it is now. */
  gauge(name: string, help: string, tell: (source: Source, put: Put) => void, unit?: string): void {
    this.text.family({ name: `hotconn_${name}`, type: "gauge", help, ...(unit ? { unit } : {}) });
    for (const source of this.#sources) {
      tell(
        source,
        (labels, value) => this.text.sample("", { pool: source.pool, ...labels }, value),
      );
    }
  }

  /** What is counted since the pool was made. */
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
        const all = { pool: source.pool, ...labels };
        for (const ms of LATENCY_BOUNDS_MS) {
          const within = { ...all, le: `${ms / 1_000}` };
          this.text.sample("_bucket", within, histogram.countUpTo(ms));
        }
        this.text.sample("_bucket", { ...all, le: "+Inf" }, histogram.count);
        this.text.sample("_sum", all, histogram.sum / 1_000);
        this.text.sample("_count", all, histogram.count);
        if (this.#created) this.text.sample("_created", all, source.stats.since / 1_000);
      });
    }
  }

  /** Times by host: in fewer buckets, since there are many hosts. */
  latencies(name: string, help: string): void {
    const full = `hotconn_${name}_seconds`;
    this.text.family({ name: full, type: "histogram", unit: "seconds", help });
    for (const { hosts, others, pool, stats } of this.#sources) {
      const put = (host: string, { count, sumMs, upTo }: LatencyStats) => {
        for (const [index, ms] of stats.latencyBoundsMs.entries()) {
          if (ms < HOST_BUCKETS_MS.min || ms > HOST_BUCKETS_MS.max) continue;
          this.text.sample("_bucket", { pool, host, le: `${ms / 1_000}` }, upTo[index] ?? 0);
        }
        this.text.sample("_bucket", { pool, host, le: "+Inf" }, count);
        this.text.sample("_sum", { pool, host }, sumMs / 1_000);
        this.text.sample("_count", { pool, host }, count);
        if (this.#created) this.text.sample("_created", { pool, host }, stats.since / 1_000);
      };
      let rest = stats.latency;
      for (const [host, { latency }] of hosts) {
        rest = without(rest, latency);
        put(host, latency);
      }
      if (others.length > 0 && rest.count > 0) put("other", rest);
    }
  }

  /** A gauge of each host, and of all that share a name. */
  hostGauge(name: string, help: string, tell: (stats: HostStats) => number): void {
    this.gauge(name, help, ({ hosts, others }, put) => {
      for (const [host, stats] of hosts) put({ host }, tell(stats));
      if (others.length > 0) put({ host: "other" }, sum(others, tell));
    });
  }

  /**
   * A count of each host. Where there are others than those that are told by name, they share what is
   * left of all there was: it never gets less. Without others that would be the counts of hosts that
   * were forgotten, and each of them would look as if it had all happened at once.
   */
  hostCounter(name: string, help: string, tell: TellCount): void {
    this.hostCounters(name, help, () => [[{}, tell]]);
  }

  /** Counts of each host, each with labels of its own. */
  hostCounters(
    name: string,
    help: string,
    counts: (stats: PoolStats) => Iterable<readonly [Labels, TellCount]>,
  ): void {
    this.counter(name, help, ({ hosts, others, stats }, put) => {
      for (const [labels, tell] of counts(stats)) {
        let rest = tell(stats);
        for (const [host, stats] of hosts) {
          rest -= tell(stats);
          put({ host, ...labels }, tell(stats));
        }
        if (others.length > 0 && rest > 0) put({ host: "other", ...labels }, rest);
      }
    });
  }
}

/** What is left of some times without others that are among them. */
function without(all: LatencyStats, some: LatencyStats): LatencyStats {
  return {
    count: all.count - some.count,
    sumMs: Math.max(0, all.sumMs - some.sumMs),
    upTo: all.upTo.map((count, index) => count - (some.upTo[index] ?? 0)),
  };
}

/** Adds up what each tells. */
export function sum<T>(values: readonly T[], tell: (value: T) => number): number {
  return values.reduce((sum, value) => sum + tell(value), 0);
}
