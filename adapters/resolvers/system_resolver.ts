/**
 * A resolver that asks the system.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { messageOf } from "../../src/core/check.ts";
import { ResolveError } from "../../src/core/errors.ts";
import type { Resolver } from "../../src/hosts/resolver.ts";

/**
 * Makes a resolver over the system's own: its hosts file, its DNS, its order. It does not know how
 * long an answer holds. On Deno it needs the permission `--allow-net` for the names it looks up.
 *
 * @example
 * ```ts
 * import { systemResolver } from "@hotconn/hotconn";
 *
 * const signal = AbortSignal.timeout(5_000);
 * const { addresses } = await systemResolver().resolve("localhost", signal);
 * if (!addresses.some((address) => address === "127.0.0.1" || address === "::1")) throw new Error();
 * ```
 */
export function systemResolver(): Resolver {
  return {
    name: "system",
    async resolve(name) {
      try {
        return { addresses: (await lookup(name, { all: true })).map(({ address }) => address) };
      } catch (error) {
        throw new ResolveError(name, explain(error), { cause: error });
      }
    },
  };
}

/** Deno says only EPERM if a program lacks the permission. */
function explain(error: unknown): string {
  const detail = messageOf(error);
  const isForbidden = "Deno" in globalThis && (error as { code?: unknown }).code === "EPERM";
  return isForbidden ? `${detail}: it requires net access, run again with --allow-net` : detail;
}
