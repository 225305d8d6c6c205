/**
 * Options of single hosts.
 *
 * @module
 */

import {
  type Address,
  addressKey,
  DEFAULT_PORT,
  type Host,
  MAX_WEIGHT,
  parseAddress,
  parseHost,
  withItsPort,
} from "../core/address.ts";
import { checkFlag, checkNames, checkNumber, describe, named, quote } from "../core/check.ts";
import type { TlsOptions } from "../core/dialer.ts";
import { type Balancer, checkBalancer } from "../hosts/balancer.ts";
import type { Service } from "../hosts/service.ts";
import { checkProtocols, checkTls, type Protocols } from "./host/tls_profiles.ts";
import { type CheckedProxies, type Proxies, readProxies } from "./proxy/proxy_options.ts";

/** Options of one host. What is left out is as for the pool. */
export interface HostOptions {
  /**
   * How many connections to keep open from the start, used or not, spread over the host's addresses.
   * Lost ones are dialled again, and old ones are replaced before they end.
   *
   * @default {0}
   */
  readonly minIdle?: number | undefined;
  /** The most connections to it. By default, the pool's `maxConnectionsPerHost`. */
  readonly maxConnections?: number | undefined;
  /** Its addresses, so that no resolver is asked. One without a port has the port of the host. */
  readonly addresses?: readonly string[] | undefined;
  /**
   * The name of the SRV records that list its machines, such as `_api._tcp.example` (RFC 2782): their
   * targets, ports, priorities and weights. The resolver needs a `resolveSrv()`.
   */
  readonly srv?: string | undefined;
  /**
   * The name of the SVCB records that list its machines, such as `_api.example` (RFC 9460): their
   * aliases, targets, ports, priorities, hints and protocols. The resolver needs a `resolveSvcb()`.
   */
  readonly svcb?: string | undefined;
  /**
   * Whether the certificate must be for the target that an SRV record names, instead of the host.
   * Whoever can change the DNS answer then chooses who is asked.
   *
   * @default {false}
   */
  readonly verifySrvTarget?: boolean | undefined;
  /** How to choose among its addresses. By default, the pool's `balancer`. */
  readonly balancer?: Balancer | undefined;
  /** How much load each address takes beside the others, by IP address or address. By default 1. */
  readonly weights?: { readonly [address: string]: number } | undefined;
  /** The proxies to use, or null for none. By default, the pool's `proxy`. */
  readonly proxy?: Proxies | null | undefined;
  /** The TLS options of its connections. By default, the pool's `tls`. */
  readonly tls?: TlsOptions | undefined;
  /** The protocols to offer it. By default, the pool's `protocols`. */
  readonly protocols?: Protocols | undefined;
}

/** {@linkcode HostOptions}, read. */
export interface CheckedHostOptions {
  readonly host: Host;
  readonly minIdle: number;
  readonly maxConnections: number | undefined;
  readonly addresses: readonly Address[] | undefined;
  readonly service: Service | undefined;
  readonly balancer: Balancer | undefined;
  /** By IP address, and by canonical text. */
  readonly weights: ReadonlyMap<string, number>;
  /** Null means none; undefined means those of the pool. */
  readonly proxies: CheckedProxies | undefined;
  readonly tls: TlsOptions | undefined;
  readonly protocols: Protocols | undefined;
}

const NAMES = [
  "minIdle",
  "maxConnections",
  "addresses",
  "srv",
  "svcb",
  "verifySrvTarget",
  "balancer",
  "weights",
  "proxy",
  "tls",
  "protocols",
];

/**
 * Reads the options of hosts, by the hosts' canonical text.
 *
 * @throws {TypeError | RangeError} Names the host, the option, its value, and what would be valid
 */
export function readHosts(
  hosts: { readonly [host: string]: HostOptions },
  maxConnectionsPerHost: number,
): Map<string, CheckedHostOptions> {
  if (typeof hosts !== "object" || hosts === null || Array.isArray(hosts)) {
    throw new TypeError(
      `hosts must be an object of hosts and their options, got ${describe(hosts)}`,
    );
  }
  const read = new Map<string, CheckedHostOptions>();
  for (const [text, options] of Object.entries(hosts)) {
    const host = named(`hosts["${text}"]`, () => parseHost(text));
    if (read.has(host.text)) throw new TypeError(`hosts has ${host.text} twice: once as ${text}`);
    read.set(host.text, readHost(host, options, maxConnectionsPerHost));
  }
  return read;
}

function readHost(
  host: Host,
  options: HostOptions,
  maxConnectionsPerHost: number,
): CheckedHostOptions {
  const name = `hosts["${host.text}"]`;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${name} must be an object of options, got ${describe(options)}`);
  }
  checkNames(name, options, NAMES);
  const {
    addresses,
    balancer,
    maxConnections,
    minIdle = 0,
    protocols,
    proxy,
    tls,
    weights = {},
  } = options;
  if (maxConnections !== undefined) {
    checkNumber(`${name}.maxConnections`, maxConnections, { min: 1, whole: true });
  }
  const max = maxConnections ?? maxConnectionsPerHost;
  return {
    host,
    minIdle: checkNumber(`${name}.minIdle`, minIdle, { min: 0, max, whole: true }),
    maxConnections,
    addresses: addresses === undefined ? undefined : readAddresses(name, host, addresses),
    service: readService(name, host, options),
    balancer: balancer === undefined ? undefined : checkBalancer(`${name}.balancer`, balancer),
    weights: readWeights(name, weights),
    proxies: proxy === undefined ? undefined : readProxies(`${name}.proxy`, proxy),
    tls: tls === undefined ? undefined : checkTls(`${name}.tls`, tls),
    protocols: protocols === undefined
      ? undefined
      : checkProtocols(`${name}.protocols`, protocols),
  };
}

function readAddresses(name: string, host: Host, addresses: readonly string[]): Address[] {
  if (host.isLiteral) {
    throw new TypeError(`${name} is an address itself: it takes no addresses`);
  }
  if (!Array.isArray(addresses) || addresses.length === 0) {
    throw new TypeError(
      `${name}.addresses must be a list of at least one address, got ${describe(addresses)}`,
    );
  }
  const read = new Map<string, Address>();
  for (const text of addresses) {
    const address = named(`${name}.addresses`, () => parseAddress(text, host.port));
    read.set(address.text, address);
  }
  return [...read.values()];
}

function readService(name: string, host: Host, options: HostOptions): Service | undefined {
  const { addresses, srv = host.srv, svcb, verifySrvTarget = false } = options;
  checkFlag(`${name}.verifySrvTarget`, verifySrvTarget);
  if (srv === undefined && verifySrvTarget) {
    throw new TypeError(`${name}.verifySrvTarget needs ${name}.srv`);
  }
  const given = srv ?? svcb;
  if (given === undefined) return undefined;
  const [type, option] = srv === undefined ? ["SVCB", "svcb"] as const : ["SRV", "srv"] as const;
  if (host.isLiteral) throw new TypeError(`${name} is an address itself: it takes no ${option}`);
  const other = addresses !== undefined
    ? "addresses"
    : srv !== undefined && svcb !== undefined
    ? "svcb"
    : undefined;
  if (other) throw new TypeError(`${name} has both ${other} and ${option}: give one`);
  const { isLiteral, name: records, port, srv: prefixed } = named(
    `${name}.${option}`,
    () => parseHost(given),
  );
  if (isLiteral || port !== DEFAULT_PORT || prefixed !== undefined) {
    const example = type === "SRV" ? "_api._tcp.example" : "_api.example";
    throw new TypeError(
      `${name}.${option} must be a name such as ${example}, without a port, got ${quote(given)}`,
    );
  }
  return { type, name: records, verifyTarget: verifySrvTarget };
}

function readWeights(
  name: string,
  weights: { readonly [address: string]: number },
): Map<string, number> {
  if (typeof weights !== "object" || weights === null || Array.isArray(weights)) {
    throw new TypeError(`${name}.weights must be weights by address, got ${describe(weights)}`);
  }
  const read = new Map<string, number>();
  for (const [text, weight] of Object.entries(weights)) {
    checkNumber(`${name}.weights["${text}"]`, weight, { min: 0, max: MAX_WEIGHT });
    read.set(named(`${name}.weights`, () => addressKey(text)), weight);
  }
  return read;
}

/** The weight of an address, if the options set one. */
export function weightOf(
  { weights }: CheckedHostOptions,
  { ip, text }: Address,
): number | undefined {
  return weights.get(withItsPort(text, ip)) ?? weights.get(ip);
}
