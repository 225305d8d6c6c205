/**
 * One request and its response, over as many connections as it takes.
 *
 * @module
 */

import { offAbort, onAbort } from "../core/abort.ts";
import { Expiry } from "../core/due_wheel.ts";
import { RequestError, type RequestFailure } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import type { RequestOutcome } from "../pool/watch/figures.ts";
import { Attempt, type AttemptUser } from "./attempt.ts";
import { explainEnd, giveBack, hasStood, isInDoubt, isStale } from "./attempt_end.ts";
import type { BodyBuffer } from "./body_buffer.ts";
import { type BodyReader, openBody } from "./body_reader.ts";
import { Failover } from "./failover.ts";
import type { RequestWatch } from "./observer.ts";
import type { PreparedRequest } from "./request.ts";
import { PooledResponse, type ResponseOrigin } from "./response.ts";
import type { ResponseHeaders } from "./response_headers.ts";
import type { Protocol, Session, Stream, StreamFailure } from "./session.ts";

/** What an exchange needs of the pool that it runs in. */
export interface ExchangeHost {
  /** The answers that count as failures of their machine. */
  readonly failoverStatuses: readonly number[];
  /** How long a body may stand that was begun to be read, in milliseconds. */
  readonly bodyIdleTimeoutMs: number;
  /** Whether a second machine is asked where the first is silent. */
  readonly hedging: boolean;
  /** The time, in milliseconds. */
  now(): number;
  /** The time on the wall, in milliseconds: it goes on while the machine sleeps. */
  wallNow(): number;
  /** A connection's server does not answer for a host. */
  misdirected(connection: Connection, host: string): void;
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
  /** Takes a retry out of the budget; false where there is none left. */
  mayRetry(): boolean;
  /** Whether there is another machine to turn to, the ones to avoid left out. */
  mayTurnElsewhere(exchange: Exchange): boolean;
  /** Looks at the exchange's deadlines from now on. */
  watch(exchange: Exchange): void;
  /** The exchange is over: it needs no looking after, and counts. */
  over(exchange: Exchange, outcome: RequestOutcome, endedAt: number): void;
  /** The server of a lease is too busy. */
  noteBusy(lease: Lease): void;
  /** The connection of an exchange has not answered: others that stood as long are in doubt. */
  doubt(lease: Lease): void;
  /** Nobody will read the body of an exchange any more: tells so, and ends it. */
  reclaim(exchange: Exchange): void;
}

/** How often a request is sent at the most: far more often than connections die in a row. */
const MAX_ATTEMPTS = 100;

/** After how many attempts other connections that stood as long are given up unseen. */
const DOUBT_AFTER = 3;

/** How often a request that nobody has looked at is sent again for nothing. */
const FREE_REFUSALS = 3;

/** The status of an answer by who is not the one to give it. */
const MISDIRECTED = 421;

const FIRST_BYTE_TIMEOUT_MS = 10_000;

/**
 * An answer that is read so long after the deadline is none, in milliseconds. What came in time to a
 * program that stood still for less is taken.
 */
const LATE_MS = 1_000;

const nobody = () => {};

/** A request under way. */
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
  /** Which machines it has been to in vain, if any. */
  failover: Failover | undefined;
  readonly #host: ExchangeHost;
  #resolve: (response: PooledResponse) => void;
  #reject: (reason: unknown) => void;
  /** The attempt under way, or the one that ended last: it tells still who answered. */
  #attempt: Attempt | undefined;
  /** The attempt at another machine beside that, where the first is silent. */
  #hedge: Attempt | undefined;
  /** Ends the wait for a connection to another machine, while there is one. */
  #hedging: AbortController | undefined;
  #attempts = 0;
  #hedges = 0;
  #hedgeWon = false;
  #freshFailures = 0;
  /** How often it was refused without being looked at. */
  #refusals = 0;
  #misdirected = false;
  /** When it began, or NaN: when it first has a connection, which it then need not wait for. */
  #startedAt = NaN;
  #sentAt = 0;
  #headAt = 0;
  /** The request's body, where it is read as it comes. */
  #body: BodyReader | undefined;
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
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal, timeoutMs } = request.options;
    this.#body = request.stream ? openBody(request.stream) : undefined;
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
    return this.#attempts;
  }

  /** How many times it was sent to another machine beside the one that was silent. */
  get hedges(): number {
    return this.#hedges;
  }

  /** Whether it was answered by another machine than the one that was silent. */
  get hedgeWon(): boolean {
    return this.#hedgeWon;
  }

  /** Whether it was sent to another machine besides. */
  get hedged(): boolean {
    return this.#hedges > 0;
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
    this.#attempts++;
    const { connection } = lease;
    const attempt = new Attempt(this, lease, this.#host.sessionOf(connection));
    this.#attempt = attempt;
    this.watch?.sent?.(lease);
    this.#sentAt = lease.startedAt;
    if (Number.isNaN(this.#startedAt)) this.#startedAt = lease.startedAt;
    if (this.#attempts > 1) this.#reopenBody();
    try {
      attempt.send(this.request, this.#body);
    } catch (error) {
      // It has something that the protocol does not: nothing was sent.
      this.#abandon(error);
      return;
    }
    if (attempt.over) return;
    if (this.request.replayable && isInDoubt(connection)) {
      const { firstByteTimeoutMs = FIRST_BYTE_TIMEOUT_MS } = this.request.options;
      this.firstByteBy = this.#sentAt + firstByteTimeoutMs;
    }
    // Who knows how long a long body takes to arrive, and to be taken in.
    if (!this.request.rest && !this.#body) this.#awaitByte(attempt, this.#sentAt);
    this.#host.watch(this);
  }

  /** Sends the request over a lease to another machine, besides. */
  startHedge(lease: Lease): void {
    if (!this.#hedging || lease.connection.state === "closed") {
      giveBack(lease);
      this.missHedge();
      return;
    }
    this.#hedging = undefined;
    this.#attempts++;
    this.#hedges++;
    this.#hedge = new Attempt(this, lease, this.#host.sessionOf(lease.connection));
    this.watch?.hedged?.(lease);
    try {
      this.#hedge.send(this.request, undefined);
    } catch (error) {
      this.#abandon(error);
    }
  }

  /** Notes that no other machine is to be had: it waits on, and looks again later. */
  missHedge(): void {
    if (!this.#hedging) return;
    this.#hedging = undefined;
    if (this.#attempt) this.#awaitByte(this.#attempt, this.#host.now());
    this.#host.watch(this);
  }

  /**
   * Notes that no byte has come for longer than is likely, and turns to another machine besides,
   * where the request may be repeated.
   */
  overdue(): void {
    this.overdueAt = Infinity;
    const attempt = this.#attempt;
    if (!attempt || attempt.over || attempt.responding || this.#hedge || this.#hedging) return;
    const { lease } = attempt;
    if (!attempt.overdue) {
      attempt.overdue = true;
      const error = this.#error("timeout", "no byte came for longer than is likely");
      attempt.silent = this.#host.noteSilence(lease, error);
      // Others would wait on such a connection as well.
      this.#host.sessionOf(lease.connection).suspect?.(lease.startedAt);
    }
    const { replayable, options: { hedge = this.#host.hedging } } = this.request;
    if (!replayable || this.#body || !hedge || this.#attempts >= MAX_ATTEMPTS) return;
    const hedging = this.#hedging = new AbortController();
    const free = attempt.silent || lease.connection.endpoint?.failing === true;
    if (!this.#host.hedge(this, lease, free, hedging.signal)) this.missHedge();
  }

  /** Ends it before a connection was there for it. */
  refuse(reason: unknown): void {
    if (this.#over) return;
    const explained = this.failover?.explain(reason) ?? reason;
    this.#finish(explained, "failures");
    this.#reject(explained);
  }

  /** Ends it because its time is over. */
  timeOut(): void {
    const attempt = this.#attempt;
    // While it waits for a connection the pool says why there is none, at the same time.
    if (!attempt || attempt.over) return;
    // A machine answers for what did not come from it.
    for (const late of [attempt, this.#hedge]) {
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
    if (!this.#hedge && !this.#mayRepeat(lease)) return;
    this.#host.doubt(lease);
    const error = this.#error(
      "timeout",
      "no byte came in time over a connection that had stood idle",
    );
    lease.failure = { kind: "response", error };
    attempt.drop(error);
    if (!this.#goesOn(attempt)) this.#again(error);
  }

  /** Ends a response whose body nobody reads, or reads on. */
  reclaim(): void {
    const detail = this.unreadSince < Infinity
      ? `nobody read its body on for ${this.#host.bodyIdleTimeoutMs} ms (bodyIdleTimeoutMs)`
      : "nobody read, dumped or cancelled its body";
    this.#giveUp(this.#error("cancelled", detail));
  }

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

  /** How long it took until the connection was there, in milliseconds. */
  get queueMs(): number {
    return this.#sentAt - this.#startedAt;
  }

  /** How long it took from there to the head of the response, in milliseconds. */
  get firstByteMs(): number {
    return this.#headAt - this.#sentAt;
  }

  /** The trailers, once they are there. */
  get trailers(): ResponseHeaders | null {
    return this.#attempt?.trailers ?? null;
  }

  /** Hands the response to the caller. */
  onHead(attempt: Attempt, status: number, statusText: string, headers: ResponseHeaders): void {
    if (!this.#over && this.#isLate) this.timeOut();
    if (this.#failed) return;
    const { lease } = attempt;
    if (this.#turnedAway || (!attempt.over && this.#turnsAway(status, attempt))) {
      this.#turnElsewhere(attempt);
      return;
    }
    this.#overtake(attempt);
    this.#answered = true;
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
    if (!this.#answered) this.#turnedAway = this.#turnsAway(status, attempt);
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
    if (!unprocessed && (!silent || !isStale(lease))) lease.failure = { kind: "response", error };
    attempt.fail(error, reusable);
    if (!this.#answered && this.#goesOn(attempt)) return;
    if (silent && !this.#answered && this.#mayRepeat(lease, unprocessed)) {
      // So many dead that never served would use up the budget: their like are let go unseen.
      if (!lease.reused && this.#attempts >= DOUBT_AFTER) this.#host.doubt(lease);
      this.#again(error);
      return;
    }
    const { detail, failure } = explainEnd(error, silent, this.request);
    this.#fail(this.#error(failure, detail, error));
  }

  /** Ends it because its own body has failed. */
  onUploadFailure(_attempt: Attempt, error: unknown): void {
    this.#abandon(this.#error("body", "its body failed", error));
  }

  /** Lets the rest of the body go, and the connection with it. */
  cancel(reason: unknown): void {
    this.#giveUp(reason ?? this.#error("cancelled", "its body was cancelled"));
  }

  /**
   * Whether the request may be sent once more. A connection that had served dies only once, so no
   * more retries come of it than there were connections: they cost nothing. Where another one dies
   * the server may be dying: the budget says whether to try again, and a fresh one dies only once.
   */
  #mayRepeat(lease: Lease, unprocessed = false): boolean {
    // What is read as it comes is gone.
    if (this.#body && !this.request.repeats) return false;
    if (!this.request.replayable && !unprocessed) return false;
    if (unprocessed) return ++this.#refusals <= FREE_REFUSALS || this.#host.mayRetry();
    if (lease.reused || lease.tooMuch === "yes") return this.#attempts < MAX_ATTEMPTS;
    if (!isStale(lease) && this.#avoid(lease, lease.failure?.error)) return true;
    return (hasStood(lease) || this.#freshFailures++ === 0) && this.#host.mayRetry();
  }

  /** Notes that a machine has failed, and says whether there is another one to turn to. */
  #avoid({ connection }: Lease, error: unknown): boolean {
    if (this.#attempts >= MAX_ATTEMPTS) return false;
    this.failover ??= new Failover();
    this.failover.avoid(connection.address, error);
    if (this.#host.mayTurnElsewhere(this)) return true;
    // It has been everywhere: where it may go on, it begins anew.
    this.failover = undefined;
    return false;
  }

  /** Whether an answer counts as a failure of its machine, and another one may be asked. */
  #turnsAway(status: number, attempt: Attempt): boolean {
    const { lease } = attempt;
    if (status === MISDIRECTED && this.#isMisdirected(attempt)) return true;
    if (status === 503) this.#host.noteBusy(lease);
    const { failoverStatuses = this.#host.failoverStatuses } = this.request.options;
    if (!failoverStatuses.includes(status)) return false;
    // Its machine serves others: another connection to it will do.
    if (lease.tooMuch === "yes") return this.request.replayable && this.#attempts < MAX_ATTEMPTS;
    const error = this.#error("status", `the answer was ${status} (failoverStatuses)`);
    lease.failure = { kind: "status", error };
    if (!this.request.replayable) return false;
    if (this.#avoid(lease, error) || this.#hedge !== undefined) return true;
    // It may take no more connections than those that have not answered yet.
    return lease.tooMuch === "perhaps" && this.#freshFailures++ === 0 && this.#host.mayRetry();
  }

  /**
   * Whether the answer says that the request should have come by another connection, and may: that
   * is no answer to the request, which nobody has looked at (RFC 9110 section 15.5.20).
   */
  #isMisdirected({ lease, protocol }: Attempt): boolean {
    if (protocol !== "h2" || this.#misdirected || this.#body) return false;
    this.#misdirected = true;
    lease.failure = null;
    this.#host.misdirected(lease.connection, this.request.target.host);
    return true;
  }

  /** Sends the request to another machine; what is left of the answer is let go. */
  #turnElsewhere(attempt: Attempt): void {
    this.#turnedAway = false;
    const error = attempt.lease.failure?.error;
    attempt.drop(error);
    if (!this.#goesOn(attempt)) this.#again(error);
  }

  /** Whether its time was over long ago: the program was stopped, or the machine slept. */
  get #isLate(): boolean {
    return this.deadline < Infinity
      && (this.#host.now() > this.deadline + LATE_MS
        || this.#host.wallNow() > this.#wallDeadline + LATE_MS);
  }

  /** Notes when the silence of an attempt's machine is out of the ordinary. */
  #awaitByte({ lease }: Attempt, from: number): void {
    const { endpoint } = lease.connection;
    this.overdueAt = endpoint ? from + endpoint.patienceMs : Infinity;
  }

  /** Lets go of what is slower than the attempt whose answer has come. */
  #overtake(attempt: Attempt): void {
    this.#hedging?.abort();
    this.#hedging = undefined;
    if (!this.#hedge) return;
    const slower = attempt === this.#hedge ? this.#attempt : this.#hedge;
    this.#hedgeWon = attempt === this.#hedge;
    this.#attempt = attempt;
    this.#hedge = undefined;
    if (this.#hedgeWon) {
      this.#sentAt = attempt.lease.startedAt;
      this.watch?.hedgeWon?.(attempt.lease);
    }
    if (!slower || slower.over) return;
    slower.lease.latencyMs = this.#host.now() - slower.lease.startedAt;
    slower.drop(this.#error("cancelled", "another machine was faster", undefined, slower));
  }

  /** Goes on with the other attempt where one has ended; false where there is no other. */
  #goesOn(attempt: Attempt): boolean {
    const other = this.#hedge;
    if (!other) return false;
    this.#hedge = undefined;
    const { connection, failure } = attempt.lease;
    (this.failover ??= new Failover()).avoid(connection.address, failure?.error);
    if (attempt === this.#attempt) {
      this.#attempt = other;
      this.#sentAt = other.lease.startedAt;
    }
    this.#awaitByte(this.#attempt!, this.#host.now());
    this.#host.watch(this);
    return true;
  }

  /** Begins a body anew that can be. */
  #reopenBody(): void {
    const { repeats, stream } = this.request;
    if (!stream || !repeats) return;
    this.#body?.cancel(undefined);
    this.#body = openBody(stream);
  }

  /** Sends the request once more. */
  #again(error: unknown): void {
    this.#endHedge(error);
    this.watch?.retried?.(error);
    this.#host.dispatch(this);
  }

  #tooLong(): RequestError {
    const { timeoutMs } = this.request.options;
    return this.#error("timeout", `it took longer than ${timeoutMs} ms (timeoutMs)`);
  }

  #error(
    failure: RequestFailure,
    detail: string,
    cause?: unknown,
    attempt: Attempt | undefined = this.#attempt,
  ): RequestError {
    const address = attempt?.lease.connection.address ?? "no address yet";
    const fields = {
      failure,
      host: this.request.target.host,
      address,
      maybeActedOn: this.#attempts > 0,
    };
    return new RequestError(fields, detail, cause === undefined ? undefined : { cause });
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

  /** Lets go of the attempt at another machine, and of the wait for one. */
  #endHedge(reason: unknown): void {
    this.#hedging?.abort();
    this.#hedging = undefined;
    const hedge = this.#hedge;
    this.#hedge = undefined;
    hedge?.drop(reason);
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
      attempts: this.#attempts,
      hedges: this.#hedges,
      error: reason,
    });
    this.#body?.cancel(reason);
  }
}
