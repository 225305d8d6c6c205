/**
 * Pools of one fleet over a store in memory, on one clock, whose machines count.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type MemoryDial, memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { FleetStore } from "../../src/fleet/store.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { type FleetOptions, fleetOver, readFleetOptions } from "../../src/pool/fleet/fleet_over.ts";
import type { PoolOptions } from "../../src/pool/options.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { MemoryFleetStore } from "./memory_fleet_store.ts";

/** A fleet of pools on one clock, whose machines count. */
export class FleetScene implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly store: MemoryFleetStore = new MemoryFleetStore(this.clock);
  readonly pools: ConnectionPool[] = [];
  /** Addresses that refuse, and how often they did so for each pool. */
  readonly down: Set<string> = new Set<string>();
  readonly refused: number[] = [];
  readonly #fleet: FleetOptions;
  readonly #cut = new Set<number>();
  readonly #links = new Map<number, () => void>();

  constructor(fleet: FleetOptions = {}) {
    this.#fleet = fleet;
  }

  add(options: Partial<PoolOptions> = {}): ConnectionPool {
    const number = this.pools.length;
    this.refused[number] = 0;
    const pool = new ConnectionPool({
      resolver: staticResolver({
        "a.test": ["192.0.2.1"],
        "b.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
      }),
      dialer: memoryDialer({
        clock: this.clock,
        script: ({ address }): MemoryDial => {
          if (!this.down.has(address)) return {};
          this.refused[number]!++;
          return { failure: "refused" };
        },
      }),
      clock: this.clock,
      fleet: fleetOver(this.#storeOf(number), readFleetOptions("a fleet", this.#fleet)),
      ...options,
    });
    this.pools.push(pool);
    return pool;
  }

  /** Keeps a pool from the store. */
  cut(number: number): void {
    this.#cut.add(number);
    this.#links.get(number)?.();
  }

  /** Lets a pool have the store again. */
  heal(number: number): void {
    this.#cut.delete(number);
  }

  #storeOf(number: number): FleetStore {
    return {
      name: this.store.name,
      connect: async (events, signal) => {
        if (this.#cut.has(number)) throw new Error("The network is gone");
        const link = await this.store.connect(events, signal);
        this.#links.set(number, () => {
          link.close();
          events.onLost(new Error("The network is gone"));
        });
        return link;
      },
    };
  }

  /** Lets time pass in small steps, in which everything under way goes on. */
  async pass(ms: number, stepMs = 20): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      for (let turn = 0; turn < 30; turn++) await null;
    }
  }

  /** Connections at an address, of all pools. */
  count(address: string): number {
    let count = 0;
    for (const { manager } of this.pools) count += manager.getConnections(address).length;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pool of this.pools) {
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
    }
    assertEquals(this.clock.timers, 0);
  }
}

/** Has a pool find out that an address is down, and eject it. */
export async function ejectFrom(
  scene: FleetScene,
  pool: ConnectionPool,
  address: string,
): Promise<void> {
  let ejected = false;
  pool.on("eject", () => ejected = true);
  for (let tries = 0; tries < 40 && !ejected; tries++) {
    pool.acquire("b.test", { ip: address, timeoutMs: 500 }).then(
      (lease) => lease.release(),
      () => {},
    );
    await scene.pass(1_000, 100);
  }
  assert(ejected);
}

/** How the addresses of b.test stand in a pool. */
export function standings(pool: ConnectionPool): Record<string, string> {
  const addresses = Object.entries(pool.stats().hosts["b.test"]!.addresses);
  return Object.fromEntries(addresses.map(([address, { standing }]) => [address, standing]));
}
