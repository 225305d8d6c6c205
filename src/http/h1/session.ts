/**
 * HTTP/1.1 on one connection: its parser, and the exchange that is under way.
 *
 * @module
 */

import type { SocketSink } from "../../core/dialer.ts";
import type { Connection } from "../../map/connection.ts";
import type { CheckedLimits } from "../limits.ts";
import type { ResponseHeaders } from "../response_headers.ts";
import { ResponseParser, type ResponseSink } from "./response_parser.ts";

/** What a session tells the exchange under way. */
export interface SessionUser {
  /** The head has arrived, and as much of the body as came with it was told before. */
  onHead(status: number, statusText: string, headers: ResponseHeaders): void;
  /** A part of the body, the receiver's only until it returns. */
  onBody(bytes: Uint8Array): void;
  /** The trailers. */
  onTrailers(trailers: ResponseHeaders): void;
  /** The response is there to its last byte. `reusable` tells whether the connection is in order. */
  onComplete(reusable: boolean): void;
  /** The connection takes more bytes again. */
  onDrain(): void;
  /** The response will not come to its end. */
  onFailure(error: unknown): void;
}

/**
 * A connection stands idle for less than the server's hint by this, in milliseconds; and by no more
 * than half of it, for one that is never used again costs a handshake for each request.
 */
const HINT_MARGIN_MS = 2_000;

/**
 * Holds a connection's parser, and passes what it finds to the exchange that is under way. It stays
 * with its connection from one lease to the next.
 */
export class Http1Session implements SocketSink, ResponseSink {
  /** The connection. */
  readonly connection: Connection;
  readonly #parser: ResponseParser;
  #user: SessionUser | undefined;
  #status = 0;
  #statusText = "";
  #headers: ResponseHeaders | undefined;

  /** The session of a connection, made when it is first asked for. */
  static of(connection: Connection, limits: CheckedLimits): Http1Session {
    return (connection.session ??= new Http1Session(connection, limits)) as Http1Session;
  }

  /** Made once for each connection. */
  constructor(connection: Connection, limits: CheckedLimits) {
    this.connection = connection;
    this.#parser = new ResponseParser(this, limits);
  }

  /** Whether a byte of the response has arrived. */
  get responding(): boolean {
    return this.#parser.started;
  }

  /** The status of the response, once its head has arrived. */
  get status(): number {
    return this.#status;
  }

  /** How long the body of the response will be, in bytes, where its head says so. */
  get contentLength(): number | undefined {
    return this.#parser.contentLength;
  }

  /** Expects the response to a request, for an exchange that holds the lease. */
  begin(method: string, user: SessionUser): void {
    this.#parser.reset(method);
    this.#user = user;
    this.connection.setSink(this);
  }

  /** Passes nothing on any more. */
  end(): void {
    this.#user = undefined;
  }

  /** Takes bytes off the connection. */
  onData(bytes: Uint8Array): void {
    const parser = this.#parser;
    let consumed: number;
    try {
      consumed = parser.push(bytes);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const { complete } = parser;
    const user = this.#user;
    if (!user) return;
    if (complete) {
      this.#user = undefined;
      // What follows a response that nobody else asked for would be read as the next one.
      if (consumed < bytes.length) this.connection.healthy = false;
      user.onComplete(this.#settle());
    }
    this.#passHead(user);
  }

  /** Passes on that the connection takes more. */
  onDrain(): void {
    this.#user?.onDrain();
  }

  /** Ends the response with the stream, where that is its end. */
  onClose(error?: Error): void {
    const user = this.#user;
    if (!user) return;
    try {
      this.#parser.finish(error === undefined);
    } catch (failure) {
      this.#fail(error ?? failure);
      return;
    }
    this.#user = undefined;
    user.onComplete(false);
    this.#passHead(user);
  }

  /** Passes over an interim response. */
  onInterim(): void {}

  /** Notes the head; it is passed on when the bytes that came with it are taken. */
  onHead(status: number, statusText: string, headers: ResponseHeaders): void {
    this.#status = status;
    this.#statusText = statusText;
    this.#headers = headers;
  }

  /** Passes a part of the body on. */
  onBody(bytes: Uint8Array): void {
    this.#user?.onBody(bytes);
  }

  /** Passes the trailers on. */
  onTrailers(trailers: ResponseHeaders): void {
    this.#user?.onTrailers(trailers);
  }

  #passHead(user: SessionUser): void {
    const headers = this.#headers;
    if (!headers) return;
    this.#headers = undefined;
    user.onHead(this.#status, this.#statusText, headers);
  }

  /** Whether the connection may carry another exchange; and for how long it may wait for it. */
  #settle(): boolean {
    const { keepAlive, keepAliveMax, keepAliveTimeoutMs } = this.#parser;
    if (keepAliveTimeoutMs !== undefined) {
      this.connection.serverIdleMs = Math.max(
        keepAliveTimeoutMs - HINT_MARGIN_MS,
        keepAliveTimeoutMs / 2,
      );
    }
    return keepAlive && keepAliveMax !== 0;
  }

  #fail(error: unknown): void {
    const user = this.#user;
    this.#user = undefined;
    this.#headers = undefined;
    user?.onFailure(error);
  }
}
