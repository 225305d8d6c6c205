/**
 * The runtime's garbage collector, for tests of what becomes of things that nobody holds.
 *
 * @module
 */

import process from "node:process";
import v8 from "node:v8";
import vm from "node:vm";

/** Collects what nobody holds, now. Those who wait for that are called in a later turn. */
export const collect: () => void = find();

function find(): () => void {
  const { Bun } = globalThis as unknown as { Bun?: { gc(synchronously: boolean): void } };
  if (Bun) return () => Bun.gc(true);
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc") as () => void;
}

/** How much of the heap is in use once what nobody holds is gone, in bytes. */
export async function heapBytes(rounds = 10, apartMs = 10): Promise<number> {
  // What is told of what was collected releases more.
  for (let round = 0; round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, apartMs));
    collect();
  }
  return process.memoryUsage().heapUsed;
}
