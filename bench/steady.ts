/**
 * Steady demand on a pool that nobody has warmed, over TLS: how soon it has grown, what waits, and
 * what it does in its first second beside a warmed pool and the runtime's own `fetch`. Bare sockets
 * show what their handshakes alone take of it.
 *
 * The server has one core, and the clients, each in its own process and in turn, the other.
 *
 * @module
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createAuthority } from "../tests/support/pki.ts";
import { startNginx } from "./http/nginx.ts";
import { type BenchRuntime, findRuntime } from "./http/worker.ts";
import { median } from "./median.ts";
import type { FloorMeasured, FloorScene } from "./steady/floor_main.ts";
import type { Measured, Scene } from "./steady/main.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "node,deno,bun" },
    rounds: { type: "string", default: "5" },
    part: { type: "string", default: "rate,floor,delays" },
  },
});
const SERVER_CPU = 0;
const CLIENT_CPU = os.availableParallelism() > 1 ? 1 : 0;
const CALLERS = 64;

const runtimes = values.runtime.split(",").map((name) => findRuntime(name as BenchRuntime["name"]));

function measure(runtime: BenchRuntime, caFile: string, scene: Scene): Measured {
  return run(runtime, caFile, "steady/main.ts", scene) as Measured;
}

function run(runtime: BenchRuntime, caFile: string, file: string, scene: object): unknown {
  const main = fileURLToPath(new URL(file, import.meta.url));
  const args = ["--cpu-list", String(CLIENT_CPU), ...runtime.command, main, JSON.stringify(scene)];
  const output = execFileSync("taskset", args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DENO_CERT: caFile, NODE_EXTRA_CA_CERTS: caFile, NO_COLOR: "1" },
  });
  return JSON.parse(output);
}

/** Tiny bodies from nginx: requests in the first second and in three, by client. */
async function rates(): Promise<void> {
  const nginx = await startNginx(SERVER_CPU);
  try {
    const base = {
      callers: [CALLERS],
      ca: nginx.target.ca,
      url: urlOf(nginx.target.port),
      ms: 3_000,
    };
    for (const runtime of runtimes) {
      const clients = ["cold", "warm", "fetch"] as const;
      const found = new Map(clients.map((client) => [client, [] as Measured[]]));
      for (let round = 0; round < Number(values.rounds); round++) {
        for (const client of clients) {
          found.get(client)!.push(measure(runtime, nginx.caFile, { ...base, client }));
        }
      }
      const cold = found.get("cold")!;
      console.log(`\n${runtime.version}, tiny bodies, ${CALLERS} callers, load ${load()}`);
      for (const client of clients) {
        const all = found.get(client)!;
        const figures = [1, 3].map((seconds) => {
          const requests = (one: Measured) =>
            one.perSecond.slice(0, seconds).reduce((sum, count) => sum + count, 0);
          const ratio = median(all.map((one, at) => requests(cold[at]!) / requests(one)));
          return `${median(all.map(requests))} in ${seconds} s (${ratio.toFixed(2)})`;
        });
        const cpuRatio = median(all.map((one, at) => one.cpuUs / cold[at]!.cpuUs)).toFixed(2);
        figures.push(`${median(all.map(({ cpuUs }) => cpuUs)).toFixed(1)} µs of CPU (${cpuRatio})`);
        const grownMs = client === "cold" ? `, grown in ${median(all.map(allAt))} ms` : "";
        console.log(`  ${client.padEnd(6)} ${figures.join(", ")}${grownMs}`);
      }
    }
  } finally {
    await nginx.stop();
  }
}

/** Bare sockets: how much of the first second their handshakes take. */
async function floors(): Promise<void> {
  const nginx = await startNginx(SERVER_CPU);
  try {
    const { ca, port } = nginx.target;
    for (const runtime of runtimes) {
      const ask = (isOpened: boolean) => {
        const scene: FloorScene = { ca, port, sockets: CALLERS, isOpened };
        return run(runtime, nginx.caFile, "steady/floor_main.ts", scene) as FloorMeasured;
      };
      const rounds = Array.from({ length: Number(values.rounds) }, () => [ask(false), ask(true)]);
      const ratio = median(rounds.map(([one, opened]) => one!.answers / opened!.answers));
      const openMs = median(rounds.map(([one]) => one!.openMs));
      console.log(
        `\n${runtime.version}, ${CALLERS} bare sockets, load ${load()}: open in ${openMs} ms; `
          + `answers in 1 s, beside opened ones: ${ratio.toFixed(2)}`,
      );
    }
  } finally {
    await nginx.stop();
  }
}

/** A server that takes its time with each answer. */
async function delays(): Promise<void> {
  const folder = await mkdtemp(join(os.tmpdir(), "hotconn-bench-"));
  const authority = await createAuthority();
  const caFile = join(folder, "ca.pem");
  await writeFile(caFile, authority.cert);
  const server = fileURLToPath(new URL("steady/slow_server.ts", import.meta.url));
  const node = findRuntime("node").command;
  const args = ["--cpu-list", String(SERVER_CPU), ...node, server];
  const child = spawn("taskset", args, { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const leaf = await authority.issue({ names: ["localhost"] });
    child.stdin.end(JSON.stringify(leaf));
    const [port] = await once(createInterface({ input: child.stdout }), "line") as [string];
    const base = { ca: authority.cert, client: "cold", ms: 4_000 } as const;
    for (const runtime of runtimes) {
      console.log(`\n${runtime.version}, load ${load()}`);
      for (const delayMs of [5, 20, 50, 200]) {
        const url = urlOf(Number(port), `/${delayMs}`);
        show(`${delayMs} ms`, measure(runtime, caFile, { ...base, url, callers: [CALLERS] }));
      }
      const url = urlOf(Number(port), "/50");
      const callers = Array.from({ length: 10 }, (_, at) => 4 + 4 * at);
      show("50 ms, 4 to 40", measure(runtime, caFile, { ...base, url, callers }));
    }
  } finally {
    child.kill();
    await rm(folder, { recursive: true });
  }
}

function show(name: string, one: Measured): void {
  console.log(
    `  ${name.padEnd(15)} ${one.connections} connections; first dial ${one.readyAt[0]} ms, `
      + `grown in ${allAt(one)} ms; waited, p50: ${one.waitP50} ms; request, p50: ${one.p50} ms`,
  );
}

function allAt({ readyAt }: Measured): number {
  return readyAt.at(-1) ?? 0;
}

function urlOf(port: number, path = "/tiny"): string {
  return `https://localhost:${port}${path}`;
}

function load(): string {
  return os.loadavg()[0]!.toFixed(1);
}

if (values.part.includes("rate")) await rates();
if (values.part.includes("floor")) await floors();
if (values.part.includes("delays")) await delays();
