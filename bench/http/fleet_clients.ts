/**
 * The client that is measured beside itself: over a pool that is in a fleet.
 *
 * @module
 */

import process from "node:process";
import { redisFleet } from "../../adapters/redis.ts";
import { createPool, staticResolver } from "../../mod.ts";
import { looping, type OpenClient } from "./client.ts";

/** The name of the client. */
export const IN_FLEET = "hotconn request, in a fleet";

/** Its Redis is in the environment. */
const request: OpenClient = async (target, path, bodyBytes, connections) => {
  const pool = createPool({
    resolver: staticResolver({ [target.host]: [target.ip] }),
    maxConnections: connections,
    maxConnectionsPerHost: connections,
    // Of the fleet's, a twentieth is never given out.
    maxConnectionsPerIp: 4 * connections + 10,
    protocols: ["http/1.1"],
    tls: { ca: [target.ca] },
    fleet: redisFleet({ url: process.env.HOTCONN_REDIS ?? "", name: "bench" }),
  });
  await pool.warm(`${target.host}:${target.port}`, { connections });
  if (pool.fleet?.stats().state !== "joined") throw new Error("It is in no fleet");
  const url = `https://${target.host}:${target.port}${path}`;
  const get = async () => (await (await pool.request(url)).bytes()).length;
  return looping(get, bodyBytes, connections, () => pool.close());
};

/** By name. */
export const FLEET_CLIENTS: { readonly [client: string]: OpenClient } = { [IN_FLEET]: request };
