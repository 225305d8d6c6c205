/**
 * Acquire and release beside generic pools: of a ready connection, with ten connections or a hundred
 * thousand in the maps, and with more callers than connections.
 *
 * All of them in turn, round after round in one process, so that noise hits all alike; the median
 * round counts, by the processor's time. With `--alone`, only hotconn and the floor, with one more
 * caller than connections and with very many, and the heap is collected before each round: no round
 * pays for what others have left behind.
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
import { collect } from "../tests/support/collect.ts";
import { median } from "./median.ts";

const RESOURCES = 16;
const ROUNDS = 7;
/** V8 goes on optimizing through the first millions of calls. */
const WARM_UP_ROUNDS = 3;
const HOST = "example.test";
const ALONE = process.argv.includes("--alone");
const FLOOR = "floor: promises resolved in turn";
/** How many callers there are, and how often all of them together acquire in a round. */
const CASES = ALONE ? [17, 100_000].map((callers) => ({ callers, times: 600_000 })) : [
  { callers: 1, times: 200_000 },
  { callers: 17, times: 100_000 },
  { callers: 32, times: 100_000 },
  { callers: 256, times: 100_000 },
  { callers: 4_000, times: 100_000 },
  { callers: 100_000, times: 200_000 },
];
/** So many callers at the most for tarn: beyond it, a round takes minutes. */
const MOST_FOR_TARN = 256;

/** A pool with so many connections in its maps, up to sixteen of them to the host asked for. */
async function hotconn(connections: number): Promise<ConnectionPool> {
  const pool = new ConnectionPool({
    dialer: memoryDialer(),
    resolver: staticResolver({ [HOST]: ["192.0.2.1", "192.0.2.2"] }),
    maxConnections: Infinity,
    maxConnectionsPerHost: RESOURCES,
    maxWaiters: Infinity,
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
  { max: RESOURCES, min: RESOURCES, maxQueue: Infinity },
);
const few = await hotconn(RESOURCES);
const ten = await hotconn(10);
const many = await hotconn(ALONE ? 0 : 100_000);

/** What no pool can do without: a queue, a promise for each who waits, and a lease for each turn. */
class Floor {
  #free = RESOURCES;
  #waiting: ((lease: object) => void)[] = [];
  #served = 0;

  acquire(): Promise<object> {
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve({ floor: this });
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(): void {
    const next = this.#waiting[this.#served];
    if (!next) {
      this.#free++;
      return;
    }
    // Those who were served are let go together, in bulk, and kept alive no longer.
    this.#waiting[this.#served++] = NOBODY;
    if (this.#served >= 1_024 && this.#served * 2 >= this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#served);
      this.#served = 0;
    }
    next({ floor: this });
  }
}

const NOBODY = () => {};
const floor = new Floor();

interface Candidate {
  readonly name: string;
  /** Acquires and releases so many times. */
  run(times: number): Promise<void>;
  /** Whether it is measured with so many callers. */
  takes(callers: number): boolean;
}

const HOTCONN = hotconnCandidate("hotconn, 16 connections in the maps", few, () => true);
const BARE: Candidate = {
  name: FLOOR,
  takes: () => true,
  async run(times) {
    for (let i = 0; i < times; i++) {
      await floor.acquire();
      floor.release();
    }
  },
};
const candidates: readonly Candidate[] = ALONE ? [HOTCONN, BARE] : [
  HOTCONN,
  hotconnCandidate("hotconn, 10 connections in the maps", ten, (callers) => callers === 1),
  hotconnCandidate("hotconn, 100,000 connections in the maps", many, (callers) => callers === 1),
  BARE,
  {
    name: "generic-pool",
    takes: () => true,
    async run(times) {
      for (let i = 0; i < times; i++) await generic.release(await generic.acquire());
    },
  },
  {
    name: "lightning-pool",
    takes: () => true,
    async run(times) {
      for (let i = 0; i < times; i++) lightning.release(await lightning.acquire());
    },
  },
  {
    name: "tarn",
    takes: (callers) => callers <= MOST_FOR_TARN,
    async run(times) {
      for (let i = 0; i < times; i++) tarn.release(await tarn.acquire().promise);
    },
  },
];

function hotconnCandidate(
  name: string,
  pool: ConnectionPool,
  takes: Candidate["takes"],
): Candidate {
  return {
    name,
    takes,
    async run(times) {
      for (let i = 0; i < times; i++) (await pool.acquire(HOST)).release();
    },
  };
}

/** How many microseconds of the processor each time takes, over one round. */
async function round(candidate: Candidate, callers: number, times: number): Promise<number> {
  if (ALONE) collect();
  const before = process.cpuUsage();
  const each = times / callers;
  await Promise.all(Array.from({ length: callers }, () => candidate.run(each)));
  const { system, user } = process.cpuUsage(before);
  return (system + user) / (each * callers);
}

/** The median round of each candidate with so many callers. */
async function measure(callers: number, times: number) {
  const rounds = new Map<Candidate, number[]>(
    candidates.filter(({ takes }) => takes(callers)).map((candidate) => [candidate, []]),
  );
  for (let number = 0; number < WARM_UP_ROUNDS + ROUNDS; number++) {
    for (const [candidate, figures] of rounds) {
      // As many for each as there are callers, at least two.
      const whole = Math.max(2, Math.round(times / callers)) * callers;
      const figure = await round(candidate, callers, whole);
      if (number >= WARM_UP_ROUNDS) figures.push(figure);
    }
  }
  return Array.from(rounds, ([{ name }, figures]) => ({ callers, name, cpuUs: median(figures) }));
}

const most = Number(
  process.argv.find((text) => text.startsWith("--callers="))?.slice(10) ?? Infinity,
);
const found = [];
for (const { callers, times } of CASES) {
  if (callers <= most) found.push(...await measure(callers, times));
}
if (process.argv.includes("--json")) console.log(JSON.stringify(found));
else {
  console.log(
    `acquire and release one of ${RESOURCES}: µs of CPU (median round), to the first, less the floor`,
  );
  let callers = 0;
  let first = 1;
  let least = 0;
  for (const { callers: count, cpuUs, name } of found) {
    if (count !== callers) {
      callers = count;
      first = cpuUs;
      least = found.find((one) => one.callers === count && one.name === FLOOR)?.cpuUs ?? 0;
      console.log(`\n${count === 1 ? "1 caller" : `${count.toLocaleString("en")} callers`}`);
    }
    const figure = cpuUs.toFixed(2).padStart(8);
    const rest = name === FLOOR ? "" : (cpuUs - least).toFixed(2).padStart(6);
    console.log(`${name.padEnd(44)} ${figure} ${(cpuUs / first).toFixed(2).padStart(6)} ${rest}`);
  }
}
await Promise.all([few.close(), ten.close(), many.close(), tarn.destroy(), lightning.close(true)]);
await generic.drain().then(() => generic.clear());
