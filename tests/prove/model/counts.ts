/**
 * Holds a pool's figures against each other, against its events, and against what is known of it.
 *
 * @module
 */

import type { ConnectionPool } from "../../../src/pool/pool.ts";
import { promise } from "./reference.ts";

/** What is known from outside. */
export interface Known {
  readonly waiting: number;
  readonly leases: number;
  /** Undefined where checks, which are no dials of callers, are made besides. */
  readonly dialling: number | undefined;
  readonly connections: number;
}

/** Counts a pool's events from its beginning on. */
export class Counts {
  readonly #pool: ConnectionPool;
  readonly #events = { dial: 0, ready: 0, dialError: 0, lease: 0, release: 0 };
  readonly #evicted = new Map<string, number>();

  constructor(pool: ConnectionPool) {
    this.#pool = pool;
    for (const type of ["dial", "ready", "dialError", "lease", "release"] as const) {
      pool.on(type, () => this.#events[type]++);
    }
    pool.on("evict", ({ reason }) => {
      this.#evicted.set(reason, (this.#evicted.get(reason) ?? 0) + 1);
    });
  }

  /** Throws where figures do not add up. */
  check({ connections, dialling, leases, waiting }: Known): void {
    const stats = this.#pool.stats();
    const { dial, dialError, lease, ready, release } = this.#events;
    equal("dials", stats.dials, dial);
    equal("opened", stats.opened, ready);
    equal("dialErrors", stats.dialErrors, dialError);
    equal("acquired", stats.acquired, lease);
    equal("released", stats.released, release);
    equal("waiting", stats.waiting, waiting);
    equal("acquired, not released", stats.acquired - stats.released, leases);
    equal("connections", stats.connections, connections);
    equal("idle, leased, draining", stats.idle + stats.leased + stats.draining, connections);
    if (dialling !== undefined) equal("dialing", stats.dialing, dialling);
    let gone = 0;
    for (const [reason, count] of Object.entries(stats.evicted)) {
      equal(`evicted, ${reason}`, count, this.#evicted.get(reason) ?? 0);
      gone += count;
    }
    equal("opened, not evicted", stats.opened - gone, connections);
    const sums = { connections: 0, idle: 0, leased: 0, draining: 0, leases: 0, waiting: 0 };
    for (const host of Object.values(stats.hosts)) {
      const ofAddresses = { connections: 0, idle: 0, leased: 0, draining: 0, leases: 0 };
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += host[name];
      for (const address of Object.values(host.addresses)) {
        for (const name of Object.keys(ofAddresses) as (keyof typeof ofAddresses)[]) {
          ofAddresses[name] += address[name];
        }
      }
      for (const [name, sum] of Object.entries(ofAddresses)) {
        equal(`${name} of a host's addresses`, sum, host[name as keyof typeof ofAddresses]);
      }
    }
    for (const [name, sum] of Object.entries(sums)) {
      equal(`${name} of all hosts`, sum, stats[name as keyof typeof sums]);
    }
  }
}

function equal(what: string, got: number, expected: number): void {
  promise(got === expected, `The figures do not add up: ${what}`, got, expected);
}
