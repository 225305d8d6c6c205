/**
 * How long requests took, counted in a few buckets that never change: what a window of time saw is
 * the difference between two looks at them.
 *
 * @module
 */

/**
 * The longest time that each bucket takes, in milliseconds; what takes longer is in none of them. They
 * are edges of the histograms too, so that no figure by them is a guess.
 */
export const LATENCY_BOUNDS_MS: readonly number[] = Array.from(
  { length: 18 },
  (_, index) => 2 ** (index - 2),
);

/** How long things took. The counts only grow. */
export interface LatencyStats {
  /** How many there were. */
  readonly count: number;
  /** How long they took together, in milliseconds. */
  readonly sumMs: number;
  /** How many of them took no longer than each of `latencyBoundsMs`, the shortest first. */
  readonly upTo: readonly number[];
}

/** Counts times. Each costs the same few steps, and no memory. */
export class LatencyCounts {
  readonly #counts: number[] = [...LATENCY_BOUNDS_MS, Infinity].fill(0);
  #sumMs = 0;

  /** Notes a time in milliseconds; NaN does not count. */
  note(ms: number): void {
    if (Number.isNaN(ms)) return;
    this.#counts[bucketOf(ms)]!++;
    this.#sumMs += ms;
  }

  /** Adds other counts to its own. */
  add(other: LatencyCounts): void {
    this.#sumMs += other.#sumMs;
    other.#counts.forEach((count, bucket) => this.#counts[bucket]! += count);
  }

  /** Its figures now: plain data. */
  stats(): LatencyStats {
    let count = 0;
    const upTo = this.#counts.map((more) => count += more);
    upTo.pop();
    return { count, sumMs: this.#sumMs, upTo };
  }
}

/** The bucket of a time: each takes what is up to twice as long as in the one before. */
function bucketOf(ms: number): number {
  const last = LATENCY_BOUNDS_MS.length;
  if (ms > LATENCY_BOUNDS_MS[last - 1]!) return last;
  const quarters = Math.ceil(4 * ms);
  return quarters <= 1 ? 0 : 32 - Math.clz32(quarters - 1);
}
