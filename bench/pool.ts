/**
 * Acquire and release of a ready connection, beside generic pools, and with ten connections or a
 * hundred thousand in the maps.
 *
 * @module
 */

import { createPool as createGenericPool } from "generic-pool";
import { createPool as createLightningPool } from "lightning-pool";
import { bench, do_not_optimize, group, run } from "mitata";
import process from "node:process";
import { Pool as TarnPool } from "tarn";
import { memoryDialer, memorySocket } from "../adapters/memory.ts";
import { staticResolver } from "../src/hosts/resolver.ts";
import { Connection } from "../src/map/connection.ts";
import { ConnectionPool } from "../src/pool/pool.ts";

const RESOURCES = 16;
const HOST = "example.test";

/** A pool with so many connections in its maps, sixteen of them to the host that is asked for. */
async function hotconn(connections: number): Promise<ConnectionPool> {
  const pool = new ConnectionPool({
    dialer: memoryDialer(),
    resolver: staticResolver({ [HOST]: ["192.0.2.1", "192.0.2.2"] }),
    maxConnections: Infinity,
    maxConnectionsPerHost: RESOURCES,
    idleTimeoutMs: 3_600_000,
  });
  await pool.warm(HOST, { connections: RESOURCES });
  for (let index = pool.manager.getConnectionCount(); index < connections; index++) {
    const host = `host-${index >> 2}.test`;
    const address = `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
    pool.manager.addConnection(new Connection({ host, address, socket: memorySocket() }));
  }
  return pool;
}

const generic = createGenericPool(
  { create: () => Promise.resolve({}), destroy: () => Promise.resolve() },
  { max: RESOURCES, min: RESOURCES },
);
const tarn = new TarnPool({
  create: () => Promise.resolve({}),
  destroy: () => {},
  min: RESOURCES,
  max: RESOURCES,
});
const lightning = createLightningPool(
  { create: () => Promise.resolve({}), destroy: () => Promise.resolve() },
  { max: RESOURCES, min: RESOURCES },
);
const few = await hotconn(RESOURCES);
const many = await hotconn(100_000);

group("acquire and release a ready resource, one of 16", () => {
  bench("hotconn, 16 connections in the maps", async () => {
    const lease = await few.acquire(HOST);
    do_not_optimize(lease);
    lease.release();
  }).baseline(true);
  bench("hotconn, 100,000 connections in the maps", async () => {
    const lease = await many.acquire(HOST);
    do_not_optimize(lease);
    lease.release();
  });
  bench("generic-pool", async () => {
    const resource = await generic.acquire();
    do_not_optimize(resource);
    await generic.release(resource);
  });
  bench("tarn", async () => {
    const resource = await tarn.acquire().promise;
    do_not_optimize(resource);
    tarn.release(resource);
  });
  bench("lightning-pool", async () => {
    const resource = await lightning.acquire();
    do_not_optimize(resource);
    lightning.release(resource);
  });
});

await run(process.argv.includes("--json") ? { format: "json" } : {});
await Promise.all([few.close(), many.close(), tarn.destroy(), lightning.close(true)]);
await generic.drain().then(() => generic.clear());
