/**
 * Measures `request()` and `fetch()` over HTTP/2 beside bare frames, HTTP/1.1 and the clients of
 * others, over TLS against nginx: requests a second, and microseconds of CPU a request. Over HTTP/1.1
 * there is a connection for each caller.
 *
 * Run it with `node --import tsx bench/h2.ts`; each client runs in its own process.
 *
 * @module
 */

import os from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { H2_CLIENTS, OURS_H2 } from "./http/h2_clients.ts";
import { measureCase } from "./http/measure.ts";
import { BODIES, startNginx } from "./http/nginx.ts";
import { type CaseResult, table } from "./http/table.ts";
import { type BenchRuntime, findRuntime, Worker } from "./http/worker.ts";

const USAGE = `Options, each list with commas:
  --runtime node,deno,bun    --connections 1,4    --callers 1,64,256    --body tiny,10k,1m
  --client hotconn,undici    clients whose names contain one of these
  --seconds 0.5              how long each turn takes
  --rounds 5                 how many turns each client has
  --json                     figures for programs`;

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "node,deno,bun" },
    connections: { type: "string", default: "1,4" },
    callers: { type: "string", default: "1,64,256" },
    body: { type: "string", default: Object.keys(BODIES).join() },
    client: { type: "string", default: "" },
    seconds: { type: "string", default: "0.5" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const runtimes = values.runtime.split(",") as BenchRuntime["name"][];
const bodies = values.body.split(",") as (keyof typeof BODIES)[];
const connectionCounts = values.connections.split(",").map(Number);
const callerCounts = values.callers.split(",").map(Number);
const runMs = Number(values.seconds) * 1000;
const rounds = Number(values.rounds);
for (const runtime of runtimes) if (!(runtime in H2_CLIENTS)) fail("runtime", runtime);
for (const body of bodies) if (!(body in BODIES)) fail("body", body);
for (const count of [...connectionCounts, ...callerCounts]) {
  if (!(count >= 1)) fail("connections", count);
}
if (!(runMs > 0)) fail("seconds", values.seconds);
if (!(rounds >= 1)) fail("rounds", values.rounds);

function fail(option: string, value: unknown): never {
  console.error(`--${option} ${value} is not valid\n${USAGE}`);
  process.exit(2);
}

const SERVER_CPU = 0;
const CLIENT_CPU = os.availableParallelism() > 1 ? 1 : 0;

const results: CaseResult[] = [];
const nginx = await startNginx(SERVER_CPU);
try {
  if (!values.json) {
    console.log(
      `${os.cpus().length} × ${os.cpus()[0]?.model.trim()}, nginx ${nginx.version}, one worker, `
        + `TLS 1.3; ${rounds} turns of ${runMs} ms each, medians\n`,
    );
  }
  for (const name of runtimes) await measureRuntime(findRuntime(name));
  if (values.json) console.log(JSON.stringify({ nginx: nginx.version, runMs, rounds, results }));
} finally {
  await nginx.stop();
}

async function measureRuntime(runtime: BenchRuntime): Promise<void> {
  const wanted = values.client.split(",");
  const names = Object.keys(H2_CLIENTS[runtime.name])
    .filter((name) => wanted.some((part) => name.includes(part)));
  const workers = new Map(
    names.map((name) => [
      name,
      new Worker(runtime, name, nginx.target, nginx.caFile, CLIENT_CPU),
    ]),
  );
  try {
    for (const body of bodies) {
      for (const connections of connectionCounts) {
        for (const callers of callerCounts) {
          if (callers < connections) continue;
          const result = await measureCase(workers, {
            runtime: runtime.version,
            body,
            connections,
            callers,
            runMs,
            rounds,
            ours: OURS_H2,
          });
          results.push(result);
          if (!values.json) console.log(table(result));
        }
      }
    }
  } finally {
    for (const worker of workers.values()) worker.stop();
  }
}
