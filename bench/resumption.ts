/**
 * What a resumed TLS handshake saves: a dial and its first answer, one after the other; and a server
 * that hangs up on a thousand connections, which the pool dials again.
 *
 * Run it with `node --import tsx bench/resumption.ts`. Client and server have a core each, and the
 * two ways take turns. TLS sessions are resumed on Node alone. A server of Node's sends two tickets
 * with a full handshake and none with a resumed one: two of three dials can be resumed, and no more.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import os from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createPool } from "../adapters/detect.ts";
import { nodeDialer } from "../adapters/node.ts";
import type { Dialer, DialTarget } from "../src/core/dialer.ts";
import { staticResolver } from "../src/hosts/resolver.ts";
import { createAuthority } from "../tests/support/pki.ts";
import { median } from "./median.ts";

const { values } = parseArgs({
  options: {
    dials: { type: "string", default: "300" },
    connections: { type: "string", default: "1000" },
    rounds: { type: "string", default: "5" },
  },
});
const DIALS = Number(values.dials);
const CONNECTIONS = Number(values.connections);
const ROUNDS = Number(values.rounds);

const ca = await createAuthority();
const main = fileURLToPath(new URL("resumption/server_main.ts", import.meta.url));
const server = spawn(process.execPath, ["--import", "tsx", main], {
  stdio: ["pipe", "pipe", "inherit"],
});
const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
server.stdin.write(`${JSON.stringify(await ca.issue({ names: ["a.test"] }))}\n`);
const port = Number((await lines.next()).value);

/** Has the server hang up on everybody; gives how many sessions it has resumed since the last time. */
async function restart(): Promise<number> {
  server.stdin.write("\n");
  return Number((await lines.next()).value);
}

/** A dialer that resumes, or one that forgets every session before it dials. */
function dialerOf(resumes: boolean): Dialer {
  const dialer = nodeDialer();
  if (resumes) return dialer;
  return {
    name: dialer.name,
    capabilities: dialer.capabilities,
    dial: (target, signal) => {
      dialer.forget?.(target);
      return dialer.dial(target, signal);
    },
  };
}

interface Cost {
  readonly cpuMs: number;
  readonly ms: number;
}

async function measure(work: () => Promise<void>): Promise<Cost> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  await work();
  const { system, user } = process.cpuUsage(before);
  return { cpuMs: (system + user) / 1_000, ms: performance.now() - startedAt };
}

const tls = { ca: [ca.cert], alpn: ["http/1.1"] };
const target: DialTarget = {
  host: "a.test",
  serverName: "a.test",
  address: `127.0.0.1:${port}`,
  ip: "127.0.0.1",
  port,
  tls,
};

/** Dials, asks, and ends, time and again. */
async function dial(dialer: Dialer, times: number): Promise<Cost> {
  const request = new TextEncoder().encode("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
  return await measure(async () => {
    for (let made = 0; made < times; made++) {
      const socket = await dialer.dial(target, new AbortController().signal);
      await new Promise<void>((resolve) => {
        socket.attach({ onData: () => resolve(), onDrain: () => {}, onClose: () => resolve() });
        socket.write(request);
      });
      socket.destroy();
    }
  });
}

/** Has a pool lose all of its connections, and measures until it has them again. */
async function lose(resumes: boolean): Promise<Cost & { readonly resumed: number }> {
  await using pool = createPool({
    dialer: dialerOf(resumes),
    resolver: staticResolver({ "a.test": [`127.0.0.1:${port}`] }),
    tls,
    protocols: ["http/1.1"],
    maxConnections: CONNECTIONS,
    maxConnectionsPerHost: CONNECTIONS,
    maxConnectionsPerIp: CONNECTIONS,
    maxRetries: 20,
  });
  await pool.warm("a.test", { connections: CONNECTIONS });
  // The tickets come after the handshake.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const isThere = () => pool.stats().idle === CONNECTIONS;
  const cost = await measure(async () => {
    await restart();
    while (isThere()) await new Promise((resolve) => setTimeout(resolve, 1));
    while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  const resumed = await restart();
  await pool.close({ graceMs: 0 });
  return { ...cost, resumed };
}

console.log(`${os.cpus()[0]?.model.trim()}, Node ${process.version}, load ${os.loadavg()[0]}\n`);
const ways = { full: dialerOf(false), resumed: dialerOf(true) };
const costs = { full: [] as Cost[], resumed: [] as Cost[] };
await dial(ways.full, DIALS / 5);
await dial(ways.resumed, DIALS / 5);
for (let round = 0; round < ROUNDS; round++) {
  for (const way of ["full", "resumed"] as const) costs[way].push(await dial(ways[way], DIALS));
}
for (const way of ["full", "resumed"] as const) {
  const cpu = median(costs[way].map(({ cpuMs }) => cpuMs)) / DIALS;
  const ms = median(costs[way].map((cost) => cost.ms)) / DIALS;
  console.log(`a dial, ${way.padEnd(8)} ${cpu.toFixed(3)} ms of CPU, ${ms.toFixed(3)} ms`);
}
for (let round = 0; round < Math.min(ROUNDS, 3); round++) {
  for (const resumes of [false, true]) {
    const { cpuMs, ms, resumed } = await lose(resumes);
    const way = resumes ? "resumed" : "full";
    console.log(
      `${CONNECTIONS} connections again, ${way.padEnd(8)} ${cpuMs.toFixed(0)} ms of CPU, `
        + `${ms.toFixed(0)} ms, ${resumed} of them resumed`,
    );
  }
}
server.stdin.end();
await once(server, "exit");
