/**
 * Where a host's addresses come from.
 *
 * @module
 */

import { parseAddress, parseHost } from "../core/address.ts";
import { describe } from "../core/check.ts";
import { ResolveError } from "../core/errors.ts";

/** An address that there is more to say of than where it is. */
export interface ResolvedAddress {
  /** The IP address; one without a port gets that of the host. */
  readonly address: string;
  /**
   * How much it is to bear beside the others of its priority, from 0 to 1,000,000. A weight among
   * the host's options counts instead.
   *
   * @default {1}
   */
  readonly weight?: number | undefined;
  /**
   * A whole number: addresses of a higher one are used only while none of a lower one is well.
   *
   * @default {0}
   */
  readonly priority?: number | undefined;
  /** Who the certificate must be for, where that is not the host. */
  readonly serverName?: string | undefined;
  /**
   * What the machine is known to speak, by the names of ALPN, such as `["h2", "http/1.1"]`. What is
   * offered to it stays what it is; but where `h2` is not among them, callers of a host without
   * connections have them dialled at once, instead of one that shows what is spoken.
   */
  readonly protocols?: readonly string[] | undefined;
}

/** What a resolver found. */
export interface Resolution {
  /** At least one address; one without a port gets that of the host. */
  readonly addresses: readonly (string | ResolvedAddress)[];
  /** For how long it holds, in milliseconds, where the source tells. */
  readonly ttlMs?: number | undefined;
  /**
   * Whether there may be more addresses, which were not told in time: then those that were known
   * serve on, each of them until it was last told `dnsStaleMs` ago.
   *
   * @default {false}
   */
  readonly partial?: boolean | undefined;
}

/** One machine, or several, that offer a service: an SRV record (RFC 2782). */
export interface SrvRecord {
  /** Those of the lowest number are used; others only while none of these is well. */
  readonly priority: number;
  /** What share of the requests of its priority it gets. */
  readonly weight: number;
  /** The TCP port. */
  readonly port: number;
  /** The host name, whose addresses are looked up; `.` where the service is not to be had. */
  readonly target: string;
}

/** The SRV records that a resolver found. */
export interface SrvResolution {
  /** At least one. */
  readonly records: readonly SrvRecord[];
  /** For how long they hold, in milliseconds, where the source tells. */
  readonly ttlMs?: number | undefined;
}

/** Finds the addresses of host names. */
export interface Resolver {
  /** Who is asked, for figures: such as `system`, `static`, `dns` or `doh`. */
  readonly name: string;
  /**
   * Finds the addresses of a host name.
   *
   * @param name A host name in canonical text, without a port; never an address literal
   * @param signal Ends the search; nobody waits for it any more
   * @param port The port of the host, for sources that tell ports
   * @throws {ResolveError} There is none, or it could not be found out
   */
  resolve(name: string, signal: AbortSignal, port?: number): Promise<Resolution>;
  /**
   * Finds the SRV records of a name. A resolver without it serves no hosts that are found by these.
   *
   * @param name Such as `_api._tcp.example`
   * @param signal Ends the search; nobody waits for it any more
   * @throws {ResolveError} There is none, or it could not be found out
   */
  resolveSrv?(name: string, signal: AbortSignal): Promise<SrvResolution>;
  /**
   * Finds the addresses that the SVCB records of a name lead to (RFC 9460). A resolver without it
   * serves no hosts that are found by these.
   *
   * @param name Such as `_api.example`
   * @param signal Ends the search; nobody waits for it any more
   * @param port The port of the host, for addresses whose records tell none
   * @throws {ResolveError} There is none, or it could not be found out
   */
  resolveSvcb?(name: string, signal: AbortSignal, port?: number): Promise<Resolution>;
}

/**
 * Makes a resolver that knows what it is told, and nothing else.
 *
 * @param hosts Each host name with its addresses. One with a port is dialled there whatever the
 * host's own port is
 * @throws {TypeError | RangeError} A name or an address is not valid, a host has no address, or is
 * given twice, be it with two ports
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
        throw new ResolveError(name, `only ${[...known.keys()].join(", ")} are known`);
      }
      return await Promise.resolve({ addresses });
    },
  };
}
