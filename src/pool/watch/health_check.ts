/**
 * What a pool does to find out how an address is before a caller does.
 *
 * @module
 */

import { checkNames, checkStatuses, quote } from "../../core/check.ts";
import type { Connection } from "../../map/connection.ts";

/** A check by a request over HTTP/1.1. */
export interface HttpCheck {
  /** The path and query to ask for, such as `/healthz`. */
  readonly path: string;
  /**
   * The method.
   *
   * @default {"GET"}
   */
  readonly method?: "GET" | "HEAD";
  /** The answers that are well; 200 to 399 if it is left out. */
  readonly statuses?: readonly number[];
}

/**
 * How the addresses of hosts are checked. A closed set.
 *
 * - `connect`: TCP alone, over the pool's `connectDialer`: it tells nothing of TLS there
 * - `tls`: with the handshake, the certificate included
 * - an {@linkcode HttpCheck}: a request over a connection of the host; needs a pool that speaks HTTP
 */
export type HealthCheck = "connect" | "tls" | HttpCheck;

/** What a check was. A closed set, like {@linkcode HealthCheck}. */
export type CheckKind = "connect" | "tls" | "http";

/** The outcome of an HTTP check on one connection. */
export interface CheckAnswer {
  /** What went wrong; undefined if it did well. */
  readonly error: Error | undefined;
  /** What came, in words. */
  readonly reason: string;
  /** Whether the connection may be used again. */
  readonly reusable: boolean;
  /** Whether not one byte came. */
  readonly silent: boolean;
}

/** Makes an HTTP check over a connection that nobody else uses; never rejects. */
export type CheckOver = (
  connection: Connection,
  check: HttpCheck,
  signal: AbortSignal,
) => Promise<CheckAnswer>;

/** The name of a check's kind. */
export function kindOf(check: HealthCheck): CheckKind {
  return typeof check === "string" ? check : "http";
}

/**
 * Checks the option, and copies it.
 *
 * @throws {TypeError | RangeError} It is none of the kinds, or a part of it is not valid
 */
export function readHealthCheck(check: unknown): HealthCheck | undefined {
  if (check === undefined || check === "connect" || check === "tls") return check;
  if (typeof check !== "object" || check === null) {
    throw new TypeError(`healthCheck must be "connect", "tls" or { path }, got ${quote(check)}`);
  }
  checkNames("healthCheck", check, ["path", "method", "statuses"]);
  const { path, method = "GET", statuses } = check as Partial<HttpCheck>;
  if (typeof path !== "string" || !/^\/[!-~]*$/.test(path) || path.includes("#")) {
    throw new TypeError(
      "healthCheck.path must be a path in ASCII such as \"/healthz\", without a fragment, "
        + `got ${quote(path)}`,
    );
  }
  if (method !== "GET" && method !== "HEAD") {
    throw new TypeError(`healthCheck.method must be "GET" or "HEAD", got ${quote(method)}`);
  }
  if (statuses === undefined) return { path, method };
  checkStatuses("healthCheck.statuses", statuses);
  if (statuses.length === 0) {
    throw new TypeError("healthCheck.statuses must have one status at least: none would be well");
  }
  return { path, method, statuses: [...statuses] };
}

/** Whether a status is one that a check takes for well. */
export function isWell({ statuses }: HttpCheck, status: number): boolean {
  return statuses ? statuses.includes(status) : status >= 200 && status < 400;
}
