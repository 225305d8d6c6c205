/**
 * Opens many connections to one origin, and tells how much of the heap they take.
 *
 * `bare`: with the runtime's own sockets and nothing else. `pool`: pooled, and idle. Each may be
 * `used` besides: a request went over each of them. Told what to do by its one argument, as JSON.
 *
 * @module
 */

import process from "node:process";
import { openBun, openDeno, type OpenLane, openNode } from "../../../bench/http/floor.ts";
import { createPool, staticResolver } from "../../../mod.ts";
import { heapBytes } from "../../support/collect.ts";

/** What is measured. */
export interface IdleScene {
  readonly mode: "bare" | "pool";
  readonly used: boolean;
  readonly connections: number;
  readonly host: string;
  readonly ip: string;
  readonly port: number;
  readonly ca: string;
}

const scene: IdleScene = JSON.parse(process.argv[2]!);
const { ca, connections, host, ip, mode, port, used } = scene;
/** As many are opened before the first look: what is made once is made by then, compiled code too. */
const FIRST = connections;
const AT_ONCE = 32;
/** How often all of them serve once more before the first look. */
const ROUNDS = 30;

const held: unknown[] = [];

async function openBare(count: number): Promise<void> {
  const open: OpenLane = "Deno" in globalThis ? openDeno : "Bun" in globalThis ? openBun : openNode;
  const received = new Map<number, () => void>();
  const lanes = {
    received: (index: number) => received.get(index)?.(),
    failed: (error: unknown) => {
      throw error;
    },
  };
  const target = { ca, host, ip, port };
  const request = new TextEncoder().encode(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  for (let left = count; left > 0; left -= AT_ONCE) {
    const some = Array.from({ length: Math.min(left, AT_ONCE) }, async (_, index) => {
      const lane = await open(target, request, index, lanes);
      if (!used) return lane;
      const answered = new Promise<void>((resolve) => received.set(index, resolve));
      lane.write();
      await answered;
      return lane;
    });
    held.push(...await Promise.all(some));
  }
}

const url = `https://${host}:${port}/`;
const pool = createPool({
  resolver: staticResolver({ [host]: [`${ip}:${port}`] }),
  maxConnections: 100_000,
  maxConnectionsPerHost: 100_000,
  maxConnectionsPerIp: 100_000,
  maxWaiters: 100_000,
  idleTimeoutMs: 3_600_000,
  maxConcurrentDials: AT_ONCE,
  maxConcurrentDialsPerHost: AT_ONCE,
  protocols: ["http/1.1"],
  tls: { ca },
});

async function openPooled(count: number): Promise<void> {
  await pool.warm(`${host}:${port}`, { connections: pool.stats().connections + count });
  if (used) await useAll();
}

/** All of them are leased at once, so that each has served. */
async function useAll(): Promise<void> {
  const all = pool.stats().connections;
  await Promise.all(Array.from({ length: all }, async () => (await pool.request(url)).text()));
}

const open = mode === "bare" ? openBare : openPooled;
await open(FIRST);
// The compilers go on for some time.
for (let round = 0; used && mode === "pool" && round < ROUNDS; round++) await useAll();
const before = await heapBytes();
await open(connections);
const after = await heapBytes();
console.log(JSON.stringify({ bytes: (after - before) / connections }));
process.exit(0);
