/**
 * Why a request to the admin router is not granted, as the status, code and text of its answer.
 *
 * @module
 */

import { HotconnError } from "../../src/core/errors.ts";

/** The statuses of refusals. */
export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 500 | 503;

const CODES: { readonly [Status in RefusalStatus]: string } = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  409: "conflict",
  413: "too_large",
  415: "unsupported_media_type",
  500: "internal",
  503: "unavailable",
};

/** A request that is not granted. Its message is shown to the caller. */
export class Refusal extends Error {
  /** The name of the class. */
  override readonly name = "Refusal";
  /** The status of the answer. */
  readonly status: RefusalStatus;
  /** Additional header fields of the answer. */
  readonly headers: { readonly [name: string]: string };

  /** Makes the refusal. */
  constructor(
    status: RefusalStatus,
    message: string,
    headers: { readonly [name: string]: string } = {},
  ) {
    super(message);
    this.status = status;
    this.headers = headers;
  }

  /** The stable text to tell refusals apart by. */
  get code(): string {
    return CODES[this.status];
  }
}

/** What a caller may know of an error: nothing, if it was unexpected. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof HotconnError) return new Refusal(409, error.message);
  return new Refusal(500, "The request could not be served");
}

/**
 * Returns what `read` returns. What it throws for a bad value is the caller's mistake.
 *
 * @throws {Refusal} With the message of a `TypeError` or `RangeError`
 */
export function asked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw mistake(error);
  }
}

/** A `TypeError` or `RangeError` as the caller's mistake; any other error as it is. */
export function mistake(error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError
    ? new Refusal(400, error.message)
    : error;
}
