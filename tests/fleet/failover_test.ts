import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import process from "node:process";
import { memoryDialer } from "../../adapters/memory.ts";
import { redisFleet } from "../../adapters/redis.ts";
import {
  type ConnectionPool,
  createPool,
  type FleetEvent,
  openMetrics,
  staticResolver,
} from "../../mod.ts";
import { redisMissing as skip, type RedisServer, startRedis } from "../support/redis_server.ts";
import { pause } from "../support/services.ts";
import { testSideBySide } from "../support/side_by_side.ts";

const TIMES = { leaseMs: 1_200, goneAfterMs: 3_600, timeoutMs: 600 };

/** Pools of one fleet over a real Redis, and what each told of it. */
class RedisScene implements AsyncDisposable {
  readonly pools: readonly ConnectionPool[];
  readonly told: FleetEvent[][] = [];
  /** Nothing of a fleet keeps a program alive, so the test does. */
  readonly #alive = setInterval(() => {}, 1_000);

  constructor(servers: readonly RedisServer[], members: number) {
    this.pools = Array.from({ length: members }, (_, number) => {
      const pool = createPool({
        dialer: memoryDialer(),
        resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
        maxConnectionsPerIp: 40,
        fleet: redisFleet({ url: servers.map(({ url }) => url), name: "test", ...TIMES }),
      });
      const told: FleetEvent[] = this.told[number] = [];
      pool.on("fleet", (event) => told.push(event));
      return pool;
    });
  }

  get states(): string[] {
    return this.pools.map(({ fleet }) => fleet!.stats().state);
  }

  /** Waits until all pools have joined, whatever that took, and listens from then on. */
  async begin(): Promise<void> {
    await this.all("joined");
    for (const told of this.told) told.length = 0;
    await this.use();
  }

  /** Waits until all pools stand so to their store. */
  async all(state: FleetEvent["state"]): Promise<void> {
    await until(`all are ${state}`, () => this.states.every((one) => one === state));
  }

  /** Has each pool serve a caller, which it must without waiting for the store. */
  async use(): Promise<void> {
    for (const pool of this.pools) (await pool.acquire("a.test", { timeoutMs: 30_000 })).release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.close({ graceMs: 0 })));
    clearInterval(this.#alive);
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`It did not come true in time: ${what}`);
    await pause(10);
  }
}

/** Commands that clients send; what scripts do besides is no message. */
const SENT =
  /^cmdstat_(?:evalsha|script\|load|hello|client\|\w+|info|publish|subscribe):calls=(\d+)/gm;

/** What a server counts: the connections that it received, and the commands that it was sent. */
async function served(redis: RedisServer): Promise<{ connections: number; commands: number }> {
  const received = /total_connections_received:(\d+)/.exec(await redis.command("INFO", "stats"));
  const sent = (await redis.command("INFO", "commandstats")).matchAll(SENT);
  return {
    connections: Number(received?.[1]),
    commands: [...sent].reduce((sum, [, calls]) => sum + Number(calls), 0),
  };
}

async function findReplica(): Promise<void> {
  await using first = await startRedis();
  await using second = await startRedis();
  await second.command("REPLICAOF", "127.0.0.1", `${first.port}`);
  await until(
    "the replica has caught up",
    async () => (await second.command("INFO", "replication")).includes("master_link_status:up"),
  );
  await using scene = new RedisScene([first, second], 3);
  await scene.begin();
  assertEquals(await scene.pools[0]!.fleet!.block("192.0.2.9", { reason: "on fire" }), true);
  await pause(200);

  await first.kill();
  await scene.all("alone");
  await scene.use();
  await second.command("REPLICAOF", "NO", "ONE");
  await scene.all("joined");
  await scene.use();
  // The one that was the primary comes back as a replica.
  await first.start();
  await first.command("REPLICAOF", "127.0.0.1", `${second.port}`);
  await pause(2 * TIMES.leaseMs);
  assertEquals(scene.states, ["joined", "joined", "joined"]);
  for (const told of scene.told) {
    assertEquals(told.map(({ state }) => state), ["alone", "joined"]);
  }
  await using late = new RedisScene([first, second], 1);
  await late.all("joined");
  await until(
    "a newcomer knows",
    () => late.pools[0]!.stats().blocks.map(({ ip }) => ip).join() === "192.0.2.9",
  );
}

async function standFull(): Promise<void> {
  await using redis = await startRedis();
  await using scene = new RedisScene([redis], 3);
  await scene.begin();
  await redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
  const before = await served(redis);
  await redis.command("CONFIG", "SET", "maxmemory", "1");
  await scene.all("alone");
  await scene.use();
  const fullAt = performance.now();
  await pause(3_000);
  const seconds = (performance.now() - fullAt) / 1_000 + 1;
  const while_ = await served(redis);
  for (const [number, pool] of scene.pools.entries()) {
    assertEquals(scene.told[number]!.map(({ state }) => state), ["alone"]);
    // A slow machine also takes too long now and then.
    await until("it says why", () => pool.fleet!.stats().error?.includes("OOM") === true);
    assertEquals(pool.diagnose().map(({ what }) => what), ["fleetAlone"]);
  }
  assertStringIncludes(
    openMetrics(scene.pools[0]!),
    "hotconn_fleet_joined{pool=\"default\"} 0\n",
  );
  // Each tries again after a quarter of a lease at the least, over two connections.
  const tries = scene.pools.length * (4 + seconds * 1_000 / (TIMES.leaseMs / 4));
  const received = while_.connections - before.connections;
  assert(received <= 2 * tries, `${received} connections, in ${seconds} s`);
  await redis.command("CONFIG", "SET", "maxmemory", "0");
  await scene.all("joined");
  assertEquals(scene.pools.flatMap((pool) => pool.diagnose()), []);
  assertStringIncludes(
    openMetrics(scene.pools[0]!),
    "hotconn_fleet_joined{pool=\"default\"} 1\n",
  );
}

async function standSlow(): Promise<void> {
  await using redis = await startRedis();
  await using scene = new RedisScene([redis], 3);
  await scene.begin();
  for (let time = 0; time < 5; time++) {
    await redis.command("CLIENT", "PAUSE", "100");
    let hasAnswered = false;
    const answer = redis.command("PING").then(() => hasAnswered = true);
    await scene.use();
    // What is ready is ready: no lease waits for the store.
    assertEquals(hasAnswered, false);
    await answer;
  }
  redis.stop();
  await scene.all("alone");
  await scene.use();
  redis.go();
  await scene.all("joined");
  for (const told of scene.told) {
    assertEquals(told.map(({ state }) => state), ["alone", "joined"]);
  }
}

async function comeBack(): Promise<void> {
  await using redis = await startRedis();
  await using scene = new RedisScene([redis], 20);
  await scene.begin();
  await redis.kill();
  await scene.all("alone");
  await scene.use();
  await redis.start();
  const since = performance.now();
  const failed = () => scene.pools.reduce((sum, { fleet }) => sum + fleet!.stats().failures, 0);
  const failedBefore = failed();
  await scene.all("joined");
  await pause(TIMES.leaseMs);
  const { commands, connections } = await served(redis);
  const seconds = (performance.now() - since) / 1_000;
  // A machine may be too slow for some of them.
  const attempts = 20 + failed() - failedBefore;
  // Each tries again after a quarter of a lease at the least.
  const most = 20 * (5 + seconds * 1_000 / (TIMES.leaseMs / 4));
  assert(attempts <= most, `${attempts} attempts in ${seconds} s`);
  // Two connections each; this test's own; and those of attempts that failed as Redis began.
  assert(connections <= attempts * 2 + 20, `${connections} connections, ${attempts} attempts`);
  // Each begins both with HELLO and CLIENT SETINFO, loads scripts, reads sections, and renews.
  assert(commands <= attempts * 35 + 20 * 5 * seconds, `${commands} commands in ${seconds} s`);
  if (process.env.HOTCONN_FLEET !== undefined) {
    console.log(`${connections} connections and ${commands} commands for the return of 20 pools`);
  }
}

testSideBySide({
  "After a failover the pools find the replica that is the primary now, with what was shared":
    findReplica,
  "A Redis that is full leaves the pools on their own, which say so and are back when it has room":
    standFull,
  "A Redis that is slow is waited for by nobody, and one that is too slow is given up for a while":
    standSlow,
  "Twenty pools are back at a Redis that was restarted, each by one attempt that counts": comeBack,
}, { skip });
