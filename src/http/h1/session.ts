/**
 * HTTP/1.1 on one connection: its parser, and the stream that is under way.
 *
 * @module
 */

import type { SocketSink } from "../../core/dialer.ts";
import type { Connection } from "../../map/connection.ts";
import type { BodyReader } from "../body_reader.ts";
import type { PreparedRequest } from "../request.ts";
import type { ResponseHeaders } from "../response_headers.ts";
import type { Session, Stream, StreamUser } from "../session.ts";
import type { Parsers } from "./parsers.ts";
import type { ResponseParser, ResponseSink } from "./response_parser.ts";
import { Upload } from "./upload.ts";

/**
 * How much less than the server's hint a connection stays idle, in milliseconds; and no more
 * than half of it, for one that is never used again costs a handshake for each request.
 */
const HINT_MARGIN_MS = 2_000;

/**
 * Parses responses, and passes what it finds to the user of the stream under way. It stays
 * with its connection from one lease to the next. There is one stream at a time, and nothing to be
 * kept of it afterwards: the session is its own stream.
 */
export class Http1Session implements Session, Stream, SocketSink, ResponseSink {
  /** The connection. */
  readonly connection: Connection;
  readonly #parsers: Parsers;
  /** Set from the request until the response has ended. */
  #parser: ResponseParser | undefined;
  #user: StreamUser | undefined;
  /** The request's body under way, if it is not sent with the head. */
  #upload: Upload | undefined;
  /** Whether a byte of the last response has arrived. */
  #responded = false;
  #paused = false;
  /** How many more requests the server has said that it takes, if it has. */
  #usesLeft: number | undefined;
  #status = 0;
  #statusText = "";
  #headers: ResponseHeaders | undefined;
  #contentLength: number | undefined;

  /** Made once for each connection. */
  constructor(connection: Connection, parsers: Parsers) {
    this.connection = connection;
    this.#parsers = parsers;
  }

  /** The protocol. */
  get protocol(): "http/1.1" {
    return "http/1.1";
  }

  /** Streams have no numbers. */
  get id(): null {
    return null;
  }

  /** There is one at a time. */
  get streams(): number {
    return 1;
  }

  /** Whether a byte of the response has arrived. */
  get responding(): boolean {
    return this.#parser?.started ?? this.#responded;
  }

  /** The status of the response, once its head has arrived. */
  get status(): number {
    return this.#status;
  }

  /** The fields of a head that has not been passed on yet. */
  get headers(): ResponseHeaders | undefined {
    return this.#headers;
  }

  /** How long the body of the response will be, in bytes, if its head says so. */
  get contentLength(): number | undefined {
    return this.#contentLength;
  }

  /** Takes the connection for a stream. */
  open(user: StreamUser): this {
    this.#user = user;
    this.#responded = false;
    this.#status = 0;
    // The last one's head may not have been passed on yet.
    this.#headers = undefined;
    this.connection.setSink(this);
    return this;
  }

  /** Writes the request, and expects the response to it. */
  send(request: PreparedRequest, body: BodyReader | undefined): void {
    const { closes, head, method, rest, streamBytes, trailers } = request;
    const { connection } = this;
    const { relay } = connection;
    this.#parser = this.#parsers.take(this);
    this.#parser.reset(method, false, closes);
    const upload = rest || body ? new Upload(connection) : undefined;
    this.#upload = upload;
    connection.write(relay ? relay.headOf(head, method, request.target.hostHeader) : head);
    if (rest) upload?.sendLast(rest);
    else if (body) {
      const user = this.#user;
      upload?.send(body, streamBytes, trailers).catch((error) => {
        if (this.#upload === upload) user?.onUploadFailure(error);
      });
    }
  }

  /** Stops reading the connection. */
  pause(): void {
    this.#paused = true;
    this.connection.socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#paused = false;
    this.connection.socket.resume();
  }

  /** Stops passing anything on. The rest of the response is in the way of whatever would follow. */
  cancel(): boolean {
    this.#end();
    return false;
  }

  /** Takes bytes off the connection. */
  onData(bytes: Uint8Array): void {
    const parser = this.#parser;
    if (!parser) {
      // It was not asked for, and would be read as the next response.
      this.connection.healthy = false;
      return;
    }
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
    const headers = this.#headers;
    const status = this.#status;
    const statusText = this.#statusText;
    if (complete) {
      // Bytes behind the response would be read as the next one.
      if (consumed < bytes.length) this.connection.healthy = false;
      // A response that came before the request was out leaves the rest of it in the way.
      if (this.#upload?.done === false) this.connection.healthy = false;
      const isReusable = this.#settle(parser);
      this.#end();
      this.#parsers.give(parser);
      if (this.#paused) this.resume();
      user.onComplete(isReusable);
    }
    // Another request may have the connection by now.
    if (headers) this.#passHead(user, status, statusText, headers);
  }

  /** Passes on that the connection takes more. */
  onDrain(): void {
    this.#upload?.onDrain();
  }

  /** Ends the response with the stream, if that is its end. */
  onClose(error?: Error): void {
    const user = this.#user;
    if (!user) return;
    try {
      this.#parser?.finish(error === undefined);
    } catch (failure) {
      this.#fail(error ?? failure);
      return;
    }
    this.#end();
    user.onComplete(false);
    if (this.#headers) this.#passHead(user, this.#status, this.#statusText, this.#headers);
  }

  /** Passes over an interim response. */
  onInterim(): void {}

  /** Notes the head; it is passed on when the bytes that came with it are taken. */
  onHead(status: number, statusText: string, headers: ResponseHeaders): void {
    this.#status = status;
    this.#statusText = statusText;
    this.#headers = headers;
    this.#contentLength = this.#parser?.contentLength;
  }

  /** Passes a part of the body on. */
  onBody(bytes: Uint8Array): void {
    this.#user?.onBody(bytes);
  }

  /** Passes the trailers on. */
  onTrailers(trailers: ResponseHeaders): void {
    this.#user?.onTrailers(trailers);
  }

  #passHead(
    user: StreamUser,
    status: number,
    statusText: string,
    headers: ResponseHeaders,
  ): void {
    if (this.#headers === headers) this.#headers = undefined;
    user.onHead(status, statusText, headers);
  }

  /** Whether the connection may carry another exchange, and how long it may wait for it. */
  #settle({ keepAlive, keepAliveMax, keepAliveTimeoutMs }: ResponseParser): boolean {
    if (keepAliveTimeoutMs !== undefined) {
      this.connection.serverIdleMs = Math.max(
        keepAliveTimeoutMs - HINT_MARGIN_MS,
        keepAliveTimeoutMs / 2,
      );
    }
    // A server that sent a number once keeps counting, whether it sends one again or not.
    const usesLeft = keepAliveMax ?? (this.#usesLeft === undefined ? Infinity : this.#usesLeft - 1);
    if (usesLeft !== Infinity) this.#usesLeft = usesLeft;
    return keepAlive && usesLeft > 0;
  }

  #fail(error: unknown): void {
    const user = this.#user;
    this.#end();
    this.#headers = undefined;
    user?.onFailure({ error, unprocessed: false, reusable: false });
  }

  /** Ends the stream: its user is no longer notified of anything on the connection. */
  #end(): void {
    this.#user = undefined;
    this.#responded = this.responding;
    this.#parser = undefined;
    const upload = this.#upload;
    if (!upload) return;
    this.#upload = undefined;
    upload.stop();
  }
}
