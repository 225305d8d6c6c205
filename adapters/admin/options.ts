/**
 * The options of the admin router.
 *
 * @module
 */

import { parseHost } from "../../src/core/address.ts";
import { checkFlag, checkNames, checkNumber, describe, quote } from "../../src/core/check.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { openMetrics, type OpenMetricsOptions } from "../../src/metrics/open_metrics.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import {
  type AdminMiddleware,
  type AdminTokens,
  type Gate,
  middlewareGate,
  openGate,
  tokenGate,
} from "./access.ts";

/** What somebody did, or tried to do, with a pool. */
export interface AuditEntry {
  /** When, in milliseconds since 1970, by the clock on the wall. */
  readonly at: number;
  /** Who: the name of the token, or what the middleware said; empty if unknown (401). */
  readonly who: string;
  /** The pool's name. */
  readonly pool: string;
  /** The action, such as `drain`. */
  readonly action: string;
  /** Its target: a host, an address, a connection's number; empty for the pool itself. */
  readonly target: string;
  /**
   * The outcome: it is done or goes on, they had no right to it, it made no sense or was not
   * possible, or the pool failed at it.
   */
  readonly outcome: "done" | "begun" | "denied" | "refused" | "failed";
  /** Why it was not done; null if it was. */
  readonly message: string | null;
}

/** Options of `adminRouter()`. */
export interface AdminOptions {
  /**
   * Who may look and act: tokens, or a middleware that calls `grantAccess()` for those it knows.
   * Required, unless you set `insecure`.
   */
  readonly auth?: AdminTokens | AdminMiddleware | undefined;
  /**
   * Lets everybody who can reach the router look and act. For a router that something else guards.
   *
   * @default {false}
   */
  readonly insecure?: boolean | undefined;
  /**
   * The hosts that must have a good address for `/healthz` to answer 200; by pool name if there are
   * several pools. A host that the pool has no addresses of yet counts as unavailable, so keep it
   * warm.
   */
  readonly requiredHosts?: readonly string[] | {
    readonly [pool: string]: readonly string[];
  } | undefined;
  /**
   * Called after each action, once its outcome is known, and after each attempt that was denied
   * (401 and 403). Nobody waits for it, and no answer depends on it. What it throws surfaces as an
   * uncaught error. If nothing may happen off the record, put a middleware in front.
   */
  readonly audit?: ((entry: AuditEntry) => void) | undefined;
  /** Options of `/metrics`, as for `openMetrics()`. */
  readonly metrics?: OpenMetricsOptions | undefined;
  /**
   * How many events per pool are kept for clients that reconnect to the stream.
   *
   * @default {1_000}
   */
  readonly eventHistory?: number | undefined;
  /** Ends all event streams, and stops listening to the pools, when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** The source of time. */
  readonly clock?: Clock | undefined;
}

/** Pools by name. */
export interface NamedPools {
  /** The pool with this name: letters, digits and `_.-`, at most 64. */
  readonly [name: string]: ConnectionPool;
}

/** The options, checked. */
export interface CheckedOptions {
  readonly gate: Gate;
  /** Whether tokens are what lets in. */
  readonly hasTokens: boolean;
  /** Whether everybody is let in, so that the page need not ask who it is. */
  readonly isOpen: boolean;
  readonly requiredHosts: ReadonlyMap<string, readonly string[]>;
  readonly audit: ((entry: AuditEntry) => void) | undefined;
  readonly metrics: OpenMetricsOptions;
  readonly eventHistory: number;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
}

const KNOWN = [
  "auth",
  "insecure",
  "requiredHosts",
  "audit",
  "metrics",
  "eventHistory",
  "signal",
  "clock",
];

/**
 * Reads the pools by their names. A pool alone is named `default`.
 *
 * @throws {TypeError} There is none, one is no pool, or a name does not fit into a path
 */
export function readPools(pools: ConnectionPool | NamedPools): Map<string, ConnectionPool> {
  if (isPool(pools)) return new Map([["default", pools]]);
  if (typeof pools !== "object" || pools === null) {
    throw new TypeError(`pools must be a pool, or pools by name, got ${describe(pools)}`);
  }
  const named = new Map(Object.entries(pools));
  if (named.size === 0) throw new TypeError("pools must hold a pool or more, got none");
  for (const [name, pool] of named) {
    if (!/^\w[\w.-]{0,63}$/.test(name)) {
      throw new TypeError(
        `The pool's name ${quote(name)} must be of letters, digits and _.-, 64 at the most`,
      );
    }
    if (!isPool(pool)) {
      throw new TypeError(`pools["${name}"] must be a pool, got ${describe(pool)}`);
    }
  }
  return named;
}

function isPool(value: unknown): value is ConnectionPool {
  return typeof value === "object" && value !== null && "manager" in value
    && "stats" in value && typeof value.stats === "function";
}

/**
 * Checks the options.
 *
 * @throws {TypeError | RangeError} Names the option, and what would be valid
 */
export function readOptions(
  options: AdminOptions,
  pools: ReadonlyMap<string, ConnectionPool>,
): CheckedOptions {
  checkNames("adminRouter()", options, KNOWN);
  const { audit, auth, clock = systemClock, eventHistory = 1_000, insecure } = options;
  const { metrics = {}, signal } = options;
  if (audit !== undefined && typeof audit !== "function") {
    throw new TypeError(`audit must be a function, got ${describe(audit)}`);
  }
  // For no pool: this checks the options now rather than at the first scrape.
  openMetrics({}, metrics);
  return {
    gate: readGate(auth, insecure),
    hasTokens: typeof auth === "object",
    isOpen: insecure === true,
    requiredHosts: readRequired(options.requiredHosts, pools),
    audit,
    metrics,
    eventHistory: checkNumber("eventHistory", eventHistory, { min: 1, max: 100_000, whole: true }),
    signal,
    clock,
  };
}

function readGate(auth: AdminOptions["auth"], insecure: unknown): Gate {
  if (insecure !== undefined) checkFlag("insecure", insecure);
  if (auth === undefined) {
    if (insecure) return openGate;
    throw new TypeError(
      "adminRouter() needs auth: tokens or a middleware; insecure: true lets in everybody who asks "
        + "for localhost or an IP address",
    );
  }
  if (insecure) throw new TypeError("Only one of auth and insecure can say who is let in");
  if (typeof auth === "function") return middlewareGate(auth);
  if (typeof auth === "object" && auth !== null) return tokenGate(auth);
  throw new TypeError(`auth must be tokens or a middleware, got ${describe(auth)}`);
}

function readRequired(
  given: AdminOptions["requiredHosts"],
  pools: ReadonlyMap<string, ConnectionPool>,
): Map<string, readonly string[]> {
  if (given === undefined) return new Map();
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`requiredHosts must be a list of hosts, got ${describe(given)}`);
  }
  const [only = ""] = pools.keys();
  if (Array.isArray(given) && pools.size > 1) {
    throw new TypeError("requiredHosts must name the pool of each list, where there are several");
  }
  const byPool = Array.isArray(given) ? [[only, given]] as const : Object.entries(given);
  return new Map(byPool.map(([name, hosts]) => {
    if (!pools.has(name)) {
      throw new TypeError(
        `requiredHosts names the pool ${quote(name)}, which is not there`,
      );
    }
    if (!Array.isArray(hosts)) {
      throw new TypeError(`requiredHosts must be a list of hosts, got ${describe(hosts)}`);
    }
    return [name, hosts.map((host) => parseHost(host).text)];
  }));
}
