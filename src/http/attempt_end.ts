/**
 * What the end of an attempt tells: of the connection, of the machine, and to the caller.
 *
 * @module
 */

import { RequestError, type RequestFailure } from "../core/errors.ts";
import type { Connection } from "../map/connection.ts";
import type { Lease } from "../pool/lease/lease.ts";
import { Http2Error } from "./h2/error_codes.ts";
import { HttpParseError } from "./parse_error.ts";
import type { PreparedRequest } from "./request.ts";

/** A connection that stood idle for less is taken to be alive, in milliseconds. */
const FRESH_ENOUGH_MS = 5_000;

/** What was dialled for a request, and handed to it, stood idle for less, in milliseconds. */
const STOOD_MS = 1;

/** Whether a connection had been idle for so long that it may be dead without our knowing. */
export function isInDoubt({ idleBeforeMs }: Connection): boolean {
  return idleBeforeMs >= FRESH_ENOUGH_MS;
}

/**
 * Whether a connection may have been closed before the request came there, so that its end tells
 * nothing of the machine. One that never served and has hardly stood was alive; and a machine that
 * fails is not to be excused by connections that were dialled to try it.
 */
export function isStale({ connection, reused }: Lease): boolean {
  return reused || (isInDoubt(connection) && !connection.endpoint?.failing);
}

/** Whether a connection stood ready for a while before a lease that is its first. */
export function hasStood({ connection, waitedMs }: Lease): boolean {
  // A caller who waited had it from its dial on, however long a busy program took to hand it over.
  return waitedMs === 0 && connection.idleBeforeMs >= STOOD_MS;
}

/** Ends a lease over which nothing was sent: it tells nothing of its machine. */
export function giveBack(lease: Lease): void {
  lease.failure = null;
  lease.release();
}

/**
 * What to tell a caller of an attempt that failed; `silent` where no byte of an answer came, `isGone`
 * where it could be sent again but for its body.
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
  return { failure: "connection", detail };
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
