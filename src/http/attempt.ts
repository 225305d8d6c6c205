/**
 * One try of an exchange, over one lease and one stream.
 *
 * @module
 */

import type { Lease } from "../pool/lease/lease.ts";
import { BodyBuffer, type BodySource } from "./body_buffer.ts";
import type { BodyReader } from "./body_reader.ts";
import type { PreparedRequest } from "./request.ts";
import type { ResponseHeaders } from "./response_headers.ts";
import type { Protocol, Session, Stream, StreamFailure, StreamUser } from "./session.ts";

/** What makes attempts, and is called with the outcome of each. */
export interface AttemptUser {
  /** The head has arrived. Called after the end if both came at once. */
  onHead(attempt: Attempt, status: number, statusText: string, headers: ResponseHeaders): void;
  /** The response is complete: release the attempt. */
  onComplete(attempt: Attempt, reusable: boolean): void;
  /** It has failed: release it. */
  onFailure(attempt: Attempt, failure: StreamFailure): void;
  /** The request's own body has failed: drop the attempt. */
  onUploadFailure(attempt: Attempt, error: unknown): void;
  /** Nobody will read the body. */
  cancel(reason: unknown): void;
  /** The part of the body that has arrived begins to wait for a reader. */
  onWaiting(): void;
  /** A reader of the body begins to wait for its next part, or waits no longer. */
  onAwaited(isAwaited: boolean): void;
}

const NO_REUSE = { reuse: false };

/** Holds a lease and its stream until one of them ends, and what has arrived. */
export class Attempt implements StreamUser, BodySource {
  /** The lease. It still tells who answered when it has ended. */
  readonly lease: Lease;
  /** Whether its machine was silent for longer than is likely, and to others as well. */
  overdue = false;
  silent = false;
  /** Whether it was given more time, since the program stood still. */
  excused = false;
  /** The trailers, once they are there. */
  trailers: ResponseHeaders | null = null;
  /** The protocol that carries it. */
  readonly protocol: Protocol;
  readonly #user: AttemptUser;
  readonly #stream: Stream;
  #buffer: BodyBuffer | undefined;
  #over = false;

  /** Opens a stream, over which nothing is sent yet. */
  constructor(user: AttemptUser, lease: Lease, session: Session) {
    this.#user = user;
    this.lease = lease;
    this.protocol = session.protocol;
    this.#stream = session.open(this);
  }

  /** Its stream. */
  get stream(): Stream {
    return this.#stream;
  }

  /** Whether its lease has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether a byte of the response has arrived. */
  get responding(): boolean {
    return this.#stream.responding;
  }

  /** The status of the response, once its head has arrived. */
  get status(): number {
    return this.#stream.status;
  }

  /** The fields of the head, from its arrival until it is passed on. */
  get headers(): ResponseHeaders | undefined {
    return this.#stream.headers;
  }

  /** What has arrived of the body. */
  get buffer(): BodyBuffer {
    return this.#buffer ??= new BodyBuffer(this, this.#stream.contentLength);
  }

  /** Sends the request. */
  send(request: PreparedRequest, body: BodyReader | undefined): void {
    this.#stream.send(request, body);
  }

  /** Ends its lease: its stream has ended. */
  release(reusable: boolean): void {
    this.#over = true;
    this.lease.status = this.#stream.status;
    this.lease.release(reusable ? undefined : NO_REUSE);
  }

  /** Ends its stream, and its lease with it. */
  drop(reason: unknown): void {
    if (!this.#over) this.fail(reason, this.#stream.cancel(reason));
  }

  /** Ends its lease: its stream has failed. `reusable` says that the connection is in order. */
  fail(reason: unknown, reusable: boolean): void {
    this.#over = true;
    const { lease } = this;
    lease.status = this.#stream.status;
    // The machine is not to blame.
    if (lease.failure === undefined) lease.failure = null;
    lease.release(reusable ? undefined : { error: reason ?? true });
  }

  /** Passes the head on. */
  onHead(status: number, statusText: string, headers: ResponseHeaders): void {
    this.#user.onHead(this, status, statusText, headers);
  }

  /** Keeps a part of the body. */
  onBody(bytes: Uint8Array): void {
    this.buffer.push(bytes);
  }

  /** Keeps the trailers. */
  onTrailers(trailers: ResponseHeaders): void {
    this.trailers = trailers;
  }

  /** Passes the end on. */
  onComplete(reusable: boolean): void {
    if (!this.#over) this.#user.onComplete(this, reusable);
  }

  /** Passes the end on. */
  onFailure(failure: StreamFailure): void {
    if (!this.#over) this.#user.onFailure(this, failure);
  }

  /** Passes on that the request's body has failed. */
  onUploadFailure(error: unknown): void {
    if (!this.#over) this.#user.onUploadFailure(this, error);
  }

  /** Stops reading. */
  pause(): void {
    if (!this.#over) this.#stream.pause();
  }

  /** Reads on. */
  resume(): void {
    if (!this.#over) this.#stream.resume();
  }

  /** Passes on that nobody reads what has arrived. */
  waiting(): void {
    this.#user.onWaiting();
  }

  /** Passes on whether somebody waits for what is to come. */
  awaited(isAwaited: boolean): void {
    this.#user.onAwaited(isAwaited);
  }

  /** Gives up the rest of the body. */
  cancel(reason: unknown): void {
    this.#user.cancel(reason);
  }
}
