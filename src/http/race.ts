/**
 * The machines that one request is at: one, and a second one besides where the first is silent.
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
  /** Whether a second machine is asked where the first is silent. */
  readonly hedging: boolean;
  /** The time, in milliseconds. */
  now(): number;
  /** What speaks on a connection. */
  sessionOf(connection: Connection): Session;
  /** Looks at an exchange's times from now on. */
  watch(times: ExchangeTimes): void;
  /** Notes that no byte came in time; gives whether the machine is silent to others, too. */
  noteSilence(lease: Lease, error: unknown): boolean;
  /**
   * Looks for a connection to another machine, and gives it by `start`, or says so by `miss`. Whoever
   * is silent to others, too, may be left for nothing.
   *
   * @returns Whether there is another machine, and the budget allows it
   */
  hedge(race: Race, silent: Lease, free: boolean, signal: AbortSignal): boolean;
}

/** Whose request it is. */
export interface Racer extends AttemptUser {
  readonly request: PreparedRequest;
  readonly repeats: Repeats;
  readonly times: ExchangeTimes;
  readonly watch: RequestWatch | undefined;
  /** Ends the request, and the attempt under way. */
  abandon(reason: unknown): void;
}

/** The attempts of one exchange. */
export class Race {
  /** Whose they are. */
  readonly racer: Racer;
  /** How many times the request was sent to another machine besides. */
  hedges = 0;
  /** Whether the answer came from there. */
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

  /** The attempt under way, or the one that ended last: it tells still who answered. */
  get first(): Attempt | undefined {
    return this.#first;
  }

  /** The one at another machine besides. */
  get second(): Attempt | undefined {
    return this.#second;
  }

  /** Begins an attempt, which is sent by the caller. */
  begin(lease: Lease): Attempt {
    this.racer.times.sentAt = lease.startedAt;
    return this.#first = this.#attemptOver(lease);
  }

  /** Notes when the silence of an attempt's machine is out of the ordinary. */
  awaitByte({ lease }: Attempt, from: number): void {
    const { endpoint } = lease.connection;
    this.racer.times.overdueAt = endpoint ? from + endpoint.patienceMs : Infinity;
  }

  /**
   * Notes that no byte has come for longer than is likely, and turns to another machine besides,
   * where the request may be repeated.
   *
   * @param mayHedge Whether all of the request is there to be sent again
   */
  overdue(mayHedge: boolean): void {
    const { request, times } = this.racer;
    times.overdueAt = Infinity;
    const attempt = this.#first;
    if (!attempt || attempt.over || attempt.responding || this.#second || this.#wait) return;
    const { lease } = attempt;
    if (!attempt.overdue) {
      attempt.overdue = true;
      const error = this.error("timeout", "no byte came for longer than is likely");
      attempt.silent = this.#host.noteSilence(lease, error);
      // Others would wait on such a connection as well.
      this.#host.sessionOf(lease.connection).suspect?.(lease.startedAt);
    }
    const { replayable, options: { hedge = this.#host.hedging } } = request;
    if (!replayable || !mayHedge || !hedge || this.racer.repeats.exhausted) return;
    this.#wait = new AbortController();
    const free = attempt.silent || lease.connection.endpoint?.failing === true;
    if (!this.#host.hedge(this, lease, free, this.#wait.signal)) this.miss();
  }

  /** Sends the request over a lease to another machine, besides. */
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

  /** Notes that no other machine is to be had: it waits on, and looks again later. */
  miss(): void {
    if (!this.#wait) return;
    this.#wait = undefined;
    if (this.#first) this.awaitByte(this.#first, this.#host.now());
    this.#host.watch(this.racer.times);
  }

  /** Lets go of what is slower than the attempt whose answer has come. */
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

  /** Goes on with the other attempt where one has ended; false where there is no other. */
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

  /** Lets go of the attempt at another machine, and of the wait for one. */
  endHedge(reason: unknown): void {
    this.#takeSecond()?.drop(reason);
  }

  /** Makes the error of the request, by an attempt: the first, where no other is named. */
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

  /** Takes the second attempt out, and waits for none any more. */
  #takeSecond(): Attempt | undefined {
    this.#wait?.abort();
    this.#wait = undefined;
    const second = this.#second;
    this.#second = undefined;
    return second;
  }
}
