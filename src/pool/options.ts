/**
 * The options of a pool, and their defaults.
 *
 * @module
 */

import { checkFlag, checkNames, checkNumber, describe, type Filled } from "../core/check.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Dialer, TlsOptions } from "../core/dialer.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { AccessList, type AccessRules, restricts } from "../hosts/access.ts";
import { type Balancer, checkBalancer } from "../hosts/balancer.ts";
import type { Resolver } from "../hosts/resolver.ts";
import { lacks } from "../hosts/service.ts";
import type { Protocols } from "./host/tls_profiles.ts";
import { type CheckedHostOptions, type HostOptions, readHosts } from "./host_options.ts";
import {
  type CheckedProxies,
  type Proxies,
  type ProxyRules,
  readProxies,
} from "./proxy/proxy_options.ts";
import { type HealthCheck, readHealthCheck } from "./watch/health_check.ts";

/** Options of a pool. A bad value is a `TypeError` or `RangeError` when the pool is made. */
export interface PoolOptions {
  /** Opens the sockets. */
  readonly dialer: Dialer | Promise<Dialer>;
  /** Opens the sockets for `http:` URLs, without TLS. Without it, such URLs are refused. */
  readonly plainDialer?: Dialer | undefined;
  /** Finds the addresses of hosts. */
  readonly resolver: Resolver;
  /** The TLS options of every connection, unless a host, request or lease has its own. */
  readonly tls?: TlsOptions | undefined;
  /**
   * The proxies to use for every host: a URL, such as `http://user:password@proxy.example:3128` or
   * `socks5://proxy.example`, a list of URLs, or rules for `https:` and `http:` URLs with exceptions,
   * as `proxyFromEnv()` returns them. None by default, whatever the environment says.
   */
  readonly proxy?: Proxies | ProxyRules | null | undefined;
  /** Which addresses may be dialled, for every host and caller; all by default. */
  readonly access?: AccessRules | undefined;
  /**
   * How to choose one of a host's addresses, for a lease and for a dial: a balancer's name, or a
   * function of yours.
   *
   * @default {"p2cEwma"}
   */
  readonly balancer?: Balancer | undefined;
  /** Options of single hosts, by host. */
  readonly hosts?: { readonly [host: string]: HostOptions } | undefined;
  /** The source of time and chance. */
  readonly clock?: Clock | undefined;
  /**
   * The most connections in total.
   *
   * @default {256}
   */
  readonly maxConnections?: number | undefined;
  /**
   * The most connections to one host.
   *
   * @default {64}
   */
  readonly maxConnectionsPerHost?: number | undefined;
  /**
   * The most connections to one address, for all hosts together.
   *
   * @default {10}
   */
  readonly maxConnectionsPerIp?: number | undefined;
  /**
   * The most idle connections in total. Beyond that, the coldest are closed.
   *
   * @default {Infinity}
   */
  readonly maxIdleConnections?: number | undefined;
  /**
   * The most callers who may wait for a connection, in total.
   *
   * @default {1_024}
   */
  readonly maxWaiters?: number | undefined;
  /**
   * The most dials under way in total.
   *
   * @default {64}
   */
  readonly maxConcurrentDials?: number | undefined;
  /**
   * The most dials under way to one host.
   *
   * @default {32}
   */
  readonly maxConcurrentDialsPerHost?: number | undefined;
  /**
   * How long a dial may take, TCP and TLS together, in milliseconds.
   *
   * @default {10_000}
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * How long a dial may take before a second address is dialled beside it, in milliseconds.
   *
   * @default {250}
   */
  readonly dialStaggerMs?: number | undefined;
  /**
   * How long a caller waits for a connection, in milliseconds.
   *
   * @default {30_000}
   */
  readonly acquireTimeoutMs?: number | undefined;
  /**
   * How long a connection may be unused before it is closed, in milliseconds.
   *
   * @default {60_000}
   */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * How old a connection may grow, in milliseconds, less up to a quarter at random.
   *
   * @default {1_800_000}
   */
  readonly maxLifetimeMs?: number | undefined;
  /**
   * How often the pool looks for idle and old connections, in milliseconds.
   *
   * @default {10_000}
   */
  readonly cleanupIntervalMs?: number | undefined;
  /**
   * How long the addresses of a host are used before the resolver is asked again, in milliseconds,
   * if the resolver gives none itself.
   *
   * @default {60_000}
   */
  readonly dnsRefreshIntervalMs?: number | undefined;
  /**
   * The shortest time for which addresses are used, in milliseconds, whatever the resolver says.
   *
   * @default {30_000}
   */
  readonly dnsMinTtlMs?: number | undefined;
  /**
   * The longest time for which addresses are used, in milliseconds, whatever the resolver says.
   *
   * @default {1_800_000}
   */
  readonly dnsMaxTtlMs?: number | undefined;
  /**
   * How long the last good answer is used while the resolver fails, in milliseconds; `Infinity` is
   * for ever. A day by default, the shortest time that RFC 8767 section 5 suggests: an outage of DNS
   * stops nothing, and no address is dialled long after it may have become somebody else's.
   *
   * @default {86_400_000}
   */
  readonly dnsStaleMs?: number | undefined;
  /**
   * How long one question to the resolver may take, in milliseconds.
   *
   * @default {5_000}
   */
  readonly dnsTimeoutMs?: number | undefined;
  /**
   * How many more rounds all addresses of a host are tried, after a pause, before callers are told
   * that it is unavailable.
   *
   * @default {1}
   */
  readonly maxRetries?: number | undefined;
  /**
   * The number of failures in a row after which an address is ejected.
   *
   * @default {5}
   */
  readonly ejectAfterFailures?: number | undefined;
  /**
   * The share of failures, from 0 to 1, above which an address is ejected: of the leases of ten
   * seconds, if there were ten or more.
   *
   * @default {0.5}
   */
  readonly ejectAboveFailureRate?: number | undefined;
  /**
   * How long callers leave an ejected address alone the first time, in milliseconds. Twice as long
   * the second time, three times the third. It is back sooner if a dial finds that it works again.
   *
   * @default {30_000}
   */
  readonly ejectionMs?: number | undefined;
  /**
   * The longest time for which an address is left alone, in milliseconds.
   *
   * @default {300_000}
   */
  readonly maxEjectionMs?: number | undefined;
  /**
   * How long a new or returning address takes to grow from a tenth of its load to its full share,
   * in milliseconds.
   *
   * @default {30_000}
   */
  readonly slowStartMs?: number | undefined;
  /**
   * How to check the addresses of hosts in use before a caller notices that one is sick: `"connect"`,
   * `"tls"`, or a request such as `{ path: "/healthz" }`. None by default. A host is in use if it is
   * kept warm, or was used within `idleTimeoutMs` or the interval, whichever is longer.
   */
  readonly healthCheck?: HealthCheck | undefined;
  /**
   * How often an address is checked if it has not answered a request meanwhile, in milliseconds,
   * less up to a quarter at random.
   *
   * @default {30_000}
   */
  readonly healthCheckIntervalMs?: number | undefined;
  /**
   * How often an address is tested that is blocked until it is well, in milliseconds, less up to a
   * quarter at random. The test is your `healthCheck`, or else a handshake.
   *
   * @default {60_000}
   */
  readonly blocklistCheckIntervalMs?: number | undefined;
  /**
   * How long one check may take, in milliseconds.
   *
   * @default {5_000}
   */
  readonly testTimeoutMs?: number | undefined;
  /**
   * The most checks under way in total.
   *
   * @default {8}
   */
  readonly maxConcurrentChecks?: number | undefined;
  /**
   * The fleet of pools to share limits, verdicts on addresses and blocks with, such as `redisFleet()`
   * of `hotconn/redis`. None by default.
   */
  readonly fleet?: Fleet | undefined;
  /** Opens TCP without TLS, for checks of kind `"connect"` only. */
  readonly connectDialer?: Dialer | Promise<Dialer> | undefined;
  /**
   * How old a lease may grow, in milliseconds, before `ConnectionPool.diagnose()` reports it.
   *
   * @default {30_000}
   */
  readonly leaseWarningMs?: number | undefined;
  /**
   * Whether each lease remembers where it was acquired, so that a leak can be found. It costs as much
   * as an error per lease. Without it, a host's leases start to remember once one of them is too old.
   *
   * @default {false}
   */
  readonly traceLeases?: boolean | undefined;
}

/** Options of a pool that speaks HTTP, as far as they concern its connections. */
export interface HttpConnectionOptions extends PoolOptions {
  /** The protocols to offer for HTTP. */
  readonly protocols?: Protocols | undefined;
  /** Whether hosts share HTTP/2 connections. */
  readonly coalesce?: boolean | undefined;
}

type Optional = "connectDialer" | "fleet" | "healthCheck" | "plainDialer";

/** Every option, with its default if it was left out. */
export type ResolvedPoolOptions =
  & Filled<Omit<PoolOptions, Optional | "hosts" | "proxy">>
  & { readonly [Name in Optional]: PoolOptions[Name] }
  & { readonly protocols: Protocols | undefined; readonly coalesce: boolean }
  & {
    readonly hosts: ReadonlyMap<string, CheckedHostOptions>;
    readonly proxy: CheckedProxies;
  };

interface NumberOption {
  readonly fallback: number;
  readonly min: number;
  readonly max?: number;
  readonly whole?: boolean;
}

const NUMBERS = {
  maxConnections: { fallback: 256, min: 1, whole: true },
  maxConnectionsPerHost: { fallback: 64, min: 1, whole: true },
  maxConnectionsPerIp: { fallback: 10, min: 1, whole: true },
  maxIdleConnections: { fallback: Infinity, min: 0, whole: true },
  maxWaiters: { fallback: 1_024, min: 0, whole: true },
  maxConcurrentDials: { fallback: 64, min: 1, whole: true },
  maxConcurrentDialsPerHost: { fallback: 32, min: 1, whole: true },
  connectTimeoutMs: { fallback: 10_000, min: 1 },
  dialStaggerMs: { fallback: 250, min: 1 },
  acquireTimeoutMs: { fallback: 30_000, min: 0 },
  idleTimeoutMs: { fallback: 60_000, min: 1 },
  maxLifetimeMs: { fallback: 1_800_000, min: 1 },
  cleanupIntervalMs: { fallback: 10_000, min: 1 },
  dnsRefreshIntervalMs: { fallback: 60_000, min: 1 },
  dnsMinTtlMs: { fallback: 30_000, min: 1 },
  dnsMaxTtlMs: { fallback: 1_800_000, min: 1 },
  dnsStaleMs: { fallback: 86_400_000, min: 0 },
  dnsTimeoutMs: { fallback: 5_000, min: 1 },
  maxRetries: { fallback: 1, min: 0, whole: true },
  ejectAfterFailures: { fallback: 5, min: 1, whole: true },
  ejectAboveFailureRate: { fallback: 0.5, min: 0, max: 1 },
  ejectionMs: { fallback: 30_000, min: 1 },
  maxEjectionMs: { fallback: 300_000, min: 1 },
  slowStartMs: { fallback: 30_000, min: 0 },
  healthCheckIntervalMs: { fallback: 30_000, min: 1 },
  blocklistCheckIntervalMs: { fallback: 60_000, min: 1 },
  testTimeoutMs: { fallback: 5_000, min: 1 },
  maxConcurrentChecks: { fallback: 8, min: 1, whole: true },
  leaseWarningMs: { fallback: 30_000, min: 1 },
} satisfies { readonly [name: string]: NumberOption };

type Numbers = { [Name in keyof typeof NUMBERS]: number };

const OBJECTS = [
  "access",
  "proxy",
  "balancer",
  "hosts",
  "dialer",
  "plainDialer",
  "connectDialer",
  "resolver",
  "tls",
  "clock",
  "healthCheck",
  "fleet",
  "traceLeases",
  "protocols",
  "coalesce",
];

/** The names of a pool's options. */
export const POOL_OPTIONS: readonly string[] = [...OBJECTS, ...Object.keys(NUMBERS)];

/**
 * Checks a pool's options, and fills in the defaults.
 *
 * @throws {TypeError | RangeError} Names the option, its value, and what would be valid
 */
export function resolvePoolOptions(options: HttpConnectionOptions): ResolvedPoolOptions {
  checkNames("createPool()", options, POOL_OPTIONS);
  const { access = {}, clock = systemClock, dialer, plainDialer, resolver, tls = {} } = options;
  const { connectDialer } = options;
  if (!isDialer(dialer)) throw new TypeError(`dialer must be a Dialer, got ${describe(dialer)}`);
  if (connectDialer !== undefined && !isDialer(connectDialer)) {
    throw new TypeError(`connectDialer must be a Dialer, got ${describe(connectDialer)}`);
  }
  const healthCheck = readHealthCheck(options.healthCheck);
  if (healthCheck === "connect" && connectDialer === undefined) {
    throw new TypeError(
      "healthCheck \"connect\" needs a connectDialer, which opens TCP without TLS, got none",
    );
  }
  if (plainDialer !== undefined && typeof plainDialer?.dial !== "function") {
    throw new TypeError(`plainDialer must be a Dialer, got ${describe(plainDialer)}`);
  }
  if (typeof resolver?.resolve !== "function") {
    throw new TypeError(`resolver must be a Resolver, got ${describe(resolver)}`);
  }
  if (typeof clock?.now !== "function" || typeof clock.setTimer !== "function") {
    throw new TypeError(`clock must be a Clock, got ${describe(clock)}`);
  }
  const { fleet, traceLeases = false } = options;
  // A list has a method of this name, too.
  if (fleet !== undefined && (typeof fleet?.join !== "function" || Array.isArray(fleet))) {
    throw new TypeError(`fleet must be a Fleet, such as of redisFleet(), got ${describe(fleet)}`);
  }
  checkFlag("traceLeases", traceLeases);
  // Thrown here, before anything has begun.
  new AccessList(access);
  const proxy = readProxies("proxy", options.proxy);
  const numbers = readNumbers(options);
  const { dnsMaxTtlMs, dnsMinTtlMs } = numbers;
  if (dnsMinTtlMs > dnsMaxTtlMs) {
    throw new RangeError(
      `dnsMinTtlMs must be at most dnsMaxTtlMs, which is ${dnsMaxTtlMs}, got ${dnsMinTtlMs}`,
    );
  }
  const balancer = checkBalancer("balancer", options.balancer ?? "p2cEwma");
  const hosts = readHosts(options.hosts ?? {}, numbers.maxConnectionsPerHost);
  for (const [host, { proxies, service }] of hosts) {
    requireRules(`hosts["${host}"].proxy`, proxies, access);
    if (!service) continue;
    const { type = "SRV" } = service;
    if (typeof resolver[type === "SRV" ? "resolveSrv" : "resolveSvcb"] !== "function") {
      throw new TypeError(`hosts["${host}"].${type.toLowerCase()}: ${lacks(resolver, type)}`);
    }
  }
  requireRules("proxy", proxy, access);
  return {
    access,
    proxy,
    balancer,
    hosts,
    dialer,
    plainDialer,
    connectDialer,
    resolver,
    tls,
    clock,
    healthCheck,
    fleet,
    traceLeases,
    protocols: options.protocols,
    coalesce: options.coalesce ?? false,
    ...numbers,
  };
}

/** Refuses proxies that resolve names if there are access rules, which could not be applied. */
function requireRules(name: string, proxies: CheckedProxies | undefined, rules: AccessRules): void {
  const { http = [], https = [] } = proxies ?? {};
  if (!restricts(rules) || ![...http, ...https].some(({ resolve }) => resolve === "there")) return;
  throw new TypeError(
    `${name} has a proxy that resolves names, and access has rules for addresses, which nobody could `
      + "hold it to: have names resolved here, or leave access out",
  );
}

function readNumbers(options: PoolOptions): Numbers {
  const numbers = Object.entries<NumberOption>(NUMBERS).map(([name, { fallback, ...bounds }]) => {
    const given = options[name as keyof Numbers];
    return [name, given === undefined ? fallback : checkNumber(name, given, bounds)];
  });
  return Object.fromEntries(numbers) as Numbers;
}

function isDialer(value: unknown): boolean {
  return typeof value === "object" && value !== null && ("dial" in value || "then" in value);
}
