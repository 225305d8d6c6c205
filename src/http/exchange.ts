/**
 * One request and its response, over as many connections as it takes.
 *
 * @module
 */

import { offAbort, onAbort } from "../core/abort.ts";
import type { RequestError } from "../core/errors.ts";
import { withoutFrames } from "../core/without_frames.ts";
import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import type { RequestOutcome } from "../pool/watch/request_counts.ts";
import type { Attempt } from "./attempt.ts";
import { explainEnd, giveBack, isInDoubt, isStale } from "./attempt_end.ts";
import type { BodyBuffer } from "./body_buffer.ts";
import { ExchangeTimes, type Timed } from "./exchange_watch.ts";
import type { RequestWatch } from "./observer.ts";
import { Race, type RaceHost, type Racer } from "./race.ts";
import { type RepeatHost, Repeats } from "./repeats.ts";
import type { PreparedRequest } from "./request.ts";
import { PooledResponse, type ResponseOrigin } from "./response.ts";
import type { ResponseHeaders } from "./response_headers.ts";
import type { StreamFailure } from "./session.ts";
import { StreamedBody } from "./streamed_body.ts";

/** What an exchange needs of the pool that it runs in. */
export interface ExchangeHost extends RepeatHost, RaceHost {
  /** How long a half-read body may stand, in milliseconds. */
  readonly bodyIdleTimeoutMs: number;
  /** The time on the wall, in milliseconds: it goes on while the machine sleeps. */
  wallNow(): number;
  /** Gives the exchange a connection, by `start`, or its failure. */
  dispatch(exchange: Exchange): void;
  /** The exchange is over: stop watching it, and count it. */
  over(exchange: Exchange, outcome: RequestOutcome, endedAt: number): void;
  /** The connection of an exchange has not answered: others that were idle as long are in doubt. */
  doubt(lease: Lease): void;
  /** Dispatches the exchange after `forMs` milliseconds, unless it is over by then. */
  pause(exchange: Exchange, forMs: number): void;
  /** Nobody will read the body of an exchange any more: report and end it. */
  reclaim(exchange: Exchange): void;
}

/** After how many attempts other connections that were idle as long are given up untried. */
const DOUBT_AFTER = 3;

const FIRST_BYTE_TIMEOUT_MS = 10_000;

const nobody = () => {};

/**
 * A request under way. Read it from the top down: it waits for a connection, each attempt is sent, is
 * answered, and ends; then the exchange goes on with another attempt, or is over. Below that is what
 * happens at its deadlines, and what the response asks of it.
 */
export class Exchange implements Racer, Timed, ResponseOrigin {
  /** The request. */
  readonly request: PreparedRequest;
  /** When it was sent and answered, and its deadlines. */
  readonly times: ExchangeTimes = new ExchangeTimes(this);
  /** Who watches it, if anybody. */
  readonly watch: RequestWatch | undefined;
  /** How often it was sent, where it failed, and whether it may be sent again. */
  readonly repeats: Repeats;
  /** Its attempts: one, or two at once. */
  readonly race: Race;
  readonly #host: ExchangeHost;
  #resolve: (response: PooledResponse) => void;
  #reject: (reason: unknown) => void;
  /** The request's body, if it is read as it comes. */
  readonly #body: StreamedBody | undefined;
  #answered = false;
  /** Whether its caller has given it up. */
  #givenUp = false;
  /** Whether it has ended without an answer, or without all of it. */
  #failed = false;
  #status = 0;
  /** Whether the answer that has begun is not the caller's: the request goes to another machine. */
  #turnedAway = false;
  #over = false;
  #onAbort: (() => void) | undefined;

  /** Begins; `host.dispatch` finds it a connection. */
  constructor(
    host: ExchangeHost,
    request: PreparedRequest,
    resolve: (response: PooledResponse) => void,
    reject: (reason: unknown) => void,
    watch: RequestWatch | undefined,
  ) {
    this.#host = host;
    this.watch = watch;
    this.request = request;
    const { repeats, stream } = request;
    this.#body = stream ? new StreamedBody(stream, repeats) : undefined;
    this.repeats = new Repeats(host, request, this.#body);
    this.race = new Race(host, this);
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal, timeoutMs } = request.options;
    if (timeoutMs !== undefined) this.times.limit(timeoutMs, host.now(), host.wallNow());
    if (signal) {
      this.#onAbort = () => this.#giveUp(signal.reason);
      onAbort(signal, this.#onAbort);
    }
  }

  /** Whether it has come to its end. */
  get over(): boolean {
    return this.#over;
  }

  /** The status of the answer; 0 if there was none. */
  get status(): number {
    return this.#status;
  }

  /** Notes that it waits for a connection. */
  queue(): void {
    this.times.begin(this.#host.now());
  }

  /** Ends it before a connection was there for it. */
  refuse(reason: unknown): void {
    if (this.#over) return;
    const explained = this.repeats.failover?.explain(reason) ?? reason;
    this.#finish(explained, "failures");
    this.#reject(explained);
  }

  /** Waits for `forMs` milliseconds before it is sent, if it may; false if it goes on at once. */
  waitFor(forMs: number): boolean {
    if (!this.repeats.mayWait(forMs, this.times.deadline)) return false;
    this.queue();
    this.#pause(this.repeats.takePause());
    return true;
  }

  /** Sends the request over a lease, which is the exchange's from now on. */
  start(lease: Lease): void {
    if (this.#over) {
      giveBack(lease);
      return;
    }
    if (lease.connection.state === "closed") {
      // It ended on its way to here. Nothing was written: this was no attempt.
      giveBack(lease);
      this.#host.dispatch(this);
      return;
    }
    const { times } = this;
    const attempt = this.race.begin(lease);
    times.begin(lease.startedAt);
    this.watch?.sent?.(lease);
    try {
      // Over HTTP/1.1 no server says that it has not looked at a request.
      attempt.send(this.request, this.#body?.open(attempt.protocol === "h2"));
    } catch (error) {
      // It has something that the protocol does not: nothing was sent.
      this.abandon(error);
      return;
    }
    if (attempt.over) return;
    if (this.request.replayable && isInDoubt(lease.connection)) {
      const { firstByteTimeoutMs = FIRST_BYTE_TIMEOUT_MS } = this.request.options;
      times.firstByteBy = times.sentAt + firstByteTimeoutMs;
    }
    // Nobody knows how long a long body takes to arrive and be processed.
    if (!this.request.rest && !this.#body) this.race.awaitByte(attempt, times.sentAt);
    this.#host.watch(times);
  }

  /** Hands the response to the caller. */
  onHead(attempt: Attempt, status: number, statusText: string, headers: ResponseHeaders): void {
    if (!this.#over && this.times.isLate(this.#host)) this.timeOut();
    if (this.#failed) return;
    const { times } = this;
    const { lease } = attempt;
    if (this.#turnedAway || (!attempt.over && this.#turnsAway(status, headers, attempt))) {
      this.#turnElsewhere(attempt, status);
      return;
    }
    this.race.overtake(attempt);
    this.#answered = true;
    this.#body?.letGo();
    this.#status = status;
    times.stopWaiting();
    // If all of the response is there, its end was noted a moment ago.
    times.headAt = this.#over ? lease.connection.lastUsedAt : this.#host.now();
    if (!this.#over) {
      times.untouchedSince = times.headAt;
      this.onAwaited(false);
      lease.latencyMs = times.firstByteMs;
      const { endpoint } = lease.connection;
      if (endpoint) endpoint.heardAt = times.headAt;
      this.#host.watch(times);
    }
    this.#resolve(new PooledResponse(status, statusText, headers, this));
    // They hold the response that they resolved with, and a dropped one would not be noticed.
    this.#resolve = this.#reject = nobody;
  }

  /** Gives the lease back: the response is there to its last byte. */
  onComplete(attempt: Attempt, reusable: boolean): void {
    if (this.times.isLate(this.#host)) {
      this.timeOut();
      return;
    }
    const { lease, status } = attempt;
    // What came in one piece is judged here, before its head is passed on.
    if (!this.#answered) this.#turnedAway = this.#turnsAway(status, attempt.headers, attempt);
    const isTooMuch = lease.tooMuch === "yes" || (lease.tooMuch === "perhaps" && this.#turnedAway);
    attempt.release(reusable && !isTooMuch);
    if (this.#turnedAway) return;
    this.race.overtake(attempt);
    if (!this.#answered) {
      this.#status = status;
      this.times.headAt = lease.connection.lastUsedAt;
    }
    this.#finish();
    attempt.buffer.end();
  }

  /** Sends the request again if allowed, and otherwise ends it. */
  onFailure(attempt: Attempt, { error, reusable, unprocessed }: StreamFailure): void {
    const { lease, responding } = attempt;
    const silent = !responding;
    if (unprocessed) this.repeats.refusals++;
    if (!unprocessed && (!silent || !isStale(lease))) {
      lease.failure = silent && this.repeats.isSuspect ? null : { kind: "response", error };
    }
    attempt.fail(error, reusable);
    if (!this.#answered && this.race.goesOn(attempt, error)) return;
    if (silent && !this.#answered && this.repeats.mayRepeat(lease, error, unprocessed)) {
      // This many dead ones would use up the budget: similar ones are dropped untried.
      if (!lease.reused && this.repeats.attempts >= DOUBT_AFTER) this.#host.doubt(lease);
      this.#again(error);
      return;
    }
    const isGone = unprocessed && this.#body?.canRepeat === false;
    const { detail, failure } = explainEnd(error, silent, isGone, this.request);
    this.#fail(this.race.error(failure, detail, error));
  }

  /** Ends it because its own body has failed. */
  onUploadFailure(_attempt: Attempt, error: unknown): void {
    this.abandon(this.race.error("body", "its body failed", error));
  }

  #turnsAway(
    status: number,
    headers: ResponseHeaders | undefined,
    attempt: Attempt,
  ): boolean {
    const hasOther = this.race.second !== undefined;
    return this.repeats.turnsAway(status, headers, attempt, hasOther, this.times.deadline);
  }

  /** Sends the request to another machine, or later, and drops the rest of the answer. */
  #turnElsewhere(attempt: Attempt, status: number): void {
    this.#turnedAway = false;
    const error = attempt.lease.failure?.error
      ?? this.race.error("status", `the answer was ${status}`, undefined, attempt);
    attempt.drop(error);
    if (!this.race.goesOn(attempt, error)) this.#again(error);
  }

  /** Sends the request once more, after the wait that it was told. */
  #again(error: unknown): void {
    this.race.endHedge(error);
    this.watch?.retried?.(error);
    const pauseMs = this.repeats.takePause();
    if (pauseMs > 0) this.#pause(pauseMs);
    else this.#host.dispatch(this);
  }

  #pause(forMs: number): void {
    this.times.stopWaiting();
    this.#host.watch(this.times);
    this.watch?.paused?.(forMs);
    this.#host.pause(this, forMs);
  }

  /** Ends it because its caller does not want it any more. */
  #giveUp(reason: unknown): void {
    this.#givenUp = true;
    this.abandon(reason);
  }

  /** Ends it, and the attempt under way. */
  abandon(reason: unknown): void {
    if (this.#over) return;
    this.race.first?.drop(reason);
    this.#fail(reason);
  }

  #fail(reason: unknown): void {
    this.#failed = true;
    this.#finish(reason, "failures");
    if (this.#answered) this.buffer.fail(reason);
    else this.#reject(reason);
  }

  #finish(reason?: unknown, outcome: RequestOutcome = "successes"): void {
    if (this.#over) return;
    this.#over = true;
    // An answered one has just given its connection back.
    const endedAt = outcome === "successes" ? this.connection.lastUsedAt : this.#host.now();
    this.times.end();
    this.race.endHedge(reason);
    const { signal } = this.request.options;
    if (signal && this.#onAbort) offAbort(signal, this.#onAbort);
    this.#host.over(this, this.#givenUp ? "cancelled" : outcome, endedAt);
    this.watch?.ended?.({
      outcome: this.#givenUp ? "cancelled" : outcome,
      status: this.#status,
      attempts: this.repeats.attempts,
      hedges: this.race.hedges,
      error: reason,
    });
    this.#body?.cancel(reason);
  }

  // What happens at its deadlines.

  /** Ends it because its time is over. */
  timeOut(): void {
    const { first, second } = this.race;
    // While it waits for a connection, the pool rejects at the same time, and says why.
    if (!first || first.over) return;
    const reason = this.#tooLong();
    // The machine is responsible for what did not come from it.
    for (const late of [first, second]) {
      if (this.#answered || !late || late.responding) continue;
      const error = late === first ? reason : this.#tooLong(late);
      late.lease.failure = { kind: "response", error };
    }
    this.abandon(reason);
  }

  /** Ends it because its time was over before it was sent, or sent again. */
  expire(): void {
    this.refuse(this.#tooLong());
  }

  /**
   * Gives up a connection that has not answered in time, for another one. If the request may not be
   * sent again, it goes on waiting: the server may only be slow.
   */
  doubt(): void {
    this.times.firstByteBy = Infinity;
    const attempt = this.race.first;
    if (!attempt || attempt.over || attempt.responding) return;
    const { lease } = attempt;
    const error = this.race.error(
      "timeout",
      "no byte came in time over a connection that had stood idle",
    );
    if (!this.race.second && !this.repeats.mayRepeat(lease, error)) return;
    this.#host.doubt(lease);
    lease.failure = { kind: "response", error };
    attempt.drop(error);
    if (!this.race.goesOn(attempt, error)) this.#again(error);
  }

  /** Ends a response whose body nobody reads, or reads on. */
  reclaim(): void {
    const detail = this.times.unreadSince < Infinity
      ? `nobody read its body on for ${this.#host.bodyIdleTimeoutMs} ms (bodyIdleTimeoutMs)`
      : "nobody read, dumped or cancelled its body";
    this.#giveUp(this.race.error("cancelled", detail));
  }

  #tooLong(attempt?: Attempt): RequestError {
    const { timeoutMs } = this.request.options;
    const detail = `it took longer than ${timeoutMs} ms (timeoutMs)`;
    return withoutFrames(() => this.race.error("timeout", detail, undefined, attempt));
  }

  /** Asks a second machine too if the first is silent, if it may. */
  overdue(): void {
    this.race.overdue();
  }

  // What the response and its body call.

  /** Notes that somebody reads the body. */
  touch(): void {
    const { times } = this;
    times.untouchedSince = times.unreadSince = Infinity;
  }

  /** Notes that what has arrived waits for somebody who has begun to read. */
  onWaiting(): void {
    if (this.#host.bodyIdleTimeoutMs === Infinity || !this.#answered || this.#over) return;
    // Until it is touched, it counts as a body that nobody reads.
    if (this.times.untouchedSince < Infinity) return;
    this.times.unreadSince = this.#host.now();
    this.#host.watch(this.times);
  }

  /** Lets the program end while nobody waits for the body; but the request must still be sent. */
  onAwaited(isAwaited: boolean): void {
    const isSending = this.request.rest !== null || this.#body !== undefined;
    this.answering.lease.holds = isAwaited || isSending;
  }

  /** Notes that nobody holds the body any more. */
  drop(): void {
    if (!this.#over) this.#host.reclaim(this);
  }

  /** Gives up the rest of the body, and the connection with it. */
  cancel(reason: unknown): void {
    this.#giveUp(reason ?? this.race.error("cancelled", "its body was cancelled"));
  }

  /** The URL of the request. */
  get url(): string {
    return this.request.target.url;
  }

  /** What has arrived of the body. */
  get buffer(): BodyBuffer {
    return this.answering.buffer;
  }

  /** The attempt that was answered. */
  get answering(): Attempt {
    return this.race.first!;
  }

  /** The connection that answered. */
  get connection(): Connection {
    return this.answering.lease.connection;
  }

  /** Whether it was also sent to another machine. */
  get hedged(): boolean {
    return this.race.hedges > 0;
  }
}
