/**
 * How late requests end that reach their deadlines: of 10,000 that are under way and get no answer,
 * over connections without a network, some within three seconds, or all in the same millisecond.
 * Beside them the runtime's own timers, one after another: they tell how late the machine lets anything
 * be. And as many bare timers that each reject a bare promise, with their own error: the floor.
 *
 * @module
 */

import process from "node:process";
import { memoryDialer } from "../adapters/memory.ts";
import { staticResolver } from "../src/hosts/resolver.ts";
import { HttpPool } from "../src/http/http_pool.ts";

const REQUESTS = 10_000;

/** How long after their start the first requests end, in milliseconds. */
const FIRST_MS = 2_000;

async function measure(ending: number, overMs: number): Promise<void> {
  const pool = new HttpPool({
    dialer: memoryDialer(),
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
    maxConnections: REQUESTS,
    maxConnectionsPerHost: REQUESTS,
    maxConnectionsPerIp: REQUESTS,
    maxConcurrentDials: REQUESTS,
    maxWaiters: REQUESTS,
    hedge: false,
  });
  await pool.warm("a.test", { connections: REQUESTS });
  const late: number[] = [];
  const floor: number[] = [];
  const tick = () => {
    const dueAt = performance.now() + 5;
    timer = setTimeout(() => {
      floor.push(performance.now() - dueAt);
      tick();
    }, 5);
  };
  // When all have begun.
  let timer = setTimeout(tick, 1_500);
  const stop = new AbortController();
  const startedAt = performance.now();
  const { signal } = stop;
  const waiting = Array.from(
    { length: REQUESTS - ending },
    () => pool.request("https://a.test/", { signal }),
  );
  const ends = Array.from({ length: ending }, async (_, number) => {
    const timeoutMs = startedAt + FIRST_MS + overMs * number / ending - performance.now();
    const ended = pool.request("https://a.test/", { timeoutMs, method: "POST" });
    // The collector may have stopped the program in the midst of the call.
    const dueAt = performance.now() + timeoutMs;
    await ended.catch(() => {});
    late.push(performance.now() - dueAt);
  });
  await Promise.all(ends);
  stop.abort();
  await Promise.allSettled(waiting);
  clearTimeout(timer);
  console.log(
    `${ending} of ${REQUESTS} end over ${overMs} ms, late by ${said(late)}; `
      + `timers meanwhile ${said(floor)}`,
  );
  await pool.close({ graceMs: 0 });
}

/** As many timers as requests, each of which rejects a promise. */
async function measureBare(count: number, overMs: number): Promise<void> {
  const late: number[] = [];
  const startedAt = performance.now();
  const ends = Array.from({ length: count }, async (_, number) => {
    const dueAt = startedAt + FIRST_MS + overMs * number / count;
    await new Promise((_resolve, reject) => {
      const end = () => reject(new Error("It took too long"));
      setTimeout(end, dueAt - performance.now());
    }).catch(() => {});
    late.push(performance.now() - dueAt);
  });
  await Promise.all(ends);
  console.log(`${count} bare timers over ${overMs} ms, late by ${said(late)}`);
}

function said(late: number[]): string {
  late.sort((a, b) => a - b);
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) =>
    late[Math.ceil(late.length * share) - 1]!.toFixed(1)
  );
  return `${p50} ms (p50), ${p99} (p99), ${most} at the most`;
}

// What has no network holds no program.
setInterval(() => {}, 1_000);
for (const [ending, overMs] of [[500, 3_000], [REQUESTS, 3_000], [REQUESTS, 0]] as const) {
  await measure(ending, overMs);
  await measureBare(ending, overMs);
}
process.exit(0);
