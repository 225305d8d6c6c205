/**
 * From HTTP/1.1 to another protocol on the same connection (RFC 9110 section 7.8).
 *
 * @module
 */

import { offAbort, onAbort } from "../core/abort.ts";
import { checkNames, checkNumber, describe } from "../core/check.ts";
import { type Clock, setDeadline, type Timer } from "../core/clock.ts";
import type { SocketSink } from "../core/dialer.ts";
import type { RequestError } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import { requestError } from "./attempt_end.ts";
import { BodyBuffer, type BodySource } from "./body_buffer.ts";
import { ResponseParser, type ResponseSink } from "./h1/response_parser.ts";
import type { CheckedLimits } from "./limits.ts";
import type { Repeats } from "./repeats.ts";
import type { PreparedRequest } from "./request.ts";
import type { RequestOptions } from "./request_options.ts";
import { PooledResponse, type ResponseOrigin } from "./response.ts";
import type { ResponseHeaders } from "./response_headers.ts";

/** How an upgrade is asked for. */
export interface UpgradeOptions extends
  Pick<
    RequestOptions,
    "headers" | "ip" | "exclude" | "sticky" | "tls" | "signal" | "retryAfter"
  >
{
  /** The protocol to go on with, as the field Upgrade names it: such as `websocket`. */
  readonly protocol: string;
  /** How long the head of the answer may take to arrive, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** A connection that speaks another protocol from now on. */
export interface Upgraded {
  /** The status of the answer. */
  readonly status: 101;
  /** The fields of the answer. */
  readonly headers: ResponseHeaders;
  /**
   * The caller's, with its connection: to write to, and to release. The connection ends with it, and
   * serves nobody else.
   */
  readonly lease: Lease;
  /**
   * Sets who takes what the peer sends, beginning with the bytes that came with the answer. Until
   * then the peer is held back.
   *
   * @throws {LeaseReleasedError} The lease has ended
   */
  attach(sink: SocketSink): void;
}

/** What an upgrade needs of the pool. */
export interface UpgradeHost {
  readonly clock: Clock;
  readonly limits: CheckedLimits;
  /** How long a body may be left untouched, in milliseconds. */
  readonly leakTimeoutMs: number;
  /** Takes a connection out of use for others: it ends with its lease. */
  readonly keep: (lease: Lease, protocol: string) => void;
}

/** One upgrade that is asked for, of as many machines as it takes. */
export interface UpgradeCall {
  readonly request: PreparedRequest;
  /** The protocol to go on with. */
  readonly protocol: string;
  /** Whether it may be asked for once more. */
  readonly repeats: Repeats;
  /** Ends it until it is answered. */
  readonly signal: AbortSignal;
  /** When it began, and by when it must be answered, in the clock's milliseconds. */
  readonly queuedAt: number;
  readonly deadline: number;
  /** How long one machine may take to answer, in milliseconds. */
  readonly answerTimeoutMs: number;
  /** The lease that it was asked over last, if any. */
  last: Lease | undefined;
}

/** The head of an answer. */
interface Head {
  readonly status: number;
  readonly text: string;
  readonly headers: ResponseHeaders;
}

/** Asks for one over a lease, which is its own until it has an answer. */
export class UpgradeAttempt implements SocketSink, ResponseSink, ResponseOrigin, BodySource {
  readonly lease: Lease;
  readonly #host: UpgradeHost;
  readonly #call: UpgradeCall;
  readonly #parser: ResponseParser;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#fail(this.#signal.reason, false);
  #resolve!: (answer: Upgraded | PooledResponse) => void;
  #reject!: (reason: unknown) => void;
  #head: Head | undefined;
  /** Ends the wait for the head; or, later, a response that nobody reads. */
  #timer: Timer | undefined;
  #late = false;
  #touched = false;
  #headAt = 0;
  #buffer: BodyBuffer | undefined;
  #answered = false;
  #over = false;
  /** What arrived in the other protocol before anybody took it, and its end. */
  #early: Uint8Array[] = [];
  #end: { readonly error: Error | undefined } | undefined;
  trailers: ResponseHeaders | null = null;
  /** Whether its answer is not the caller's: the upgrade is asked for once more. */
  turnedAway = false;
  readonly protocol = "http/1.1";
  readonly stream = { id: null, streams: 1 };
  readonly hedged = false;

  /** Begins with a lease; `run()` sends the request. */
  constructor(host: UpgradeHost, call: UpgradeCall, lease: Lease) {
    this.#host = host;
    this.#call = call;
    this.lease = lease;
    this.#signal = call.signal;
    this.#parser = new ResponseParser(this, host.limits);
  }

  /** Sends the request, and waits for the answer's head. */
  run(): Promise<Upgraded | PooledResponse> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#signal.aborted) return this.#onAbort();
      onAbort(this.#signal, this.#onAbort);
      const { answerTimeoutMs, request: { head, method, target } } = this.#call;
      this.#parser.reset(method, true);
      this.lease.attach(this);
      if (answerTimeoutMs < Infinity) {
        this.#timer = setDeadline(this.#host.clock, () => {
          this.#late = true;
          const detail = `no answer came within ${answerTimeoutMs} ms`;
          this.#fail(this.#error("timeout", detail));
        }, answerTimeoutMs);
      }
      const { relay } = this.connection;
      this.lease.write(relay ? relay.headOf(head, method, target.hostHeader) : head);
    });
  }

  /** Whether a byte of the answer has come. */
  get responding(): boolean {
    return this.#parser.started;
  }

  /** Whether it was given up because no answer came in time. */
  get late(): boolean {
    return this.#late;
  }

  get url(): string {
    return this.#call.request.target.url;
  }

  get connection(): Connection {
    return this.lease.connection;
  }

  get answering(): this {
    return this;
  }

  get times(): this {
    return this;
  }

  get queueMs(): number {
    return this.lease.startedAt - this.#call.queuedAt;
  }

  get headAt(): number {
    return this.#headAt;
  }

  get firstByteMs(): number {
    return this.#headAt - this.lease.startedAt;
  }

  get buffer(): BodyBuffer {
    return this.#buffer ??= new BodyBuffer(this, this.#parser.contentLength);
  }

  touch(): void {
    this.#touched = true;
  }

  drop(): void {
    this.cancel(undefined);
  }

  onData(bytes: Uint8Array): void {
    if (this.#head?.status === 101) {
      this.#early.push(new Uint8Array(bytes));
      return;
    }
    let consumed: number;
    try {
      consumed = this.#parser.push(bytes);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const head = this.#head;
    if (head?.status === 101) {
      if (consumed < bytes.length) this.#early.push(new Uint8Array(bytes.subarray(consumed)));
      this.#upgrade(head.headers);
    } else if (head) this.#respond(head);
  }

  onDrain(): void {}

  onClose(error?: Error): void {
    if (this.#over) return;
    if (this.#head?.status === 101) {
      this.#end = { error };
      return;
    }
    try {
      this.#parser.finish(error === undefined);
    } catch (failure) {
      this.#fail(error ?? failure);
      return;
    }
    this.#complete();
  }

  onInterim(): void {}

  onHead(status: number, text: string, headers: ResponseHeaders): void {
    this.#head = { status, text, headers };
    this.#headAt = this.#host.clock.now();
    this.lease.status = status;
    this.lease.latencyMs = this.firstByteMs;
  }

  onBody(bytes: Uint8Array): void {
    this.buffer.push(bytes);
  }

  onTrailers(trailers: ResponseHeaders): void {
    this.trailers = trailers;
  }

  pause(): void {
    if (!this.#over) this.connection.socket.pause();
  }

  resume(): void {
    if (!this.#over) this.connection.socket.resume();
  }

  cancel(reason: unknown): void {
    this.#fail(reason ?? this.#error("cancelled", "its body was cancelled"), false);
  }

  /** The connection ends with the response. */
  #respond({ headers, status, text }: Head): void {
    if (!this.#answered) {
      const { deadline, repeats } = this.#call;
      this.turnedAway = repeats.turnsAway(status, headers, this, false, deadline);
      this.#answered = true;
      this.#timer?.cancel();
      this.#timer = this.#host.clock.setTimer(() => {
        if (!this.#touched) this.cancel(this.#error("cancelled", "nobody read its body"));
      }, this.#host.leakTimeoutMs);
      this.#resolve(new PooledResponse(status, text, headers, this));
    }
    if (this.#parser.complete) this.#complete();
  }

  #complete(): void {
    if (this.#over) return;
    this.#settle();
    this.lease.release({ reuse: false });
    this.buffer.end();
  }

  #upgrade(headers: ResponseHeaders): void {
    this.#timer?.cancel();
    offAbort(this.#signal, this.#onAbort);
    this.#answered = true;
    const { lease } = this;
    const { connection } = lease;
    this.#host.keep(lease, this.#call.protocol);
    connection.socket.pause();
    this.#resolve({
      status: 101,
      headers,
      lease,
      attach: (sink) => {
        lease.attach(sink);
        for (const bytes of this.#early.splice(0)) {
          if (!lease.released) sink.onData(bytes);
        }
        // Whoever has given the connection up hears no more of it.
        if (lease.released) return;
        if (this.#end) sink.onClose(this.#end.error);
        else connection.socket.resume();
      },
    });
  }

  /** Ends it, because of the program, or of the machine if that is to blame. */
  #fail(reason: unknown, isMachines = true): void {
    if (this.#over) return;
    this.#settle();
    const { lease, responding } = this;
    if (isMachines && (responding || !lease.reused)) {
      lease.failure = { kind: "response", error: reason };
    } else lease.failure ??= null;
    lease.release({ error: reason ?? true });
    if (this.#answered) this.buffer.fail(reason);
    else {
      const isAbort = this.#signal.aborted && reason === this.#signal.reason;
      this.#reject(
        isAbort || this.#late
          ? reason
          : this.#error("connection", "it failed before it was answered", reason),
      );
    }
  }

  #settle(): void {
    this.#over = true;
    this.#timer?.cancel();
    offAbort(this.#signal, this.#onAbort);
  }

  #error(
    failure: "connection" | "cancelled" | "timeout",
    detail: string,
    cause?: unknown,
  ): RequestError {
    return requestError(this.#call.request, this.lease, failure, detail, cause, this.responding);
  }
}

/**
 * Checks how an upgrade is asked for.
 *
 * @throws {TypeError | RangeError} Names the option, its value, and what would be valid
 */
export function checkUpgrade(options: UpgradeOptions): UpgradeOptions {
  checkNames("upgrade()", options, [
    "protocol",
    "headers",
    "retryAfter",
    "signal",
    "timeoutMs",
    "ip",
    "exclude",
    "sticky",
    "tls",
  ]);
  const { protocol, timeoutMs } = options;
  if (typeof protocol !== "string" || protocol === "") {
    throw new TypeError(
      `protocol must be the name of one, such as "websocket", got ${describe(protocol)}`,
    );
  }
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, { min: 0 });
  return options;
}
