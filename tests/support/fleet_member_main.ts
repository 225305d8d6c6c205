/**
 * A process with a pool of a fleet under load, on whatever runtime runs it: so many requests at a
 * time. It tells twenty times a second how it is.
 *
 * @module
 */

import process from "node:process";
import { plainDialer } from "../../adapters/plain.ts";
import { redisFleet } from "../../adapters/redis.ts";
import { createPool, staticResolver } from "../../mod.ts";

const told = JSON.parse(process.argv[2]!) as {
  url: string;
  addresses: string[];
  port: number;
  callers: number;
  cap: number;
  leaseMs: number;
  goneAfterMs: number;
  timeoutMs: number;
  ejectionMs?: number;
  alone?: "share" | "stop";
};
const { addresses, alone, callers, cap, ejectionMs, goneAfterMs, leaseMs, port, timeoutMs, url } =
  told;

const dialErrors = { count: 0 };
const pool = createPool({
  plainDialer: plainDialer(),
  resolver: staticResolver({ "machines.test": addresses }),
  maxConnections: 1_000,
  maxConnectionsPerHost: 1_000,
  maxConnectionsPerIp: cap,
  ...(ejectionMs === undefined ? {} : { ejectionMs }),
  fleet: redisFleet({
    url,
    name: "test",
    leaseMs,
    goneAfterMs,
    timeoutMs,
    ...(alone === undefined ? {} : { alone }),
  }),
});
pool.on("dialError", () => dialErrors.count++);

let requests = 0;
let failures = 0;
let lastFailure = "";
let stopping = false;
const times: number[] = [];

async function call(): Promise<void> {
  while (!stopping) {
    const begun = performance.now();
    try {
      const response = await pool.request(`http://machines.test:${port}/`);
      await response.text();
      requests++;
    } catch (error) {
      failures++;
      lastFailure = String(error);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (times.length < 200_000) times.push(performance.now() - begun);
  }
}

const calls = Array.from({ length: callers }, call);
/** Since when an address is not good here, by the wall clock. */
const badSince: { [address: string]: number } = {};
const look = setInterval(() => {
  const hosts = Object.values(pool.stats().hosts);
  for (const { addresses } of hosts) {
    for (const [address, { standing }] of Object.entries(addresses)) {
      if (standing === "good") delete badSince[address];
      else badSince[address] ??= Date.now();
    }
  }
}, 5);
const tell = setInterval(() => {
  const { members = 0, state = "joining" } = pool.fleet?.stats() ?? {};
  const slowest = times.sort((a, b) => a - b).at(Math.floor(times.length * 0.99)) ?? 0;
  times.length = 0;
  process.stdout.write(`${
    JSON.stringify({
      requests,
      failures,
      lastFailure,
      dialErrors: dialErrors.count,
      state,
      members,
      connections: pool.manager.getConnectionCount(),
      bad: badSince,
      p99: Math.round(slowest),
    })
  }\n`);
}, 50);

process.on("SIGTERM", () => {
  stopping = true;
  clearInterval(tell);
  clearInterval(look);
  void Promise.all(calls).then(() => pool.close()).then(() => process.exit());
});
