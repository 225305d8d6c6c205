/**
 * The seam between an exchange and the protocol that carries it.
 *
 * A session speaks one protocol over one connection, and lives as long as that. It is kept in
 * `connection.session`. For each attempt it opens a stream: one request, and the response to it. A
 * session of HTTP/1.1 has one stream at a time, one of HTTP/2 as many as there are leases.
 *
 * @module
 */

import type { Protocol } from "../pool/host/tls_profiles.ts";
import type { BodyReader } from "./body_reader.ts";
import type { PreparedRequest } from "./request.ts";
import type { ResponseHeaders } from "./response_headers.ts";

export type { Protocol };

/** What a stream calls on the one who opened it, in order. Nothing is called after its end. */
export interface StreamUser {
  /**
   * The head has arrived. It may come after the parts of the body that were in the same read, and
   * after the end if all of the response was, but always in the same turn.
   */
  onHead(status: number, statusText: string, headers: ResponseHeaders): void;
  /** A part of the body. The bytes are the receiver's only until it returns. */
  onBody(bytes: Uint8Array): void;
  /** The trailers, before the end. */
  onTrailers(trailers: ResponseHeaders): void;
  /**
   * The end: the response is there to its last byte. Called before the head if both
   * came in one read, so that the connection is free before the caller has the response.
   *
   * @param reusable Whether the connection may carry another stream
   */
  onComplete(reusable: boolean): void;
  /** The end: the response will not come, or not to its end. */
  onFailure(failure: StreamFailure): void;
  /** The request's own body failed, or is not what the head says. Cancel the stream. */
  onUploadFailure(error: unknown): void;
}

/** Why a stream failed, and what that means for the connection. */
export interface StreamFailure {
  /** What happened. */
  readonly error: unknown;
  /** Whether the server surely has not acted on the request, whatever its method. */
  readonly unprocessed: boolean;
  /** Whether the connection may carry another stream. */
  readonly reusable: boolean;
}

/** One request on a connection, and the response to it. */
export interface Stream {
  /** Its number on the connection; null if the protocol has none. */
  readonly id: number | null;
  /** How many streams the connection had when it began, itself included. */
  readonly streams: number;
  /** Whether a byte of the response has arrived. */
  readonly responding: boolean;
  /** The status of the response, once its head has arrived. */
  readonly status: number;
  /** The fields of the head, from its arrival until `onHead`. */
  readonly headers: ResponseHeaders | undefined;
  /** How long the response's body will be, in bytes, if its head says so. */
  readonly contentLength: number | undefined;
  /**
   * Writes the request; called once. A body that comes as a stream is read as fast as the
   * connection takes it. Its owner cancels it if the stream ends early.
   */
  send(request: PreparedRequest, body: BodyReader | undefined): void;
  /** Stops reading the response, so that the server has to slow down. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /**
   * Ends the stream; nothing is called afterwards. Harmless after its end.
   *
   * @returns Whether the connection may carry another stream
   */
  cancel(reason: unknown): boolean;
}

/** A protocol on one connection. */
export interface Session {
  /** Which protocol it is. */
  readonly protocol: Protocol;
  /**
   * Called when a stream has been silent since a time, in the clock's milliseconds. If the whole
   * connection has been, others get no stream on it until something comes. Only for protocols with
   * several streams.
   */
  suspect?(since: number): void;
  /**
   * Opens a stream for the holder of a lease on the connection. Nothing is written, and nothing is
   * called, before `send()`.
   */
  open(user: StreamUser): Stream;
}
