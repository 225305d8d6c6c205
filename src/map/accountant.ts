/**
 * The one place where connections are counted against limits: those that are open, and those that
 * are being dialled.
 *
 * @module
 */

import { checkNumber } from "../core/check.ts";
import { LimitError, type LimitScope } from "../core/errors.ts";

/** How many connections there may be. */
export interface ConnectionLimits {
  /** In all. */
  readonly maxConnections: number;
  /** To one host. */
  readonly maxConnectionsPerHost: number;
  /** To one address. */
  readonly maxConnectionsPerIp: number;
}

/** The limits that hold where no option says otherwise. */
export const DEFAULT_LIMITS: ConnectionLimits = {
  maxConnections: 256,
  maxConnectionsPerHost: 64,
  maxConnectionsPerIp: 10,
};

/**
 * Checks limits; those that are left out are the others'.
 *
 * @throws {TypeError | RangeError} A limit is not valid
 */
export function checkLimits(
  given: Partial<ConnectionLimits>,
  others: ConnectionLimits,
): ConnectionLimits {
  const limits: { -readonly [Name in keyof ConnectionLimits]: number } = { ...others };
  for (const name of Object.keys(limits) as (keyof ConnectionLimits)[]) {
    limits[name] = checkNumber(name, given[name] ?? limits[name], { min: 1, whole: true });
  }
  return limits;
}

/** Counts per address, per host and in all. Every operation is O(1). */
export class Accountant {
  /** Whether more may be counted than the limits let, because they were lowered. */
  mayExceed = false;
  #limits: ConnectionLimits;
  readonly #hostLimits = new Map<string, number>();
  readonly #hosts = new Map<string, number>();
  readonly #addresses = new Map<string, number>();
  #total = 0;

  /** Makes an accountant that has counted nothing. */
  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** The limits it holds. */
  get limits(): ConnectionLimits {
    return this.#limits;
  }

  /** Holds other limits from now on. What is counted already may be more than they let. */
  setLimits(limits: ConnectionLimits): void {
    this.#limits = limits;
    this.mayExceed = true;
  }

  /** Whether a host, an address or all together have more than they may, since limits were lowered. */
  exceeds(host: string, address: string): boolean {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    return this.#total > maxConnections || this.ofHost(host) > this.limitOf(host)
      || this.ofAddress(address) > maxConnectionsPerIp;
  }

  /** Finds out whether more are counted still than the limits let. */
  settle(): void {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    this.mayExceed = this.#total > maxConnections
      || [...this.#hosts].some(([host, count]) => count > this.limitOf(host))
      || [...this.#addresses.values()].some((count) => count > maxConnectionsPerIp);
  }

  /** How many are counted in all. */
  get total(): number {
    return this.#total;
  }

  /** How many are counted for a host. */
  ofHost(host: string): number {
    return this.#hosts.get(host) ?? 0;
  }

  /** How many are counted for an address. */
  ofAddress(address: string): number {
    return this.#addresses.get(address) ?? 0;
  }

  /** How many connections a host may have. */
  limitOf(host: string): number {
    return this.#hostLimits.get(host) ?? this.#limits.maxConnectionsPerHost;
  }

  /** Lets a host have another number of connections than others may. */
  setLimit(host: string, connections: number): void {
    this.#hostLimits.set(host, connections);
  }

  /** Which limit one more would break: the narrowest one first. */
  blockedBy(host: string, address: string): LimitScope | undefined {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    if (this.ofAddress(address) >= maxConnectionsPerIp) return "ip";
    if (this.ofHost(host) >= this.limitOf(host)) return "host";
    if (this.#total >= maxConnections) return "total";
    return undefined;
  }

  /**
   * Counts one more.
   *
   * @throws {LimitError} It would break a limit
   */
  add(host: string, address: string): void {
    const scope = this.blockedBy(host, address);
    if (scope) throw this.#refusal(scope, host, address);
    this.#hosts.set(host, this.ofHost(host) + 1);
    this.#addresses.set(address, this.ofAddress(address) + 1);
    this.#total++;
  }

  /** Counts one less. */
  remove(host: string, address: string): void {
    decrement(this.#hosts, host);
    decrement(this.#addresses, address);
    this.#total--;
  }

  #refusal(scope: LimitScope, host: string, address: string): LimitError {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    if (scope === "ip") return new LimitError("ip", maxConnectionsPerIp, address);
    if (scope === "host") return new LimitError("host", this.limitOf(host), host);
    return new LimitError("total", maxConnections, "");
  }
}

function decrement(counts: Map<string, number>, key: string): void {
  const count = counts.get(key) ?? 0;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
}
