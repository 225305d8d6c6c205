/**
 * The last thirty minutes of a pool's figures, for those who open the dashboard in the middle of them.
 *
 * @module
 */

import type { HistogramView } from "../../src/core/histogram.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import type { HostStats, PoolStats } from "../../src/pool/watch/stats.ts";
import type { PoolWatch } from "./pool_watch.ts";
import { passedBy, spreadOf } from "./recent.ts";
import { SampleRing } from "./sample_ring.ts";

/** How often a sample is taken, in milliseconds. */
export const SAMPLE_MS = 10_000;

/** How many samples are kept: thirty minutes. */
export const KEPT_SAMPLES = 180;

/** How many hosts of a pool have samples of their own. */
export const MAX_SAMPLED_HOSTS = 64;

/**
 * What happened between two samples, and how things stood at the second one. Counts are of the
 * interval alone.
 */
export interface HistorySample {
  /** When it was taken: the end of its interval, in milliseconds since 1970. */
  readonly at: number;
  /** How long the interval was, in milliseconds. */
  readonly ms: number;
  /** Connections in the maps, at its end. */
  readonly connections: number;
  /** Connections in use, at its end. */
  readonly leased: number;
  /** Callers who waited, at its end. */
  readonly waiting: number;
  /** Leases that began. */
  readonly acquired: number;
  /** Leases that began on a connection that had one before; 0 in samples of a host. */
  readonly reused: number;
  /** Callers whose time ran out; 0 in samples of a host. */
  readonly timedOut: number;
  /** Dials that began; 0 in samples of a host. */
  readonly dials: number;
  /** Dials that failed; 0 in samples of a host. */
  readonly dialErrors: number;
  /** Connections that left the maps; 0 in samples of a host. */
  readonly evicted: number;
  /** Requests that were answered to the last byte, whatever the status. */
  readonly successes: number;
  /** Requests that failed. */
  readonly failures: number;
  /** Requests that their callers gave up. */
  readonly cancelled: number;
  /** How many times a request was sent again. */
  readonly retries: number;
  /** How many times a request was also sent to a second machine. */
  readonly hedges: number;
  /** The answers by class of status, such as `2xx`; classes without an answer are left out. */
  readonly statuses: { readonly [statusClass: string]: number };
  /** What half of the requests did not exceed, in milliseconds; null if none ended. */
  readonly p50Ms: number | null;
  /** What 99 in 100 of them did not exceed, in milliseconds; null if none ended. */
  readonly p99Ms: number | null;
  /**
   * The requests by how long they took, in milliseconds: no longer than this, and longer than the
   * step before; only steps with requests, in order. Those of several samples can be added up, which
   * percentiles cannot. Empty in samples of a host.
   */
  readonly times: readonly (readonly [upToMs: number, count: number])[];
}

/** A part of a history. */
export interface HistoryView {
  /** How often a sample is taken, in milliseconds. */
  readonly everyMs: number;
  /** How far back samples are kept, in milliseconds. */
  readonly keptMs: number;
  /** How many hosts have samples of their own. */
  readonly hosts: number;
  /** How many hosts have none, because as many as allowed already have some. */
  readonly hostsLeftOut: number;
  /** Whether there are samples of what was asked for: false of a host that was left out. */
  readonly kept: boolean;
  /** The samples, oldest first. */
  readonly samples: readonly HistorySample[];
}

/** What a history is made of. */
export interface HistoryOptions {
  readonly pool: ConnectionPool;
  /** What watches the pool: the history ends with it. */
  readonly watch: PoolWatch;
  /** Called with each sample of the pool. */
  readonly onSample?: (sample: HistorySample) => void;
}

const COUNTED = ["successes", "failures", "cancelled", "retries", "hedges"] as const;
const POOL_COUNTED = ["acquired", "reused", "timedOut", "dials", "dialErrors"] as const;
const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** The positions in a row of the columns that do not begin it. */
const AT = {
  gauges: 0,
  pool: 3,
  evicted: 8,
  requests: 9,
  classes: 14,
  p50: 19,
  p99: 20,
  times: 21,
};

/**
 * The upper edges of the steps of times, in milliseconds: four to each power of two, from a quarter of
 * a millisecond to a minute. They are edges of the recorder's own buckets, so that counts are exact.
 */
const STEPS_MS: readonly number[] = Array.from(
  { length: 73 },
  (_, index) => 2 ** (Math.floor(index / 4) - 2) * (1 + (index % 4) / 4),
);

/** A host's samples. Its rows have the numbers of the pool's. */
interface HostSamples {
  readonly ring: SampleRing;
  counts: readonly number[];
  /** How many of its requests took no longer than each of the bounds, and how many there were. */
  latency: readonly number[];
  /** The number of the first row, and of the last one in which there was such a host. */
  readonly first: number;
  last: number;
}

/** Keeps samples of a pool for as long as it is watched. */
export class History {
  readonly #pool: ConnectionPool;
  readonly #onSample: (sample: HistorySample) => void;
  readonly #ring = new SampleRing(KEPT_SAMPLES, AT.times + STEPS_MS.length + 1);
  /** When each sample was taken, and how long its interval was. */
  readonly #times = new Float64Array(2 * KEPT_SAMPLES);
  readonly #hosts = new Map<string, HostSamples>();
  #hostsLeftOut = 0;
  #counts: readonly number[];
  #steps: readonly number[];
  #takenAt: number;

  /** Begins to take samples. */
  constructor({ onSample = () => {}, pool, watch }: HistoryOptions) {
    this.#pool = pool;
    this.#onSample = onSample;
    const stats = pool.stats();
    this.#counts = poolCounts(stats);
    this.#steps = stepsOf(pool.histograms().total);
    this.#takenAt = stats.at;
    for (const [host, figures] of Object.entries(stats.hosts)) this.#begin(host, figures);
    watch.follow((stats) => {
      // The watch samples more often, and not at even intervals on a busy machine.
      if (stats.at - this.#takenAt > 0.75 * SAMPLE_MS) this.#take(stats);
    });
  }

  /** How much memory the samples take, in bytes. */
  get bytes(): number {
    let bytes = this.#ring.bytes + this.#times.byteLength;
    for (const { ring } of this.#hosts.values()) bytes += ring.bytes;
    return bytes;
  }

  /** The samples of the pool, or of one host, that were taken after a time. */
  look(host?: string, after = 0): HistoryView {
    const samples: HistorySample[] = [];
    const own = host === undefined ? undefined : this.#hosts.get(host);
    const ring = host === undefined ? this.#ring : own?.ring;
    const offset = own?.first ?? 0;
    if (ring) {
      for (let number = ring.first; number < ring.count; number++) {
        const sample = this.#sampleAt(ring.at(number), number + offset);
        if (sample.at > after) samples.push(sample);
      }
    }
    return {
      everyMs: SAMPLE_MS,
      keptMs: SAMPLE_MS * KEPT_SAMPLES,
      hosts: this.#hosts.size,
      hostsLeftOut: this.#hostsLeftOut,
      kept: ring !== undefined,
      samples,
    };
  }

  #take(stats: PoolStats): void {
    const number = this.#ring.count;
    const ms = Math.round(stats.at - this.#takenAt);
    this.#times.set([Math.round(stats.at), ms], 2 * (number % KEPT_SAMPLES));
    this.#takenAt = stats.at;
    const counts = poolCounts(stats);
    const steps = stepsOf(this.#pool.histograms().total);
    const { p50, p99 } = spreadOf(STEPS_MS, steps, this.#steps);
    const took = steps.map((upTo, index) => {
      const before = index > 0 ? steps[index - 1]! - this.#steps[index - 1]! : 0;
      return Math.max(0, upTo - this.#steps[index]! - before);
    });
    this.#ring.add([
      ...gauges(stats),
      ...differences(counts, this.#counts),
      p50 ?? NaN,
      p99 ?? NaN,
      ...took,
    ]);
    this.#counts = counts;
    this.#steps = steps;
    this.#takeHosts(stats, number);
    this.#onSample(this.#sampleAt(this.#ring.at(number), number));
  }

  #takeHosts(stats: PoolStats, number: number): void {
    let leftOut = 0;
    // A host that was not seen for as long as samples are kept makes room.
    for (const [host, { last }] of this.#hosts) {
      if (number - last >= KEPT_SAMPLES) this.#hosts.delete(host);
    }
    for (const [host, figures] of Object.entries(stats.hosts)) {
      const own = this.#hosts.get(host);
      if (own) own.last = number;
      else if (!this.#begin(host, figures)) leftOut++;
    }
    this.#hostsLeftOut = leftOut;
    for (const [host, own] of this.#hosts) {
      const figures = Object.hasOwn(stats.hosts, host) ? stats.hosts[host] : undefined;
      if (own.first + own.ring.count > number) continue;
      const counts = figures ? hostCounts(figures) : own.counts;
      const changes = differences(counts, own.counts);
      own.counts = counts;
      const latency = figures ? passedBy(figures.latency) : own.latency;
      // A host that was forgotten and came back started from zero.
      const isAnew = latency.at(-1)! < own.latency.at(-1)!;
      const { p50, p99 } = spreadOf(
        stats.latencyBoundsMs,
        latency,
        isAnew ? undefined : own.latency,
      );
      own.latency = latency;
      own.ring.add([
        ...figures ? gauges(figures) : [0, 0, 0],
        ...changes,
        p50 ?? NaN,
        p99 ?? NaN,
      ]);
    }
  }

  /** Begins to keep samples of a host, if there is room for them. */
  #begin(host: string, figures: HostStats): boolean {
    if (this.#hosts.size >= MAX_SAMPLED_HOSTS) return false;
    const first = this.#ring.count;
    this.#hosts.set(host, {
      ring: new SampleRing(KEPT_SAMPLES, AT.times),
      counts: hostCounts(figures),
      latency: passedBy(figures.latency),
      first,
      last: first,
    });
    return true;
  }

  #sampleAt(row: Float32Array, number: number): HistorySample {
    const [at = 0, ms = 0] = this.#times.subarray(2 * (number % KEPT_SAMPLES));
    const value = (column: number) => row[column] ?? 0;
    const known = (column: number) => Number.isFinite(value(column)) ? value(column) : null;
    const named = <Name extends string>(names: readonly Name[], from: number) =>
      Object.fromEntries(names.map((name, index) => [name, value(from + index)])) as {
        [_ in Name]: number;
      };
    const statuses = Object.entries(named(CLASSES, AT.classes)).filter(([, count]) => count > 0);
    const times: [number, number][] = [];
    for (let column = AT.times; column < row.length; column++) {
      const upTo = STEPS_MS[column - AT.times] ?? 2 * STEPS_MS.at(-1)!;
      if (value(column) > 0) times.push([upTo, value(column)]);
    }
    return {
      at,
      ms,
      ...named(["connections", "leased", "waiting"], AT.gauges),
      ...named(POOL_COUNTED, AT.pool),
      evicted: value(AT.evicted),
      ...named(COUNTED, AT.requests),
      statuses: Object.fromEntries(statuses),
      p50Ms: known(AT.p50),
      p99Ms: known(AT.p99),
      times,
    };
  }
}

function gauges({ connections, leased, waiting }: PoolStats | HostStats): number[] {
  return [connections, leased, waiting];
}

function poolCounts(stats: PoolStats): number[] {
  const evicted = Object.values(stats.evicted).reduce((sum, count) => sum + count, 0);
  return [...POOL_COUNTED.map((name) => stats[name]), evicted, ...requestCounts(stats)];
}

function hostCounts(stats: HostStats): number[] {
  const picks = Object.values(stats.addresses).reduce((sum, { picks }) => sum + picks, 0);
  return [picks, 0, 0, 0, 0, 0, ...requestCounts(stats)];
}

function requestCounts({ requests }: PoolStats | HostStats): number[] {
  return [
    ...COUNTED.map((name) => requests[name]),
    ...CLASSES.map((name) => requests.statuses[name] ?? 0),
  ];
}

/** What was added to counts: nothing if one started from zero. */
function differences(counts: readonly number[], before: readonly number[]): number[] {
  return counts.map((count, index) => Math.max(0, count - before[index]!));
}

/** How many times there were up to each step, and in all. */
function stepsOf(times: HistogramView): number[] {
  return [...STEPS_MS.map((upTo) => times.countUpTo(upTo)), times.count];
}
