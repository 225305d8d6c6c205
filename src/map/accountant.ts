/**
 * The one place where connections are counted against limits: those that are open, and those that
 * are being dialled.
 *
 * @module
 */

import { checkNumber } from "../core/check.ts";
import { LimitError, type LimitScope } from "../core/errors.ts";
import type { FleetPermits } from "../fleet/fleet.ts";

/** How many connections there may be. */
export interface ConnectionLimits {
  /** In all. */
  readonly maxConnections: number;
  /** To one host. */
  readonly maxConnectionsPerHost: number;
  /** To one address. */
  readonly maxConnectionsPerIp: number;
}

/** The default limits. */
export const DEFAULT_LIMITS: ConnectionLimits = {
  maxConnections: 256,
  maxConnectionsPerHost: 64,
  maxConnectionsPerIp: 10,
};

/**
 * Checks limits, and fills in those that are left out.
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
  /** Whether there may be more connections than the limits allow, because the limits were lowered. */
  mayExceed = false;
  #limits: ConnectionLimits;
  readonly #hostLimits = new Map<string, number>();
  readonly #hosts = new Map<string, number>();
  readonly #addresses = new Map<string, number>();
  readonly #ceilings = new Map<string, number>();
  #total = 0;
  /** What the fleet permits, if there is one: it has the same limits, for all of its pools. */
  #permits: FleetPermits | undefined;

  /** Makes an accountant that has counted nothing. */
  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Shares the limits of addresses, and those of single hosts, with a whole fleet. */
  share(permits: FleetPermits): void {
    this.#permits = permits;
    this.mayExceed = this.#total > 0;
  }

  /** The limits in force. */
  get limits(): ConnectionLimits {
    return this.#limits;
  }

  /** Changes the limits. There may be more connections than the new ones allow. */
  setLimits(limits: ConnectionLimits): void {
    this.#limits = limits;
    this.mayExceed = true;
  }

  /** Whether a host, an address or the whole has more than it may, after limits were lowered. */
  exceeds(host: string, address: string): boolean {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    if (!this.mayExceed) return false;
    return this.#total > maxConnections || this.ofHost(host) > this.limitOf(host)
      || this.ofAddress(address) > maxConnectionsPerIp
      || (this.#permits !== undefined
        && this.#keys(host, address).some((key) => this.#overdraws(key)));
  }

  /** Whether connections that are ending still take up what the fleet permits. */
  isClearing(host: string, address: string): boolean {
    const permits = this.#permits;
    return permits !== undefined
      && this.#keys(host, address).some((key) => permits.isClearing(key));
  }

  /** Finds out whether there are still more connections than the limits allow. */
  settle(): void {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    this.mayExceed = this.#total > maxConnections
      || [...this.#hosts].some(([host, count]) => count > this.limitOf(host))
      || [...this.#addresses.values()].some((count) => count > maxConnectionsPerIp)
      || (this.#permits !== undefined && this.#overdrawsAny());
  }

  /** How many there are in total. */
  get total(): number {
    return this.#total;
  }

  /** How many there are to a host. */
  ofHost(host: string): number {
    return this.#hosts.get(host) ?? 0;
  }

  /** How many there are to an address. */
  ofAddress(address: string): number {
    return this.#addresses.get(address) ?? 0;
  }

  /** How many connections a host may have. */
  limitOf(host: string): number {
    return this.#hostLimits.get(host) ?? this.#limits.maxConnectionsPerHost;
  }

  /** Sets how many connections one host may have. */
  setLimit(host: string, connections: number): void {
    this.#hostLimits.set(host, connections);
  }

  /**
   * Limits an address to fewer connections, because its machine turned further ones away. This ends no
   * connection, and those that are open count.
   *
   * @param connections How many it may have; undefined removes this limit
   */
  setCeiling(address: string, connections: number | undefined): void {
    if (connections === undefined) this.#ceilings.delete(address);
    else this.#ceilings.set(address, connections);
  }

  /** How many connections the machine at an address is known to accept. */
  ceilingOf(address: string): number {
    return this.#ceilings.get(address) ?? Infinity;
  }

  /** Which limit forbids one more dial, including how many connections machines accept. */
  blockedBy(host: string, address: string): LimitScope | undefined {
    if (this.#ceilings.size > 0 && this.ofAddress(address) >= this.ceilingOf(address)) return "ip";
    return this.#brokenBy(host, address);
  }

  /** Whether one more dial waits only for the fleet's permission, which has been asked for. */
  awaitsPermits(host: string, address: string): boolean {
    if (!this.#permits || this.ofAddress(address) >= this.ceilingOf(address)) return false;
    return this.#limitedBy(host, address) === undefined
      && this.#refusedBy(this.#permits, host, address) !== undefined;
  }

  /** Which limit one more would break: the narrowest one first. */
  #brokenBy(host: string, address: string): LimitScope | undefined {
    return this.#limitedBy(host, address)
      ?? (this.#permits && this.#refusedBy(this.#permits, host, address));
  }

  #limitedBy(host: string, address: string): LimitScope | undefined {
    const { maxConnections, maxConnectionsPerIp } = this.#limits;
    if (this.ofAddress(address) >= maxConnectionsPerIp) return "ip";
    if (this.ofHost(host) >= this.limitOf(host)) return "host";
    return this.#total >= maxConnections ? "total" : undefined;
  }

  /**
   * Counts one more.
   *
   * @throws {LimitError} It would break a limit
   */
  add(host: string, address: string): void {
    const scope = this.#brokenBy(host, address);
    if (scope) throw this.#refusal(scope, host, address);
    this.#hosts.set(host, this.ofHost(host) + 1);
    this.#addresses.set(address, this.ofAddress(address) + 1);
    this.#total++;
    for (const key of this.#permits ? this.#keys(host, address) : []) {
      this.#permits?.add(key, this.#capOf(key));
    }
  }

  /**
   * Counts one less.
   *
   * @param closed Resolves when its socket is closed, if that is known
   */
  remove(host: string, address: string, closed?: Promise<void>): void {
    decrement(this.#hosts, host);
    decrement(this.#addresses, address);
    this.#total--;
    this.#permits?.leave(this.#keys(host, address), closed);
  }

  /** What the fleet's permits are asked for: an address, and a host that has a limit of its own. */
  #keys(host: string, address: string): string[] {
    return this.#hostLimits.has(host) ? [`a ${address}`, `h ${host}`] : [`a ${address}`];
  }

  #capOf(key: string): number {
    return key.startsWith("a ") ? this.#limits.maxConnectionsPerIp : this.limitOf(key.slice(2));
  }

  #overdraws(key: string): boolean {
    return this.#permits?.exceeds(key, this.#capOf(key)) ?? false;
  }

  #overdrawsAny(): boolean {
    return [...this.#addresses.keys()].some((address) => this.#overdraws(`a ${address}`))
      || [...this.#hostLimits.keys()].some((host) => this.#overdraws(`h ${host}`));
  }

  #refusedBy(permits: FleetPermits, host: string, address: string): LimitScope | undefined {
    for (const key of this.#keys(host, address)) {
      if (!permits.mayAdd(key, this.#capOf(key))) return key.startsWith("a ") ? "ip" : "host";
    }
    return undefined;
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
