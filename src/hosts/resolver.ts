/**
 * Where a host's addresses come from.
 *
 * @module
 */

import { parseAddress, parseHost } from "../core/address.ts";
import { describe, listed } from "../core/check.ts";
import { ResolveError } from "../core/errors.ts";

/** An address, and what else the resolver knows about it. */
export interface ResolvedAddress {
  /** The IP address. Without a port, the port of the host counts. */
  readonly address: string;
  /**
   * How much load it takes beside the others of its priority, from 0 to 1,000,000. A weight in the
   * host's options counts instead.
   *
   * @default {1}
   */
  readonly weight?: number | undefined;
  /**
   * A whole number. Addresses with a higher one are used only while none with a lower one is well.
   *
   * @default {0}
   */
  readonly priority?: number | undefined;
  /** The name that the certificate must be for, if not the host. */
  readonly serverName?: string | undefined;
  /**
   * The protocols that the machine is known to speak, by their ALPN names, such as `["h2",
   * "http/1.1"]`. This does not change what is offered to it. But without `h2`, connections for all
   * callers of a cold host are dialled at once, instead of one first to see what is spoken.
   */
  readonly protocols?: readonly string[] | undefined;
}

/** What a resolver found. */
export interface Resolution {
  /** At least one address. Without a port, the port of the host counts. */
  readonly addresses: readonly (string | ResolvedAddress)[];
  /** How long the answer may be used, in milliseconds, if the source says so. */
  readonly ttlMs?: number | undefined;
  /**
   * Whether there may be more addresses that did not arrive in time. Then known ones stay in use, each
   * until `dnsStaleMs` after the resolver last named it.
   *
   * @default {false}
   */
  readonly partial?: boolean | undefined;
}

/** One machine, or several, that offer a service: an SRV record (RFC 2782). */
export interface SrvRecord {
  /** The lowest number is used first; others only while none of these is well. */
  readonly priority: number;
  /** Its share of the requests, within its priority. */
  readonly weight: number;
  /** The TCP port. */
  readonly port: number;
  /** The host name whose addresses to look up; `.` if the service is not available. */
  readonly target: string;
}

/** The SRV records that a resolver found. */
export interface SrvResolution {
  /** At least one. */
  readonly records: readonly SrvRecord[];
  /** How long they may be used, in milliseconds, if the source says so. */
  readonly ttlMs?: number | undefined;
}

/** Finds the addresses of host names. */
export interface Resolver {
  /** Its name in figures, such as `system`, `static`, `dns` or `doh`. */
  readonly name: string;
  /**
   * Finds the addresses of a host name.
   *
   * @param name A host name in canonical text, without a port; never an address literal
   * @param signal Ends the search, because nobody waits for it any more
   * @param port The port of the host, for sources that know ports
   * @throws {ResolveError} There is none, or the search failed
   */
  resolve(name: string, signal: AbortSignal, port?: number): Promise<Resolution>;
  /**
   * Finds the SRV records of a name. A host with `srv` needs a resolver that has this.
   *
   * @param name Such as `_api._tcp.example`
   * @param signal Ends the search; nobody waits for it any more
   * @throws {ResolveError} There is none, or it could not be found out
   */
  resolveSrv?(name: string, signal: AbortSignal): Promise<SrvResolution>;
  /**
   * Finds the addresses that the SVCB records of a name lead to (RFC 9460). A host with `svcb` needs a
   * resolver that has this.
   *
   * @param name Such as `_api.example`
   * @param signal Ends the search; nobody waits for it any more
   * @param port The port of the host, for addresses whose records tell none
   * @throws {ResolveError} There is none, or it could not be found out
   */
  resolveSvcb?(name: string, signal: AbortSignal, port?: number): Promise<Resolution>;
}

/**
 * Makes a resolver that knows only the hosts you give it.
 *
 * @param hosts Each host name with its addresses. One with a port is dialled there whatever the
 * host's own port is
 * @throws {TypeError | RangeError} A name or an address is not valid, a host has no address, or is
 * given twice, even with two ports
 *
 * @example
 * ```ts
 * import { staticResolver } from "@hotconn/hotconn";
 * import { assertEquals } from "@std/assert";
 *
 * const resolver = staticResolver({ "example.test": ["127.0.0.2", "127.0.0.3:8443"] });
 * const { addresses } = await resolver.resolve("example.test", AbortSignal.timeout(1_000));
 * assertEquals(addresses, ["127.0.0.2", "127.0.0.3:8443"]);
 * ```
 */
export function staticResolver(hosts: { readonly [host: string]: readonly string[] }): Resolver {
  if (typeof hosts !== "object" || hosts === null) {
    throw new TypeError(`staticResolver() needs an object of hosts, got ${describe(hosts)}`);
  }
  const known = new Map<string, readonly string[]>();
  for (const [text, addresses] of Object.entries(hosts)) {
    if (!Array.isArray(addresses) || addresses.length === 0) {
      const got = Array.isArray(addresses) ? "an empty one" : describe(addresses);
      throw new TypeError(`Host ${text} needs a list of at least one address, got ${got}`);
    }
    for (const address of addresses) parseAddress(address);
    const { name } = parseHost(text);
    if (known.has(name)) {
      throw new TypeError(
        `Host ${text} is given twice: a resolver is asked for ${name}, whatever the port`,
      );
    }
    known.set(name, [...addresses]);
  }
  return {
    name: "static",
    async resolve(name) {
      const addresses = known.get(name);
      if (!addresses) {
        const names = listed([...known.keys()], (host) => host, ", ");
        throw new ResolveError(name, `the list has only ${names}`);
      }
      return await Promise.resolve({ addresses });
    },
  };
}
