/**
 * The addresses of a host with what their source says of them.
 *
 * @module
 */

import { type Address, MAX_WEIGHT, parseAddress, parseHost } from "../core/address.ts";
import { checkNumber, describe } from "../core/check.ts";
import { ResolveError } from "../core/errors.ts";
import type { Resolution, ResolvedAddress } from "./resolver.ts";

/** An address of a host. What its source does not say is left out. */
export interface HostAddress extends Address {
  /** Its weight beside the others of its priority. */
  readonly weight?: number;
  /** Addresses with a higher number are used when none with a lower one works. */
  readonly priority?: number;
  /** The name that the certificate must be for, if not the host. */
  readonly serverName?: string;
  /** The protocols that the machine is known to speak, by their ALPN names. */
  readonly protocols?: readonly string[];
}

/** The highest number of a priority: SRV records end at 65535, and something may come after them. */
const MAX_PRIORITY = 1_000_000;

/** The useful part of a resolver's answer. */
export interface ReadAddresses {
  readonly addresses: readonly HostAddress[];
  /** What cannot be dialled, each with the reason. */
  readonly leftOut: readonly string[];
}

/** How many of the addresses that were left out are reported. */
const MAX_LEFT_OUT = 8;

/**
 * Reads what a resolver returned, which may be anything. Each address is listed once, with its
 * lowest priority. Useless ones are left out, since the others can still serve.
 *
 * @param port The port of addresses that have none
 * @throws {ResolveError} There is none of use
 */
export function readAddresses(
  resolution: Resolution | undefined,
  name: string,
  port: number,
): ReadAddresses {
  const given: unknown = resolution?.addresses;
  if (!Array.isArray(given)) {
    throw new ResolveError(name, `the resolver gave ${describe(given)} for a list of addresses`);
  }
  const addresses = new Map<string, HostAddress>();
  const leftOut: string[] = [];
  let cause: unknown;
  for (const item of given as readonly (string | ResolvedAddress)[]) {
    try {
      const address = readAddress(item, port);
      const other = addresses.get(address.text);
      if (!other || priorityOf(address) < priorityOf(other)) addresses.set(address.text, address);
    } catch (error) {
      cause = error;
      if (leftOut.length < MAX_LEFT_OUT) leftOut.push((error as Error).message);
    }
  }
  if (addresses.size === 0) {
    const why = leftOut.length === 0 ? "" : ` of use: ${leftOut.join("; ")}`;
    throw new ResolveError(
      name,
      `the resolver gave none${why}`,
      cause === undefined ? {} : { cause },
    );
  }
  return { addresses: [...addresses.values()], leftOut };
}

function readAddress(item: string | ResolvedAddress, defaultPort: number): HostAddress {
  if (typeof item !== "object" || item === null) return parseAddress(item, defaultPort);
  const { address, priority, protocols, serverName, weight } = item;
  const what = `The resolver's ${address}`;
  if (weight !== undefined) checkNumber(`${what}: weight`, weight, { min: 0, max: MAX_WEIGHT });
  if (priority !== undefined) {
    checkNumber(`${what}: priority`, priority, { min: 0, max: MAX_PRIORITY, whole: true });
  }
  if (protocols !== undefined && !isListOfTexts(protocols)) {
    const got = describe(protocols);
    throw new TypeError(`${what}: protocols must be a list such as ["h2"], got ${got}`);
  }
  return {
    ...parseAddress(address, defaultPort),
    ...weight !== undefined && { weight },
    ...priority !== undefined && { priority },
    ...serverName !== undefined && { serverName: parseHost(serverName).name },
    ...protocols !== undefined && { protocols: [...protocols] },
  };
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** The priority of an address: the lower, the earlier. */
export function priorityOf({ priority }: HostAddress): number {
  return priority ?? 0;
}

/** Whether two lists say the same about the same addresses, in whatever order. */
export function sayTheSame(some: readonly HostAddress[], others: readonly HostAddress[]): boolean {
  if (some.length !== others.length) return false;
  const known = new Map(others.map((address) => [address.text, address]));
  return some.every((address) => {
    const other = known.get(address.text);
    return other !== undefined && address.weight === other.weight
      && address.priority === other.priority && address.serverName === other.serverName
      && String(address.protocols) === String(other.protocols);
  });
}

/**
 * The addresses to use now: those of the lowest priority; if none of these works, those of the next
 * one too, and so on (RFC 2782: a client must try the lowest that it can reach).
 */
export function inUse(
  addresses: readonly HostAddress[],
  isWell: (address: HostAddress) => boolean,
): readonly HostAddress[] {
  const priorities = new Set(addresses.map(priorityOf));
  let last = Infinity;
  for (const priority of [...priorities].sort((a, b) => a - b)) {
    last = priority;
    if (addresses.some((address) => priorityOf(address) === priority && isWell(address))) break;
  }
  return addresses.filter((address) => priorityOf(address) <= last);
}
