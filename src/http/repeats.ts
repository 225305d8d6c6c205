/**
 * Whether a request may be sent once more: the rules, for both protocols.
 *
 * @module
 */

import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import { hasStood, isInDoubt, isStale, requestError } from "./attempt_end.ts";
import { Failover } from "./failover.ts";
import { HttpParseError } from "./parse_error.ts";
import type { PreparedRequest } from "./request.ts";
import type { ResponseHeaders } from "./response_headers.ts";
import { readRetryAfter, type RetryAfterMode } from "./retry_after.ts";
import type { Protocol } from "./session.ts";
import type { StreamedBody } from "./streamed_body.ts";

/** What the rules ask of the pool. */
export interface RepeatHost {
  /** The answers that count as failures of their machine. */
  readonly failoverStatuses: readonly number[];
  /** What a request does when told to come back later, if it does not say so itself. */
  readonly retryAfter: RetryAfterMode;
  /** How long a request waits in all when told to, in milliseconds. */
  readonly maxRetryAfterMs: number;
  /** The time, in milliseconds. */
  now(): number;
  /** A number from 0 to 1, 1 not included. */
  random(): number;
  /** A connection's server does not answer for a host. Returns whether to try another connection. */
  misdirected(connection: Connection, host: string): boolean;
  /** Takes a retry out of the budget; false if there is none left. */
  mayRetry(): boolean;
  /** Whether there is another machine to turn to, the ones to avoid left out. */
  mayTurnElsewhere(request: PreparedRequest, failover: Failover): boolean;
  /** The server of a lease is too busy. */
  noteBusy(lease: Lease): void;
  /** The server of a lease has said to come back after `afterMs` milliseconds. */
  noteRetryAfter(lease: Lease, status: number, afterMs: number): void;
}

/** The lease and protocol of an answer. */
export interface Answering {
  readonly lease: Lease;
  readonly protocol: Protocol;
}

/** How often a request is sent at the most: far more often than connections die in a row. */
const MAX_ATTEMPTS = 100;

/** How often a request that nobody has looked at is sent again for free. */
const FREE_REFUSALS = 3;

/**
 * How often a request is sent again for free if its connection ends at once, while others are open
 * to the same machine. The connections that come meanwhile were dialled before.
 */
const FREE_HANG_UPS = 3;

/**
 * How many connections that had just served may end in good order under one request for free. One
 * ends when its server goes away. If several do, the request may be the cause, and the others are
 * spared.
 */
const FREE_ENDS = 3;

/** The status of an answer from a server that is not responsible for the host. */
const MISDIRECTED = 421;

/** The statuses of answers that may say when to come back (RFC 6585 section 4, RFC 9110 15.6.4). */
const TOO_MANY_REQUESTS = 429;
const UNAVAILABLE = 503;

/**
 * The status of an answer to a request that was apparently sent before the end of the handshake.
 */
const TOO_EARLY = 425;

/** How often a request waits at the most. */
const MAX_WAITS = 10;

/** By how much waits are spread at random, so that not all come back together. */
const SPREAD = { share: 0.1, mostMs: 1_000 };

/** How often one request was sent, where it failed, and whether it may be sent again. */
export class Repeats {
  /** How often it was sent. */
  attempts = 0;
  /** How often it was refused without being looked at. */
  refusals = 0;
  /** How many answers said to come back later. */
  toldLater = 0;
  /** How often it has waited because of that. */
  waits = 0;
  /** Which machines have failed it, if any. */
  failover: Failover | undefined;
  readonly #host: RepeatHost;
  readonly #request: PreparedRequest;
  readonly #body: StreamedBody | undefined;
  readonly #tellsFull: boolean;
  #freshFailures = 0;
  #hangUps = 0;
  #ends = 0;
  #misdirected = false;
  #early = false;
  #waitedMs = 0;
  /** How long to wait before it is sent again, in milliseconds. */
  #pauseMs = 0;

  /**
   * Begins with a request that was not sent, and its body if that is read as it comes.
   *
   * @param tellsFull Whether a 503 may mean that the machine takes no more connections. To an upgrade
   * it does not: connections that were upgraded long ago say nothing about that
   */
  constructor(
    host: RepeatHost,
    request: PreparedRequest,
    body: StreamedBody | undefined,
    tellsFull = true,
  ) {
    this.#host = host;
    this.#request = request;
    this.#body = body;
    this.#tellsFull = tellsFull;
  }

  /** Whether a server may have acted on it. */
  get maybeActedOn(): boolean {
    return this.attempts > this.refusals;
  }

  /** Whether it was sent as often as it may be. */
  get exhausted(): boolean {
    return this.attempts >= MAX_ATTEMPTS;
  }

  /**
   * Whether a connection that had just served ended under this request. What ends under it next
   * says nothing about its machine.
   */
  get isSuspect(): boolean {
    return this.#ends > 0;
  }

  /** Sends the request to other machines than the one that has failed it. */
  avoid({ connection }: Lease, error: unknown): void {
    (this.failover ??= new Failover()).avoid(connection.address, error);
  }

  /**
   * Whether the request may be sent once more after an attempt without an answer. A connection that
   * had served dies only once, and a few such are free. If another one dies, the server may be
   * dying: the budget decides whether to try again, and a fresh one may die only once.
   *
   * @param error Why there was no answer
   * @param unprocessed Whether the server surely has not acted on it
   */
  mayRepeat(lease: Lease, error: unknown, unprocessed = false): boolean {
    // The part that was read is gone.
    if (this.#body?.canRepeat === false) return false;
    if (!this.#request.replayable && !unprocessed) return false;
    if (unprocessed) return this.#mayGoOn(lease);
    // Only the stream ended, on a connection that lives on: asking there again would not help.
    const { healthy, multiplexed, state } = lease.connection;
    if (multiplexed && healthy && state !== "closed") {
      return this.#turnElsewhere(lease, error)
        || (this.#freshFailures++ === 0 && this.#host.mayRetry());
    }
    if (lease.tooMuch === "yes") return !this.exhausted;
    if (lease.reused) {
      // Any number may be dead unnoticed; and if others share one, they may have caused its end.
      const isEnd = error instanceof HttpParseError && !multiplexed && !isInDoubt(lease.connection);
      if (!isEnd) return !this.exhausted;
      if (++this.#ends <= FREE_ENDS) return true;
    }
    // The machine may take no more than those that have not answered yet, of which one will do.
    if (lease.tooMuch === "perhaps" && this.#hangUps++ < FREE_HANG_UPS) return true;
    if ((lease.reused || !isStale(lease)) && this.#turnElsewhere(lease, error)) return true;
    const isUntried = !lease.reused && hasStood(lease);
    return (isUntried || this.#freshFailures++ === 0) && this.#host.mayRetry();
  }

  /**
   * Whether a request that nobody has looked at is sent again. Refusing one is not a fault: the
   * next stream or connection may accept it. If a machine refuses it once more, another machine is
   * asked.
   */
  #mayGoOn(lease: Lease): boolean {
    if (this.refusals > 1) {
      const detail = "it refused the request time and again, without looking at it";
      const error = requestError(this.#request, lease, "connection", detail);
      if (this.#turnElsewhere(lease, error)) return true;
    }
    return this.refusals <= FREE_REFUSALS || this.#host.mayRetry();
  }

  /**
   * Whether an answer is not the caller's: its status counts as a failure of its machine, and another
   * one may be asked; or it says to come back later, and the request may wait.
   *
   * @param headers The fields of its head
   * @param hasOther Whether another machine has been asked already
   * @param deadline By when the request must be over, in the clock's milliseconds
   */
  turnsAway(
    status: number,
    headers: ResponseHeaders | undefined,
    attempt: Answering,
    hasOther: boolean,
    deadline: number,
  ): boolean {
    const { lease } = attempt;
    if (status === MISDIRECTED && this.#isMisdirected(attempt)) return true;
    if (status === TOO_EARLY && this.#isTooEarly(lease)) return true;
    if (status === UNAVAILABLE && this.#tellsFull) this.#host.noteBusy(lease);
    const mayTell = headers && (status === TOO_MANY_REQUESTS || status === UNAVAILABLE);
    const afterMs = mayTell ? readRetryAfter(headers, this.#host.now()) : undefined;
    if (afterMs !== undefined) {
      this.toldLater++;
      // If the machine serves others, this says nothing about it.
      if (lease.tooMuch === "no") this.#host.noteRetryAfter(lease, status, afterMs);
    }
    if (this.#failsOver(status, attempt, hasOther)) return true;
    return afterMs !== undefined && !hasOther && this.#repeatable
      && this.mayWait(afterMs, deadline);
  }

  /**
   * Whether the request may wait this long before it is sent, or sent again; if so, `takePause` says
   * for how long exactly. It does not wait if that would take longer than it may.
   *
   * @param forMs In milliseconds
   * @param deadline By when the request must be over, in the clock's milliseconds
   */
  mayWait(forMs: number, deadline: number): boolean {
    const { retryAfter = this.#host.retryAfter } = this.#request.options;
    if (retryAfter !== "wait" || this.exhausted || this.waits >= MAX_WAITS) return false;
    if (this.#waitedMs + forMs > this.#host.maxRetryAfterMs) return false;
    const spreadMs = Math.min(forMs * SPREAD.share, SPREAD.mostMs) * this.#host.random();
    if (this.#host.now() + forMs + spreadMs >= deadline) return false;
    this.waits++;
    this.#waitedMs += forMs;
    this.#pauseMs = forMs + spreadMs;
    return true;
  }

  /** How long to wait before the request is sent again, in milliseconds. Resets it to 0. */
  takePause(): number {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = 0;
    return pauseMs;
  }

  /** Whether an answered request may be sent again: its method says so, and its body is there. */
  get #repeatable(): boolean {
    return this.#request.replayable && this.#body?.canRepeat !== false;
  }

  /** Whether a status counts as a failure of its machine, and another one may be asked. */
  #failsOver(status: number, { lease }: Answering, hasOther: boolean): boolean {
    const { options, replayable } = this.#request;
    const { failoverStatuses = this.#host.failoverStatuses } = options;
    if (!failoverStatuses.includes(status)) return false;
    // Its machine serves others: another connection to it will do.
    if (lease.tooMuch === "yes") return replayable && !this.exhausted;
    const detail = `the answer was ${status} (failoverStatuses)`;
    const error = requestError(this.#request, lease, "status", detail);
    lease.failure = { kind: "status", error };
    if (!replayable) return false;
    if (this.#turnElsewhere(lease, error) || hasOther) return true;
    // It may take no more connections than those that have not answered yet.
    return lease.tooMuch === "perhaps" && this.#freshFailures++ === 0 && this.#host.mayRetry();
  }

  /** Notes that a machine has failed, and returns whether there is another one. */
  #turnElsewhere(lease: Lease, error: unknown): boolean {
    if (this.exhausted) return false;
    this.avoid(lease, error);
    if (this.#host.mayTurnElsewhere(this.#request, this.failover!)) return true;
    // It has been everywhere: if it may go on, it starts over.
    this.failover = undefined;
    return false;
  }

  /**
   * Whether the answer says that the request came too early, and may come again (RFC 8470 section
   * 5.2). Nothing is ever sent before the end of the handshake, so once more is enough. A program
   * that marks a request as possibly early for somebody else (`Early-Data`) must get the answer
   * itself.
   */
  #isTooEarly(lease: Lease): boolean {
    const { fields } = this.#request;
    if (!this.#repeatable || this.#early || this.exhausted) return false;
    if (fields.some(([name]) => name.toLowerCase() === "early-data")) return false;
    this.#early = true;
    lease.failure = null;
    return true;
  }

  /**
   * Whether the answer says that the request should have come over another connection, and may be
   * sent there. That is not an answer to the request, which nobody has looked at (RFC 9110 section
   * 15.5.20).
   */
  #isMisdirected({ lease, protocol }: Answering): boolean {
    if (protocol !== "h2" || this.#misdirected || this.#body?.canRepeat === false) return false;
    if (!this.#host.misdirected(lease.connection, this.#request.target.host)) return false;
    this.#misdirected = true;
    lease.failure = null;
    return true;
  }
}
