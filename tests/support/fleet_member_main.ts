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
  fleetName?: string;
};
const { addresses, alone, callers, cap, ejectionMs, goneAfterMs, leaseMs, port, timeoutMs, url } =
  told;
const { fleetName = "test" } = told;

const dialErrors = { count: 0, at: [] as number[] };
const pool = createPool({
  plainDialer: plainDialer(),
  resolver: staticResolver({ "machines.test": addresses }),
  maxConnections: 1_000,
  maxConnectionsPerHost: 1_000,
  maxConnectionsPerIp: cap,
  ...(ejectionMs === undefined ? {} : { ejectionMs }),
  fleet: redisFleet({
    url,
    name: fleetName,
    leaseMs,
    goneAfterMs,
    timeoutMs,
    ...(alone === undefined ? {} : { alone }),
  }),
});
pool.on("dialError", () => {
  dialErrors.count++;
  dialErrors.at = [...dialErrors.at, Date.now()].slice(-10);
});

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
/** Since when an address is not good here, or is good again, by the wall clock; and why not. */
const badSince: { [address: string]: number } = {};
const goodSince: { [address: string]: number } = {};
const why: { [address: string]: string } = {};
const look = setInterval(() => {
  const hosts = Object.values(pool.stats().hosts);
  for (const { addresses } of hosts) {
    for (const [address, { health, standing }] of Object.entries(addresses)) {
      if (standing === "good") {
        if (badSince[address] !== undefined) goodSince[address] = Date.now();
        delete badSince[address];
      } else if (badSince[address] === undefined) {
        badSince[address] = Date.now();
        why[address] = health.verdict?.reason ?? "";
      }
    }
  }
}, 5);
const tell = setInterval(() => {
  const { members = 0, state = "joining" } = pool.fleet?.status() ?? {};
  const slowest = times.sort((a, b) => a - b).at(Math.floor(times.length * 0.99)) ?? 0;
  times.length = 0;
  process.stdout.write(`${
    JSON.stringify({
      requests,
      failures,
      lastFailure,
      dialErrors: dialErrors.count,
      dialErrorsAt: dialErrors.at,
      state,
      members,
      connections: pool.manager.getConnectionCount(),
      bad: badSince,
      good: goodSince,
      why,
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
