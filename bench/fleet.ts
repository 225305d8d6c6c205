/**
 * Measures what a fleet costs a request: `request()` of a pool that is in one, beside `request()` of
 * one that is in none, and beside that once more, which tells how much is chance.
 *
 * Run it with `node --import tsx bench/fleet.ts`; it needs redis-server.
 *
 * @module
 */

import os from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { startRedis } from "../tests/support/redis_server.ts";
import { OURS } from "./http/clients.ts";
import { IN_FLEET } from "./http/fleet_clients.ts";
import { measureCase } from "./http/measure.ts";
import { startNginx } from "./http/nginx.ts";
import { table } from "./http/table.ts";
import { type BenchRuntime, findRuntime, Worker } from "./http/worker.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "node,deno,bun" },
    seconds: { type: "string", default: "0.3" },
    rounds: { type: "string", default: "25" },
    connections: { type: "string", default: "16" },
    // A process has luck of its own: how often all start afresh.
    processes: { type: "string", default: "3" },
  },
});
const CLIENT_CPU = os.availableParallelism() > 1 ? 1 : 0;
const AGAIN = "the first once more";
const connections = Number(values.connections);

await using redis = await startRedis();
process.env.HOTCONN_REDIS = redis.url;
const nginx = await startNginx(0);
try {
  for (const name of values.runtime.split(",") as BenchRuntime["name"][]) {
    await measure(findRuntime(name));
  }
} finally {
  await nginx.stop();
}

async function measure(runtime: BenchRuntime): Promise<void> {
  const start = (client: string) =>
    new Worker(runtime, client, nginx.target, nginx.caFile, CLIENT_CPU);
  for (let turn = 0; turn < Number(values.processes); turn++) {
    const workers = new Map([
      [OURS, start(OURS)],
      [IN_FLEET, start(IN_FLEET)],
      [AGAIN, start(OURS)],
    ]);
    const result = await measureCase(workers, {
      runtime: runtime.version,
      body: "tiny",
      connections,
      callers: connections,
      runMs: Number(values.seconds) * 1_000,
      rounds: Number(values.rounds),
      ours: OURS,
    });
    for (const worker of workers.values()) worker.stop();
    if (turn === 0) console.log(table(result));
    const ratios = result.clients.map((client) =>
      "cpuRatio" in client ? `${client.name} ${client.cpuRatio?.toFixed(4)}` : client.name
    );
    console.log(`CPU a request: ${ratios.join(", ")}`);
  }
}
