/**
 * What a pool counts and times while it works.
 *
 * @module
 */

import { parseHost } from "../../core/address.ts";
import { Histogram, type HistogramSnapshot, type HistogramView } from "../../core/histogram.ts";
import type { EvictReason } from "../../map/manager.ts";

/** What became of requests. All of it stays 0 in a pool that speaks no protocol. */
export interface RequestStats {
  /** Requests that have ended. */
  readonly count: number;
  /** Those that were answered to the last byte, whatever the status. */
  readonly successes: number;
  /** Those that failed: no answer, not all of it, or too late. */
  readonly failures: number;
  /** Those that their callers gave up. */
  readonly cancelled: number;
  /** Successes as a share of successes and failures, from 0 to 1; null where there are neither. */
  readonly successRate: number | null;
  /** How many times a request was sent once more. */
  readonly retries: number;
  /** How many times a request was sent to a second machine besides, because the first was silent. */
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

/** How long things took, in milliseconds. */
export interface PoolTimes {
  /** How long callers waited for their leases; 0 where a connection was ready. */
  readonly queue: HistogramSnapshot;
  /** TCP handshakes. */
  readonly dial: HistogramSnapshot;
  /** TLS handshakes. */
  readonly tls: HistogramSnapshot;
  /** From a request's first byte to the head of its response. */
  readonly firstByte: HistogramSnapshot;
  /** Requests from their beginning, waiting for a connection included, to their last byte. */
  readonly total: HistogramSnapshot;
}

/** How long things took: see {@linkcode PoolTimes}. They go on being counted while they are held. */
export type PoolHistograms = { readonly [Name in keyof PoolTimes]: HistogramView };

/** How a request ended. */
export type RequestOutcome = "successes" | "failures" | "cancelled";

/** Counts what becomes of requests. */
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

  /** Counts one that has ended, sent so many times; the status is 0 where there was no answer. */
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
    this.statuses.forEach((count, digit) => {
      if (count > 0) statuses[`${digit}xx`] = count;
    });
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

/** How many hosts' requests are counted one by one. */
const MAX_HOSTS = 10_000;

/** How many requests' times are gathered before they are put into histograms. */
const BATCH = 128;

/** The counts of a pool, and its times. */
export class PoolFigures {
  /** When it began, in milliseconds since 1970. */
  readonly since: number;
  /** How long callers waited; those who did not wait are told by `settle`. */
  readonly queue: Histogram = new Histogram();
  /** TCP handshakes. */
  readonly dial: Histogram = new Histogram();
  /** TLS handshakes. */
  readonly tls: Histogram = new Histogram();
  /** Times to the head of a response. */
  readonly firstByte: Histogram = new Histogram();
  /** Times of whole requests. */
  readonly total: Histogram = new Histogram();
  /** Leases that began. */
  acquired = 0;
  /** How many of them on a connection that had one before. */
  reused = 0;
  /** How many ended. */
  released = 0;
  /** Leases under way whose connection goes on in another protocol. */
  upgraded = 0;
  /** Callers who wait. */
  waiting = 0;
  /** Callers who ran out of time. */
  timedOut = 0;
  /** Dials that were begun. */
  dials = 0;
  /** How many of them are on their way. */
  dialing = 0;
  /** How many of them failed. */
  dialErrors = 0;
  /** Connections that were dialled. */
  opened = 0;
  /** Those among them to addresses that a resolver told. */
  resolved = 0;
  /** Connections that left the maps, by reason. */
  readonly evicted: { [Reason in EvictReason]?: number } = {};
  readonly #hosts = new Map<string, RequestCounts>();
  readonly #spellings = new Map<string, RequestCounts>();
  /** Of hosts that are forgotten, and of what was no host. */
  readonly #past = new RequestCounts();
  /** Times that are not in the histograms yet, in pairs: a store is all that a request pays. */
  readonly #times = new Float64Array(2 * BATCH);
  #timeCount = 0;
  #lastHost = "";
  #lastCounts: RequestCounts = this.#past;

  /** Begins with nothing. */
  constructor(since: number) {
    this.since = since;
  }

  /**
   * Notes a request that is over, and how long it took, in milliseconds; NaN where that does not
   * count.
   */
  noteRequest(
    host: string,
    outcome: RequestOutcome,
    status: number,
    attempts: number,
    firstByteMs: number,
    totalMs: number,
  ): void {
    if (host !== this.#lastHost) {
      this.#lastCounts = this.#ofHost(host);
      this.#lastHost = host;
    }
    this.#lastCounts.note(outcome, status, attempts);
    this.#times[this.#timeCount++] = firstByteMs;
    this.#times[this.#timeCount++] = totalMs;
    if (this.#timeCount === 2 * BATCH) this.#settleTimes();
  }

  /** Notes that the request that was noted last was sent to other machines besides. */
  noteHedges(hedges: number, won: boolean): void {
    this.#lastCounts.hedges += hedges;
    if (won) this.#lastCounts.hedgesWon++;
  }

  /** Notes how many answers to the request that was noted last said to come back later. */
  noteToldLater(answers: number): void {
    this.#lastCounts.toldLater += answers;
  }

  /** Notes how often the request that was noted last has waited because of that. */
  noteWaits(waits: number): void {
    this.#lastCounts.waits += waits;
  }

  /** The requests of all hosts there ever were. */
  requests(): RequestCounts {
    const all = new RequestCounts();
    all.add(this.#past);
    for (const counts of this.#hosts.values()) all.add(counts);
    return all;
  }

  /** The counts of a host's requests, however it is spelled. */
  #ofHost(spelling: string): RequestCounts {
    let counts = this.#spellings.get(spelling);
    if (counts) return counts;
    if (this.#spellings.size >= MAX_HOSTS) this.keepOnly(new Set());
    const text = canonical(spelling);
    // What is no host has no figures of its own.
    if (text === undefined) return this.#past;
    counts = this.#hosts.get(text);
    if (!counts) this.#hosts.set(text, counts = new RequestCounts());
    this.#spellings.set(spelling, counts);
    return counts;
  }

  /** The hosts that have counts, in canonical text. */
  get hosts(): ReadonlyMap<string, RequestCounts> {
    return this.#hosts;
  }

  /** Forgets all hosts but those in use, in canonical text. */
  keepOnly(used: ReadonlySet<string>): void {
    for (const [host, counts] of this.#hosts) {
      if (used.has(host)) continue;
      this.#past.add(counts);
      this.#hosts.delete(host);
    }
    this.#spellings.clear();
    this.#lastHost = "";
    this.#lastCounts = this.#past;
  }

  /** Notes a dial that became a connection. */
  noteDial(tcpMs: number, tlsMs: number, resolved: boolean): void {
    this.opened++;
    if (resolved) this.resolved++;
    this.dial.record(tcpMs);
    this.tls.record(tlsMs);
  }

  /** Notes a connection that left the maps. */
  noteEviction(reason: EvictReason): void {
    this.evicted[reason] = (this.evicted[reason] ?? 0) + 1;
  }

  /**
   * Brings the histograms up to date: counts those callers who did not wait, which are all but those
   * who did, so that a lease that is ready at once has nothing to note.
   */
  settle(): void {
    this.queue.recordZeros(this.acquired - this.queue.count);
    this.#settleTimes();
  }

  #settleTimes(): void {
    for (let index = 0; index < this.#timeCount; index += 2) {
      this.firstByte.record(this.#times[index]!);
      this.total.record(this.#times[index + 1]!);
    }
    this.#timeCount = 0;
  }

  /** Its times now: plain data. */
  times(): PoolTimes {
    return {
      queue: this.queue.snapshot(),
      dial: this.dial.snapshot(),
      tls: this.tls.snapshot(),
      firstByte: this.firstByte.snapshot(),
      total: this.total.snapshot(),
    };
  }
}

function canonical(host: string): string | undefined {
  try {
    return parseHost(host).text;
  } catch {
    return undefined;
  }
}
