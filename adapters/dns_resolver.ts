/**
 * A resolver that asks DNS servers, and heeds how long their answers hold.
 *
 * @example
 * ```ts
 * import { createPool } from "@hotconn/hotconn";
 * import { dnsResolver } from "@hotconn/hotconn/dns";
 *
 * await using pool = createPool({
 *   resolver: dnsResolver({ servers: ["192.0.2.53", "[2001:db8::53]:5353"] }),
 * });
 * console.log(pool.stats().connections);
 * ```
 *
 * @module
 */

import { promises } from "node:dns";
import { ipPort, parseAddress } from "../src/core/address.ts";
import { checkNames, describe } from "../src/core/check.ts";
import type { Resolver } from "../src/hosts/resolver.ts";
import { queryDns } from "./resolvers/dns_query.ts";
import { recordResolver } from "./resolvers/record_resolver.ts";

/** Options of {@linkcode dnsResolver}. */
export interface DnsResolverOptions {
  /**
   * The IP addresses of the servers to ask, with a port unless that is 53. By default, the servers
   * that the system is set to ask.
   */
  readonly servers?: readonly string[] | undefined;
  /**
   * The IP versions to ask for, in the order in which to return their addresses.
   *
   * @default {[4, 6]}
   */
  readonly families?: readonly (4 | 6)[] | undefined;
  /**
   * Whether to ask for HTTPS records (RFC 9460) too, which may name other machines and ports.
   *
   * @default {false}
   */
  readonly httpsRecords?: boolean | undefined;
}

/**
 * Makes a resolver that asks DNS servers itself, and so learns how long an answer holds. It knows
 * neither the system's hosts file nor its search domains. For `localhost` and short names, use
 * `systemResolver()`.
 *
 * It asks for both IP versions at once. When one answer has come, it waits for the other at most 50
 * ms (RFC 8305 section 3). If that one is late, the pool soon asks again.
 *
 * If a server answers SERVFAIL or REFUSED, the next one is asked. If a server is silent for 1.5 s,
 * the next one is asked too, and the first answer counts. Records of any name but the one that was
 * asked for, and its aliases, are ignored. On Deno it needs the permission `--allow-net` for the
 * servers, and `--allow-sys=networkInterfaces` if you leave out `servers`.
 *
 * @throws {TypeError | RangeError} An option is unknown, or not valid
 */
export function dnsResolver(options: DnsResolverOptions = {}): Resolver {
  checkNames("dnsResolver()", options, ["servers", "families", "httpsRecords"]);
  const servers = options.servers && readServers(options.servers);
  return recordResolver(
    "dns",
    options,
    (name, type, signal) =>
      queryDns(servers ?? new promises.Resolver().getServers(), name, type, signal),
  );
}

function readServers(servers: readonly string[]): string[] {
  if (!Array.isArray(servers) || servers.length === 0) {
    throw new TypeError(
      `servers must be a list of at least one IP address, got ${describe(servers)}`,
    );
  }
  return servers.map((text) => {
    const { ip, port } = parseAddress(text, 53);
    return ipPort(ip, port);
  });
}
