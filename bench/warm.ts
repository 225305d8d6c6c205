/**
 * The first request of a pool, over TLS against nginx: after `warm()` it is to cost what any other
 * one costs. Beside it, that of a pool that has to dial; and that over a bare socket that is
 * connected, since server and TLS too have work of their own with the first one.
 *
 * Run it with `node --import tsx bench/warm.ts`. nginx has one core, the pools, thirty one after
 * another in a process of each runtime, have another.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startNginx } from "./http/nginx.ts";
import { type BenchRuntime, findRuntime } from "./http/worker.ts";
import { median } from "./median.ts";
import type { FirstAndSteady, WarmTimes } from "./warm/main.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "node,deno,bun" },
    pools: { type: "string", default: "30" },
    json: { type: "boolean", default: false },
  },
});
const SERVER_CPU = 0;
const CLIENT_CPU = os.availableParallelism() > 1 ? 1 : 0;
const main = fileURLToPath(new URL("warm/main.ts", import.meta.url));

const nginx = await startNginx(SERVER_CPU);
try {
  const results = values.runtime.split(",").map((name) => {
    const runtime = findRuntime(name as BenchRuntime["name"]);
    const args = [...runtime.command, main, name, JSON.stringify(nginx.target), values.pools];
    const output = execFileSync("taskset", ["--cpu-list", String(CLIENT_CPU), ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const times = JSON.parse(output) as WarmTimes;
    return {
      runtime: runtime.version,
      cold: median(times.cold),
      warm: summary(times.warm),
      floor: summary(times.floor),
    };
  });
  if (values.json) console.log(JSON.stringify({ pools: Number(values.pools), results }));
  else {
    console.log(
      `${os.cpus().length} × ${os.cpus()[0]?.model.trim()}, nginx ${nginx.version}, TLS 1.3; `
        + `medians of ${values.pools} pools, in milliseconds\n`,
    );
    console.log("                           first   steady   first / steady");
    for (const { cold, floor, runtime, warm } of results) {
      console.log(`${runtime.padEnd(16)}cold    ${column(cold)}`);
      row("warm", warm);
      row("socket", floor);
    }
  }
} finally {
  await nginx.stop();
}

function summary(times: readonly FirstAndSteady[]): FirstAndSteady {
  return {
    first: median(times.map(({ first }) => first)),
    steady: median(times.map(({ steady }) => steady)),
  };
}

function row(name: string, { first, steady }: FirstAndSteady): void {
  const ratio = (first / steady).toFixed(2).padStart(17);
  console.log(`${" ".repeat(16)}${name.padEnd(8)}${column(first)} ${column(steady)}${ratio}`);
}

function column(ms: number): string {
  return ms.toFixed(3).padStart(8);
}
