/**
 * What can be shown of a pool's options: listed one by one, so that no secret is among them.
 *
 * @module
 */

import type { TlsOptions } from "../core/dialer.ts";
import { AccessList } from "../hosts/access.ts";
import type { Balancer } from "../hosts/balancer.ts";
import type { ConnectionLimits } from "../map/accountant.ts";
import type { CheckedHostOptions } from "./host_options.ts";
import type { ResolvedPoolOptions } from "./options.ts";
import type { CheckedProxies } from "./proxy/proxy_options.ts";
import { kindOf } from "./watch/health_check.ts";

/** The value of an option: plain data. If there is no limit, or nothing was given, it is null. */
export type OptionValue =
  | null
  | boolean
  | number
  | string
  | readonly OptionValue[]
  | { readonly [name: string]: OptionValue };

/** One option. */
export interface OptionInfo {
  /** Its value. */
  readonly value: OptionValue;
  /** Whether it was set, when the pool was made or later. Otherwise it is the default. */
  readonly isSet: boolean;
}

/**
 * A pool's options, without secrets: of `tls` only the names of what was set, of proxies their URLs
 * without credentials, of a health check by request only that it is one. Options that are code, such
 * as the dialer, are left out.
 */
export interface OptionsInfo {
  /** The options of the pool, by name. */
  readonly options: { readonly [name: string]: OptionInfo };
  /** What was set for single hosts: by host, the options by name. */
  readonly hosts: { readonly [host: string]: { readonly [name: string]: OptionValue } };
}

/** The TLS options that hold now. */
interface CurrentTls {
  readonly tls: TlsOptions;
  /** Those of hosts that have their own. */
  readonly ownTls: ReadonlyMap<string, TlsOptions>;
}

/** The names of what is set in options. */
export function namesSet(options: object): string[] {
  return Object.entries(options).flatMap(([name, value]) => value === undefined ? [] : [name]);
}

/** Options by name, with whether they are among those that were set. */
export function optionInfos(
  values: { readonly [name: string]: OptionValue },
  set: ReadonlySet<string>,
): OptionsInfo["options"] {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { value, isSet: set.has(name) }]),
  );
}

/** A number, or null if there is no limit. */
export function finite(value: number): number | null {
  return value === Infinity ? null : value;
}

/**
 * What can be shown of a pool's options.
 *
 * @param set The names of those that were set
 * @param limits The limits that hold now
 * @param current The TLS options that hold now
 */
export function optionsInfo(
  options: ResolvedPoolOptions,
  set: ReadonlySet<string>,
  limits: ConnectionLimits,
  current: CurrentTls,
): OptionsInfo {
  const { access, balancer, coalesce, healthCheck, hosts, protocols, proxy, traceLeases } = options;
  const numbers = Object.entries(options).flatMap(([name, value]) =>
    typeof value === "number" ? [[name, finite(value)] as const] : []
  );
  const { allow, deny = [], denyPrivate = false } = new AccessList(access).rules;
  const values = {
    ...Object.fromEntries(numbers),
    maxConnections: finite(limits.maxConnections),
    maxConnectionsPerHost: finite(limits.maxConnectionsPerHost),
    maxConnectionsPerIp: finite(limits.maxConnectionsPerIp),
    access: { ...allow && { allow }, deny, denyPrivate },
    balancer: balancerName(balancer),
    coalesce,
    healthCheck: healthCheck === undefined ? null : kindOf(healthCheck),
    protocols: protocols ?? null,
    proxy: proxyLabels(proxy),
    tls: namesSet(current.tls),
    traceLeases,
  };
  return {
    options: optionInfos(values, set),
    hosts: Object.fromEntries(
      Array.from(new Set([...hosts.keys(), ...current.ownTls.keys()]), (host) => {
        const own = hosts.get(host);
        const tls = current.ownTls.get(host);
        return [host, { ...own && hostValues(own), ...tls && { tls: namesSet(tls) } }];
      }),
    ),
  };
}

function hostValues(options: CheckedHostOptions): { readonly [name: string]: OptionValue } {
  const { addresses, balancer, maxConnections, minIdle, protocols, proxies, service } = options;
  return {
    ...minIdle > 0 && { minIdle },
    ...maxConnections !== undefined && { maxConnections: finite(maxConnections) },
    ...addresses && { addresses: addresses.map(({ text }) => text) },
    ...service && { [service.type === "SVCB" ? "svcb" : "srv"]: service.name },
    ...service?.verifyTarget && { verifySrvTarget: true },
    ...balancer && { balancer: balancerName(balancer) },
    ...options.weights.size > 0 && { weights: Object.fromEntries(options.weights) },
    ...proxies && { proxy: proxyLabels(proxies) },
    ...protocols && { protocols },
  };
}

function balancerName(balancer: Balancer): string {
  return typeof balancer === "function" ? "a function" : balancer;
}

function proxyLabels({ http, https }: CheckedProxies): OptionValue {
  if (http.length + https.length === 0) return null;
  const labels = (proxies: typeof http) => proxies.map(({ label }) => label);
  return { http: labels(http), https: labels(https) };
}
