/**
 * What the examples take from the environment, so that they can be tried without the network:
 *
 * - `CA_FILE`: a file with the authority to trust, PEM; else those that the runtime trusts
 * - `ADDRESSES`: hosts and their machines, such as `shop.test=127.0.0.2:8443,127.0.0.3:8443`, with
 *   spaces between the hosts; else the system's resolver is asked
 *
 * And how they explain themselves where they are not told what to do.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { type CreatePoolOptions, staticResolver } from "../mod.ts";

/** Reads the environment, as options of a pool. */
export function surroundings(): Pick<CreatePoolOptions, "resolver" | "tls"> {
  const { ADDRESSES, CA_FILE } = process.env;
  return {
    ...ADDRESSES && { resolver: staticResolver(readAddresses(ADDRESSES)) },
    ...CA_FILE && { tls: { ca: [readFileSync(CA_FILE, "utf8")] } },
  };
}

/** Prints how a program is run, and ends it with 2. */
export function explain(usage: string): never {
  console.error(usage);
  process.exit(2);
}

function readAddresses(text: string): { readonly [host: string]: readonly string[] } {
  return Object.fromEntries(
    text.trim().split(/\s+/).map((entry) => {
      const [host = "", addresses = ""] = entry.split("=");
      return [host, addresses.split(",")];
    }),
  );
}
