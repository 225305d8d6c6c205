/**
 * The options of a pool that speaks HTTP.
 *
 * @module
 */

import { checkNames, checkNumber, checkStatuses, describe } from "../core/check.ts";
import type { Dialer } from "../core/dialer.ts";
import { UnsupportedOptionError } from "../core/errors.ts";
import { checkProtocols, type Protocols } from "../pool/host/tls_profiles.ts";
import { type HttpConnectionOptions, POOL_OPTIONS, type PoolOptions } from "../pool/options.ts";
import { type CheckedLimits, checkLimits, type ResponseLimits } from "./limits.ts";
import { checkRetryAfter, type RetryAfterMode } from "./retry_after.ts";

/** Options of a pool that speaks HTTP. */
export interface HttpPoolOptions extends PoolOptions {
  /** How much a server may make the pool hold or look at. */
  readonly responseLimits?: ResponseLimits;
  /**
   * How many requests may be sent again, for each that is made, because a fresh connection died.
   * Where one that had served before dies, the request is sent again for nothing.
   *
   * @default {0.2}
   */
  readonly retryShare?: number;
  /**
   * After how many milliseconds a response whose body nobody has touched loses its connection.
   *
   * @default {20_000}
   */
  readonly leakTimeoutMs?: number;
  /**
   * After how many milliseconds a response loses its connection whose body was begun to be read and
   * is not read on, though more of it is there. The time of a slow server does not count. Without it
   * a body that was begun may stand as long as its reader likes.
   *
   * @default {Infinity}
   */
  readonly bodyIdleTimeoutMs?: number;
  /**
   * Answers that count as failures of their machine, such as `[502, 503]`: a request that may be
   * repeated goes to another machine then, where there is one.
   *
   * @default {[]}
   */
  readonly failoverStatuses?: readonly number[];
  /**
   * Whether a second machine is asked too, where the first is silent for longer than is likely and
   * the request may be repeated. The first answer counts, and the other request is cancelled.
   *
   * @default {true}
   */
  readonly hedge?: boolean;
  /**
   * What becomes of a request that is answered 429 or 503 with a `Retry-After`, where it does not go
   * to another machine by `failoverStatuses`: with `"wait"` it is sent again then, if it may be
   * repeated and its `timeoutMs` allows it; with `"tell"` the answer is the caller's.
   *
   * @default {"tell"}
   */
  readonly retryAfter?: RetryAfterMode;
  /**
   * For how long a `Retry-After` is heeded, in milliseconds: a machine is left alone for no longer,
   * and a request that is told to wait for longer, all its waits together, does not wait at all.
   *
   * @default {60_000}
   */
  readonly maxRetryAfterMs?: number;
  /**
   * Answers whose `Retry-After` has every caller leave their machine alone for that time, of 429 and
   * 503: as long as no more than half of the host's machines say so. A 429 is most often for who asks
   * alone, so it is not among them.
   *
   * @default {[503]}
   */
  readonly restStatuses?: readonly number[];
  /**
   * What HTTP is spoken over, the preferred one first: a server is offered these, and chooses. `["h2"]`
   * without TLS is spoken without asking; with more than one, HTTP/1.1 is. `["http/1.1"]` offers
   * nothing, and shares connections with `acquire()`.
   *
   * @default {["h2", "http/1.1"]}
   */
  readonly protocols?: Protocols;
  /**
   * Whether a host may use a live HTTP/2 connection that was dialled for another one: to one of its
   * own addresses, with the same TLS parameters, and a certificate that is verified for both (RFC 9113
   * section 9.1.1). A server that answers 421 is not asked so again.
   *
   * @default {false}
   */
  readonly coalesce?: boolean;
}

const DEFAULT_PROTOCOLS: Protocols = ["h2", "http/1.1"];

const OPTIONS: readonly string[] = [
  ...POOL_OPTIONS,
  "bodyIdleTimeoutMs",
  "failoverStatuses",
  "hedge",
  "leakTimeoutMs",
  "maxRetryAfterMs",
  "responseLimits",
  "restStatuses",
  "retryAfter",
  "retryShare",
];

/** What a pool does with its requests, checked. */
export interface HttpRules {
  readonly bodyIdleTimeoutMs: number;
  readonly failoverStatuses: readonly number[];
  readonly hedging: boolean;
  readonly leakTimeoutMs: number;
  readonly limits: CheckedLimits;
  readonly maxRetryAfterMs: number;
  readonly restStatuses: readonly number[];
  readonly retryAfter: RetryAfterMode;
  readonly retryShare: number;
}

/**
 * Checks the options of a pool, and gives what is HTTP's of them apart from what is every pool's.
 *
 * @throws {TypeError | RangeError} An option is unknown, or not valid
 */
export function checkHttpOptions(
  options: HttpPoolOptions,
): { readonly rules: HttpRules; readonly rest: HttpConnectionOptions } {
  const {
    bodyIdleTimeoutMs = Infinity,
    coalesce = false,
    failoverStatuses = [],
    hedge = true,
    leakTimeoutMs = 20_000,
    maxRetryAfterMs = 60_000,
    protocols = DEFAULT_PROTOCOLS,
    responseLimits,
    restStatuses = [503],
    retryAfter = "tell",
    retryShare = 0.2,
    ...rest
  } = options;
  checkNames("createPool()", options, OPTIONS);
  checkNumber("retryShare", retryShare, { min: 0, max: 1 });
  checkNumber("leakTimeoutMs", leakTimeoutMs, { min: 1 });
  checkNumber("bodyIdleTimeoutMs", bodyIdleTimeoutMs, { min: 1 });
  const limits = checkLimits(responseLimits);
  checkStatuses("failoverStatuses", failoverStatuses);
  checkNumber("maxRetryAfterMs", maxRetryAfterMs, { min: 0 });
  checkRetryAfter(retryAfter);
  checkRestStatuses(restStatuses);
  if (typeof hedge !== "boolean") {
    throw new TypeError(`hedge must be true or false, got ${describe(hedge)}`);
  }
  checkCoalesce(coalesce, rest.dialer);
  return {
    rules: {
      bodyIdleTimeoutMs,
      failoverStatuses,
      hedging: hedge,
      leakTimeoutMs,
      limits,
      maxRetryAfterMs,
      restStatuses,
      retryAfter,
      retryShare,
    },
    rest: { ...rest, coalesce, protocols: checkProtocols("protocols", protocols) },
  };
}

/**
 * Checks which answers have their machine left alone.
 *
 * @throws {TypeError | RangeError} It is no list of 429 and 503
 */
function checkRestStatuses(statuses: unknown): void {
  checkStatuses("restStatuses", statuses);
  for (const status of statuses as readonly number[]) {
    if (status === 429 || status === 503) continue;
    throw new RangeError(`restStatuses must be a list of 429 and 503, got ${status} in it`);
  }
}

/**
 * Refuses `coalesce` where it could do nothing.
 *
 * @throws {UnsupportedOptionError} The dialer does not tell whom a certificate is for
 */
function checkCoalesce(coalesce: unknown, given: HttpPoolOptions["dialer"]): void {
  const dialer = given as Partial<Dialer> | undefined;
  if (typeof coalesce !== "boolean") {
    throw new TypeError(`coalesce must be true or false, got ${describe(coalesce)}`);
  }
  // What is no dialer at all is refused with the pool's other options.
  if (!coalesce || typeof dialer?.dial !== "function" || dialer.tellsCertificate) return;
  const why = "it does not tell whom a certificate is for";
  throw new UnsupportedOptionError("coalesce", dialer.name ?? "dialer", why);
}
