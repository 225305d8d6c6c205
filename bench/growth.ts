/**
 * How a pool grows: with a burst, and with steady demand. On a clock that is moved by hand, so that
 * it gives the same figures everywhere.
 *
 * @module
 */

import { memoryDialer } from "../adapters/memory.ts";
import { ManualClock } from "../src/core/clock.ts";
import { staticResolver } from "../src/hosts/resolver.ts";
import { ConnectionPool } from "../src/pool/pool.ts";
import { median } from "./median.ts";

const HOST = "example.test";

interface Scene {
  readonly name: string;
  readonly callers: number;
  readonly holdMs: number;
  readonly dialMs: number;
  readonly warm: number;
  /** Whether each caller asks again and again. */
  readonly steady: boolean;
  /** When figures are taken, in milliseconds. */
  readonly at: readonly number[];
}

const burst = { callers: 50, holdMs: 2, dialMs: 150, warm: 5, steady: false };
const steady = { callers: 64, dialMs: 20, warm: 0, steady: true };
const SCENES: readonly Scene[] = [
  {
    ...burst,
    name: "burst: 50 callers, 5 warm, 2 ms of use, 150 ms to dial",
    at: [10, 20, 150, 500],
  },
  ...[5, 20, 50, 200].map((holdMs) => ({
    ...steady,
    holdMs,
    name: `steady: 64 callers, none warm, ${holdMs} ms of use, 20 ms to dial`,
    at: [20, 40, 60, 100, 1_000, 2_000],
  })),
];

async function turns(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await null;
}

async function show({ at, callers, dialMs, holdMs, name, steady, warm }: Scene): Promise<void> {
  const clock = new ManualClock();
  const pool = new ConnectionPool({
    dialer: memoryDialer({ clock, script: () => ({ delayMs: dialMs }) }),
    resolver: staticResolver({ [HOST]: ["192.0.2.1"] }),
    maxConnectionsPerIp: 64,
    clock,
  });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      clock.advance(1);
      await turns();
    }
  };
  if (warm > 0) {
    const warming = pool.warm(HOST, { connections: warm });
    await turns();
    await pass(dialMs);
    await warming;
  }
  let waits: number[] = [];
  let stopped = false;
  const call = async () => {
    do {
      const lease = await pool.acquire(HOST);
      waits.push(lease.waitedMs);
      await new Promise<void>((resolve) => clock.setTimer(resolve, holdMs));
      lease.release();
    } while (steady && !stopped);
  };
  const calls = Array.from({ length: callers }, call);
  await turns();
  console.log(`\n${name}`);
  let now = 0;
  for (const ms of at) {
    waits = [];
    await pass(ms - now);
    now = ms;
    const { connections, dialing, waiting } = pool.stats();
    const figures = `${connections} connections, ${dialing} dialling, ${waiting} waiting`;
    console.log(`  ${String(ms).padStart(5)} ms: ${figures}; waited, p50: ${median(waits)} ms`);
  }
  stopped = true;
  await pass(holdMs * 3);
  await Promise.all(calls);
  const closing = pool.close();
  await pass(10);
  await closing;
}

for (const scene of SCENES) await show(scene);
