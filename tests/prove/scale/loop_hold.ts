/**
 * For how long a program holds its own event loop.
 *
 * @module
 */

import process from "node:process";

/**
 * Watches the loop while something goes on. A turn counts as long as it took, or as the processor
 * time that the program had in it, whichever is less: what a busy machine gave to others is not ours.
 *
 * @returns What came of it, and the longest turn, in milliseconds
 */
export async function holding<T>(act: () => T | Promise<T>): Promise<[result: T, holdMs: number]> {
  let isOver = false;
  let longestMs = 0;
  let lastAt = performance.now();
  let last = process.cpuUsage();
  const look = () => {
    const now = performance.now();
    const used = process.cpuUsage(last);
    longestMs = Math.max(longestMs, Math.min(now - lastAt, (used.user + used.system) / 1_000));
    lastAt = now;
    last = process.cpuUsage();
    if (!isOver) setTimeout(look, 0);
  };
  setTimeout(look, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  longestMs = 0;
  const result = await act();
  await new Promise((resolve) => setTimeout(resolve, 5));
  isOver = true;
  return [result, longestMs];
}
