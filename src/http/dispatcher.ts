/**
 * Carries out the requests of a pool.
 *
 * @module
 */

import { ipOf, withItsPort } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { ConnectionManager } from "../map/manager.ts";
import type { HttpAcquireOptions } from "../pool/call_options.ts";
import type { PoolEvents } from "../pool/events.ts";
import type { HttpLeases } from "../pool/http_leases.ts";
import type { Lease } from "../pool/lease/lease.ts";
import type { PoolFigures } from "../pool/watch/figures.ts";
import type { RequestOutcome } from "../pool/watch/request_counts.ts";
import { openBody } from "./body_reader.ts";
import { Exchange, type ExchangeHost } from "./exchange.ts";
import { type ExchangeTimes, ExchangeWatch } from "./exchange_watch.ts";
import type { Failover } from "./failover.ts";
import { Parsers } from "./h1/parsers.ts";
import type { HttpRules } from "./http_options.ts";
import type { RequestWatch } from "./observer.ts";
import { Pauses } from "./pauses.ts";
import type { Race } from "./race.ts";
import type { Repeats } from "./repeats.ts";
import type { PreparedRequest } from "./request.ts";
import { hasField } from "./request_headers.ts";
import type { RequestOptions } from "./request_options.ts";
import type { PooledResponse } from "./response.ts";
import type { RetryAfterMode } from "./retry_after.ts";
import { RetryBudget } from "./retry_budget.ts";
import type { Session } from "./session.ts";
import { sessionOf } from "./sessions.ts";

/** The parts of the pool that requests are carried out with. */
export interface DispatcherParts {
  readonly clock: Clock;
  readonly rules: HttpRules;
  readonly figures: PoolFigures;
  readonly leases: HttpLeases;
  readonly manager: ConnectionManager;
  /** Called when nobody will read a body any more. */
  readonly onLeak: (leak: PoolEvents["leak"]) => void;
}

const FOR_HTTP = { http: true } as const;

/** How many requests may also be sent to a second machine, for each that is made. */
const HEDGE_SHARE = 0.005;

/**
 * How long to wait for a hang-up if a server was never seen to keep a connection, in milliseconds.
 */
const MOMENT_MS = 25;

/** Finds connections for requests, watches their times, and counts how they ended. */
export class Dispatcher implements ExchangeHost {
  readonly bodyIdleTimeoutMs: number;
  readonly failoverStatuses: readonly number[];
  readonly hedging: boolean;
  readonly maxRetryAfterMs: number;
  readonly retryAfter: RetryAfterMode;
  /** The requests that wait because they were told to. */
  readonly pauses: Pauses;
  readonly #clock: Clock;
  readonly #figures: PoolFigures;
  readonly #leases: HttpLeases;
  readonly #manager: ConnectionManager;
  readonly #onLeak: DispatcherParts["onLeak"];
  readonly #restStatuses: readonly number[];
  readonly #parsers: Parsers;
  readonly #budget: RetryBudget;
  readonly #hedgeBudget = new RetryBudget(HEDGE_SHARE);
  readonly #watch: ExchangeWatch;

  /** Makes it, with nothing to do yet. */
  constructor({ clock, figures, leases, manager, onLeak, rules }: DispatcherParts) {
    this.bodyIdleTimeoutMs = rules.bodyIdleTimeoutMs;
    this.failoverStatuses = rules.failoverStatuses;
    this.hedging = rules.hedging;
    this.maxRetryAfterMs = rules.maxRetryAfterMs;
    this.retryAfter = rules.retryAfter;
    this.pauses = new Pauses(clock);
    this.#clock = clock;
    this.#figures = figures;
    this.#leases = leases;
    this.#manager = manager;
    this.#onLeak = onLeak;
    this.#restStatuses = rules.restStatuses;
    this.#parsers = new Parsers(rules.limits);
    this.#budget = new RetryBudget(rules.retryShare);
    this.#watch = new ExchangeWatch(clock, rules);
  }

  /** Makes a request. */
  request(request: PreparedRequest, watch?: RequestWatch): Promise<PooledResponse> {
    throwIfAborted(request);
    this.#budget.earn();
    this.#hedgeBudget.earn();
    return new Promise((resolve, reject) => {
      // A proxy that is asked for URLs answers as the servers behind it do.
      const settle = request.target.isPlain
        ? (response: PooledResponse) => {
          const error = refusalOf(exchange.connection, response);
          if (error) response.dump().then(() => reject(error));
          else resolve(response);
        }
        : resolve;
      const exchange = new Exchange(this, request, settle, reject, watch);
      this.dispatch(exchange);
    });
  }

  /** Counts a request towards what may be sent again. */
  earn(): void {
    this.#budget.earn();
  }

  /** Has all waiting requests go on, and watches those under way until the pool is closed. */
  close(closed: Promise<void>): void {
    closed.then(() => this.#watch.close());
    this.pauses.endAll();
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  random(): number {
    return this.#clock.random();
  }

  sessionOf(connection: Connection): Session {
    return sessionOf(connection, this.#parsers, this.#clock);
  }

  misdirected(connection: Connection, host: string): boolean {
    // A server that refuses a host's own connection may refuse each: no handshake for every request.
    if (this.#leases.isOwn(connection, host) && !this.#budget.spend()) return false;
    this.#leases.misdirected(connection, host);
    return true;
  }

  noteSilence(lease: Lease, describe: () => unknown): boolean {
    return this.#leases.noteSilence(lease, describe);
  }

  noteBusy(lease: Lease): void {
    this.#leases.noteBusy(lease);
  }

  noteRetryAfter(lease: Lease, status: number, afterMs: number): void {
    const restMs = this.#restStatuses.includes(status)
      ? Math.min(afterMs, this.maxRetryAfterMs)
      : 0;
    this.#leases.noteRetryAfter(lease, status, afterMs, restMs);
  }

  mayRetry(): boolean {
    return this.#budget.spend();
  }

  watch(times: ExchangeTimes): void {
    this.#watch.watch(times);
  }

  pause(exchange: Exchange, forMs: number): void {
    this.pauses.begin(exchange, forMs, () => this.dispatch(exchange));
  }

  /** Leases a connection for a request, to none of the machines that are left out. */
  acquire(
    request: PreparedRequest,
    exclude: RequestOptions["exclude"],
    signal: AbortSignal,
  ): Promise<Lease> {
    const { host } = request.target;
    return this.#leases.acquire(host, { ...choiceOf(request, exclude), signal });
  }

  /** Stops watching an exchange that is over, and counts it. */
  over(exchange: Exchange, outcome: RequestOutcome, endedAt: number): void {
    this.#watch.remove(exchange.times);
    this.pauses.end(exchange);
    const { race: { hedges, won }, repeats, request, status, times } = exchange;
    const firstByteMs = status > 0 ? times.firstByteMs : NaN;
    const totalMs = outcome === "cancelled" ? NaN : endedAt - times.startedAt;
    const sent = repeats.attempts - hedges;
    this.#figures.noteRequest(request.target.host, outcome, status, sent, firstByteMs, totalMs);
    if (hedges > 0) this.#figures.noteHedges(hedges, won);
    this.noteTold(repeats);
  }

  /** Counts how often a request was told to come back later, and waited. */
  noteTold({ toldLater, waits }: Pick<Repeats, "toldLater" | "waits">): void {
    if (toldLater > 0) this.#figures.noteToldLater(toldLater);
    if (waits > 0) this.#figures.noteWaits(waits);
  }

  /** Finds an exchange a connection, or has it wait for one. */
  dispatch(exchange: Exchange): void {
    const { deadline } = exchange.times;
    if (deadline < Infinity && deadline <= this.#clock.now()) {
      exchange.expire();
      return;
    }
    const { request, repeats: { failover } } = exchange;
    if (this.#holdsBack(exchange)) return;
    const { options, target } = request;
    const { ip, protocols, sticky, tls } = options;
    const exclude = failover ? failover.exclude(options.exclude) : options.exclude;
    try {
      const isFree = ip === undefined && exclude === undefined && sticky === undefined
        && tls === undefined && protocols === undefined && !target.isPlain;
      const choice = isFree ? FOR_HTTP : choiceOf(request, exclude);
      const lease = this.#leases.tryAcquire(target.host, isFree ? undefined : choice);
      if (lease) {
        this.#start(exchange, lease);
        return;
      }
      exchange.queue();
      if (deadline < Infinity) this.#watch.watch(exchange.times);
      exchange.watch?.queued?.();
      const signal = options.signal ?? undefined;
      const acquire: HttpAcquireOptions = deadline === Infinity
        ? { ...choice, signal }
        : { ...choice, signal, timeoutMs: Math.max(0, deadline - this.#clock.now()) };
      this.#leases.acquire(target.host, acquire).then(
        (lease) => this.#start(exchange, lease),
        (error) => exchange.refuse(error),
      );
    } catch (error) {
      exchange.refuse(error);
    }
  }

  /** Whether a request waits, because every machine that it may go to has asked to be left alone. */
  #holdsBack(exchange: Exchange): boolean {
    const restMs = this.restMs(exchange.request);
    return restMs > 0 && exchange.waitFor(restMs);
  }

  /**
   * How long every machine that a request may go to is to be left alone, if the request would wait.
   */
  restMs(request: PreparedRequest): number {
    const { exclude, retryAfter = this.retryAfter } = request.options;
    if (retryAfter !== "wait") return 0;
    const until = this.#leases.restsUntil(request.target.host, choiceOf(request, exclude));
    return Math.max(0, until - this.#clock.now());
  }

  /**
   * Sends a request over a connection. The end of the connection may follow right behind the answer
   * that set it free. So a request that may not be repeated waits until all that has arrived was
   * read, and a moment longer if its server was not seen to keep a connection. One that has met
   * such an end waits too: all connections to its server may have ended at once.
   */
  #start(exchange: Exchange, lease: Lease): void {
    const { connection, reused } = lease;
    const { repeats: { isSuspect }, request: { replayable } } = exchange;
    const isUrgent = (replayable && !isSuspect) || !reused || !this.#clock.afterReading
      || this.sessionOf(connection).protocol === "h2";
    if (isUrgent) exchange.start(lease);
    else if (replayable || connection.endpoint?.keepsOpen) {
      this.#clock.afterReading?.(() => exchange.start(lease));
    } else {
      let started = false;
      const start = () => {
        if (started) return;
        started = true;
        timer.cancel();
        exchange.start(lease);
      };
      const { afterReading } = this.#clock;
      // A caller waits for it, and maybe nothing else keeps the program alive.
      const timer = this.#clock.setTimer(() => afterReading?.(start), MOMENT_MS, true);
      connection.closed.then(start);
    }
  }

  /**
   * Whether a request has another machine to turn to. A good one costs nothing, since a request
   * goes to each but once; if all have failed recently, the budget decides whether to go on.
   */
  mayTurnElsewhere(request: PreparedRequest, failover: Failover): boolean {
    const choice = choiceOf(request, failover.exclude(request.options.exclude));
    const found = this.#leases.alternatives(request.target.host, choice);
    return found === "good" || (found === "doubtful" && this.#budget.spend());
  }

  /** Finds a connection to another machine than one that is silent. */
  hedge(race: Race, { connection }: Lease, free: boolean, signal: AbortSignal): boolean {
    const { repeats: { failover }, request, times: { deadline } } = race.racer;
    const { options, target } = request;
    const { address } = connection;
    const silent = withItsPort(address, ipOf(address));
    const exclude = [...failover?.exclude(options.exclude) ?? options.exclude ?? [], silent];
    const choice = choiceOf(request, exclude);
    if (this.#leases.alternatives(target.host, choice) !== "good") return false;
    if (!free && !this.#hedgeBudget.spend()) return false;
    const lease = this.#leases.tryAcquire(target.host, choice);
    if (lease) {
      race.start(lease);
      return true;
    }
    const timeoutMs = deadline === Infinity ? undefined : Math.max(0, deadline - this.#clock.now());
    this.#leases.acquire(target.host, { ...choice, signal, timeoutMs }).then(
      (lease) => race.start(lease),
      () => race.miss(),
    );
    return true;
  }

  /** Reports an exchange whose body nobody will read, and ends it. */
  reclaim(exchange: Exchange): void {
    const { address, host, id: connectionId } = exchange.connection;
    this.#onLeak({ host, address, connectionId, url: exchange.request.target.url });
    exchange.reclaim();
  }

  /** Ends connections to a machine that have been idle as long as one that has not answered. */
  doubt({ connection }: Lease): void {
    const { address, host, idleBeforeMs, tlsProfile } = connection;
    const now = this.#clock.now();
    for (const other of this.#manager.getConnections(address)) {
      if (other.host !== host || other.tlsProfile !== tlsProfile || other.state !== "idle") {
        continue;
      }
      if (now - other.lastUsedAt >= idleBeforeMs) {
        this.#manager.removeConnection(other, "unhealthy");
      }
    }
  }
}

/** Which connections a request may go over, some machines left out. */
function choiceOf(
  { fields, options: { ip, protocols, sticky, tls }, target: { isPlain: plain } }: PreparedRequest,
  exclude: RequestOptions["exclude"],
): HttpAcquireOptions {
  const upgrade = plain && hasField(fields, "upgrade");
  return { ip, exclude, sticky, tls, plain, http: protocols ?? true, upgrade };
}

/** Ends a request that was given up before it began, and cancels its body. */
export function throwIfAborted({ options: { signal }, stream }: PreparedRequest): void {
  if (signal?.aborted && stream) openBody(stream).cancel(signal.reason);
  signal?.throwIfAborted();
}

/** The error for a proxy that is asked for URLs, and wants credentials. */
function refusalOf(
  { address, host, relay }: Connection,
  { status }: PooledResponse,
): ProxyError | undefined {
  if (!relay || status !== 407) return undefined;
  const fields = { proxy: relay.proxy, host, address, failure: "authentication", status } as const;
  return new ProxyError(fields, "it answered 407: it wants other credentials, or any");
}
