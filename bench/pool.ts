/**
 * Acquire and release of a ready connection, beside generic pools, and with ten connections or a
 * hundred thousand in the maps.
 *
 * All of them in turn, round after round in one process, so that noise hits all alike; the median
 * round counts.
 *
 * @module
 */

import { createPool as createGenericPool } from "generic-pool";
import { createPool as createLightningPool } from "lightning-pool";
import process from "node:process";
import { Pool as TarnPool } from "tarn";
import { memoryDialer, memorySocket } from "../adapters/memory.ts";
import { staticResolver } from "../src/hosts/resolver.ts";
import { Connection } from "../src/map/connection.ts";
import { ConnectionPool } from "../src/pool/pool.ts";

const RESOURCES = 16;
const TIMES = 500_000;
const ROUNDS = 7;
/** V8 goes on optimizing through the first millions of calls. */
const WARM_UP_ROUNDS = 3;
const HOST = "example.test";

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** A pool with so many connections in its maps, up to sixteen of them to the host asked for. */
async function hotconn(connections: number): Promise<ConnectionPool> {
  const pool = new ConnectionPool({
    dialer: memoryDialer(),
    resolver: staticResolver({ [HOST]: ["192.0.2.1", "192.0.2.2"] }),
    maxConnections: Infinity,
    maxConnectionsPerHost: RESOURCES,
    idleTimeoutMs: 3_600_000,
  });
  await pool.warm(HOST, { connections: Math.min(RESOURCES, connections) });
  for (let index = pool.manager.getConnectionCount(); index < connections; index++) {
    const host = `host-${index >> 2}.test`;
    const address = `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
    pool.manager.addConnection(new Connection({ host, address, socket: memorySocket() }));
  }
  return pool;
}

const generic = createGenericPool(
  { create: () => Promise.resolve({}), destroy: () => Promise.resolve() },
  { max: RESOURCES, min: RESOURCES },
);
const tarn = new TarnPool({
  create: () => Promise.resolve({}),
  destroy: () => {},
  min: RESOURCES,
  max: RESOURCES,
});
const lightning = createLightningPool(
  { create: () => Promise.resolve({}), destroy: () => Promise.resolve() },
  { max: RESOURCES, min: RESOURCES },
);
const few = await hotconn(RESOURCES);
const ten = await hotconn(10);
const many = await hotconn(100_000);

interface Candidate {
  readonly name: string;
  /** Acquires and releases so many times. */
  run(times: number): Promise<void>;
}

const candidates: readonly Candidate[] = [
  hotconnCandidate("hotconn, 16 connections in the maps", few),
  hotconnCandidate("hotconn, 10 connections in the maps", ten),
  hotconnCandidate("hotconn, 100,000 connections in the maps", many),
  {
    name: "generic-pool",
    async run(times) {
      for (let i = 0; i < times; i++) await generic.release(await generic.acquire());
    },
  },
  {
    name: "tarn",
    async run(times) {
      for (let i = 0; i < times; i++) tarn.release(await tarn.acquire().promise);
    },
  },
  {
    name: "lightning-pool",
    async run(times) {
      for (let i = 0; i < times; i++) lightning.release(await lightning.acquire());
    },
  },
];

function hotconnCandidate(name: string, pool: ConnectionPool): Candidate {
  return {
    name,
    async run(times) {
      for (let i = 0; i < times; i++) (await pool.acquire(HOST)).release();
    },
  };
}

/** How many a second, over one round. */
async function round(candidate: Candidate): Promise<number> {
  const begun = performance.now();
  await candidate.run(TIMES);
  return TIMES / (performance.now() - begun) * 1_000;
}

const rates = new Map<Candidate, number[]>(candidates.map((candidate) => [candidate, []]));
for (let number = 0; number < WARM_UP_ROUNDS + ROUNDS; number++) {
  for (const candidate of candidates) {
    const rate = await round(candidate);
    if (number >= WARM_UP_ROUNDS) rates.get(candidate)?.push(rate);
  }
}
const medians = candidates.map((candidate) => ({
  name: candidate.name,
  perSecond: Math.round(median(rates.get(candidate) ?? [])),
}));
if (process.argv.includes("--json")) console.log(JSON.stringify(medians));
else {
  const first = medians[0]?.perSecond ?? 1;
  console.log("acquire and release a ready resource, a second (median round)");
  for (const { name, perSecond } of medians) {
    const rate = perSecond.toLocaleString("en").padStart(12);
    console.log(`${name.padEnd(44)} ${rate} ${(perSecond / first).toFixed(2).padStart(6)}`);
  }
}
await Promise.all([few.close(), ten.close(), many.close(), tarn.destroy(), lightning.close(true)]);
await generic.drain().then(() => generic.clear());
