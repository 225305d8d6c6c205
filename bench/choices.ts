/**
 * Acquire and release with a thousand callers on sixteen connections, who choose their machines by `ip`
 * or `sticky`, from fewer machines than connections to many more. Beside them those who take any.
 *
 * @module
 */

import process from "node:process";
import { memoryDialer } from "../adapters/memory.ts";
import { staticResolver } from "../src/hosts/resolver.ts";
import type { AcquireOptions } from "../src/pool/call_options.ts";
import { ConnectionPool } from "../src/pool/pool.ts";
import { median } from "./median.ts";

const CALLERS = 1_000;
const CONNECTIONS = 16;
const LEASES_EACH = 20;
const ROUNDS = 3;
const HOST = "example.test";

/** What each caller asks for, by its number. */
const KINDS: { readonly [name: string]: (caller: number, ip: string) => AcquireOptions } = {
  any: () => ({}),
  ip: (_, ip) => ({ ip }),
  sticky: (caller) => ({ sticky: `key ${caller}` }),
  "half sticky, half any": (caller) => caller % 2 === 0 ? {} : { sticky: `key ${caller}` },
};

/** How many microseconds of the processor a lease takes: the median round. */
async function measure(machines: number, options: (caller: number, ip: string) => AcquireOptions) {
  const ips = Array.from({ length: machines }, (_, index) => `192.0.2.${index + 1}`);
  const pool = new ConnectionPool({
    dialer: memoryDialer(),
    resolver: staticResolver({ [HOST]: ips }),
    maxConnections: CONNECTIONS,
    maxWaiters: Infinity,
    acquireTimeoutMs: 60_000,
  });
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: CALLERS }, async (_, caller) => {
      const asked = options(caller, ips[caller % machines]!);
      for (let i = 0; i < LEASES_EACH; i++) (await pool.acquire(HOST, asked)).release();
    }));
    const { system, user } = process.cpuUsage(before);
    figures.push((system + user) / (CALLERS * LEASES_EACH));
  }
  await pool.close();
  return median(figures);
}

// What has no network holds no program.
setInterval(() => {}, 1_000);
console.log(`${CALLERS} callers on ${CONNECTIONS} connections: µs of CPU a lease (median round)\n`);
for (const machines of [16, 17, 32, 64]) {
  for (const [name, options] of Object.entries(KINDS)) {
    const cpuUs = await measure(machines, options);
    console.log(`${machines} machines, ${name.padEnd(22)} ${cpuUs.toFixed(1).padStart(6)}`);
  }
}
process.exit(0);
