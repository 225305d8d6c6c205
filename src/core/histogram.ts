/**
 * The distribution of times, in memory that does not grow with their number.
 *
 * @module
 */

import { checkNumber } from "./check.ts";

/** A histogram's figures at one moment: plain data, times in milliseconds. */
export interface HistogramSnapshot {
  /** How many times were noted. */
  readonly count: number;
  /** All of them together. */
  readonly sum: number;
  /** Their mean; null if there are none, as with the others below. */
  readonly mean: number | null;
  /** The shortest one. */
  readonly min: number | null;
  /** The longest one. */
  readonly max: number | null;
  /** What half of them did not exceed. */
  readonly p50: number | null;
  /** What nine tenths of them did not exceed. */
  readonly p90: number | null;
  /** What 99 in 100 did not exceed. */
  readonly p99: number | null;
  /** What 999 in 1,000 did not exceed. */
  readonly p999: number | null;
}

/** How exact a histogram is, and for how long it remembers. */
export interface HistogramOptions {
  /**
   * By how much a percentile may be wrong, as a share of it. Halving it doubles the memory.
   *
   * @default {0.05}
   */
  readonly relativeError?: number;
  /**
   * After how many times the older ones begin to be forgotten: then all counts are halved, so that
   * the figures describe the last few thousand times, not a long life. `Infinity` means never.
   *
   * @default {Infinity}
   */
  readonly remember?: number;
}

/** A histogram that is only looked at. */
export type HistogramView = Pick<
  Histogram,
  "count" | "sum" | "mean" | "min" | "max" | "percentile" | "countUpTo" | "snapshot"
>;

/** The bounds between which times are distinguished, in milliseconds, as powers of two. */
const EXPONENTS = { min: -10, max: 20 };

/** A float's bits for its exponent begin here, and one whose value is 1 has this exponent. */
const FLOAT32 = { mantissaBits: 23, bias: 127 };

/** How often all counts must be halved until nothing is left. */
const FADES = 64;

/** A number and its bits, which name its bucket: no logarithm, no search. */
const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/**
 * Counts times in buckets that are as wide as their times are long, from a microsecond to more than
 * ten minutes. Recording one takes no memory, and always the same few steps. Each power of two is the
 * edge of a bucket, and so, by default, is each of the 16 equal steps between two of them. There
 * `countUpTo` is exact.
 *
 * @example
 * ```ts
 * import { Histogram } from "@hotconn/hotconn";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const histogram = new Histogram();
 * for (let ms = 1; ms <= 1_000; ms++) histogram.record(ms);
 * assertEquals(histogram.count, 1_000);
 * assertEquals(histogram.mean, 500.5);
 * assert(Math.abs((histogram.percentile(99) ?? 0) - 990) < 990 * 0.05);
 * assertEquals(histogram.countUpTo(256), 256);
 * ```
 */
export class Histogram {
  readonly #counts: Float64Array | Uint16Array;
  readonly #remember: number;
  /** How many low bits of a float do not matter. */
  readonly #shift: number;
  /** The number of the second bucket, counted from the float whose bits are zero. */
  readonly #first: number;
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;

  /**
   * Makes an empty histogram.
   *
   * @throws {TypeError | RangeError} An option is not valid
   */
  constructor(options: HistogramOptions = {}) {
    const { relativeError = 0.05, remember = Infinity } = options;
    checkNumber("relativeError", relativeError, { min: 0.001, max: 0.5 });
    checkNumber("remember", remember, { min: 2, whole: true });
    // The middle of a bucket is wrong by half its width at the most.
    const bits = Math.max(0, Math.ceil(Math.log2(1 / (2 * relativeError))));
    this.#shift = FLOAT32.mantissaBits - bits;
    this.#first = (EXPONENTS.min + FLOAT32.bias) << bits;
    const buckets = 1 + ((EXPONENTS.max - EXPONENTS.min) << bits);
    this.#counts = remember <= 0xffff ? new Uint16Array(buckets) : new Float64Array(buckets);
    this.#remember = remember;
  }

  /** How many times are remembered. */
  get count(): number {
    return this.#count;
  }

  /** Their sum, in milliseconds. */
  get sum(): number {
    return this.#sum;
  }

  /** Their mean; undefined if there are none. */
  get mean(): number | undefined {
    return this.#count > 0 ? this.#sum / this.#count : undefined;
  }

  /** The shortest time so far; undefined if there is none. */
  get min(): number | undefined {
    return this.#count > 0 ? this.#min : undefined;
  }

  /** The longest time so far; undefined if there is none. */
  get max(): number | undefined {
    return this.#count > 0 ? this.#max : undefined;
  }

  /** Records a time in milliseconds. A negative one counts as 0, and one that is not finite is ignored. */
  record(ms: number): void {
    if (!(ms > 0 && ms < Infinity)) {
      if (ms <= 0) this.#note(0, 0);
      return;
    }
    float[0] = ms;
    // One less: so what is exactly as long as an edge counts as "up to" it.
    const bucket = ((bits[0]! - 1) >> this.#shift) - this.#first + 1;
    this.#note(bucket < 0 ? 0 : Math.min(bucket, this.#counts.length - 1), ms);
  }

  /** Records a time of 0, `count` times. */
  recordZeros(count: number): void {
    // After this many, what was known before no longer counts.
    let left = Math.min(count, FADES * this.#remember);
    while (left > 0) {
      const some = Math.min(left, this.#remember - this.#count);
      left -= some;
      this.#counts[0]! += some;
      this.#count += some;
      this.#min = 0;
      if (this.#count >= this.#remember) this.#fade();
    }
  }

  /**
   * Returns the time that `percent` of all times did not exceed; undefined if there are none.
   *
   * @param percent From 0, the shortest one, to 100, the longest one
   * @throws {TypeError | RangeError} It is out of its range
   */
  percentile(percent: number): number | undefined {
    checkNumber("percent", percent, { min: 0, max: 100 });
    if (this.#count === 0) return undefined;
    if (percent === 0) return this.#min;
    if (percent === 100) return this.#max;
    // Of 1,000 the 990th: not the 991st, because 99 / 100 * 1,000 comes to a little more than 990.
    const rank = Math.max(1, Math.ceil(percent * this.#count / 100 - 1e-9 * this.#count));
    let passed = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      passed += this.#counts[bucket]!;
      if (passed < rank) continue;
      // What is too short to be distinguished is mostly 0.
      if (bucket === 0) return this.#min;
      const middle = (this.#edge(bucket - 1) + this.#edge(bucket)) / 2;
      const isLast = bucket === this.#counts.length - 1;
      return Math.min(Math.max(isLast ? this.#max : middle, this.#min), this.#max);
    }
    return this.#max;
  }

  /** Returns how many did not exceed a time in milliseconds: exact at a bucket's edge, else a little more. */
  countUpTo(ms: number): number {
    let passed = this.#counts[0]!;
    for (let bucket = 1; bucket < this.#counts.length && this.#edge(bucket - 1) < ms; bucket++) {
      passed += this.#counts[bucket]!;
    }
    return passed;
  }

  /** Returns its figures as plain data. */
  snapshot(): HistogramSnapshot {
    return {
      count: this.#count,
      sum: this.#sum,
      mean: this.mean ?? null,
      min: this.min ?? null,
      max: this.max ?? null,
      p50: this.percentile(50) ?? null,
      p90: this.percentile(90) ?? null,
      p99: this.percentile(99) ?? null,
      p999: this.percentile(99.9) ?? null,
    };
  }

  #note(bucket: number, ms: number): void {
    this.#counts[bucket]!++;
    this.#sum += ms;
    if (ms < this.#min) this.#min = ms;
    if (ms > this.#max) this.#max = ms;
    if (++this.#count >= this.#remember) this.#fade();
  }

  /** Halves all counts. */
  #fade(): void {
    let count = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      count += this.#counts[bucket] = this.#counts[bucket]! >>> 1;
    }
    this.#sum *= count / this.#count;
    this.#count = count;
  }

  /** The longest time that a bucket takes, in milliseconds. */
  #edge(bucket: number): number {
    bits[0] = (bucket + this.#first) << this.#shift;
    return float[0]!;
  }
}
