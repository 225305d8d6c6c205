/**
 * Where a host's addresses come from.
 *
 * @module
 */

import { parseAddress, parseHost } from "../core/address.ts";
import { describe } from "../core/check.ts";
import { ResolveError } from "../core/errors.ts";

/** What a resolver found. */
export interface Resolution {
  /** At least one address; one without a port gets that of the host. */
  readonly addresses: readonly string[];
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

/** Finds the addresses of host names. */
export interface Resolver {
  /** Who is asked, for figures: such as `system`, `static`, `dns` or `doh`. */
  readonly name: string;
  /**
   * Finds the addresses of a host name.
   *
   * @param name A host name in canonical text, without a port; never an address literal
   * @param signal Ends the search; nobody waits for it any more
   * @throws {ResolveError} There is none, or it could not be found out
   */
  resolve(name: string, signal: AbortSignal): Promise<Resolution>;
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
