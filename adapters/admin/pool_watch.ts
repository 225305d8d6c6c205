/**
 * Watches a pool, so that its last minute can be shown at any time.
 *
 * @module
 */

import type { Clock, Timer } from "../../src/core/clock.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import type { PoolStats } from "../../src/pool/watch/stats.ts";
import { type Outlook, outlookOf } from "./outlook.ts";
import { recentOf, type Sample, takeSample } from "./recent.ts";

/** What a watch is made from. */
export interface PoolWatchOptions {
  readonly pool: ConnectionPool;
  readonly clock: Clock;
  /** Ends the watching. */
  readonly signal: AbortSignal | undefined;
}

/** A pool's figures, and what they mean. */
export interface WatchedStats extends PoolStats {
  /** What is wrong, and what callers got recently. */
  readonly outlook: Outlook;
}

/** How often samples are taken, in milliseconds. */
const EVERY_MS = 5_000;

/** How long "recently" is, in milliseconds. */
const WINDOW_MS = 60_000;

/** The samples of a pool's last minute, and what follows from them. */
export class PoolWatch {
  readonly #pool: ConnectionPool;
  readonly #clock: Clock;
  /** The oldest first: one that is a minute old, and all after it. */
  #samples: Sample[] = [];
  readonly #followers: ((stats: PoolStats) => void)[] = [];
  #timer: Timer | undefined;

  /** Begins to watch. */
  constructor({ clock, pool, signal }: PoolWatchOptions) {
    this.#pool = pool;
    this.#clock = clock;
    const sample = this.#take(pool.stats());
    // All that a younger pool ever did is recent.
    if (sample.at - sample.stats.since >= WINDOW_MS) this.#samples.push(sample);
    this.#sampleLater();
    const end = () => {
      signal?.removeEventListener("abort", end);
      off();
      this.#timer?.cancel();
    };
    const off = pool.on("closed", end);
    if (signal?.aborted || pool.closed) end();
    else signal?.addEventListener("abort", end, { once: true });
  }

  /** Calls a listener with the figures of each sample, for as long as it watches. */
  follow(follower: (stats: PoolStats) => void): void {
    this.#followers.push(follower);
  }

  /** The pool's figures now, and what they mean. */
  look(): WatchedStats {
    const stats = this.#pool.stats();
    const now = this.#take(stats);
    const before = this.#samples.findLast(({ at }) => at <= now.at - WINDOW_MS) ?? this.#samples[0];
    // The window begins with the pool if that is less than a minute old.
    const isYoung = now.at - stats.since <= WINDOW_MS;
    const recent = recentOf(now, isYoung ? undefined : before, this.#samples.at(-1));
    const findings = this.#pool.diagnose();
    return { ...stats, outlook: outlookOf({ stats, recent, findings, closed: this.#pool.closed }) };
  }

  #take(stats: PoolStats): Sample {
    return takeSample(stats, this.#pool.histograms());
  }

  #sampleLater(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#sampleLater();
      const stats = this.#pool.stats();
      const sample = this.#take(stats);
      this.#samples.push(sample);
      const from = sample.at - WINDOW_MS;
      while (this.#samples.length > 1 && this.#samples[1]!.at <= from) this.#samples.shift();
      for (const follower of this.#followers) follower(stats);
    }, EVERY_MS);
  }
}
