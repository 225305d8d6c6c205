/**
 * The options of a request.
 *
 * @module
 */

import {
  checkFlag,
  checkNames,
  checkNumber,
  checkSignal,
  checkStatuses,
  describe,
} from "../core/check.ts";
import type { TlsOptions } from "../core/dialer.ts";
import { checkExclude } from "../pool/host/address_filter.ts";
import { checkProtocols, type Protocols } from "../pool/host/tls_profiles.ts";
import { checkFieldNames } from "./field_check.ts";
import type { RequestBody } from "./payload.ts";
import type { RequestHeaders } from "./request_headers.ts";
import { checkRetryAfter, type RetryAfterMode } from "./retry_after.ts";

/** How a request is made. */
export interface RequestOptions {
  /**
   * The method, in capitals. It is sent as you write it, and `post` is not `POST`.
   *
   * @default {"GET"}
   */
  readonly method?: string | undefined;
  /**
   * The header fields. Host, Content-Length and Transfer-Encoding follow from URL and body. A stream is
   * sent in chunks, unless a Content-Length among the fields says how long it is.
   */
  readonly headers?: RequestHeaders | undefined;
  /** The body. Bytes are not copied: leave them as they are until the request has ended. */
  readonly body?: RequestBody | null | undefined;
  /** Ends the request at any point. It rejects, or its body fails, with the signal's reason. */
  readonly signal?: AbortSignal | null | undefined;
  /**
   * How long the request may take, until its body has arrived, in milliseconds. 0 is no time at all,
   * and `Infinity` is no bound.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How long the first byte may take on a connection that had been idle, in milliseconds, before a
   * request that may be repeated is sent again over another connection.
   *
   * @default {10_000}
   */
  readonly firstByteTimeoutMs?: number | undefined;
  /** Only this machine: an IP address, with a port or without. */
  readonly ip?: string | undefined;
  /** Not these machines: IP addresses, with a port or without. */
  readonly exclude?: Iterable<string> | undefined;
  /** The same machine for the same text, as long as it answers. */
  readonly sticky?: string | undefined;
  /** Its own TLS options, in place of those of the host or pool. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Whether the request may be sent more than once. By default, the method decides (RFC 9110 section
   * 9.2.2), or an `Idempotency-Key` among the headers.
   */
  readonly idempotent?: boolean | undefined;
  /**
   * Statuses that count as failures of their machine, such as `[503]`. A request that may be repeated
   * then goes to another machine, if there is one. By default, those of the pool.
   */
  readonly failoverStatuses?: readonly number[] | undefined;
  /**
   * Whether to ask a second machine too, when the first is silent for suspiciously long and the request
   * may be repeated. By default, as the pool says.
   */
  readonly hedge?: boolean | undefined;
  /**
   * What to do when told to come back later, and no other machine is asked. `"wait"` waits and sends it
   * again, if it may be repeated, its `timeoutMs` allows, and the wait is within the pool's
   * `maxRetryAfterMs`. `"tell"` returns the answer. By default, as the pool says.
   */
  readonly retryAfter?: RetryAfterMode | undefined;
  /** The protocols to offer. By default, those of the host or the pool. */
  readonly protocols?: Protocols | undefined;
  /**
   * Fields to send after the body, or a function that returns them once the body has ended. Over
   * HTTP/1.1 the body is then sent in chunks. A request that is sent again calls the function again.
   */
  readonly trailers?: RequestTrailers | undefined;
  /**
   * Names of header fields and trailers whose values are secret. Over HTTP/2 they are never kept in a
   * table. `authorization`, `cookie` and `proxy-authorization` always count as secret.
   */
  readonly sensitiveHeaders?: readonly string[] | undefined;
}

/** Fields to send after a body, or a function that returns them once the body has ended. */
export type RequestTrailers = RequestHeaders | (() => RequestHeaders | Promise<RequestHeaders>);

const OPTIONS = [
  "method",
  "headers",
  "body",
  "signal",
  "timeoutMs",
  "firstByteTimeoutMs",
  "ip",
  "exclude",
  "sticky",
  "tls",
  "idempotent",
  "failoverStatuses",
  "hedge",
  "retryAfter",
  "protocols",
  "trailers",
  "sensitiveHeaders",
];

/**
 * Checks options, and returns them.
 *
 * @throws {TypeError | RangeError} One is unknown, or not valid
 */
export function checkRequestOptions(options: RequestOptions): RequestOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`The options must be an object, got ${describe(options)}`);
  }
  checkNames("request()", options, OPTIONS);
  const { exclude, failoverStatuses, firstByteTimeoutMs, hedge, idempotent, method } = options;
  const { sensitiveHeaders, signal, timeoutMs } = options;
  if (options.protocols !== undefined) checkProtocols("protocols", options.protocols);
  if (method !== undefined && typeof method !== "string") {
    throw new TypeError(`method must be a text, got ${describe(method)}`);
  }
  if (idempotent !== undefined) checkFlag("idempotent", idempotent);
  if (hedge !== undefined) checkFlag("hedge", hedge);
  checkSignal(signal);
  if (timeoutMs !== undefined) checkNumber("timeoutMs", timeoutMs, { min: 0 });
  if (firstByteTimeoutMs !== undefined) {
    checkNumber("firstByteTimeoutMs", firstByteTimeoutMs, { min: 0 });
  }
  if (sensitiveHeaders !== undefined) checkFieldNames("sensitiveHeaders", sensitiveHeaders);
  if (failoverStatuses !== undefined) checkStatuses("failoverStatuses", failoverStatuses);
  if (options.retryAfter !== undefined) checkRetryAfter(options.retryAfter);
  if (exclude === undefined || Array.isArray(exclude)) return options;
  // It is read for each attempt, and some iterables can be read only once.
  return { ...options, exclude: [...checkExclude(exclude)] };
}
