/**
 * The highest rate of calls that one process holds, within a 99th percentile of twice the unloaded
 * one, beside undici and the runtimes' own `fetch`: over TLS, HTTP/1.1, 64 connections, a body of
 * two bytes. nginx has one core, and the client the other.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import os from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startNginx } from "./http/nginx.ts";
import { type BenchRuntime, findRuntime } from "./http/worker.ts";
import type { LoadStep } from "./load/main.ts";

const { values } = parseArgs({
  options: { runtime: { type: "string", default: "node,deno,bun" } },
});
const SERVER_CPU = 0;
const CLIENT_CPU = os.availableParallelism() > 1 ? 1 : 0;
const main = fileURLToPath(new URL("load/main.ts", import.meta.url));

const nginx = await startNginx(SERVER_CPU);
try {
  for (const name of values.runtime.split(",") as BenchRuntime["name"][]) {
    const { command, version } = findRuntime(name);
    const curves = new Map<string, readonly LoadStep[]>();
    for (const client of name === "node" ? ["hotconn", "undici", "fetch"] : ["hotconn", "fetch"]) {
      const args = ["--cpu-list", `${CLIENT_CPU}`, ...command, main, client];
      const output = execFileSync("taskset", [...args, JSON.stringify(nginx.target)], {
        encoding: "utf8",
        env: {
          ...process.env,
          NODE_EXTRA_CA_CERTS: nginx.caFile,
          DENO_CERT: nginx.caFile,
          NODE_NO_WARNINGS: "1",
        },
        stdio: ["ignore", "pipe", "inherit"],
      });
      curves.set(client, JSON.parse(output));
    }
    show(version, curves);
  }
} finally {
  await nginx.stop();
}

function show(version: string, curves: ReadonlyMap<string, readonly LoadStep[]>): void {
  const clients = [...curves.keys()];
  console.log(`\n**${version}** (p50 / p99 in milliseconds, by calls a second that are due)\n`);
  console.log(`| calls/s | ${clients.join(" | ")} |`);
  console.log(`| ---: | ${clients.map(() => "---:").join(" | ")} |`);
  const rates = new Set([...curves.values()].flatMap((steps) => steps.map(({ rate }) => rate)));
  for (const rate of [...rates].sort((a, b) => a - b)) {
    const cells = clients.map((client) => {
      const step = curves.get(client)?.find((step) => step.rate === rate);
      return step ? `${step.p50.toFixed(2)} / ${step.p99.toFixed(2)}` : "behind";
    });
    console.log(`| ${rate.toLocaleString("en")} | ${cells.join(" | ")} |`);
  }
  const held = clients.map((client) => {
    const steps = curves.get(client) ?? [];
    // One step alone has the luck of its second: what is unloaded is told by three.
    const [, unloaded] = steps.slice(0, 3).map(({ p99 }) => p99).sort((a, b) => a - b);
    const rate = steps.findLast(({ p99 }) => p99 <= 2 * (unloaded ?? NaN))?.rate ?? 0;
    return `${client} ${rate.toLocaleString("en")}`;
  });
  console.log(`\nWithin twice the unloaded p99: ${held.join(", ")} calls/s`);
}
