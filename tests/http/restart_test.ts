/**
 * Machines that are killed and come back at random under load. It takes 5 seconds; with
 * `HOTCONN_LONG=1` in the environment, 30. `HOTCONN_FIGURES=1` prints what happened.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { createPool } from "../../adapters/detect.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { authority, leaf } from "../support/http_scene.ts";
import { load, percentile } from "../support/load.ts";
import { type OwnOrigin, startOwnOrigin } from "../support/origin_process.ts";
import { Random, withSeed } from "../support/random.ts";
import { pause } from "../support/services.ts";

const LOAD_MS = process.env["HOTCONN_LONG"] ? 30_000 : 5_000;
const SHOWS_FIGURES = process.env["HOTCONN_FIGURES"] !== undefined;

const EJECTION_MS = 500;
const SLOW_START_MS = 1_000;

/** How long after its start a machine is back at the latest: the pause, a trial, the slow start. */
const BACK_MS = 2 * EJECTION_MS + SLOW_START_MS;

const IPS = ["127.0.0.11", "127.0.0.12", "127.0.0.13"];

/** Kills and restarts origins, one of them always up, for a time and twice at least; then all are up. */
async function stir(origins: readonly OwnOrigin[], random: Random, until: number): Promise<number> {
  const down: OwnOrigin[] = [];
  let kills = 0;
  // To start one takes a slow machine most of that time.
  while (performance.now() < until || kills < 2) {
    await pause(100 + random.below(600));
    const kill = down.length < origins.length - 1 && (down.length === 0 || random.chance(0.5));
    if (kill) {
      const origin = random.pick(origins.filter((origin) => !down.includes(origin)));
      down.push(origin);
      kills++;
      await origin.kill();
    } else await down.shift()?.restart();
  }
  for (const origin of down) await origin.restart();
  return kills;
}

/** Whether one of three machines bears about its share. */
const isFair = (share: number): boolean => share > 0.2;

for (const protocol of ["http/1.1", "h2"] as const) {
  test(`Of a host's three machines some are killed and restarted at random: no request fails (${protocol})`, () =>
    withSeed((seed) => killAndRestart(seed, protocol)));
}

async function killAndRestart(seed: number, protocol: "http/1.1" | "h2"): Promise<void> {
  const origins: OwnOrigin[] = [];
  try {
    for (const ip of IPS) {
      origins.push(
        await startOwnOrigin({ addresses: [ip], certificates: [leaf], alpn: [protocol] }),
      );
    }
    const addresses = origins.map(({ port }, index) => `${IPS[index]}:${port}`);
    await using pool = createPool({
      resolver: staticResolver({ "a.test": addresses }),
      tls: { ca: [authority] },
      protocols: [protocol],
      ejectionMs: EJECTION_MS,
      slowStartMs: SLOW_START_MS,
    });
    const leases = Object.fromEntries(addresses.map((address) => [address, 0]));
    const counts = { eject: 0, readmit: 0, dialError: 0 };
    pool.on("lease", ({ address }) => void leases[address]!++);
    for (const type of ["eject", "readmit", "dialError"] as const) {
      pool.on(type, () => void counts[type]++);
    }
    let goesOn = true;
    const loading = load(pool, { url: "https://a.test/delay/5", goesOn: () => goesOn });
    let kills = 0;
    let shares: number[] = [0];
    try {
      kills = await stir(origins, new Random(seed), performance.now() + LOAD_MS - BACK_MS);
      await pause(BACK_MS);
      // A busy machine may take longer to come to rest than it should.
      for (let second = 0; second < 16 && !shares.every(isFair); second++) {
        const before = { ...leases };
        await pause(1_000);
        const now = addresses.map((address) => leases[address]! - before[address]!);
        const all = now.reduce((sum, count) => sum + count, 0);
        shares = now.map((count) => count / all);
      }
    } finally {
      goesOn = false;
    }
    const result = await loading;
    if (SHOWS_FIGURES) {
      const times = [50, 99, 100].map((percent) => percentile(result, percent).toFixed(1));
      const told = { made: result.times.length, errors: result.errors.length, kills, times };
      console.log({ ...told, ...counts, shares: shares.map((share) => share.toFixed(2)).join() });
    }
    assertEquals(result.errors.map(String), []);
    assertEquals(result.statuses, { 200: result.times.length });
    assert(shares.every(isFair), `They bear shares of ${shares} again`);
    await pool.close();
    pool.manager.checkInvariants();
  } finally {
    for (const origin of origins) await origin[Symbol.asyncDispose]();
  }
}
