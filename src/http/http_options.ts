/**
 * The options of a pool that speaks HTTP.
 *
 * @module
 */

import { checkFlag, checkNames, checkNumber, checkStatuses } from "../core/check.ts";
import type { Dialer } from "../core/dialer.ts";
import { UnsupportedOptionError } from "../core/errors.ts";
import { checkProtocols, type Protocols } from "../pool/host/tls_profiles.ts";
import { finite, type OptionValue } from "../pool/option_info.ts";
import { type HttpConnectionOptions, POOL_OPTIONS, type PoolOptions } from "../pool/options.ts";
import { type CheckedLimits, checkLimits, type ResponseLimits } from "./limits.ts";
import { checkRetryAfter, type RetryAfterMode } from "./retry_after.ts";

/** Options of a pool that speaks HTTP. */
export interface HttpPoolOptions extends PoolOptions {
  /** The longest head, line and so on that a server may send. */
  readonly responseLimits?: ResponseLimits | undefined;
  /**
   * How many retries each request earns, for when a fresh connection dies. When a connection dies that
   * had served before, the retry is free.
   *
   * @default {0.2}
   */
  readonly retryShare?: number | undefined;
  /**
   * How long a response may keep its connection while nobody touches its body, in milliseconds.
   *
   * @default {20_000}
   */
  readonly leakTimeoutMs?: number | undefined;
  /**
   * How long a response may keep its connection while nobody reads on, in milliseconds, after somebody
   * started to read its body. Time that a slow server takes does not count. Without it, a reader may
   * take as long as it likes.
   *
   * @default {Infinity}
   */
  readonly bodyIdleTimeoutMs?: number | undefined;
  /**
   * Statuses that count as failures of their machine, such as `[502, 503]`. A request that may be
   * repeated then goes to another machine, if there is one.
   *
   * @default {[]}
   */
  readonly failoverStatuses?: readonly number[] | undefined;
  /**
   * Whether to ask a second machine too, when the first is silent for suspiciously long and the request
   * may be repeated. The first answer counts, and the other request is cancelled.
   *
   * @default {true}
   */
  readonly hedge?: boolean | undefined;
  /**
   * What to do with an answer 429 or 503 with a `Retry-After`, unless `failoverStatuses` sends the
   * request to another machine. `"wait"` waits and sends it again, if it may be repeated and its
   * `timeoutMs` allows. `"tell"` returns the answer to the caller.
   *
   * @default {"tell"}
   */
  readonly retryAfter?: RetryAfterMode | undefined;
  /**
   * The longest `Retry-After` to heed, in milliseconds. A machine rests for no longer. A request that
   * would have to wait for longer, all its waits together, does not wait at all.
   *
   * @default {60_000}
   */
  readonly maxRetryAfterMs?: number | undefined;
  /**
   * The statuses, of 429 and 503, whose `Retry-After` lets the machine rest from all callers, as long
   * as no more than half of the host's machines say so. A 429 is usually meant for one caller, so it
   * is not among them.
   *
   * @default {[503]}
   */
  readonly restStatuses?: readonly number[] | undefined;
  /**
   * The protocols to offer, preferred first. The server chooses. Without TLS, `["h2"]` is spoken without
   * asking; with more than one protocol, HTTP/1.1 is. `["http/1.1"]` offers nothing, and shares
   * connections with `acquire()`.
   *
   * @default {["h2", "http/1.1"]}
   */
  readonly protocols?: Protocols | undefined;
  /**
   * Whether a host may use an HTTP/2 connection that was dialled for another host: to one of its own
   * addresses, with the same TLS options, and a certificate that is verified for both (RFC 9113
   * section 9.1.1). After a 421 the pool does not try that again.
   *
   * @default {false}
   */
  readonly coalesce?: boolean | undefined;
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
 * Checks the options of a pool, and separates those for HTTP from those of every pool.
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
  checkFlag("hedge", hedge);
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

/** What can be shown of these options, by name. */
export function httpValues(rules: HttpRules): { readonly [name: string]: OptionValue } {
  const { failoverStatuses, hedging, limits, restStatuses, retryAfter, retryShare } = rules;
  return {
    bodyIdleTimeoutMs: finite(rules.bodyIdleTimeoutMs),
    failoverStatuses,
    hedge: hedging,
    leakTimeoutMs: finite(rules.leakTimeoutMs),
    maxRetryAfterMs: finite(rules.maxRetryAfterMs),
    responseLimits: { ...limits },
    restStatuses,
    retryAfter,
    retryShare,
  };
}

/**
 * Checks which answers let their machine rest.
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
 * Refuses `coalesce` if it could do nothing.
 *
 * @throws {UnsupportedOptionError} The dialer does not show the names in a certificate
 */
function checkCoalesce(coalesce: unknown, given: HttpPoolOptions["dialer"]): void {
  const dialer = given as Partial<Dialer> | undefined;
  checkFlag("coalesce", coalesce);
  // Something that is not a dialer is refused with the pool's other options.
  if (!coalesce || typeof dialer?.dial !== "function" || dialer.tellsCertificate) return;
  const why = "it does not show the names in a certificate";
  throw new UnsupportedOptionError("coalesce", dialer.name ?? "dialer", why);
}
