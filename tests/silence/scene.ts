/**
 * Steady load on three machines, one of which falls silent.
 *
 * @module
 */

import { createPool } from "../../adapters/detect.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { HOST, type Silence, startMachines } from "./machines.ts";

/** What came of the load over a time. */
export interface Load {
  readonly requests: number;
  /** The errors of those that failed. */
  readonly failures: readonly unknown[];
  /** How many were sent to a second machine besides. */
  readonly hedges: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

/** What came of a silence. */
export interface Outcome {
  readonly before: Load;
  readonly during: Load;
}

/** How often somebody asks, in milliseconds. */
const EVERY_MS = 5;

/** How many may wait for an answer: a machine that is too slow for the load is given no more. */
const MOST_WAITING = 50;

/**
 * Has somebody ask every 5 ms, before and while one machine of three is silent in some way.
 *
 * @param ms For how long each, in milliseconds
 * @param timeoutMs How long a request may take, in milliseconds
 */
export async function sufferSilence(
  how: Silence,
  ms: number,
  timeoutMs = 2_000,
): Promise<Outcome> {
  await using machines = await startMachines();
  await using pool = createPool({
    resolver: staticResolver({ [HOST]: machines.addresses }),
    tls: { ca: [machines.ca] },
  });
  const load = async (forMs: number): Promise<Load> => {
    const times: number[] = [];
    const failures: unknown[] = [];
    const { hedges } = pool.stats().requests;
    let waiting = 0;
    const ask = async () => {
      const since = performance.now();
      waiting++;
      try {
        await (await pool.request(`https://${HOST}/`, { timeoutMs })).text();
      } catch (error) {
        failures.push(error);
      }
      waiting--;
      times.push(performance.now() - since);
    };
    const requests: Promise<void>[] = [];
    const start = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        // A timer that is late has them ask together who should have asked meanwhile.
        const due = Math.min(performance.now() - start, forMs) / EVERY_MS;
        while (requests.length < due && waiting < MOST_WAITING) requests.push(ask());
        if (performance.now() - start < forMs) return;
        clearInterval(timer);
        resolve();
      }, EVERY_MS);
    });
    await Promise.all(requests);
    times.sort((a, b) => a - b);
    const at = (share: number) =>
      times[Math.min(Math.floor(times.length * share), times.length - 1)]!;
    return {
      requests: times.length,
      failures,
      hedges: pool.stats().requests.hedges - hedges,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      longestMs: times.at(-1)!,
    };
  };
  // Cold connections are another matter.
  await load(1_500);
  const before = await load(ms);
  machines.silence(how);
  return { before, during: await load(ms) };
}
