/**
 * What the end of an attempt says about the connection and the machine, and what the caller gets.
 *
 * @module
 */

import { RequestError, type RequestFailure, SocketError } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import { Http2Error } from "./h2/error_codes.ts";
import { HttpParseError } from "./parse_error.ts";
import type { PreparedRequest } from "./request.ts";

/** A connection that was idle for less is assumed to be alive, in milliseconds. */
const FRESH_ENOUGH_MS = 5_000;

/** One that was dialled for a request, and handed to it, was idle for less, in milliseconds. */
const STOOD_MS = 1;

/** Whether a connection had been idle for so long that it may be dead without our knowing. */
export function isInDoubt({ idleBeforeMs }: Connection): boolean {
  return idleBeforeMs >= FRESH_ENOUGH_MS;
}

/**
 * Whether a connection may have been closed before the request got there, so that its end says
 * nothing about the machine. One that never served and is young was alive; and a failing machine is
 * not excused by connections that were dialled to try it.
 */
export function isStale({ connection, reused }: Lease): boolean {
  return reused || (isInDoubt(connection) && !connection.endpoint?.failing);
}

/** Whether a connection was ready for a while before its first lease, which this is. */
export function hasStood({ connection, waitedMs }: Lease): boolean {
  // A caller who waited had it from its dial on, however long a busy program took to hand it over.
  return waitedMs === 0 && connection.idleBeforeMs >= STOOD_MS;
}

/** Ends a lease that nothing was sent over, which says nothing about its machine. */
export function giveBack(lease: Lease): void {
  lease.failure = null;
  lease.release();
}

/**
 * The error for a caller of a failed attempt; `silent` if no byte of an answer came, `isGone` if
 * only its body keeps it from being sent again.
 */
export function explainEnd(
  cause: unknown,
  silent: boolean,
  isGone: boolean,
  { method, replayable }: PreparedRequest,
): { readonly failure: RequestFailure; readonly detail: string } {
  const isParsed = cause instanceof HttpParseError && !cause.reason.startsWith("truncated")
    && cause.reason !== "no-response";
  if (isGone) {
    const detail = "the server has not looked at it, but too much of its body was read to send it "
      + "again from its beginning";
    return { failure: "connection", detail };
  }
  if (isParsed || (cause instanceof Http2Error && cause.scope === "stream")) {
    return { failure: "protocol", detail: cause.message };
  }
  const detail = !silent
    ? "the connection ended in the middle of the response"
    : replayable
    ? "the connection ended before a response, on every attempt that was allowed"
    : `the connection ended before a response, and ${method} may not be repeated (see idempotent)`;
  // Where TLS itself failed, the peer's alert says what to change.
  const isAlert = silent && cause instanceof SocketError && cause.failure === "tls";
  return { failure: "connection", detail: isAlert ? `${detail}: ${cause.message}` : detail };
}

/**
 * Makes the error of a request.
 *
 * @param lease The lease that it was last sent over, if it was sent
 * @param maybeActedOn Whether a server may have acted on it
 */
export function requestError(
  { target: { host } }: PreparedRequest,
  lease: Lease | undefined,
  failure: RequestFailure,
  detail: string,
  cause?: unknown,
  maybeActedOn: boolean = lease !== undefined,
): RequestError {
  const address = lease?.connection.address ?? null;
  const fields = { failure, host, address, maybeActedOn };
  return new RequestError(fields, detail, cause === undefined ? undefined : { cause });
}
