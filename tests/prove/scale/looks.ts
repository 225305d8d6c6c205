/**
 * What it costs to look at a pool with very many connections.
 *
 * @module
 */

import { Hono } from "hono";
import { adminRouter } from "../../../adapters/hono.ts";
import { HttpPool } from "../../../src/http/http_pool.ts";
import { openMetrics } from "../../../src/metrics/open_metrics.ts";
import type { SceneResult } from "../scale.ts";
import { leanDialer, numberedResolver } from "./lean.ts";

const ADDRESSES_A_HOST = 5;
const PER_ADDRESS = 10;
const CONNECTIONS = 5_000;

/** No look may hold the loop for longer, in milliseconds; ten times that is broken on any machine. */
const MOST_MS = 50;
const BROKEN_MS = 10 * MOST_MS;
const ROUNDS = 5;

const TOKEN = crypto.randomUUID();

/** Opens them, and looks in every way there is: the median of a few times, in milliseconds. */
export async function figuresOfMany(share: number): Promise<SceneResult> {
  const hosts = Math.max(10, Math.round(CONNECTIONS * share / ADDRESSES_A_HOST / PER_ADDRESS));
  const pool = new HttpPool({
    dialer: leanDialer(),
    resolver: numberedResolver(ADDRESSES_A_HOST),
    maxConnections: CONNECTIONS,
    maxConnectionsPerIp: PER_ADDRESS,
    maxConcurrentDials: 500,
    maxConcurrentDialsPerHost: 50,
  });
  const connections = ADDRESSES_A_HOST * PER_ADDRESS;
  const names = Array.from({ length: hosts }, (_, number) => `h${number}.test`);
  await Promise.all(names.map((host) => pool.warm(host, { connections })));
  const app = new Hono().route("/", adminRouter({ main: pool }, { auth: { read: TOKEN } }));
  const page = async (path: string) => {
    const answer = await app.request(path, { headers: { authorization: `Bearer ${TOKEN}` } });
    if (answer.status !== 200) throw new Error(`${path} answers ${answer.status}`);
    return (await answer.text()).length;
  };
  const looks: { readonly [name: string]: () => unknown } = {
    "stats()": () => pool.stats(),
    "diagnose()": () => pool.diagnose(),
    "openMetrics()": () => openMetrics({ main: pool }),
    "debugInfo()": () => pool.debugInfo(),
    "GET /api/overview": () => page("/api/overview"),
    "GET …/connections": () => page("/api/pools/main/connections"),
  };
  const figures: { [name: string]: number } = { connections: pool.stats().connections };
  const broken: string[] = [];
  if (figures.connections !== hosts * connections) {
    broken.push(`${figures.connections} of ${hosts * connections} connections are there`);
  }
  for (const [name, look] of Object.entries(looks)) {
    const times: number[] = [];
    await look();
    for (let round = 0; round < ROUNDS; round++) {
      const from = performance.now();
      await look();
      times.push(performance.now() - from);
    }
    const ms = times.sort((a, b) => a - b)[ROUNDS >> 1]!;
    figures[name] = Number(ms.toFixed(1));
    if (ms > BROKEN_MS) broken.push(`${name} takes ${ms.toFixed(0)} ms, ${MOST_MS} are meant`);
  }
  await pool.close({ graceMs: 0 });
  const { connections: open, ...times } = figures;
  const told = Object.entries(times).map(([name, ms]) => `${name} ${ms} ms`).join(", ");
  return {
    figures,
    text: `${open} connections, ${hosts * ADDRESSES_A_HOST} addresses: ${told}`,
    broken,
  };
}
