/**
 * Load on a pool, and what came of it.
 *
 * @module
 */

import type { HttpPool } from "../../src/http/http_pool.ts";
import type { RequestOptions } from "../../src/http/request_options.ts";

/** What came of a load. */
export interface LoadResult {
  /** How many requests were answered, by status. */
  readonly statuses: { readonly [status: string]: number };
  readonly errors: readonly unknown[];
  /** How long each one took, in milliseconds, the shortest first. */
  readonly times: readonly number[];
}

/** What is asked, and how often. */
export interface LoadOptions {
  readonly url: string;
  /** Says whether to go on, asked before each request. */
  readonly goesOn: (made: number) => boolean;
  /** How many requests are under way at a time. @default {20} */
  readonly concurrency?: number;
  /** The options of each request, by its number. */
  readonly request?: (index: number) => RequestOptions;
}

/** Keeps so many requests under way until there were enough, and reads every answer. */
export async function load(pool: HttpPool, options: LoadOptions): Promise<LoadResult> {
  const { concurrency = 20, goesOn, request, url } = options;
  const statuses: { [status: string]: number } = {};
  const errors: unknown[] = [];
  const times: number[] = [];
  let made = 0;
  const worker = async () => {
    while (goesOn(made)) {
      const index = made++;
      const since = performance.now();
      try {
        const response = await pool.request(url, request?.(index));
        await response.dump();
        statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      } catch (error) {
        errors.push(error);
      }
      times.push(performance.now() - since);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { statuses, errors, times: times.sort((a, b) => a - b) };
}

/** The time that so many in a hundred did not exceed, in milliseconds. */
export function percentile({ times }: LoadResult, percent: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * percent / 100))] ?? NaN;
}
