/**
 * The attempts of one request: one, and a second at another machine if the first is silent.
 *
 * @module
 */

import type { RequestError, RequestFailure } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import { Attempt, type AttemptUser } from "./attempt.ts";
import { giveBack, requestError } from "./attempt_end.ts";
import type { ExchangeTimes } from "./exchange_watch.ts";
import type { RequestWatch } from "./observer.ts";
import type { Repeats } from "./repeats.ts";
import type { PreparedRequest } from "./request.ts";
import type { Session } from "./session.ts";

/** What a race needs of the pool. */
export interface RaceHost {
  /** Whether a second machine is asked if the first is silent. */
  readonly hedging: boolean;
  /** The time, in milliseconds. */
  now(): number;
  /** What speaks on a connection. */
  sessionOf(connection: Connection): Session;
  /** Watches an exchange's times, which have changed. */
  watch(times: ExchangeTimes): void;
  /** Notes that no byte came in time. Returns whether the machine is silent to others too. */
  noteSilence(lease: Lease, describe: () => unknown): boolean;
  /**
   * Looks for a connection to another machine, and passes it to `start()`, or calls `miss()`. With
   * `free`, it costs nothing of the budget: the first machine is silent to others too.
   *
   * @returns Whether there is another machine, and the budget allows it
   */
  hedge(race: Race, silent: Lease, free: boolean, signal: AbortSignal): boolean;
}

/** The request that the attempts are of. */
export interface Racer extends AttemptUser {
  readonly request: PreparedRequest;
  readonly repeats: Repeats;
  readonly times: ExchangeTimes;
  readonly watch: RequestWatch | undefined;
  /** Ends the request, and the attempt under way. */
  abandon(reason: unknown): void;
}

/** Holds the attempts of one exchange, and settles which of them counts. */
export class Race {
  /** The request that they are of. */
  readonly racer: Racer;
  /** How many times the request was sent to a second machine. */
  hedges = 0;
  /** Whether the second machine answered first. */
  won = false;
  readonly #host: RaceHost;
  #first: Attempt | undefined;
  #second: Attempt | undefined;
  /** The wait for a connection to a second machine. */
  #wait: AbortController | undefined;

  /** Begins with no attempt. */
  constructor(host: RaceHost, racer: Racer) {
    this.#host = host;
    this.racer = racer;
  }

  /** The attempt under way, or the one that ended last, which still tells who answered. */
  get first(): Attempt | undefined {
    return this.#first;
  }

  /** The attempt at a second machine, while there are two. */
  get second(): Attempt | undefined {
    return this.#second;
  }

  /** Begins an attempt. The caller sends it. */
  begin(lease: Lease): Attempt {
    this.racer.times.sentAt = lease.startedAt;
    return this.#first = this.#attemptOver(lease);
  }

  /** Sets when an attempt's machine has been silent for too long. */
  awaitByte({ excused, lease, overdue }: Attempt, from: number): void {
    const overdueAt = from + (lease.connection.endpoint?.patienceMs ?? Infinity);
    this.racer.times.overdueAt = overdueAt;
    // Once that was noticed, all of its time is the machine's; before, none while the program stood still.
    if (!overdue && !excused) lease.noticedAfterMs = overdueAt - lease.startedAt;
  }

  /**
   * Notes that no byte has come for longer than is likely, and asks a second machine too if the
   * request may be repeated.
   */
  overdue(): void {
    const { request, times } = this.racer;
    const lateMs = this.#host.now() - times.overdueAt;
    times.overdueAt = Infinity;
    const attempt = this.#first;
    if (!attempt || attempt.over || attempt.responding || this.#second || this.#wait) return;
    const { lease } = attempt;
    // The program stood still, and perhaps had not even sent the request: once, it waits again.
    if (!attempt.excused && lateMs > (lease.connection.endpoint?.patienceMs ?? Infinity)) {
      attempt.excused = true;
      this.awaitByte(attempt, this.#host.now());
      return;
    }
    if (!attempt.overdue) {
      attempt.overdue = true;
      lease.noticedAfterMs = Infinity;
      attempt.silent = this.#host.noteSilence(
        lease,
        () => this.error("timeout", "no byte came for longer than is likely"),
      );
      // Others would have to wait on such a connection too.
      this.#host.sessionOf(lease.connection).suspect?.(lease.startedAt);
    }
    const { replayable, options: { hedge = this.#host.hedging } } = request;
    if (!replayable || !hedge || this.racer.repeats.exhausted) return;
    this.#wait = new AbortController();
    const free = attempt.silent || lease.connection.endpoint?.failing === true;
    if (!this.#host.hedge(this, lease, free, this.#wait.signal)) this.miss();
  }

  /** Sends the request to a second machine, over a lease. */
  start(lease: Lease): void {
    if (!this.#wait || lease.connection.state === "closed") {
      giveBack(lease);
      this.miss();
      return;
    }
    this.#wait = undefined;
    this.hedges++;
    const attempt = this.#second = this.#attemptOver(lease);
    this.racer.watch?.hedged?.(lease);
    try {
      attempt.send(this.racer.request, undefined);
    } catch (error) {
      // It has something that the protocol does not.
      this.racer.abandon(error);
    }
  }

  /** Notes that there is no second machine now. The next look is later. */
  miss(): void {
    if (!this.#wait) return;
    this.#wait = undefined;
    if (this.#first) this.awaitByte(this.#first, this.#host.now());
    this.#host.watch(this.racer.times);
  }

  /** Drops the attempt that is slower than the one that was answered. */
  overtake(attempt: Attempt): void {
    const second = this.#takeSecond();
    if (!second) return;
    this.won = attempt === second;
    const slower = this.won ? this.#first : second;
    this.#first = attempt;
    if (this.won) {
      this.racer.times.sentAt = attempt.lease.startedAt;
      this.racer.watch?.hedgeWon?.(attempt.lease);
    }
    if (!slower || slower.over) return;
    slower.lease.latencyMs = this.#host.now() - slower.lease.startedAt;
    slower.drop(this.error("cancelled", "another machine was faster", undefined, slower));
  }

  /** Goes on with the other attempt when one has failed; false if there is no other. */
  goesOn(attempt: Attempt, error: unknown): boolean {
    const { times, watch } = this.racer;
    if (!this.#first || !this.#second) return false;
    const second = this.#takeSecond()!;
    this.racer.repeats.avoid(attempt.lease, attempt.lease.failure?.error);
    if (attempt === this.#first) {
      this.#first = second;
      times.sentAt = second.lease.startedAt;
    }
    watch?.hedgeAlone?.(this.#first.lease, error);
    this.awaitByte(this.#first, this.#host.now());
    this.#host.watch(times);
    return true;
  }

  /** Drops the attempt at a second machine, and the wait for one. */
  endHedge(reason: unknown): void {
    this.#takeSecond()?.drop(reason);
  }

  /** Makes the error of the request, about an attempt: by default the first. */
  error(
    failure: RequestFailure,
    detail: string,
    cause?: unknown,
    attempt: Attempt | undefined = this.#first,
  ): RequestError {
    const { maybeActedOn } = this.racer.repeats;
    return requestError(this.racer.request, attempt?.lease, failure, detail, cause, maybeActedOn);
  }

  #attemptOver(lease: Lease): Attempt {
    this.racer.repeats.attempts++;
    return new Attempt(this.racer, lease, this.#host.sessionOf(lease.connection));
  }

  /** Removes the second attempt, and stops waiting for one. */
  #takeSecond(): Attempt | undefined {
    this.#wait?.abort();
    this.#wait = undefined;
    const second = this.#second;
    this.#second = undefined;
    return second;
  }
}
