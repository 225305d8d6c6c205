/**
 * A crawler's hosts: each is asked once, and never again.
 *
 * @module
 */

import { ConnectionPool } from "../../../src/pool/pool.ts";
import { heapBytes } from "../../support/collect.ts";
import { shiftedClock } from "../../support/shifted_clock.ts";
import type { SceneResult } from "../scale.ts";
import { leanDialer, numberedResolver } from "./lean.ts";
import { holding } from "./loop_hold.ts";

const HOSTS = 100_000;
const AT_ONCE = 100;

const IDLE_MS = 3_600_000;

/** How long a turn may be, in milliseconds; ten times that is broken on any machine. */
const MOST_MS = 50;
const BROKEN_MS = 10 * MOST_MS;

/** What may be left of all that came, in bytes a host: the noise of the collector. */
const LEFT_BYTES = 16;
/** Below so much in all nothing is to be concluded. */
const NOISE_BYTES = 4_000_000;

/** Lets hosts come, grow idle and be forgotten, and looks whether memory is back where it was. */
export async function comingAndGoing(share: number): Promise<SceneResult> {
  const clock = shiftedClock();
  const pool = new ConnectionPool({
    dialer: leanDialer(),
    resolver: numberedResolver(),
    maxConnections: 200_000,
    maxConcurrentDials: AT_ONCE,
    cleanupIntervalMs: 100,
    idleTimeoutMs: IDLE_MS,
    clock,
  });
  const hosts = Math.max(2_000, Math.round(HOSTS * share));
  const visit = async (from: number, count: number) => {
    for (let next = from; next < from + count; next += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, (_, index) => `h${next + index}.test`);
      await Promise.all(some.map(async (host) => (await pool.acquire(host)).release()));
    }
  };
  const leave = async () => {
    clock.advance(IDLE_MS);
    // Whoever asks for figures of all of them holds the loop himself.
    while (!pool.manager.hosts.lanes().next().done) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  // What is made once is made by then.
  await visit(0, 1_000);
  await leave();
  const before = await heapBytes();
  const [, comingMs] = await holding(() => visit(1_000, hosts));
  const full = await heapBytes();
  const held = pool.stats().connections;
  const [, goingMs] = await holding(leave);
  const left = pool.stats();
  pool.manager.checkInvariants();
  const after = await heapBytes();
  await pool.close({ graceMs: 0 });
  const grown = after - before;
  const hostsLeft = Object.keys(left.hosts).length;
  const broken = [];
  if (left.connections > 0 || hostsLeft > 0) {
    broken.push(`${left.connections} connections and ${hostsLeft} hosts are left`);
  }
  if (grown > Math.max(NOISE_BYTES, LEFT_BYTES * hosts)) {
    broken.push(`${grown} bytes are left of ${hosts} hosts`);
  }
  const holdMs = Math.max(comingMs, goingMs);
  if (holdMs > BROKEN_MS) broken.push(`the loop was held for ${holdMs.toFixed(0)} ms`);
  const bytesAHost = Math.round((full - before) / held);
  return {
    figures: {
      hosts,
      bytesAHost,
      leftBytes: grown,
      comingMs: Math.round(comingMs),
      goingMs: Math.round(goingMs),
    },
    text: `${hosts} hosts came and went, ${held} at once with ${bytesAHost} bytes each; `
      + `${(grown / 1_024).toFixed(0)} KiB are left; the longest turn was ${
        comingMs.toFixed(0)
      } ms `
      + `as they came, ${goingMs.toFixed(0)} ms as they went`,
    broken,
  };
}
