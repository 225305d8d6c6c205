/**
 * Lets time pass for a pool on a clock that the test moves.
 *
 * @module
 */

import type { MemoryPool } from "./memory_pool.ts";
import { turns } from "./turns.ts";

type OnClock = Pick<MemoryPool, "clock" | "pool">;

/** Moves the clock in steps; after each, everything happens that is due, and the maps add up. */
export async function pass(it: OnClock, ms: number, stepMs = 10): Promise<void> {
  await turns();
  for (let passed = 0; passed < ms; passed += stepMs) {
    it.clock.advance(Math.min(stepMs, ms - passed));
    await turns();
    it.pool.manager.checkInvariants();
  }
}

/** How many connections there are at an address. */
export function countAt(it: OnClock, address: string): number {
  return it.pool.manager.getConnections(address).length;
}
