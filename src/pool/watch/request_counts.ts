/**
 * What became of requests.
 *
 * @module
 */

/** How requests ended. In a pool that speaks no protocol, all of it stays 0. */
export interface RequestStats {
  /** Requests that have ended. */
  readonly count: number;
  /** Those that were answered to the last byte, whatever the status. */
  readonly successes: number;
  /** Those that failed: no answer, not all of it, or too late. */
  readonly failures: number;
  /** Those that their callers aborted. */
  readonly cancelled: number;
  /** Successes as a share of successes and failures, from 0 to 1; null if there are neither. */
  readonly successRate: number | null;
  /** How many times a request was sent again. */
  readonly retries: number;
  /** How many times a request was sent to a second machine too, because the first was silent. */
  readonly hedges: number;
  /** How many of them were answered by the second machine. */
  readonly hedgesWon: number;
  /** How many answers said to come back later: 429 and 503 with a `Retry-After`. */
  readonly toldLater: number;
  /** How many times a request waited because of that. */
  readonly waits: number;
  /** The final answers by class of status, such as `2xx`. */
  readonly statuses: { readonly [statusClass: string]: number };
}

/** How a request ended. */
export type RequestOutcome = "successes" | "failures" | "cancelled";

/** Counts how requests end. */
export class RequestCounts {
  /** How many were answered to the last byte. */
  successes = 0;
  /** How many failed. */
  failures = 0;
  /** How many were given up. */
  cancelled = 0;
  /** How many times one was sent once more. */
  retries = 0;
  /** How many times one was sent to a second machine besides. */
  hedges = 0;
  /** How many of them the second machine answered. */
  hedgesWon = 0;
  /** How many answers said to come back later. */
  toldLater = 0;
  /** How many times a request waited because of that. */
  waits = 0;
  /** The answers by the first digit of their status. */
  readonly statuses: number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

  /** Counts one that has ended, and how often it was sent; the status is 0 if there was no answer. */
  note(outcome: RequestOutcome, status: number, attempts: number): void {
    if (outcome === "successes") this.successes++;
    else if (outcome === "failures") this.failures++;
    else this.cancelled++;
    if (attempts > 1) this.retries += attempts - 1;
    if (status > 0) this.statuses[(status / 100) | 0]!++;
  }

  /** Adds other counts to its own. */
  add(counts: RequestCounts): void {
    const { cancelled, failures, hedges, hedgesWon, retries, statuses, successes } = counts;
    this.successes += successes;
    this.failures += failures;
    this.cancelled += cancelled;
    this.retries += retries;
    this.hedges += hedges;
    this.hedgesWon += hedgesWon;
    this.toldLater += counts.toldLater;
    this.waits += counts.waits;
    statuses.forEach((count, digit) => this.statuses[digit]! += count);
  }

  /** Its figures now: plain data. */
  stats(): RequestStats {
    const { cancelled, failures, hedges, hedgesWon, retries, successes, toldLater, waits } = this;
    const statuses: { [statusClass: string]: number } = {};
    addClasses(statuses, this.statuses);
    return {
      count: successes + failures + cancelled,
      successes,
      failures,
      cancelled,
      successRate: successes + failures > 0 ? successes / (successes + failures) : null,
      retries,
      hedges,
      hedgesWon,
      toldLater,
      waits,
      statuses,
    };
  }
}

/** Adds counts of statuses by their first digit to those by class, such as `2xx`. */
export function addClasses(
  classes: { [statusClass: string]: number },
  counts: readonly number[],
): void {
  counts.forEach((count, digit) => {
    const name = `${digit}xx`;
    if (count > 0) classes[name] = (classes[name] ?? 0) + count;
  });
}
