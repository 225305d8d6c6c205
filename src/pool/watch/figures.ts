/**
 * What a pool counts and times while it works.
 *
 * @module
 */

import { parseHost } from "../../core/address.ts";
import { Histogram, type HistogramSnapshot, type HistogramView } from "../../core/histogram.ts";
import type { EvictReason } from "../../map/exits.ts";
import { HostFigures } from "./host_figures.ts";
import type { RequestOutcome } from "./request_counts.ts";

/** How long things took, in milliseconds. */
export interface PoolTimes {
  /** How long callers waited for their leases; 0 if a connection was ready. */
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

/** How many hosts' requests are counted one by one. */
const MAX_HOSTS = 10_000;

/** How many requests' times are gathered before they are put into histograms. */
const BATCH = 128;

/** The counts of a pool, and its times. */
export class PoolFigures {
  /** When it began, in milliseconds since 1970. */
  readonly since: number;
  /** How long callers waited; `settle` adds those who did not wait. */
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
  readonly #hosts = new Map<string, HostFigures>();
  readonly #spellings = new Map<string, HostFigures>();
  /** The counts of forgotten hosts, and of what was no host. */
  readonly #past = new HostFigures();
  /** Times that are not in the histograms yet, in pairs: a request only pays for storing them. */
  readonly #times = new Float64Array(2 * BATCH);
  /** The hosts that these times belong to. */
  readonly #timed: HostFigures[] = Array.from({ length: BATCH }, () => this.#past);
  #timeCount = 0;
  #lastHost = "";
  #last: HostFigures = this.#past;

  /** Begins with nothing. */
  constructor(since: number) {
    this.since = since;
  }

  /**
   * Notes a request that is over, and how long it took, in milliseconds; NaN if that does not
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
      this.#last = this.#ofHost(host);
      this.#lastHost = host;
    }
    this.#last.requests.note(outcome, status, attempts);
    const index = this.#timeCount++;
    this.#timed[index] = this.#last;
    this.#times[2 * index] = firstByteMs;
    this.#times[2 * index + 1] = totalMs;
    if (this.#timeCount === BATCH) this.#settleTimes();
  }

  /** Notes that the request that was noted last was sent to other machines besides. */
  noteHedges(hedges: number, won: boolean): void {
    this.#last.requests.hedges += hedges;
    if (won) this.#last.requests.hedgesWon++;
  }

  /** Notes how many answers to the request that was noted last said to come back later. */
  noteToldLater(answers: number): void {
    this.#last.requests.toldLater += answers;
  }

  /** Notes how often the request that was noted last has waited because of that. */
  noteWaits(waits: number): void {
    this.#last.requests.waits += waits;
  }

  /** Notes that a host's address was ejected. */
  noteEjection(host: string): void {
    this.#ofHost(host).ejections++;
  }

  /** Notes that a host could not be resolved. */
  noteResolveError(host: string): void {
    this.#ofHost(host).resolveErrors++;
  }

  /** The figures of all hosts there ever were. */
  all(): HostFigures {
    const all = new HostFigures();
    all.add(this.#past);
    for (const figures of this.#hosts.values()) all.add(figures);
    return all;
  }

  /** The figures of a host, however it is spelled. */
  #ofHost(spelling: string): HostFigures {
    let figures = this.#spellings.get(spelling);
    if (figures) return figures;
    if (this.#spellings.size >= MAX_HOSTS) this.keepOnly(() => false);
    const text = canonical(spelling);
    // Only hosts have their own figures.
    if (text === undefined) return this.#past;
    figures = this.#hosts.get(text);
    if (!figures) this.#hosts.set(text, figures = new HostFigures());
    this.#spellings.set(spelling, figures);
    return figures;
  }

  /** The hosts that have figures, in canonical text. */
  get hosts(): ReadonlyMap<string, HostFigures> {
    return this.#hosts;
  }

  /** Forgets all hosts but those in use, in canonical text. */
  keepOnly(isUsed: (host: string) => boolean): void {
    this.#settleTimes();
    for (const [host, figures] of this.#hosts) {
      if (isUsed(host)) continue;
      this.#past.add(figures);
      this.#hosts.delete(host);
    }
    this.#spellings.clear();
    this.#lastHost = "";
    this.#last = this.#past;
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
    for (let index = 0; index < this.#timeCount; index++) {
      const totalMs = this.#times[2 * index + 1]!;
      this.firstByte.record(this.#times[2 * index]!);
      this.total.record(totalMs);
      this.#timed[index]!.latency.note(totalMs);
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
