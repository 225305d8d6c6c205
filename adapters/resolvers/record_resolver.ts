/**
 * A resolver over any source of DNS records.
 *
 * @module
 */

import { checkFlag, messageOf } from "../../src/core/check.ts";
import { ResolveError } from "../../src/core/errors.ts";
import type { Resolver } from "../../src/hosts/resolver.ts";
import { askFamilies, BOTH_FAMILIES, checkFamilies, type Family } from "./address_families.ts";
import type { Found, RecordType } from "./dns_message.ts";
import { resolveBindings, resolveOrigin } from "./service_bindings.ts";

/** What is asked for. */
export interface RecordOptions {
  /** The families of addresses to ask for, both if they are left out. */
  readonly families?: readonly Family[] | undefined;
  /** @default {false} */
  readonly httpsRecords?: boolean | undefined;
}

/** Asks for the records of a type of a name. */
export type AskRecords = <Type extends RecordType>(
  name: string,
  type: Type,
  signal: AbortSignal,
) => Promise<Found<Type>>;

/**
 * Makes a resolver from a function that asks for records.
 *
 * @throws {TypeError} An option is not valid
 */
export function recordResolver(
  resolver: string,
  { families: given = BOTH_FAMILIES, httpsRecords = false }: RecordOptions,
  ask: AskRecords,
): Resolver {
  checkFlag("httpsRecords", httpsRecords);
  const families = checkFamilies(given);
  const addresses = (name: string, signal: AbortSignal) =>
    askFamilies(name, families, signal, async (family) => {
      const { records, ttlMs } = await ask(name, family === 4 ? "A" : "AAAA", signal);
      return { addresses: records, ttlMs };
    });
  return {
    name: resolver,
    resolve: (name, signal, port) =>
      httpsRecords
        ? resolveOrigin({ name, port, families, signal, addresses, ask })
        : addresses(name, signal),
    resolveSvcb: (name, signal, port) =>
      resolveBindings({ name, port, families, signal, addresses, ask }),
    async resolveSrv(name, signal) {
      try {
        return await ask(name, "SRV", signal);
      } catch (error) {
        signal.throwIfAborted();
        const detail = messageOf(error);
        throw new ResolveError(name, `SRV: ${detail}`, { cause: error });
      }
    },
  };
}
