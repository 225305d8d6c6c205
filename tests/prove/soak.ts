/**
 * Mixed calls for long at half load, over both protocols: whether the heap grows.
 *
 * @module
 */

import { createPool, type HttpPool, staticResolver } from "../../mod.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { heapBytes } from "../support/collect.ts";
import type { Part, Proof, ProofOptions } from "./part.ts";
import { startServer } from "./server.ts";
import { Calls } from "./soak/calls.ts";
import { slopeOf } from "./soak/slope.ts";

const CALLERS = 8;
const HOST = "localhost";

/** So many figures of the heap are taken over the whole time, and never closer than that. */
const FIGURES = 120;
const APART_MS = 1_000;

/** What the first part of the time says does not count: code is compiled, and tables grow. */
const WARM_UP = 0.25;

/** A heap that surely grows by less than this over the whole run is the collector's. */
const NOISE_BYTES = 524_288;

/** With fewer figures nothing is said of the heap. */
const FEWEST = 20;

/** See the module. */
export const soak: Part = {
  name: "soak",
  what: "mixed calls at half load, over both protocols: the heap does not grow",
  seconds: 1_800,
  async prove(options: ProofOptions): Promise<Proof> {
    const { ca, port } = await startServer();
    const make = (protocol: "h2" | "http/1.1"): HttpPool =>
      createPool({
        resolver: staticResolver({ [HOST]: [`127.0.0.1:${port}`] }),
        protocols: [protocol],
        bodyIdleTimeoutMs: 500,
        leakTimeoutMs: 500,
        tls: { ca },
      });
    const pools = [make("http/1.1"), make("h2")];
    const chance = new ManualClock(options.seed);
    const calls = new Calls(pools, `https://${HOST}:${port}`, () => chance.random());
    const points = await soakFor(calls, options);
    const open = pools.reduce((sum, pool) => sum + pool.stats().connections, 0);
    for (const pool of pools) pool.manager.checkInvariants();
    await Promise.all(pools.map((pool) => pool.close({ graceMs: 1_000 })));
    return judge(calls, points, open);
  },
};

type Point = readonly [seconds: number, heapBytes: number];

async function soakFor(
  calls: Calls,
  { seconds, steps, tell }: ProofOptions,
): Promise<readonly Point[]> {
  const begunAt = performance.now();
  const secondsNow = () => (performance.now() - begunAt) / 1_000;
  const isOver = () => secondsNow() >= seconds || calls.made >= steps;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!isOver()) {
      const from = performance.now();
      await calls.one();
      // As long as it took: half of what they could ask for.
      await pause(Math.min(1_000, performance.now() - from));
    }
  });
  const points: Point[] = [];
  const apartMs = Math.max(APART_MS, Number.isFinite(seconds) ? seconds * 1_000 / FIGURES : 0);
  let told = 0;
  while (!isOver()) {
    await pause(Math.min(apartMs, Math.max(1, (seconds - secondsNow()) * 1_000)));
    points.push([secondsNow(), await heapBytes(3, 1)]);
    if (secondsNow() - told < 60) continue;
    told = secondsNow();
    tell(`${Math.round(told)} s, ${calls.made} calls, ${kib(points.at(-1)![1])} KiB`);
  }
  await Promise.all(callers);
  return points;
}

function judge(calls: Calls, points: readonly Point[], connections: number): Proof {
  const broken = [...calls.wrong];
  const counted = points.slice(Math.ceil(points.length * WARM_UP));
  const { givenUp, made } = calls;
  const done = `${made} calls, ${givenUp} given up, ${calls.wrong.length} wrong`;
  const figures = { calls: made, givenUp, connections, points };
  if (counted.length < FEWEST) {
    const summary = `${done}; too short to say anything of the heap`;
    return { steps: made, summary, broken, figures };
  }
  const slope = slopeOf(counted);
  const spanS = counted.at(-1)![0] - counted[0]![0];
  const perMinute = (bytesPerSecond: number) => (bytesPerSecond * 60 / 1_024).toFixed(1);
  const told = `${perMinute(slope.value)} KiB/min, 99.9 %: ${perMinute(slope.low)} to `
    + perMinute(slope.high);
  const grows = slope.low * spanS > NOISE_BYTES;
  if (grows) broken.push(`the heap grows by ${told}`);
  const verdict = slope.low <= 0 ? "within noise of 0" : "above 0, by less than counts";
  return {
    steps: made,
    summary: `${done}; heap ${kib(counted[0]![1])} to ${kib(counted.at(-1)![1])} KiB, `
      + `slope ${told}: ${grows ? "grows" : verdict}`,
    broken,
    figures: { ...figures, slope },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function kib(bytes: number): string {
  return (bytes / 1_024).toFixed(0);
}
