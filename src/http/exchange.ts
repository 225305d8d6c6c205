/**
 * One request and its response, over as many connections as it takes.
 *
 * @module
 */

import { offAbort, onAbort } from "../core/abort.ts";
import { Expiry } from "../core/due_wheel.ts";
import type { RequestError, RequestFailure } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import type { RequestOutcome } from "../pool/watch/request_counts.ts";
import { Attempt, type AttemptUser } from "./attempt.ts";
import { explainEnd, giveBack, isInDoubt, isStale, requestError } from "./attempt_end.ts";
import type { BodyBuffer } from "./body_buffer.ts";
import type { Failover } from "./failover.ts";
import { Hedge } from "./hedge.ts";
import type { RequestWatch } from "./observer.ts";
import { type RepeatHost, Repeats } from "./repeats.ts";
import type { PreparedRequest } from "./request.ts";
import { PooledResponse, type ResponseOrigin } from "./response.ts";
import type { ResponseHeaders } from "./response_headers.ts";
import type { Protocol, Session, Stream, StreamFailure } from "./session.ts";
import { StreamedBody } from "./streamed_body.ts";

/** What an exchange needs of the pool that it runs in. */
export interface ExchangeHost extends RepeatHost {
  /** How long a body may stand that was begun to be read, in milliseconds. */
  readonly bodyIdleTimeoutMs: number;
  /** Whether a second machine is asked where the first is silent. */
  readonly hedging: boolean;
  /** The time on the wall, in milliseconds: it goes on while the machine sleeps. */
  wallNow(): number;
  /** What speaks on a connection. */
  sessionOf(connection: Connection): Session;
  /** Gives the exchange a connection, by `start`, or its failure. */
  dispatch(exchange: Exchange): void;
  /** Notes that no byte came in time; gives whether the machine is silent to others, too. */
  noteSilence(lease: Lease, error: unknown): boolean;
  /**
   * Looks for a connection to another machine, and gives it by `startHedge`, or says so by
   * `missHedge`. Whoever is silent to others, too, may be left for nothing.
   *
   * @returns Whether there is another machine, and the budget allows it
   */
  hedge(exchange: Exchange, silent: Lease, free: boolean, signal: AbortSignal): boolean;
  /** Looks at the exchange's deadlines from now on. */
  watch(exchange: Exchange): void;
  /** The exchange is over: it needs no looking after, and counts. */
  over(exchange: Exchange, outcome: RequestOutcome, endedAt: number): void;
  /** The connection of an exchange has not answered: others that stood as long are in doubt. */
  doubt(lease: Lease): void;
  /** Dispatches the exchange after so many milliseconds, unless it is over by then. */
  pause(exchange: Exchange, forMs: number): void;
  /** Nobody will read the body of an exchange any more: tells so, and ends it. */
  reclaim(exchange: Exchange): void;
}

/** After how many attempts other connections that stood as long are given up unseen. */
const DOUBT_AFTER = 3;

const FIRST_BYTE_TIMEOUT_MS = 10_000;

/**
 * An answer that is read so long after the deadline is none, in milliseconds. What came in time to a
 * program that stood still for less is taken.
 */
const LATE_MS = 1_000;

const nobody = () => {};

/**
 * A request under way. The way of it, from the top down: it waits for a connection, each attempt is
 * sent, heard, and ends; the exchange goes on with another one, or is over. Below stand its times,
 * the second machine, and what the response asks of it.
 */
export class Exchange implements AttemptUser, ResponseOrigin {
  /** What is asked. */
  readonly request: PreparedRequest;
  /** By when it must be over. */
  readonly deadline: number;
  /** By when the first byte must have come; `Infinity` where no connection is in doubt. */
  firstByteBy: number = Infinity;
  /** When the silence of its machine is out of the ordinary; `Infinity` where nobody waits for it. */
  overdueAt: number = Infinity;
  /** When the head was handed to somebody who has not touched the body, or `Infinity`. */
  untouchedSince: number = Infinity;
  /** Since when what has arrived waits for somebody who has begun to read, or `Infinity`. */
  unreadSince: number = Infinity;
  /** Its place among those that are looked at in time. */
  readonly expiry: Expiry<Exchange> = new Expiry<Exchange>(this);
  /** Who watches it, if anybody. */
  readonly watch: RequestWatch | undefined;
  readonly #host: ExchangeHost;
  readonly #repeats: Repeats;
  #resolve: (response: PooledResponse) => void;
  #reject: (reason: unknown) => void;
  /** The attempt under way, or the one that ended last: it tells still who answered. */
  #attempt: Attempt | undefined;
  /** The one at another machine besides, once the first was silent. */
  #hedge: Hedge | undefined;
  /** When it began, or NaN: when it first has a connection, which it then need not wait for. */
  #startedAt = NaN;
  #sentAt = 0;
  #headAt = 0;
  /** The request's body, where it is read as it comes. */
  readonly #body: StreamedBody | undefined;
  #answered = false;
  /** By when it must be over by the clock on the wall. */
  readonly #wallDeadline: number = Infinity;
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
    this.#repeats = new Repeats(host, request, this.#body);
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal, timeoutMs } = request.options;
    this.deadline = timeoutMs === undefined ? Infinity : this.queue() + timeoutMs;
    if (timeoutMs !== undefined) this.#wallDeadline = host.wallNow() + timeoutMs;
    if (signal) {
      this.#onAbort = () => this.#giveUp(signal.reason);
      onAbort(signal, this.#onAbort);
    }
  }

  /** Whether it has come to its end. */
  get over(): boolean {
    return this.#over;
  }

  /** How often it was sent. */
  get attempts(): number {
    return this.#repeats.attempts;
  }

  /** Which machines it has been to in vain, if any. */
  get failover(): Failover | undefined {
    return this.#repeats.failover;
  }

  /** How many answers said to come back later. */
  get toldLater(): number {
    return this.#repeats.toldLater;
  }

  /** How often it has waited because of that. */
  get waits(): number {
    return this.#repeats.waits;
  }

  /** How many times it was sent to another machine beside the one that was silent. */
  get hedges(): number {
    return this.#hedge?.count ?? 0;
  }

  /** Whether it was answered by another machine than the one that was silent. */
  get hedgeWon(): boolean {
    return this.#hedge?.won === true;
  }

  /** The status of the answer; 0 where there was none. */
  get status(): number {
    return this.#status;
  }

  /** When it began; NaN where it never had a connection, nor waited for one. */
  get startedAt(): number {
    return this.#startedAt;
  }

  /** Notes that it waits for a connection. Gives the time when it began. */
  queue(): number {
    if (Number.isNaN(this.#startedAt)) this.#startedAt = this.#host.now();
    return this.#startedAt;
  }

  /** Ends it before a connection was there for it. */
  refuse(reason: unknown): void {
    if (this.#over) return;
    const explained = this.failover?.explain(reason) ?? reason;
    this.#finish(explained, "failures");
    this.#reject(explained);
  }

  /** Waits for so many milliseconds before it is sent, where it may; false where it goes on at once. */
  waitFor(forMs: number): boolean {
    if (!this.#repeats.mayWait(forMs, this.deadline)) return false;
    this.queue();
    this.#pause(this.#repeats.takePause());
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
    const attempt = this.#attempt = this.#attemptOver(lease);
    this.watch?.sent?.(lease);
    this.#sentAt = lease.startedAt;
    if (Number.isNaN(this.#startedAt)) this.#startedAt = lease.startedAt;
    try {
      // Over HTTP/1.1 no server says that it has not looked at a request.
      attempt.send(this.request, this.#body?.open(attempt.protocol === "h2"));
    } catch (error) {
      // It has something that the protocol does not: nothing was sent.
      this.#abandon(error);
      return;
    }
    if (attempt.over) return;
    if (this.request.replayable && isInDoubt(lease.connection)) {
      const { firstByteTimeoutMs = FIRST_BYTE_TIMEOUT_MS } = this.request.options;
      this.firstByteBy = this.#sentAt + firstByteTimeoutMs;
    }
    // Who knows how long a long body takes to arrive, and to be taken in.
    if (!this.request.rest && !this.#body) this.#awaitByte(attempt, this.#sentAt);
    this.#host.watch(this);
  }

  /** Hands the response to the caller. */
  onHead(attempt: Attempt, status: number, statusText: string, headers: ResponseHeaders): void {
    if (!this.#over && this.#isLate) this.timeOut();
    if (this.#failed) return;
    const { lease } = attempt;
    if (this.#turnedAway || (!attempt.over && this.#turnsAway(status, headers, attempt))) {
      this.#turnElsewhere(attempt);
      return;
    }
    this.#overtake(attempt);
    this.#answered = true;
    this.#body?.letGo();
    this.#status = status;
    this.firstByteBy = this.overdueAt = Infinity;
    // Where all of the response is there, its end was noted a moment ago.
    this.#headAt = this.#over ? lease.connection.lastUsedAt : this.#host.now();
    if (!this.#over) {
      this.untouchedSince = this.#headAt;
      // Until somebody reads the body nobody waits for it; but the request is to be sent.
      if (!this.request.rest && !this.#body) lease.holds = false;
      lease.latencyMs = this.firstByteMs;
      const { endpoint } = lease.connection;
      if (endpoint) endpoint.heardAt = this.#headAt;
      this.#host.watch(this);
    }
    this.#resolve(new PooledResponse(status, statusText, headers, this));
    // They hold the response that they resolved to, and nobody would know that it is dropped.
    this.#resolve = this.#reject = nobody;
  }

  /** Gives the lease back: the response is there to its last byte. */
  onComplete(attempt: Attempt, reusable: boolean): void {
    if (this.#isLate) {
      this.timeOut();
      return;
    }
    const { lease, status } = attempt;
    // What came in one piece is judged here, before its head is handed on.
    if (!this.#answered) this.#turnedAway = this.#turnsAway(status, attempt.headers, attempt);
    const isTooMuch = lease.tooMuch === "yes" || (lease.tooMuch === "perhaps" && this.#turnedAway);
    attempt.release(reusable && !isTooMuch);
    if (this.#turnedAway) return;
    this.#overtake(attempt);
    if (!this.#answered) {
      this.#status = status;
      this.#headAt = lease.connection.lastUsedAt;
    }
    this.#finish();
    attempt.buffer.end();
  }

  /** Sends the request again where it may be, and ends it where not. */
  onFailure(attempt: Attempt, { error, reusable, unprocessed }: StreamFailure): void {
    const { lease, responding } = attempt;
    const silent = !responding;
    if (unprocessed) this.#repeats.refusals++;
    if (!unprocessed && (!silent || !isStale(lease))) lease.failure = { kind: "response", error };
    attempt.fail(error, reusable);
    if (!this.#answered && this.#goesOn(attempt, error)) return;
    if (silent && !this.#answered && this.#repeats.mayRepeat(lease, unprocessed)) {
      // So many dead that never served would use up the budget: their like are let go unseen.
      if (!lease.reused && this.attempts >= DOUBT_AFTER) this.#host.doubt(lease);
      this.#again(error);
      return;
    }
    const isGone = unprocessed && this.#body?.canRepeat === false;
    const { detail, failure } = explainEnd(error, silent, isGone, this.request);
    this.#fail(this.#error(failure, detail, error));
  }

  /** Ends it because its own body has failed. */
  onUploadFailure(_attempt: Attempt, error: unknown): void {
    this.#abandon(this.#error("body", "its body failed", error));
  }

  #attemptOver(lease: Lease): Attempt {
    this.#repeats.attempts++;
    return new Attempt(this, lease, this.#host.sessionOf(lease.connection));
  }

  #turnsAway(
    status: number,
    headers: ResponseHeaders | undefined,
    attempt: Attempt,
  ): boolean {
    const hasOther = this.#hedge?.attempt !== undefined;
    return this.#repeats.turnsAway(status, headers, attempt, hasOther, this.deadline);
  }

  /** Sends the request to another machine, or later; what is left of the answer is let go. */
  #turnElsewhere(attempt: Attempt): void {
    this.#turnedAway = false;
    const error = attempt.lease.failure?.error
      ?? this.#error("status", `the answer was ${attempt.status}`, undefined, attempt);
    attempt.drop(error);
    if (!this.#goesOn(attempt, error)) this.#again(error);
  }

  /** Sends the request once more, when it has waited for as long as it is to. */
  #again(error: unknown): void {
    this.#endHedge(error);
    this.watch?.retried?.(error);
    const pauseMs = this.#repeats.takePause();
    if (pauseMs > 0) this.#pause(pauseMs);
    else this.#host.dispatch(this);
  }

  #pause(forMs: number): void {
    this.firstByteBy = this.overdueAt = Infinity;
    this.#host.watch(this);
    this.watch?.paused?.(forMs);
    this.#host.pause(this, forMs);
  }

  /** Ends it because its caller does not want it any more. */
  #giveUp(reason: unknown): void {
    this.#givenUp = true;
    this.#abandon(reason);
  }

  /** Ends it, and the attempt under way. */
  #abandon(reason: unknown): void {
    if (this.#over) return;
    this.#attempt?.drop(reason);
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
    // What has been answered gave its connection back this moment.
    const endedAt = outcome === "successes" ? this.connection.lastUsedAt : this.#host.now();
    this.untouchedSince =
      this.unreadSince =
      this.firstByteBy =
      this.overdueAt =
        Infinity;
    this.#endHedge(reason);
    const { signal } = this.request.options;
    if (signal && this.#onAbort) offAbort(signal, this.#onAbort);
    this.#host.over(this, this.#givenUp ? "cancelled" : outcome, endedAt);
    this.watch?.ended?.({
      outcome: this.#givenUp ? "cancelled" : outcome,
      status: this.#status,
      attempts: this.attempts,
      hedges: this.hedges,
      error: reason,
    });
    this.#body?.cancel(reason);
  }

  #error(
    failure: RequestFailure,
    detail: string,
    cause?: unknown,
    attempt: Attempt | undefined = this.#attempt,
  ): RequestError {
    const { maybeActedOn } = this.#repeats;
    return requestError(this.request, attempt?.lease, failure, detail, cause, maybeActedOn);
  }

  // What comes in time.

  /** Ends it because its time is over. */
  timeOut(): void {
    const attempt = this.#attempt;
    // While it waits for a connection the pool says why there is none, at the same time.
    if (!attempt || attempt.over) return;
    // A machine answers for what did not come from it.
    for (const late of [attempt, this.#hedge?.attempt]) {
      if (this.#answered || !late || late.responding) continue;
      const error = this.#error("timeout", "it took too long", undefined, late);
      late.lease.failure = { kind: "response", error };
    }
    this.#abandon(this.#tooLong());
  }

  /** Ends it because its time was over before it was sent, or sent again. */
  expire(): void {
    this.refuse(this.#tooLong());
  }

  /**
   * Gives up a connection that has not answered in time, for another one. Where the request may
   * not be sent again it waits on: the server may only be slow.
   */
  doubt(): void {
    this.firstByteBy = Infinity;
    const attempt = this.#attempt;
    if (!attempt || attempt.over || attempt.responding) return;
    const { lease } = attempt;
    if (!this.#hedge?.attempt && !this.#repeats.mayRepeat(lease)) return;
    this.#host.doubt(lease);
    const error = this.#error(
      "timeout",
      "no byte came in time over a connection that had stood idle",
    );
    lease.failure = { kind: "response", error };
    attempt.drop(error);
    if (!this.#goesOn(attempt, error)) this.#again(error);
  }

  /** Ends a response whose body nobody reads, or reads on. */
  reclaim(): void {
    const detail = this.unreadSince < Infinity
      ? `nobody read its body on for ${this.#host.bodyIdleTimeoutMs} ms (bodyIdleTimeoutMs)`
      : "nobody read, dumped or cancelled its body";
    this.#giveUp(this.#error("cancelled", detail));
  }

  /** Whether its time was over long ago: the program was stopped, or the machine slept. */
  get #isLate(): boolean {
    return this.deadline < Infinity
      && (this.#host.now() > this.deadline + LATE_MS
        || this.#host.wallNow() > this.#wallDeadline + LATE_MS);
  }

  #tooLong(): RequestError {
    const { timeoutMs } = this.request.options;
    return this.#error("timeout", `it took longer than ${timeoutMs} ms (timeoutMs)`);
  }

  // The second machine.

  /** Notes when the silence of an attempt's machine is out of the ordinary. */
  #awaitByte({ lease }: Attempt, from: number): void {
    const { endpoint } = lease.connection;
    this.overdueAt = endpoint ? from + endpoint.patienceMs : Infinity;
  }

  /**
   * Notes that no byte has come for longer than is likely, and turns to another machine besides,
   * where the request may be repeated.
   */
  overdue(): void {
    this.overdueAt = Infinity;
    const attempt = this.#attempt;
    if (!attempt || attempt.over || attempt.responding || this.#hedge?.underWay) return;
    const { lease } = attempt;
    if (!attempt.overdue) {
      attempt.overdue = true;
      const error = this.#error("timeout", "no byte came for longer than is likely");
      attempt.silent = this.#host.noteSilence(lease, error);
      // Others would wait on such a connection as well.
      this.#host.sessionOf(lease.connection).suspect?.(lease.startedAt);
    }
    const { replayable, options: { hedge = this.#host.hedging } } = this.request;
    if (!replayable || this.#body || !hedge || this.#repeats.exhausted) return;
    const signal = (this.#hedge ??= new Hedge()).wait();
    const free = attempt.silent || lease.connection.endpoint?.failing === true;
    if (!this.#host.hedge(this, lease, free, signal)) this.missHedge();
  }

  /** Sends the request over a lease to another machine, besides. */
  startHedge(lease: Lease): void {
    const hedge = this.#hedge;
    if (!hedge?.waiting || lease.connection.state === "closed") {
      giveBack(lease);
      this.missHedge();
      return;
    }
    const attempt = this.#attemptOver(lease);
    hedge.hold(attempt);
    this.watch?.hedged?.(lease);
    try {
      attempt.send(this.request, undefined);
    } catch (error) {
      this.#abandon(error);
    }
  }

  /** Notes that no other machine is to be had: it waits on, and looks again later. */
  missHedge(): void {
    if (!this.#hedge?.waiting) return;
    this.#hedge.endWait();
    if (this.#attempt) this.#awaitByte(this.#attempt, this.#host.now());
    this.#host.watch(this);
  }

  /** Lets go of what is slower than the attempt whose answer has come. */
  #overtake(attempt: Attempt): void {
    const first = this.#attempt;
    const hedge = this.#hedge;
    const second = hedge?.take();
    if (!hedge || !second) return;
    hedge.won = attempt === second;
    this.#attempt = attempt;
    if (hedge.won) {
      this.#sentAt = attempt.lease.startedAt;
      this.watch?.hedgeWon?.(attempt.lease);
    }
    const slower = hedge.won ? first : second;
    if (!slower || slower.over) return;
    slower.lease.latencyMs = this.#host.now() - slower.lease.startedAt;
    slower.drop(this.#error("cancelled", "another machine was faster", undefined, slower));
  }

  /** Goes on with the other attempt where one has ended; false where there is no other. */
  #goesOn(attempt: Attempt, error: unknown): boolean {
    if (!this.#hedge?.attempt) return false;
    const second = this.#hedge.take()!;
    this.#repeats.avoid(attempt.lease, attempt.lease.failure?.error);
    if (attempt === this.#attempt) {
      this.#attempt = second;
      this.#sentAt = second.lease.startedAt;
    }
    this.watch?.hedgeAlone?.(this.#attempt!.lease, error);
    this.#awaitByte(this.#attempt!, this.#host.now());
    this.#host.watch(this);
    return true;
  }

  /** Lets go of the attempt at another machine, and of the wait for one. */
  #endHedge(reason: unknown): void {
    this.#hedge?.take()?.drop(reason);
  }

  // What the response asks, and its body.

  /** Notes that somebody reads the body. */
  touch(): void {
    if (this.untouchedSince < Infinity) this.#attempt!.lease.holds = true;
    this.untouchedSince = this.unreadSince = Infinity;
  }

  /** Notes that what has arrived waits for somebody who has begun to read. */
  onWaiting(): void {
    if (this.#host.bodyIdleTimeoutMs === Infinity || !this.#answered || this.#over) return;
    // Until it is touched, it is looked after as a body that nobody reads.
    if (this.untouchedSince < Infinity) return;
    this.unreadSince = this.#host.now();
    this.#host.watch(this);
  }

  /** Notes that nobody has a hold of the body any more. */
  drop(): void {
    if (!this.#over) this.#host.reclaim(this);
  }

  /** Lets the rest of the body go, and the connection with it. */
  cancel(reason: unknown): void {
    this.#giveUp(reason ?? this.#error("cancelled", "its body was cancelled"));
  }

  /** The URL that is asked. */
  get url(): string {
    return this.request.target.url;
  }

  /** What has arrived of the body. */
  get buffer(): BodyBuffer {
    return this.#attempt!.buffer;
  }

  /** The connection that answered. */
  get connection(): Connection {
    return this.#attempt!.lease.connection;
  }

  /** The protocol that carried the response. */
  get protocol(): Protocol {
    return this.#attempt!.protocol;
  }

  /** The stream that carried it. */
  get stream(): Stream {
    return this.#attempt!.stream;
  }

  /** Whether it had carried a request before. */
  get reused(): boolean {
    return this.#attempt!.lease.reused;
  }

  /** Whether it was sent to another machine besides. */
  get hedged(): boolean {
    return this.hedges > 0;
  }

  /** How long it took until the connection was there, in milliseconds. */
  get queueMs(): number {
    return this.#sentAt - this.#startedAt;
  }

  /** When the head of the response came, in the clock's milliseconds. */
  get headAt(): number {
    return this.#headAt;
  }

  /** How long it took from there to the head of the response, in milliseconds. */
  get firstByteMs(): number {
    return this.#headAt - this.#sentAt;
  }

  /** The trailers, once they are there. */
  get trailers(): ResponseHeaders | null {
    return this.#attempt?.trailers ?? null;
  }
}
