/**
 * A host's machines as listed by SRV records (RFC 2782) or SVCB records (RFC 9460).
 *
 * @module
 */

import { ipPort, parseAddress } from "../core/address.ts";
import { describe, messageOf } from "../core/check.ts";
import { ResolveError } from "../core/errors.ts";
import type { Resolution, ResolvedAddress, Resolver, SrvRecord } from "./resolver.ts";

/** What is asked for if records of another name list a host's machines. */
export interface Service {
  /** The type of the records. @default {"SRV"} */
  readonly type?: "SRV" | "SVCB";
  /** The name of the records, such as `_api._tcp.example`. */
  readonly name: string;
  /** Whether the certificate must be for the target instead of the host. */
  readonly verifyTarget: boolean;
}

/** How many targets are looked up. */
const MAX_TARGETS = 64;

/**
 * Finds the addresses of a service.
 *
 * @param port The port of the host, for records that tell none
 * @throws {ResolveError} Its records lead to none
 * @throws The signal's reason, when it aborts first
 */
export async function resolveService(
  resolver: Resolver,
  service: Service,
  signal: AbortSignal,
  port?: number,
): Promise<Resolution> {
  if (service.type !== "SVCB") return await resolveTargets(resolver, service, signal);
  const { name } = service;
  if (!resolver.resolveSvcb) throw new ResolveError(name, lacks(resolver, "SVCB"));
  return await resolver.resolveSvcb(name, signal, port);
}

/**
 * Finds the addresses of the targets of SRV records. A target that has none now is passed over, and then
 * the answer is a part: what was known before serves on.
 *
 * @throws {ResolveError} There is no record, none of its targets has an address, or it says that the
 * service is not to be had
 * @throws The signal's reason, when it aborts first
 */
async function resolveTargets(
  resolver: Resolver,
  { name, verifyTarget }: Service,
  signal: AbortSignal,
): Promise<Resolution> {
  if (!resolver.resolveSrv) throw new ResolveError(name, lacks(resolver, "SRV"));
  const { records, ttlMs } = await resolver.resolveSrv(name, signal);
  if (!Array.isArray(records) || records.length === 0) {
    const got = Array.isArray(records) ? "none" : describe(records);
    throw new ResolveError(name, `the resolver gave ${got} for a list of SRV records`);
  }
  const usable = records.filter(({ target }) => target !== "." && target !== "");
  if (usable.length === 0) {
    throw new ResolveError(name, "its SRV record says that there is no such service");
  }
  const shares = sharesOf(usable);
  const failures: unknown[] = [];
  const ttls: number[] = ttlMs === undefined ? [] : [ttlMs];
  let isPart = usable.length > MAX_TARGETS;
  const found = await Promise.all(
    usable.slice(0, MAX_TARGETS).map(async (record): Promise<ResolvedAddress[]> => {
      try {
        const { addresses, partial, ttlMs: ttl } = await resolver.resolve(record.target, signal);
        if (ttl !== undefined) ttls.push(ttl);
        isPart ||= partial === true;
        return addresses.map((item) => ({
          address: withPort(typeof item === "string" ? item : item.address, record.port),
          priority: record.priority,
          // A target counts once, however many addresses it has.
          weight: shares.get(record)! / addresses.length,
          ...verifyTarget && { serverName: record.target },
        }));
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
        isPart = true;
        return [];
      }
    }),
  );
  const addresses = found.flat();
  if (addresses.length === 0) {
    const [cause] = failures;
    const detail = messageOf(cause);
    throw new ResolveError(name, `none of its targets has an address: ${detail}`, { cause });
  }
  return {
    addresses,
    ...ttls.length > 0 && { ttlMs: Math.min(...ttls) },
    ...isPart && { partial: true },
  };
}

/** Makes the error for a resolver that cannot look up records of a type. */
export function lacks({ name }: Resolver, type: "SRV" | "SVCB"): string {
  const method = type === "SRV" ? "resolveSrv" : "resolveSvcb";
  return `the resolver "${name}" can look up no ${type} records: it has no ${method}()`;
}

/**
 * The weights that targets are chosen by. RFC 2782 draws a whole number from 0 to the sum of a
 * priority's weights: 0 falls to one of those that weigh nothing, which so share one part.
 */
function sharesOf(records: readonly SrvRecord[]): Map<SrvRecord, number> {
  const weightless = new Map<number, number>();
  for (const { priority, weight } of records) {
    if (weight === 0) weightless.set(priority, (weightless.get(priority) ?? 0) + 1);
  }
  return new Map(records.map((record) => {
    const { priority, weight } = record;
    return [record, weight === 0 ? 1 / weightless.get(priority)! : weight];
  }));
}

/** An address with a port, whatever port it has. */
function withPort(address: string, port: number): string {
  const { ip } = parseAddress(address);
  return ipPort(ip, port);
}
