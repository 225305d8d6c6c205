/**
 * The addresses of hosts as DNS servers tell them, with the time for which they hold.
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
import { ResolveError } from "../src/core/errors.ts";
import type { Resolution, Resolver } from "../src/hosts/resolver.ts";
import {
  askFamilies,
  BOTH_FAMILIES,
  checkFamilies,
  type Family,
} from "./resolvers/address_families.ts";
import type { RecordType } from "./resolvers/dns_message.ts";
import { queryDns } from "./resolvers/dns_query.ts";
import { resolveOrigin } from "./resolvers/service_bindings.ts";

/** Options of {@linkcode dnsResolver}. */
export interface DnsResolverOptions {
  /**
   * The servers to ask, by their IP addresses, with a port where it is not 53. Those that the
   * system is set to ask, where it is left out.
   */
  readonly servers?: readonly string[];
  /**
   * The IP versions to ask for, in the order in which their addresses are given.
   *
   * @default {[4, 6]}
   */
  readonly families?: readonly (4 | 6)[];
  /**
   * Whether to ask for HTTPS records (RFC 9460) as well, which may tell other machines and ports.
   *
   * @default {false}
   */
  readonly httpsRecords?: boolean;
}

/** After how long a silent server is given up for the next, so that a caller still waits then. */
const TRY_MS = 1_500;

/** How often the servers are gone through. */
const ROUNDS = 2;

/** What a server knows, and no other would know better: there is no such name, or no address. */
const DENIALS = ["ENOTFOUND", "ENODATA"];

/**
 * Makes a resolver that asks DNS servers itself, and so learns for how long an answer holds. It
 * knows neither the system's hosts file nor its search order: `localhost` and short names are for
 * `systemResolver()`.
 *
 * Both IP versions are asked for at once; when one has come, the other is waited for no longer than
 * 50 ms (RFC 8305 section 3), and where it is late, the answer is soon asked for again.
 *
 * A server that is silent or ill (SERVFAIL, REFUSED) is given up for the next. What Deno tells is
 * less: the time is that of the addresses alone, even where an alias (CNAME) holds for less; and a
 * server that is ill looks like one that knows of no such name, so that no other is asked. And it
 * needs the permissions `--allow-net` and `--allow-sys=networkInterfaces`, even where `servers` says
 * whom to ask.
 *
 * @throws {TypeError | RangeError} An option is unknown, or not valid
 */
export function dnsResolver(options: DnsResolverOptions = {}): Resolver {
  checkNames("dnsResolver()", options, ["servers", "families", "httpsRecords"]);
  const { httpsRecords = false } = options;
  if (typeof httpsRecords !== "boolean") {
    throw new TypeError(`httpsRecords must be true or false, got ${describe(httpsRecords)}`);
  }
  const servers = options.servers && readServers(options.servers);
  const families = checkFamilies(options.families ?? BOTH_FAMILIES);
  const ask = <Type extends RecordType>(name: string, type: Type, signal: AbortSignal) =>
    queryDns(servers ?? new promises.Resolver().getServers(), name, type, signal);
  const addresses = async (name: string, signal: AbortSignal) => {
    const question = new Question(name, servers);
    try {
      return await askFamilies(name, families, signal, (family) => question.ask(family));
    } finally {
      question.end();
    }
  };
  return {
    name: "dns",
    resolve: (name, signal, port) =>
      httpsRecords
        ? resolveOrigin({ name, port, families, signal, addresses, ask })
        : addresses(name, signal),
    async resolveSrv(name, signal) {
      try {
        return await ask(name, "SRV", signal);
      } catch (error) {
        signal.throwIfAborted();
        const detail = error instanceof Error ? error.message : String(error);
        throw new ResolveError(name, `SRV: ${detail}`, { cause: error });
      }
    },
  };
}

/** One question, to one server after the other. Not every runtime goes on to the next by itself. */
class Question {
  readonly #name: string;
  readonly #servers: readonly string[] | undefined;
  readonly #asked = new Set<promises.Resolver>();
  #ended = false;

  constructor(name: string, servers: readonly string[] | undefined) {
    this.#name = name;
    this.#servers = servers;
  }

  async ask(family: Family): Promise<Resolution> {
    let failure: unknown = new Error("there is no server to ask");
    const servers = new Set(this.#servers ?? new promises.Resolver().getServers());
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of servers) {
        try {
          return await this.#askOne(server, family);
        } catch (error) {
          failure = error;
          const { code } = error as { code?: string };
          if (this.#ended || DENIALS.includes(code ?? "")) throw error;
        }
      }
    }
    throw failure;
  }

  end(): void {
    this.#ended = true;
    for (const dns of this.#asked) dns.cancel();
  }

  async #askOne(server: string, family: Family): Promise<Resolution> {
    const dns = new promises.Resolver({ timeout: TRY_MS, tries: 1 });
    dns.setServers([server]);
    this.#asked.add(dns);
    try {
      const records = family === 4
        ? await dns.resolve4(this.#name, { ttl: true })
        : await dns.resolve6(this.#name, { ttl: true });
      if (records.length === 0) throw new Error("no address");
      return {
        addresses: records.map(({ address }) => address),
        ttlMs: 1_000 * Math.min(...records.map(({ ttl }) => ttl)),
      };
    } finally {
      this.#asked.delete(dns);
    }
  }
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
