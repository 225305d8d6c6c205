/**
 * Until when a connection may be leased.
 *
 * @module
 */

import { checkNumber } from "../core/check.ts";
import type { Connection } from "./connection.ts";
import { endpointOf } from "./endpoint.ts";

/** How long connections may be unused, and how old they may grow, in milliseconds. */
export interface FitnessLimits {
  readonly idleTimeoutMs: number;
  readonly maxLifetimeMs: number;
}

/**
 * Says why connections may no longer be leased: by their health, their age, and their idle time.
 */
export class Fitness {
  /** How old a connection may grow, in milliseconds, less up to a quarter at random. */
  readonly maxLifetimeMs: number;
  readonly #idleTimeoutMs: number;
  /** How many connections of a host and TLS profile stay however long unused. */
  readonly #minimums = new Map<string, number>();

  /**
   * Makes it, with no minimum of anything.
   *
   * @throws {TypeError | RangeError} A limit is not valid
   */
  constructor({ idleTimeoutMs, maxLifetimeMs }: FitnessLimits) {
    this.#idleTimeoutMs = checkNumber("idleTimeoutMs", idleTimeoutMs, { min: 0 });
    this.maxLifetimeMs = checkNumber("maxLifetimeMs", maxLifetimeMs, { min: 0 });
  }

  /** How many connections of a host and TLS profile stay, however long unused. */
  setMinimum(host: string, tlsProfile: string, connections: number): void {
    const key = `${host} ${tlsProfile}`;
    if (connections > 0) this.#minimums.set(key, connections);
    else this.#minimums.delete(key);
  }

  /** Why a connection may not be leased any more, if so. */
  unfit(
    connection: Connection,
    now: number,
    wallNow: number,
  ): "unhealthy" | "lifetime" | "idle" | undefined {
    connection.lastCheckedAt = now;
    if (!connection.healthy) return "unhealthy";
    if (this.expired(connection, now)) return "lifetime";
    if (connection.leases > 0) return undefined;
    const unusedMs = connection.unusedMs(now, wallNow);
    if (unusedMs >= patienceMs(connection, now)) return "idle";
    if (unusedMs < this.#idleTimeoutMs) return undefined;
    // The machine slept: connections kept for the minimum may have died on the way unnoticed.
    const slept = unusedMs - (now - connection.lastUsedAt) >= this.#idleTimeoutMs;
    const { host, tlsProfile } = connection;
    const minimum = this.#minimums.get(`${host} ${tlsProfile}`) ?? 0;
    const count = endpointOf(connection)?.lane.connectionCount ?? 0;
    return slept || count > minimum ? "idle" : undefined;
  }

  /** Whether a connection is older than a lifetime, less its own share of up to a quarter. */
  expired(
    connection: Connection,
    now: number,
    maxLifetimeMs: number = this.maxLifetimeMs,
  ): boolean {
    return now >= expiresAt(connection, maxLifetimeMs);
  }

  /**
   * When a connection that is idle from now on may no longer be leased, in the clock's
   * milliseconds: the end of its lifetime, or of its server's idle time.
   */
  endsAt(connection: Connection, now: number): number {
    return Math.min(
      expiresAt(connection, this.maxLifetimeMs),
      connection.lastUsedAt + patienceMs(connection, now),
    );
  }
}

/** When a connection's lifetime is over: each at a different time, so that not all end at once. */
function expiresAt({ createdAt, jitter }: Connection, maxLifetimeMs: number): number {
  return createdAt + maxLifetimeMs * (1 - jitter / 4);
}

/** How long its server keeps an unused connection, by what it said and was seen to do. */
function patienceMs(connection: Connection, now: number): number {
  return Math.min(
    connection.serverIdleMs,
    endpointOf(connection)?.trustedIdleMs(now) ?? Infinity,
  );
}
